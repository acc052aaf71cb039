"""The lenses that bundle adjustment can find, and their conversion to OpenCV's models."""

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.lens_family import (
    MAX_ERROR,
    MAX_K1,
    MIN_K1,
    distorted_radius,
    distortion,
    from_opencv,
    square_of,
    to_opencv,
    undistort,
)
from pose_rig.intrinsics import Intrinsics

SIZE_PX = np.array([[1280.0, 720.0]])
COEFFICIENTS = [MIN_K1, -1 / 3, -0.3, -0.1, -1e-3, 0.0, 1e-3, 0.1, MAX_K1]


def square_grid(reach: float) -> Floats:
    """(1,P,2) ideal coordinates, the middle included."""
    x, y = np.meshgrid(np.linspace(-reach, reach, 21), np.linspace(-reach, reach, 21))
    return np.stack([x.ravel(), y.ravel()], -1)[None]


def pinhole(focal_px: float) -> Intrinsics:
    return Intrinsics.pinhole(np.array([focal_px]), SIZE_PX)


def focal_px_of(field_of_view_deg: float, k1: float) -> float:
    half = np.radians(field_of_view_deg / 2)
    return float(SIZE_PX[0, 0] / 2 / distorted_radius(half, square_of(np.array(k1))))


@pytest.mark.parametrize("k1", COEFFICIENTS)
def test_undistortion_is_the_inverse(k1: float) -> None:
    ideal, k = square_grid(1.0), np.array([k1])
    distorted = ideal * distortion(ideal, k).stretch[..., None]
    assert undistort(distorted, k) == pytest.approx(ideal, abs=1e-5)


@pytest.mark.parametrize(
    ("k1", "radius"), [(0.0, np.tan), (-1 / 3, lambda angle: angle), (-0.25, lambda angle: 2 * np.tan(angle / 2))]
)
def test_well_known_lenses_are_among_them(k1: float, radius: object) -> None:
    angle = np.radians(np.linspace(1, 70, 30))
    expected = radius(angle)  # type: ignore[operator]
    assert distorted_radius(angle, square_of(np.array(k1))) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("k1", COEFFICIENTS)
def test_near_the_axis_a_lens_is_the_first_radial_term(k1: float) -> None:
    r = np.array([0.02, 0.04])
    found = distorted_radius(np.arctan(r), square_of(np.array(k1)))
    assert found == pytest.approx(r * (1 + k1 * r * r), abs=1e-7)


@pytest.mark.parametrize("k1", COEFFICIENTS)
def test_derivatives(k1: float) -> None:
    ideal, k, step = square_grid(0.9), np.array([k1]), 1e-6
    lens = distortion(ideal, k)

    def distorted(at: Floats, coefficient: Floats) -> Floats:
        return at * distortion(at, coefficient).stretch[..., None]

    analytic = lens.bend[..., None, None] * ideal[..., :, None] * ideal[..., None, :]
    analytic = analytic + lens.stretch[..., None, None] * np.eye(2)
    for axis in range(2):
        beside = distorted(ideal + step * np.eye(2)[axis], k) - distorted(ideal - step * np.eye(2)[axis], k)
        away = np.linalg.norm(ideal, axis=-1) > 0.01
        assert analytic[..., axis][away] == pytest.approx((beside / (2 * step))[away], abs=2e-5)
    wide = 1e-4
    beside = distortion(ideal, k + wide).stretch - distortion(ideal, k - wide).stretch
    assert lens.stretch_by_k1 == pytest.approx(beside / (2 * wide), abs=1e-3)


@pytest.mark.parametrize("field_of_view_deg", [40, 60, 80, 100, 120])
@pytest.mark.parametrize("k1", COEFFICIENTS[1:-1])
def test_opencv_has_the_lens_that_was_found(k1: float, field_of_view_deg: float) -> None:
    focal = focal_px_of(field_of_view_deg, k1)
    found = to_opencv(pinhole(900.0), np.array([focal]), np.array([k1]))
    seen_px = np.stack(np.meshgrid([0.0, 300.0, 640.0, 1000.0, 1280.0], [0.0, 360.0, 720.0]), -1).reshape(1, -1, 2)
    exact = undistort((seen_px - SIZE_PX / 2) / focal, np.array([k1]))
    assert found.pixels(exact) == pytest.approx(seen_px, abs=1.1 * MAX_ERROR * SIZE_PX.max())
    assert found.focal_px[0] == focal


def test_plain_lenses_stay_perspective_and_wide_ones_do_not() -> None:
    for k1, field_of_view_deg, fisheye in (
        (-0.1, 70, False),
        (-0.05, 100, False),
        (-0.3, 110, True),
        (0.0, 120, False),
    ):
        focal = np.array([focal_px_of(field_of_view_deg, k1)])
        assert bool(to_opencv(pinhole(900.0), focal, np.array([k1])).fisheye[0]) == fisheye


@pytest.mark.parametrize("k1", COEFFICIENTS[1:-1])
def test_the_way_back(k1: float) -> None:
    focal = focal_px_of(90, k1)
    log_scale, found = from_opencv(to_opencv(pinhole(900.0), np.array([focal]), np.array([k1])), pinhole(900.0))
    assert np.exp(log_scale) * 900.0 == pytest.approx([focal], rel=1e-3)
    assert found == pytest.approx([k1], abs=2e-3)


def test_a_single_coefficient_of_an_earlier_version_becomes_the_nearest_lens() -> None:
    old = Intrinsics(
        np.array([900.0]), SIZE_PX, SIZE_PX / 2, np.array([[-0.08, 0.0, 0.0, 0.0, 0.0]]), np.zeros(1, bool)
    )
    log_scale, k1 = from_opencv(old, pinhole(1000.0))
    seen_px = np.array([[[0.0, 360.0], [200.0, 500.0], [1280.0, 0.0]]])
    focal = 1000.0 * np.exp(log_scale)
    assert undistort((seen_px - SIZE_PX / 2) / focal, k1) == pytest.approx(old.ideal_xy(seen_px), abs=3e-3)


def test_a_given_lens_is_not_replaced() -> None:
    dist = np.array([[-0.2, 0.05, 0.001, 0.0, 0.0]])
    given = Intrinsics(np.array([800.0]), SIZE_PX, SIZE_PX / 2, dist, np.zeros(1, bool))
    log_scale, k1 = from_opencv(given, given)
    assert (log_scale.tolist(), k1.tolist()) == ([0.0], [0.0])
    assert np.array_equal(to_opencv(given, np.array([801.0]), np.array([0.01])).dist, dist)
