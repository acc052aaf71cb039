"""MP4 files with H.264, which every player and browser shows, by PyAV, which the extra ``video`` installs."""

from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Self

import av
import cv2
from av.video.reformatter import ColorRange, Colorspace

from pose_rig.arrays import Image

CODEC: Final = "libx264"
OPTIONS: dict[str, object] = {"preset": "superfast", "crf": "23"}


class H264Mp4:
    """An MP4 file that is being written; leaving its context finishes it.

    Args:
        path: The file.
        size_px: Even (width, height) of its images.
        fps: Frames per second.

    Raises:
        av.FFmpegError: The file cannot be written.
    """

    def __init__(self, path: Path, size_px: tuple[int, int], fps: float) -> None:
        self._file = av.open(str(path), "w", format="mp4", options={"movflags": "faststart"})
        self._stream = stream = self._file.add_stream(CODEC, rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height = size_px
        stream.pix_fmt = "yuv420p"
        stream.codec_context.color_range = ColorRange.MPEG
        stream.codec_context.colorspace = Colorspace.ITU601  # as OpenCV converts
        stream.options = OPTIONS

    def write(self, image: Image) -> None:
        """Adds a (H,W,3) uint8 BGR image."""
        planes: Any = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
        self._file.mux(self._stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._file.mux(self._stream.encode(None))
        finally:
            self._file.close()
