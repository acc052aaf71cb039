"""The interface of 2D detectors, opening one, and checking the images that it gets."""

from typing import Any, Protocol

import cv2
import numpy as np

from pose_rig.arrays import Image
from pose_rig.capture.source import Detections
from pose_rig.config import DetectorConfig

_TO_BGR = {1: cv2.COLOR_GRAY2BGR, 4: cv2.COLOR_BGRA2BGR}  # by number of channels


class Detector(Protocol):
    """Detects the people in the frames of one camera, in order of time."""

    @property
    def landmarks(self) -> str:
        """Landmark schema of the detections."""

    def warm_up(self, size_px: tuple[int, int]) -> None:
        """Does the work that only the first frame causes; must not change any result."""

    def detect(self, image: Image, t_ns: int) -> Detections:
        """Returns the people in an image.

        Args:
            image: (H,W,3) uint8 BGR.
            t_ns: Capture time.
        """

    def close(self) -> None:
        """Frees the model."""


def open_detector(config: DetectorConfig) -> Detector:
    """Returns the configured detector.

    Raises:
        AssetError: The model cannot be loaded.
    """
    from pose_rig.capture.mediapipe_detector import MediaPipeDetector  # slow to import

    return MediaPipeDetector(config)


def to_bgr(image: Any, size_px: tuple[int, int]) -> tuple[Image | None, str]:
    """Returns ((H,W,3) uint8 BGR, "") or (None, why the image is invalid). Grey and BGRA images are converted.

    Args:
        image: As the device delivered it.
        size_px: Expected (width, height).
    """
    if not isinstance(image, np.ndarray) or image.size == 0:
        return None, "A frame was empty or damaged."
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        return None, f"A frame was {image.dtype} {image.shape} instead of 8-bit colour."
    if image.shape[:2] != (size_px[1], size_px[0]):
        return None, f"A frame was {image.shape[1]}×{image.shape[0]} instead of {size_px[0]}×{size_px[1]}."
    channels = image.shape[2] if image.ndim == 3 else 1
    if channels == 3:
        return image, ""
    if channels not in _TO_BGR:
        return None, f"A frame had {channels} channels."
    converted: Any = cv2.cvtColor(image, _TO_BGR[channels])
    return converted, ""
