"""H.264 with PyAV, which the extra ``video`` brings."""

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
# The detector's landmarks move by 1.5 px (median, 1080×1920 demo clip), as they do by noise of one grey level: 1.3 px.
# 18 moves them as much and has 1.7 × the bytes, 28 moves them by 1.7 px and has 0.6 ×.
CRF = 23
KEYFRAME_EVERY_NS = 1_000_000_000
NOMINAL_HZ = 30  # pictures are numbered rather than timed: their instants travel beside them
ENDLESS = 1 << 20  # pictures from keyframe to keyframe, as far as the encoder is concerned
OPTIONS = {"preset": "ultrafast", "tune": "zerolatency", "crf": str(CRF), "forced-idr": "1", "bf": "0"}


class H264Encoder:
    """An Annex B stream of pictures of one size, without B-frames, each out as soon as it is in.

    Every second there is a keyframe, with the parameter sets before it. Sides that are odd are made even by repeating
    the last row or column.

    Args:
        size_px: (width, height).

    Raises:
        PoseRigError: PyAV comes without an encoder, or it does not take this size.
    """

    def __init__(self, size_px: tuple[int, int]) -> None:
        self._odd = (size_px[0] % 2, size_px[1] % 2)
        self._pictures = 0
        self._key_ns: int | None = None
        try:
            self._context = context = av.CodecContext.create(CODEC, "w")
            context.width, context.height = size_px[0] + self._odd[0], size_px[1] + self._odd[1]
            context.pix_fmt = "yuv420p"
            context.color_range, context.colorspace = ColorRange.MPEG, Colorspace.ITU601  # as OpenCV converts
            context.framerate, context.time_base = Fraction(NOMINAL_HZ), Fraction(1, NOMINAL_HZ)
            context.gop_size = ENDLESS
            context.thread_count = 1  # the other cores are the detectors'
            context.options = OPTIONS
            context.open()
        except (av.FFmpegError, ValueError) as error:
            raise PoseRigError(
                f"{CODEC} does not take {size_px[0]}×{size_px[1]} pictures: {error}.", "Install PyAV's own wheel."
            ) from error

    def encode(self, t_ns: int, image: Image) -> EncodedImage:
        """Returns a (H,W,3) uint8 BGR picture as one access unit.

        Raises:
            PoseRigError: The encoder failed.
        """
        even: Any = image
        if any(self._odd):
            even = cv2.copyMakeBorder(image, 0, self._odd[1], 0, self._odd[0], cv2.BORDER_REPLICATE)
        planes: Any = cv2.cvtColor(even, cv2.COLOR_BGR2YUV_I420)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts = self._pictures
        keyframe = self._key_ns is None or not 0 <= t_ns - self._key_ns < KEYFRAME_EVERY_NS
        frame.pict_type = PictureType.I if keyframe else PictureType.NONE
        try:
            packets = self._context.encode(frame)
        except av.FFmpegError as error:
            raise PoseRigError(f"{CODEC} failed: {error}.", "Pictures go on as JPEG.") from error
        if len(packets) != 1 or packets[0].is_keyframe < keyframe:
            raise PoseRigError(f"{CODEC} does not give a picture for a picture.", "Pictures go on as JPEG.")
        self._pictures += 1
        if keyframe:
            self._key_ns = t_ns
        return EncodedImage("h264", packets[0].is_keyframe, bytes(packets[0]))
