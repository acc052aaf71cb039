from typing import Any

import numpy as np
import pytest

from pose_rig.capture.detector import to_bgr


def test_colour_is_unchanged() -> None:
    image = np.full((4, 6, 3), 9, np.uint8)
    assert to_bgr(image, (6, 4)) == (image, "")


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1), (4, 6, 4)])
def test_grey_and_bgra_are_converted(shape: tuple[int, ...]) -> None:
    converted, reason = to_bgr(np.full(shape, 9, np.uint8), (6, 4))
    assert reason == ""
    assert converted is not None
    assert converted.shape == (4, 6, 3)
    assert (converted == 9).all()


@pytest.mark.parametrize(
    ("image", "text"),
    [
        (None, "empty or damaged"),
        (np.zeros((0, 0, 3), np.uint8), "empty or damaged"),
        (np.zeros((6, 4, 3), np.uint8), "4×6 instead of 6×4"),
        (np.zeros((4, 6, 2), np.uint8), "2 channels"),
        (np.zeros((4, 6, 3), np.uint16), r"uint16"),
        (np.zeros(24, np.uint8), r"uint8 (24,)"),
    ],
)
def test_invalid_images_are_rejected_with_a_reason(image: Any, text: str) -> None:
    refused, reason = to_bgr(image, (6, 4))
    assert refused is None
    assert text in reason
