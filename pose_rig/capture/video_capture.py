"""The part of ``cv2.VideoCapture`` that capture needs, and opening it."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import cv2
import numpy as np

from pose_rig.errors import ContentError, SourceError

# Several camera processes share few cores. Measured on two cores with four 1080×1920 files and the detector: one
# decoding thread each gives 53 frames/s in sum, the default (as many as cores, each) 48.
DECODE_THREADS = 1
OPEN_TIMEOUT_MS = 5000  # for streams; OpenCV's own limit is 30 s
READ_TIMEOUT_MS = 2000
ASPECT_LIMIT = 4.0  # of pixels; what a file says beyond that is nonsense
BACKENDS = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_DSHOW, "darwin": cv2.CAP_AVFOUNDATION}


class Device(Protocol):
    """What we use of ``cv2.VideoCapture``."""

    def isOpened(self) -> bool:  # noqa: N802
        """Whether it can be read."""

    def grab(self) -> bool:
        """Takes the next frame, undecoded where that can be; False when there is none."""

    def retrieve(self) -> tuple[bool, Any]:
        """Returns (worked, (H,W,3) uint8 BGR) of the frame taken."""

    def get(self, prop: int, /) -> float:
        """Returns a ``CAP_PROP_…``, 0 where it is unknown."""

    def set(self, prop: int, value: float, /) -> bool:
        """Sets a ``CAP_PROP_…``."""

    def release(self) -> None:
        """Closes it."""


OpenDevice = Callable[[str | int, int, Sequence[int]], Device]


def open_device(target: str | int, backend: int, params: Sequence[int] = ()) -> Device:
    """Returns OpenCV's capture device for an index, path or URL (``params``: pairs of ``CAP_PROP_…`` and value)."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # quiet; what goes wrong is told by our own errors
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    cv2.setNumThreads(1)
    return cv2.VideoCapture(target, backend, list(params))


class SquarePixels:
    """A device whose pixels are not square, with its images stretched so that they are.

    Args:
        device: The device.
        aspect: Width by height of a pixel, of images as the device delivers them.
    """

    def __init__(self, device: Device, aspect: float) -> None:
        self._device = device
        self._factors = (max(aspect, 1.0), max(1 / aspect, 1.0))  # nothing that was seen gets lost

    def isOpened(self) -> bool:  # noqa: N802
        """Whether it can be read."""
        return self._device.isOpened()

    def grab(self) -> bool:
        """Takes the next frame."""
        return self._device.grab()

    def retrieve(self) -> tuple[bool, Any]:
        """Returns (worked, (H,W,3) uint8 BGR with square pixels) of the frame taken."""
        decoded, image = self._device.retrieve()
        if not decoded or not isinstance(image, np.ndarray) or image.size == 0:
            return decoded, image
        size = round(image.shape[1] * self._factors[0]), round(image.shape[0] * self._factors[1])
        return True, cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)

    def get(self, prop: int, /) -> float:
        """Returns a ``CAP_PROP_…``; the size is that of the stretched images."""
        value = self._device.get(prop)
        if prop in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT):
            return round(value * self._factors[prop == cv2.CAP_PROP_FRAME_HEIGHT])
        return value

    def set(self, prop: int, value: float, /) -> bool:
        """Sets a ``CAP_PROP_…``."""
        return self._device.set(prop, value)

    def release(self) -> None:
        """Closes it."""
        self._device.release()


def pixel_aspect(device: Device) -> float:
    """Returns width by height of a pixel of a file or stream, after any rotation it asks for; 1 where it is unknown."""
    across, down = device.get(cv2.CAP_PROP_SAR_NUM), device.get(cv2.CAP_PROP_SAR_DEN)
    if across <= 0 or down <= 0 or not 1 / ASPECT_LIMIT <= across / down <= ASPECT_LIMIT:
        return 1.0
    on_its_side = device.get(cv2.CAP_PROP_ORIENTATION_AUTO) and device.get(cv2.CAP_PROP_ORIENTATION_META) % 180
    return down / across if on_its_side else across / down


def open_ffmpeg(target: str, open_device: OpenDevice) -> Device:
    """Returns a video file or stream opened through FFmpeg, whose images have square pixels.

    Raises:
        SourceError: A stream is not there, or not a video.
        ContentError: A file is not a video.
    """
    params = [
        cv2.CAP_PROP_N_THREADS, DECODE_THREADS,
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS,
        cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_MS,
    ]  # fmt: skip
    device = open_device(target, cv2.CAP_FFMPEG, params)
    width, height = size_px(device)
    if not device.isOpened() or min(width, height) <= 0:
        device.release()
        wrong = SourceError if "://" in target else ContentError  # a stream may be read another time
        raise wrong(
            f"{target} cannot be read as a video.",
            "Check that it plays in a video player; a stream must be reachable from this machine.",
        )
    aspect = pixel_aspect(device)
    return device if aspect == 1 else SquarePixels(device, aspect)


def camera_backend() -> int:
    """Returns the capture backend for plugged-in cameras on this system."""
    return BACKENDS.get(sys.platform, cv2.CAP_ANY)


def size_px(device: Device) -> tuple[int, int]:
    """Returns the (width, height) a device delivers, after any rotation a file asks for."""
    return int(device.get(cv2.CAP_PROP_FRAME_WIDTH)), int(device.get(cv2.CAP_PROP_FRAME_HEIGHT))
