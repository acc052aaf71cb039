"""One compressed image."""

from typing import Literal, NamedTuple

Format = Literal["h264", "jpeg"]


class EncodedImage(NamedTuple):
    """A compressed picture.

    Attributes:
        format: As in `pose_rig.wire.records.VideoFrame`, and
        keyframe: and
        data: too.
    """

    format: Format
    keyframe: bool
    data: bytes
