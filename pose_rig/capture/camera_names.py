"""What plugged-in cameras call themselves on Windows and macOS, where cv2-enumerate-cameras asks the system."""

from collections.abc import Callable, Sequence
from typing import Protocol


class Listed(Protocol):
    """What we use of ``cv2_enumerate_cameras.CameraInfo``."""

    @property
    def index(self) -> int:
        """Number under which OpenCV opens it, with the backend that was asked for."""

    @property
    def name(self) -> str | None:
        """What it calls itself."""

    @property
    def path(self) -> str | None:
        """Device path on Windows, unique id on macOS: stays the same while the camera stays at its socket."""

    @property
    def vid(self) -> int | None:
        """USB vendor."""

    @property
    def pid(self) -> int | None:
        """USB product."""


ListCameras = Callable[[int], Sequence[Listed] | None]


def list_cameras(backend: int) -> Sequence[Listed] | None:
    """Returns the cameras of a capture backend; None where the system cannot be asked.

    Args:
        backend: A ``cv2.CAP_…`` of cameras.
    """
    try:
        import cv2_enumerate_cameras

        found: Sequence[Listed] = cv2_enumerate_cameras.enumerate_cameras(backend)
    except (ImportError, NotImplementedError, OSError, RuntimeError):
        return None  # cameras then go by number, and `pose-rig doctor` says so
    return found
