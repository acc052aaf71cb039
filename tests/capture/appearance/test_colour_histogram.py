import colorsys

import numpy as np
import pytest
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.capture.appearance.colour_histogram import HUES, LIGHTNESS_SHARE, LIGHTNESSES, B, colour_histogram
from tests.capture.appearance.figures import BLACK, BLUE, RED, WHITE


def histogram(*colours: tuple[int, ...]) -> Floats:
    """(B,) of points of these colours."""
    out = colour_histogram(np.array([colours], np.uint8), np.full((1, len(colours)), 1 / len(colours)))
    return np.asarray(out[0])


def distance(a: Floats, b: Floats) -> float:
    return float(np.abs(a - b).sum() / 2)


def test_the_sum_is_that_of_the_weights() -> None:
    rng = np.random.default_rng(0)
    weight = rng.random((3, 50))
    out = colour_histogram(rng.integers(0, 256, (3, 50, 3)).astype(np.uint8), weight)
    assert out.shape == (3, B)
    assert (out >= 0).all()
    np.testing.assert_allclose(out.sum(-1), weight.sum(-1))


@pytest.mark.parametrize("level", [0, 60, 128, 200, 255])
def test_greys_have_no_hue(level: int) -> None:
    out = histogram((level, level, level))
    assert out[:HUES].sum() == 0
    assert out[HUES : HUES + LIGHTNESSES].sum() == pytest.approx(1)


def test_colours_are_told_apart_by_hue() -> None:
    red, blue = histogram(RED), histogram(BLUE)
    assert red[:HUES].sum() == pytest.approx(1 - LIGHTNESS_SHARE)
    assert distance(red[:HUES], blue[:HUES]) == pytest.approx(1 - LIGHTNESS_SHARE)
    assert distance(histogram(BLACK), histogram(WHITE)) == pytest.approx(1)


def test_the_light_changes_a_colour_less_than_another_hue_does() -> None:
    red = np.array(RED)
    dim = histogram(tuple(int(v) for v in 0.75 * red))
    assert distance(histogram(RED), dim) < 0.4 * distance(histogram(RED), histogram(BLUE))


def test_a_small_change_of_a_colour_is_a_small_change_everywhere() -> None:
    def at(hue: float) -> tuple[int, int, int]:
        r, g, b = colorsys.hsv_to_rgb(hue % 1, 0.7, 0.8)
        return round(255 * b), round(255 * g), round(255 * r)

    hues = np.arange(0, 1, 1 / 180)
    steps = [distance(histogram(at(hue)), histogram(at(hue + 1 / 180))) for hue in hues]
    assert max(steps) < 0.15


def test_nobody_has_none() -> None:
    empty: NDArray[np.uint8] = np.zeros((0, 5, 3), np.uint8)
    assert colour_histogram(empty, np.zeros((0, 5))).shape == (0, B)
