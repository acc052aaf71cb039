"""Encoding images for a recording: H.264 where it is available and fast enough, else JPEG.

Measured with one thread (two shared cores, the demo clip at 1280×720): H.264 takes 4.3 ms and 13 kB per image, JPEG
2 ms and 80 kB. OpenCV returns the JPEG of a webcam only instead of the decoded image, and differently on every system,
so images are encoded again.
"""

from collections.abc import Callable
from typing import Protocol

import cv2

from pose_rig.arrays import Image
from pose_rig.errors import PoseRigError
from pose_rig.installer import installer
from pose_rig.video.encoded import EncodedImage

# Moves the detector's landmarks by 1.4 px (median, 1080×1920); noise of one grey level moves them by 1.3 px.
JPEG_QUALITY = 80
WINDOW_NS = 5_000_000_000
MAX_DROPPED = 0.1  # of the images in a window


class Encoder(Protocol):
    """Encodes images of one size, one by one."""

    def encode(self, t_ns: int, image: Image) -> EncodedImage:
        """Returns the encoded (H,W,3) uint8 BGR image captured at ``t_ns``.

        Raises:
            PoseRigError: Encoding failed; the encoder must not be used again.
        """


OpenEncoder = Callable[[tuple[int, int]], Encoder]


class JpegEncoder:
    """Encodes every image separately."""

    def encode(self, t_ns: int, image: Image) -> EncodedImage:
        """Returns the image as JPEG."""
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        return EncodedImage("jpeg", True, data.tobytes())


def open_h264(size_px: tuple[int, int]) -> Encoder:
    """Returns an H.264 encoder for images of one (width, height).

    Raises:
        PoseRigError: PyAV is not installed, or has no such encoder.
    """
    try:
        from pose_rig.video.h264_encoder import H264Encoder
    except ImportError as error:
        raise PoseRigError("PyAV is not installed.", f"For H.264: {installer().with_extra('video')}.") from error
    return H264Encoder(size_px)


class FallbackEncoder:
    """Encodes the images of one camera, as JPEG once the preferred encoder has failed.

    Args:
        open_encoder: Opens the preferred encoder for an image size.

    Attributes:
        note: The format, and why it is JPEG, for display.
    """

    def __init__(self, open_encoder: OpenEncoder) -> None:
        self._open = open_encoder
        self._encoder: Encoder | None = None
        self._size_px = (0, 0)
        self._preferred = True
        self.note = "video as H.264"

    def open(self, size_px: tuple[int, int]) -> Encoder:
        """Returns the encoder for images of one (width, height), opening it if needed."""
        if self._encoder is None or (self._preferred and size_px != self._size_px):
            self._size_px = size_px
            try:
                self._encoder = self._open(size_px)
            except PoseRigError as error:
                self.fall_back(str(error))
                return self.open(size_px)
        return self._encoder

    def encode(self, t_ns: int, image: Image) -> EncodedImage:
        """Returns the encoded (H,W,3) uint8 BGR image captured at ``t_ns``."""
        encoder = self.open((image.shape[1], image.shape[0]))
        try:
            return encoder.encode(t_ns, image)
        except PoseRigError as error:
            self.fall_back(str(error))
            return self.encode(t_ns, image)

    def fall_back(self, reason: str) -> None:
        """Switches to JPEG, if not done before."""
        if self._preferred:
            self._preferred, self._open, self._encoder = False, _open_jpeg, None
            self.note = f"video as JPEG, as H.264 does not work here: {reason}"


class EncoderLoad:
    """Measures whether an encoder is fast enough for its camera.

    Attributes:
        too_high: Whether more than 10 % of the images within 5 s were dropped because of it.
    """

    def __init__(self) -> None:
        self._began_ns: int | None = None
        self._images = self._dropped = 0
        self.too_high = False

    def add(self, t_ns: int, dropped: bool) -> None:
        """Counts an image captured at ``t_ns``."""
        if self._began_ns is None or t_ns - self._began_ns >= WINDOW_NS:
            self.too_high |= self._dropped > MAX_DROPPED * self._images
            self._began_ns, self._images, self._dropped = t_ns, 0, 0
        self._images += 1
        self._dropped += dropped


def _open_jpeg(size_px: tuple[int, int]) -> Encoder:
    return JpegEncoder()
