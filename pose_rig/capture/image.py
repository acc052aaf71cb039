"""Checking what a device hands over as an image."""

from typing import Any

import cv2
import numpy as np

from pose_rig.arrays import Image

_TO_BGR = {1: cv2.COLOR_GRAY2BGR, 4: cv2.COLOR_BGRA2BGR}


def to_bgr(image: Any, size_px: tuple[int, int]) -> tuple[Image | None, str]:
    """Returns ((H,W,3) uint8 BGR, "") or (None, why the image cannot be used). Grey and BGRA are converted.

    Args:
        image: What the device gave.
        size_px: (width, height) it has to have.
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
