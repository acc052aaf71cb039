"""Encoding H.264 with PyAV, which the extra ``video`` installs."""

from fractions import Fraction
from typing import Any, Final

import av
import cv2
from av.video.frame import PictureType
from av.video.reformatter import ColorRange, Colorspace

from pose_rig.arrays import Image
from pose_rig.errors import PoseRigError
from pose_rig.video.encoded import EncodedImage

CODEC: Final = "libx264"
# Moves the detector's landmarks by 1.5 px (median, 1080×1920 demo clip); noise of one grey level moves them by 1.3 px.
# 18 moves them as much and has 1.7 × the bytes, 28 moves them by 1.7 px and has 0.6 ×.
CONSTANT_RATE_FACTOR = 23
KEYFRAME_INTERVAL_NS = 1_000_000_000
NOMINAL_HZ = 30  # the stream has frame numbers only: timestamps are in the messages
MAX_GOP_FRAMES = 1 << 20  # keyframes are requested explicitly
OPTIONS = {"preset": "ultrafast", "tune": "zerolatency", "crf": str(CONSTANT_RATE_FACTOR), "forced-idr": "1", "bf": "0"}


class H264Encoder:
    """Encodes an Annex B stream of images of one size, without B-frames and without delay.

    There is a keyframe every second, with the parameter sets before it. Odd sides are padded by repeating the last row
    or column.

    Args:
        size_px: (width, height).

    Raises:
        PoseRigError: PyAV has no such encoder, or it does not support the size.
    """

    def __init__(self, size_px: tuple[int, int]) -> None:
        self._odd = (size_px[0] % 2, size_px[1] % 2)
        self._frames = 0
        self._key_ns: int | None = None
        try:
            self._context = context = av.CodecContext.create(CODEC, "w")
            context.width, context.height = size_px[0] + self._odd[0], size_px[1] + self._odd[1]
            context.pix_fmt = "yuv420p"
            context.color_range, context.colorspace = ColorRange.MPEG, Colorspace.ITU601  # as OpenCV converts
            context.framerate, context.time_base = Fraction(NOMINAL_HZ), Fraction(1, NOMINAL_HZ)
            context.gop_size = MAX_GOP_FRAMES
            context.thread_count = 1  # the detectors use the other cores
            context.options = OPTIONS
            context.open()
        except (av.FFmpegError, ValueError) as error:
            raise PoseRigError(
                f"{CODEC} does not support images of {size_px[0]}×{size_px[1]}: {error}.", "Install PyAV's own wheel."
            ) from error

    def encode(self, t_ns: int, image: Image) -> EncodedImage:
        """Returns a (H,W,3) uint8 BGR image as one access unit.

        Raises:
            PoseRigError: Encoding failed.
        """
        even: Any = image
        if any(self._odd):
            even = cv2.copyMakeBorder(image, 0, self._odd[1], 0, self._odd[0], cv2.BORDER_REPLICATE)
        planes: Any = cv2.cvtColor(even, cv2.COLOR_BGR2YUV_I420)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts = self._frames
        keyframe = self._key_ns is None or not 0 <= t_ns - self._key_ns < KEYFRAME_INTERVAL_NS
        frame.pict_type = PictureType.I if keyframe else PictureType.NONE
        try:
            packets = self._context.encode(frame)
        except av.FFmpegError as error:
            raise PoseRigError(f"{CODEC} failed: {error}.", "Images are encoded as JPEG instead.") from error
        if len(packets) != 1 or packets[0].is_keyframe < keyframe:
            raise PoseRigError(
                f"{CODEC} did not return one access unit for one image.", "Images are encoded as JPEG instead."
            )
        self._frames += 1
        if keyframe:
            self._key_ns = t_ns
        return EncodedImage("h264", packets[0].is_keyframe, bytes(packets[0]))
