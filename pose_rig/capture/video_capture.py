"""``cv2.VideoCapture``: opening devices, files and streams."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import cv2
import numpy as np

from pose_rig.errors import ContentError, SourceError

# Several camera processes share few cores. Measured on two cores with four 1080×1920 files and the detector, in total:
# 53 frames/s with one decoding thread each, 48 with the default (one per core, each).
DECODE_THREADS = 1
OPEN_TIMEOUT_MS = 5000  # for streams; OpenCV's default is 30 s
READ_TIMEOUT_MS = 2000
MAX_PIXEL_ASPECT = 4.0  # files with more are treated as damaged
BACKENDS = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_DSHOW, "darwin": cv2.CAP_AVFOUNDATION}


class Device(Protocol):
    """The part of ``cv2.VideoCapture`` that capture uses."""

    def isOpened(self) -> bool:  # noqa: N802
        """Whether the device is open."""

    def grab(self) -> bool:
        """Grabs the next frame, if possible without decoding it; False if there is none."""

    def retrieve(self) -> tuple[bool, Any]:
        """Returns (whether decoding worked, (H,W,3) uint8 BGR) of the grabbed frame."""

    def get(self, prop: int, /) -> float:
        """Returns a ``CAP_PROP_…``, 0 if unknown."""

    def set(self, prop: int, value: float, /) -> bool:
        """Sets a ``CAP_PROP_…``."""

    def release(self) -> None:
        """Closes the device."""


OpenDevice = Callable[[str | int, int, Sequence[int]], Device]


def open_device(target: str | int, backend: int, params: Sequence[int] = ()) -> Device:
    """Returns OpenCV's capture device for an index, path or URL (``params``: pairs of ``CAP_PROP_…`` and value)."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # quiet: failures are reported as our own errors
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    cv2.setNumThreads(1)
    return cv2.VideoCapture(target, backend, list(params))


class SquarePixels:
    """A device with non-square pixels; its images are resized to square pixels.

    Args:
        device: The device.
        aspect: Width / height of a pixel in the images that the device delivers.
    """

    def __init__(self, device: Device, aspect: float) -> None:
        self._device = device
        self._factors = (max(aspect, 1.0), max(1 / aspect, 1.0))  # enlarges one side, so that no detail is lost

    def isOpened(self) -> bool:  # noqa: N802
        """Whether the device is open."""
        return self._device.isOpened()

    def grab(self) -> bool:
        """Grabs the next frame."""
        return self._device.grab()

    def retrieve(self) -> tuple[bool, Any]:
        """Returns (whether decoding worked, (H,W,3) uint8 BGR with square pixels) of the grabbed frame."""
        decoded, image = self._device.retrieve()
        if not decoded or not isinstance(image, np.ndarray) or image.size == 0:
            return decoded, image
        size = round(image.shape[1] * self._factors[0]), round(image.shape[0] * self._factors[1])
        return True, cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)

    def get(self, prop: int, /) -> float:
        """Returns a ``CAP_PROP_…``; the size is that of the resized images."""
        value = self._device.get(prop)
        if prop in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT):
            return round(value * self._factors[prop == cv2.CAP_PROP_FRAME_HEIGHT])
        return value

    def set(self, prop: int, value: float, /) -> bool:
        """Sets a ``CAP_PROP_…``."""
        return self._device.set(prop, value)

    def release(self) -> None:
        """Closes the device."""
        self._device.release()


def pixel_aspect(device: Device) -> float:
    """Returns width / height of a pixel of a file or stream, after its rotation; 1 if unknown."""
    width, height = device.get(cv2.CAP_PROP_SAR_NUM), device.get(cv2.CAP_PROP_SAR_DEN)
    if width <= 0 or height <= 0 or not 1 / MAX_PIXEL_ASPECT <= width / height <= MAX_PIXEL_ASPECT:
        return 1.0
    is_rotated = device.get(cv2.CAP_PROP_ORIENTATION_AUTO) and device.get(cv2.CAP_PROP_ORIENTATION_META) % 180
    return height / width if is_rotated else width / height


def open_ffmpeg(target: str, open_device: OpenDevice) -> Device:
    """Returns a video file or stream, opened with FFmpeg; its images have square pixels.

    Raises:
        SourceError: A stream cannot be read, or is not a video.
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
        error = SourceError if "://" in target else ContentError  # a stream may be available again later
        raise error(
            f"{target} cannot be read as a video.",
            "Check that it plays in a video player; a stream must be reachable from this machine.",
        )
    aspect = pixel_aspect(device)
    return device if aspect == 1 else SquarePixels(device, aspect)


def camera_backend() -> int:
    """Returns OpenCV's capture backend for cameras on this operating system."""
    return BACKENDS.get(sys.platform, cv2.CAP_ANY)


def size_px(device: Device) -> tuple[int, int]:
    """Returns the (width, height) of a device's images, after the rotation that a file specifies."""
    return int(device.get(cv2.CAP_PROP_FRAME_WIDTH)), int(device.get(cv2.CAP_PROP_FRAME_HEIGHT))
