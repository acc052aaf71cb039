"""Pictures compressed for a recording: H.264 where it can be had and keeps up, else JPEG.

Measured with one thread (two shared cores, the demo clip at 1280×720): H.264 takes 4.3 ms and 13 kB a picture, JPEG
2 ms and 80 kB. OpenCV hands out a webcam's own JPEG only undecoded, and then in other ways on every system, so that a
picture is compressed again here even if it came as JPEG.
"""

from collections.abc import Callable
from typing import Protocol

import cv2

from pose_rig.arrays import Image
from pose_rig.errors import PoseRigError
from pose_rig.installer import installer
from pose_rig.video.encoded import EncodedImage

# The detector's landmarks move by 1.4 px (median, 1080×1920), as they do by noise of one grey level: 1.3 px.
JPEG_QUALITY = 80
WINDOW_NS = 5_000_000_000
MOST_MISSING = 0.1  # of the pictures of such a window


class Encoder(Protocol):
    """Compresses pictures of one size, one in, one out."""

    def encode(self, t_ns: int, image: Image) -> EncodedImage:
        """Returns a (H,W,3) uint8 BGR picture taken at ``t_ns``, compressed.

        Raises:
            PoseRigError: It cannot; the encoder is not to be used again.
        """


OpenEncoder = Callable[[tuple[int, int]], Encoder]


class JpegEncoder:
    """Every picture by itself."""

    def encode(self, t_ns: int, image: Image) -> EncodedImage:
        """Returns the picture as JPEG."""
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        return EncodedImage("jpeg", True, data.tobytes())


def open_h264(size_px: tuple[int, int]) -> Encoder:
    """Returns an H.264 encoder for pictures of one (width, height).

    Raises:
        PoseRigError: PyAV is not installed or comes without such an encoder.
    """
    try:
        from pose_rig.video.h264_encoder import H264Encoder
    except ImportError as error:
        raise PoseRigError("PyAV is not installed.", f"For H.264: {installer().with_extra('video')}.") from error
    return H264Encoder(size_px)


class Compressor:
    """Compresses the pictures of one camera: as JPEG once the encoder it was given fails or is given up.

    Args:
        open_encoder: Opens the encoder for a size; anew whenever the size changes.

    Attributes:
        note: What becomes of the pictures, for people.
    """

    def __init__(self, open_encoder: OpenEncoder) -> None:
        self._open = open_encoder
        self._encoder: Encoder | None = None
        self._size_px = (0, 0)
        self._wanted = True
        self.note = "video as H.264"

    def prepare(self, size_px: tuple[int, int]) -> Encoder:
        """Returns the encoder for pictures of one (width, height), opened if it was not yet."""
        if self._encoder is None or (self._wanted and size_px != self._size_px):
            self._size_px = size_px
            try:
                self._encoder = self._open(size_px)
            except PoseRigError as error:
                self.give_up(str(error))
                return self.prepare(size_px)
        return self._encoder

    def compress(self, t_ns: int, image: Image) -> EncodedImage:
        """Returns a (H,W,3) uint8 BGR picture taken at ``t_ns``, compressed."""
        encoder = self.prepare((image.shape[1], image.shape[0]))
        try:
            return encoder.encode(t_ns, image)
        except PoseRigError as error:
            self.give_up(str(error))
            return self.compress(t_ns, image)

    def give_up(self, reason: str) -> None:
        """Goes on with JPEG, telling why; nothing if it is JPEG already."""
        if self._wanted:
            self._wanted, self._open, self._encoder = False, _open_jpeg, None
            self.note = f"video as JPEG, as H.264 does not work here: {reason}"


class EncoderLoad:
    """Whether an encoder keeps up with its camera.

    Attributes:
        failed: Whether more than 10 % of the pictures of some 5 s had to be left out because of it.
    """

    def __init__(self) -> None:
        self._began_ns: int | None = None
        self._pictures = self._missing = 0
        self.failed = False

    def add(self, t_ns: int, missing: bool) -> None:
        """Counts a picture taken at ``t_ns``."""
        if self._began_ns is None or t_ns - self._began_ns >= WINDOW_NS:
            self.failed |= self._missing > MOST_MISSING * self._pictures
            self._began_ns, self._pictures, self._missing = t_ns, 0, 0
        self._pictures += 1
        self._missing += missing


def _open_jpeg(size_px: tuple[int, int]) -> Encoder:
    return JpegEncoder()
