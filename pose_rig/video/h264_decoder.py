"""Decoding H.264 with PyAV, which the extra ``video`` installs."""

import av
import numpy as np
from av.codec.context import Flags

from pose_rig.arrays import Image


class H264Decoder:
    """Decodes access units in Annex B form, from a keyframe on; one thread, since several decoders may run at once."""

    def __init__(self) -> None:
        self._context = av.CodecContext.create("h264", "r")
        self._context.thread_count = 1
        self._context.flags |= Flags.low_delay  # encoders of phones may not state that no image is out of order
        self._context.options = {"err_detect": "explode"}  # no image rather than a concealed error

    def decode(self, data: bytes) -> Image | None:
        """Returns (H,W,3) uint8 BGR, None where the access unit is damaged; then a new decoder is needed."""
        try:
            frames = self._context.decode(av.Packet(data)) if data else []
        except av.FFmpegError:
            return None
        if len(frames) != 1 or frames[0].is_corrupt:
            return None
        return frames[0].to_ndarray(format="bgr24").astype(np.uint8, copy=False)
