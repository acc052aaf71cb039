"""An encoded image."""

from typing import Literal, NamedTuple

Format = Literal["h264", "jpeg"]


class EncodedImage(NamedTuple):
    """An encoded image; the attributes are those of `pose_rig.wire.records.VideoFrame`."""

    format: Format
    keyframe: bool
    data: bytes
