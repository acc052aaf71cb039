"""What a recording holds beyond the talk of the processes: pictures, markers, gaps, and when what was learned."""

from typing import ClassVar, Literal

from pose_rig.wire.messages import Count, Message, Size, TimeNs


class VideoFrame(Message, frozen=True, kw_only=True, eq=False):
    """One picture of one camera, compressed.

    Attributes:
        camera: Name of the camera.
        index: Frame number, as in the keypoints of the same picture.
        t_ns: Capture instant, as there.
        size_px: Image (width, height).
        format: ``h264``: one access unit in Annex B form, without B-frames; ``jpeg``: a picture by itself.
        keyframe: Whether decoding can begin here.
        data: The bytes.
    """

    TOPIC: ClassVar[str] = "video/"

    camera: str
    index: Count
    t_ns: TimeNs
    size_px: Size
    format: Literal["h264", "jpeg"]
    keyframe: bool
    data: bytes

    @property
    def topic(self) -> str:
        """``video/<camera>``."""
        return self.TOPIC + self.camera


class Marker(Message, frozen=True, kw_only=True, eq=False):
    """Something that the user wants to find again.

    Attributes:
        t_ns: When, rig clock.
        number: Which one, from 1.
        text: What it is called.
    """

    TOPIC: ClassVar[str] = "marker"

    t_ns: TimeNs
    number: Count
    text: str


class Gap(Message, frozen=True, kw_only=True, eq=False):
    """Something is missing here.

    Attributes:
        source: Name of the camera or worker.
        what: What is missing: ``frames`` of a camera, ``video`` pictures that were not kept, or ``messages`` that the
            recorder could not take.
        from_ns: The last instant before it, rig clock.
        t_ns: The first instant after it.
        missing: How many, as far as that is known.
        reason: Why, for people.
    """

    TOPIC: ClassVar[str] = "gap/"

    source: str
    what: Literal["frames", "video", "messages"]
    from_ns: TimeNs
    t_ns: TimeNs
    missing: Count
    reason: str = ""

    @property
    def topic(self) -> str:
        """``gap/<source>``."""
        return self.TOPIC + self.source


class Learned(Message, frozen=True, kw_only=True, eq=False):
    """What was computed beside the poses came into use: with this a live run can be gone through again exactly.

    Attributes:
        work: What was computed.
        asked: How often the fusion had asked for it by then, from 1.
    """

    TOPIC: ClassVar[str] = "learned"

    work: Literal["averaging", "solving"]
    asked: Count


class Clock(Message, frozen=True, kw_only=True, eq=False):
    """What two clocks of one machine showed at the same time.

    Attributes:
        host: The machine.
        t_ns: Its monotonic clock, which is the rig clock of live runs.
        unix_ns: Its time of day.
        uncertainty_ns: How far apart the two may have been read.
    """

    TOPIC: ClassVar[str] = "clock"

    host: str
    t_ns: TimeNs
    unix_ns: TimeNs
    uncertainty_ns: TimeNs
