"""Messages that only recordings contain: video, markers, gaps, clock offsets and results of background computations."""

from typing import ClassVar, Literal

from pose_rig.wire.messages import Count, Message, SizePx, TimeNs


class VideoFrame(Message, frozen=True, kw_only=True, eq=False):
    """One encoded image of one camera.

    Attributes:
        camera: Name of the camera.
        index: Frame number, as in the keypoints of the same frame.
        t_ns: Capture time, as in those keypoints.
        size_px: Image (width, height).
        format: ``h264``: one access unit in Annex B form, without B-frames; ``jpeg``: one JPEG image.
        keyframe: Whether decoding can start here.
        data: The encoded image.
    """

    TOPIC: ClassVar[str] = "video/"
    TOPIC_FIELD: ClassVar[str] = "camera"

    camera: str
    index: Count
    t_ns: TimeNs
    size_px: SizePx
    format: Literal["h264", "jpeg"]
    keyframe: bool
    data: bytes


class Marker(Message, frozen=True, kw_only=True, eq=False):
    """A marker that the user has set.

    Attributes:
        t_ns: Rig clock.
        number: From 1.
        text: Label.
    """

    TOPIC: ClassVar[str] = "marker"

    t_ns: TimeNs
    number: Count
    text: str


class Gap(Message, frozen=True, kw_only=True, eq=False):
    """A gap in a recording.

    Attributes:
        source: Name of the camera or worker.
        what: What was dropped: ``frames`` of a camera, ``video`` images, or ``messages`` to the recorder.
        from_ns: Last time before the gap, rig clock.
        t_ns: First time after it.
        missing: How many are known to be missing.
        reason: For display.
    """

    TOPIC: ClassVar[str] = "gap/"
    TOPIC_FIELD: ClassVar[str] = "source"

    source: str
    what: Literal["frames", "video", "messages"]
    from_ns: TimeNs
    t_ns: TimeNs
    missing: Count
    reason: str = ""


class Learned(Message, frozen=True, kw_only=True, eq=False):
    """The result of a background computation came into use; makes the replay of a live run exact.

    Attributes:
        work: Which computation; ``groups``: which detections are of one person before the rig is solved, and
            ``late-groups`` where cameras are late.
        asked: How often its result had been asked for by then, this time included.
    """

    TOPIC: ClassVar[str] = "learned"

    work: Literal["averaging", "solving", "clocks", "groups", "late-groups"]
    asked: Count


class Clock(Message, frozen=True, kw_only=True, eq=False):
    """The monotonic clock and the wall clock of one machine, read together.

    Attributes:
        host: The machine.
        t_ns: Its monotonic clock, which is the rig clock of live runs.
        unix_ns: Its wall clock.
        uncertainty_ns: Maximum time between the two readings.
    """

    TOPIC: ClassVar[str] = "clock"

    host: str
    t_ns: TimeNs
    unix_ns: TimeNs
    uncertainty_ns: TimeNs
