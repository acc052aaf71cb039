"""Colours as a histogram that changes little with the light.

Hues count as far as a colour is one: shades of grey are distinguished by lightness, colours by hue, and by lightness
less. All classes overlap, so that a small change of a colour is a small change of the histogram.

Axes: P people, N points, B classes.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats

HUES, LIGHTNESSES = 8, 4
B = HUES + 2 * LIGHTNESSES  # hues, lightnesses of greys, lightnesses of colours
GREY, COLOUR = 6.0, 18.0  # chroma (CIE Lab) up to which a point is grey, and from which it is a colour
LIGHTNESS_SHARE = 0.3  # of the weight of a colour


def colour_histogram(bgr: NDArray[np.uint8], weight: Floats) -> Floats:
    """Returns (P,B) shares of the classes; their sum is that of the weights.

    Args:
        bgr: (P,N,3) colours.
        weight: (P,N) of the points.
    """
    people = len(weight)
    if not weight.size:
        return np.zeros((people, B))
    lab = cv2.cvtColor(np.ascontiguousarray(bgr), cv2.COLOR_BGR2LAB).astype(np.float64)
    a, b = lab[..., 1] - 128, lab[..., 2] - 128
    coloured = weight * np.clip((np.hypot(a, b) - GREY) / (COLOUR - GREY), 0, 1)
    hue = np.arctan2(b, a) * (HUES / (2 * np.pi)) % HUES
    lightness = np.clip(lab[..., 0] * (LIGHTNESSES / 256) - 0.5, 0, LIGHTNESSES - 1)
    rows = np.arange(people)[:, None] * B
    out = np.zeros(people * B)
    for first, classes, value, share in (
        (0, HUES, hue, (1 - LIGHTNESS_SHARE) * coloured),
        (HUES, LIGHTNESSES, lightness, weight - coloured),
        (HUES + LIGHTNESSES, LIGHTNESSES, lightness, LIGHTNESS_SHARE * coloured),
    ):
        low = np.floor(value)
        part = value - low
        for index, amount in ((low, share * (1 - part)), (low + 1, share * part)):
            bins = rows + first + index.astype(np.int64) % classes
            out += np.bincount(bins.ravel(), amount.ravel(), people * B)
    return out.reshape(people, B)
