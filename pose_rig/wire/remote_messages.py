"""Requests for the time by remote cameras, and the replies of their rig.

The requests are also the sign of life of a camera, and the replies say what the rig wants of it: the two share no other
state, so either may be restarted at any time.
"""

from typing import ClassVar

from pose_rig.wire.messages import Message, TimeNs


class TimeRequest(Message, frozen=True, kw_only=True, eq=False):
    """A remote camera asks for the time of the rig, several times a second.

    Attributes:
        camera: Its name in the rig.
        host: The name of its machine, for display.
        sent_ns: Monotonic clock of its machine at sending.
    """

    TOPIC: ClassVar[str] = "time-request/"
    TOPIC_FIELD: ClassVar[str] = "camera"

    camera: str
    host: str
    sent_ns: TimeNs


class TimeReply(Message, frozen=True, kw_only=True, eq=False):
    """The reply of the rig.

    Attributes:
        sent_ns: That of the request.
        received_ns: When the request was received, rig clock.
        answered_ns: When this was sent, rig clock.
        start_ns: When files start, rig clock; 0 = not yet.
        video: Whether the rig records video.
        thumbnails: Whether a page shows the cameras.
        appearance: Whether the rig tracks several people, and the camera describes what they look like.
        refusal: Why the rig does not take this camera, and a remedy; empty if it does.
    """

    TOPIC: ClassVar[str] = "time-reply"

    sent_ns: TimeNs
    received_ns: TimeNs
    answered_ns: TimeNs
    start_ns: TimeNs = 0
    video: bool = False
    thumbnails: bool = False
    refusal: str = ""
    appearance: bool = False
