"""The names of connected cameras on Windows and macOS, from cv2-enumerate-cameras."""

from collections.abc import Callable, Sequence
from typing import Protocol


class CameraInfo(Protocol):
    """The part of ``cv2_enumerate_cameras.CameraInfo`` that capture uses."""

    @property
    def index(self) -> int:
        """Index for ``cv2.VideoCapture``, with the same backend."""

    @property
    def name(self) -> str | None:
        """Product name."""

    @property
    def path(self) -> str | None:
        """Device path on Windows, unique id on macOS; unchanged while the camera stays at its USB port."""

    @property
    def vid(self) -> int | None:
        """USB vendor id."""

    @property
    def pid(self) -> int | None:
        """USB product id."""


ListCameras = Callable[[int], Sequence[CameraInfo] | None]


def list_cameras(backend: int) -> Sequence[CameraInfo] | None:
    """Returns the cameras of a capture backend; None if the operating system cannot list them.

    Args:
        backend: A ``cv2.CAP_…`` of cameras.
    """
    try:
        import cv2_enumerate_cameras

        found: Sequence[CameraInfo] = cv2_enumerate_cameras.enumerate_cameras(backend)
    except (ImportError, NotImplementedError, OSError, RuntimeError):
        return None  # cameras then have numbers only, which `pose-rig doctor` reports
    return found
