"""Intrinsics against OpenCV's own projections, and where its models mean nothing."""

import pickle

import cv2
import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.intrinsics import Intrinsics

SIZE_PX = np.array([1280.0, 720.0])
LENSES = {
    "none": ([0.0, 0.0, 0.0, 0.0, 0.0], False, 900.0),
    "plain": ([0.05, -0.1, 0.0, 0.0, 0.04], False, 1000.0),
    "barrel": ([-0.3, 0.12, 0.0, 0.0, -0.02], False, 700.0),
    "tangential": ([-0.2, 0.05, 0.004, -0.003, 0.0], False, 750.0),
    "wide": ([0.03, 0.002, -0.001, 0.0005, 0.0], True, 560.0),
    "fisheye": ([-0.04, 0.01, -0.004, 0.0, 0.0], True, 580.0),
}


def camera(name: str) -> Intrinsics:
    dist, fisheye, focal_px = LENSES[name]
    point = np.array([[655.0, 340.0]])
    return Intrinsics(np.array([focal_px]), SIZE_PX[None], point, np.array([dist]), np.array([fisheye]))


def everywhere() -> Floats:
    """(1,K,2) px: a grid over the image, its corners included."""
    x, y = np.meshgrid(np.linspace(0, SIZE_PX[0], 41), np.linspace(0, SIZE_PX[1], 31))
    return np.stack([x.ravel(), y.ravel()], -1)[None]


def opencv_px(ideal_xy: Floats, one: Intrinsics) -> Floats:
    points, still = np.concatenate([ideal_xy, np.ones((len(ideal_xy), 1))], -1)[:, None], np.zeros(3)
    if one.fisheye[0]:
        found = cv2.fisheye.projectPoints(points, still, still, one.matrices[0], one.dist[0, :4])[0]
    else:
        found = cv2.projectPoints(points, still, still, one.matrices[0], one.dist[0])[0]
    return np.asarray(found, np.float64).reshape(-1, 2)


@pytest.mark.parametrize("name", LENSES)
def test_undistorted_points_are_projected_by_opencv_to_where_they_were(name: str) -> None:
    one, seen_px = camera(name), everywhere()
    assert opencv_px(one.ideal_xy(seen_px)[0], one) == pytest.approx(seen_px[0], abs=0.01)


@pytest.mark.parametrize("name", LENSES)
def test_points_are_projected_as_by_opencv(name: str) -> None:
    one = camera(name)
    ideal_xy = one.ideal_xy(everywhere())
    assert one.pixels(ideal_xy)[0] == pytest.approx(opencv_px(ideal_xy[0], one), abs=1e-6)


def test_every_camera_has_its_own_lens() -> None:
    rows = [camera(name) for name in LENSES]
    columns = ("focal_px", "size_px", "principal_point_px", "dist", "fisheye")
    together = Intrinsics(*(np.concatenate([getattr(row, name) for row in rows]) for name in columns))
    seen_px = np.repeat(everywhere(), len(rows), axis=0)
    each = np.concatenate([row.ideal_xy(everywhere()) for row in rows])
    assert together.ideal_xy(seen_px) == pytest.approx(each)
    assert together.pixels(each) == pytest.approx(seen_px, abs=0.01)
    view = np.array([4, 0, 4])
    assert together.ideal_xy(seen_px[:3], view) == pytest.approx(each[view])
    assert together.at(view).ideal_xy(seen_px[:3]) == pytest.approx(each[view])
    assert together.pixels(each[view], view) == pytest.approx(seen_px[:3], abs=0.01)


def test_without_distortion_nothing_is_computed() -> None:
    plain = Intrinsics.pinhole(np.array([800.0, 900.0]), np.tile(SIZE_PX, (2, 1)))
    seen_px = np.repeat(everywhere(), 2, axis=0)
    expected = (seen_px - 0.5 * SIZE_PX) / np.array([800.0, 900.0])[:, None, None]
    assert np.array_equal(plain.ideal_xy(seen_px), expected)
    assert plain.matrices[1].tolist() == [[900.0, 0.0, 640.0], [0.0, 900.0, 360.0], [0.0, 0.0, 1.0]]


@pytest.mark.parametrize(("dist", "fisheye"), [([-0.3, 0, 0, 0, 0], False), ([-3.0, 0, 0, 0, 0], False),
                                              ([5.0, 0, 0, 0, 0], False), ([-0.5, 0.2, -0.3, 0, 0], True)])  # fmt: skip
def test_beyond_the_angle_where_a_polynomial_turns_back_points_stay_finite_and_in_order(
    dist: list[float], fisheye: bool
) -> None:
    one = Intrinsics(np.array([400.0]), SIZE_PX[None], 0.5 * SIZE_PX[None], np.array([dist]), np.array([fisheye]))
    radius = np.linspace(0.0, 8.0, 200)
    right = one.pixels(np.stack([radius, 0 * radius], -1)[None])[0, :, 0]
    assert (np.diff(right) > -1e-6).all()
    ideal_xy = one.ideal_xy(everywhere())
    assert np.isfinite(ideal_xy).all()
    row = one.ideal_xy(np.stack([np.linspace(640, 1280, 100), np.full(100, 360.0)], -1)[None])[0, :, 0]
    assert (np.diff(row) > 0).all()


def test_missing_points_stay_missing() -> None:
    seen_px = everywhere()
    seen_px[0, 3] = np.nan
    found = camera("wide").ideal_xy(seen_px)
    assert np.isnan(found[0, 3]).all()
    assert np.isfinite(np.delete(found[0], 3, axis=0)).all()


def test_intrinsics_of_some_cameras_are_replaced() -> None:
    a, b = camera("barrel"), camera("wide")
    chosen = b.where(np.array([True]), a)
    assert (chosen.focal_px[0], chosen.fisheye[0]) == (560.0, True)
    kept = b.where(np.array([False]), a)
    assert (kept.focal_px[0], kept.dist[0].tolist()) == (700.0, LENSES["barrel"][0])


def test_only_the_fields_are_pickled_for_other_threads_may_compute_the_rest() -> None:
    wide = camera("wide")
    size = len(pickle.dumps(wide))
    seen = wide.ideal_xy(everywhere())
    assert len(pickle.dumps(wide)) == size
    again = pickle.loads(pickle.dumps(wide))  # noqa: S301 - it was just pickled
    np.testing.assert_array_equal(again.ideal_xy(everywhere()), seen)


def test_smaller_images_of_the_same_camera_show_the_same_rays() -> None:
    whole = camera("tangential")
    half, alike = whole.resized(SIZE_PX[None] / 2)
    assert alike.tolist() == [True]
    assert np.allclose(half.ideal_xy(everywhere() / 2), whole.ideal_xy(everywhere()))


def test_turned_images_keep_the_focal_length_and_lose_the_principal_point() -> None:
    turned, alike = camera("barrel").resized(SIZE_PX[None, ::-1])
    assert alike.tolist() == [False]
    assert turned.focal_px.tolist() == [700.0]
    assert turned.principal_point_px.tolist() == [[360.0, 640.0]]
