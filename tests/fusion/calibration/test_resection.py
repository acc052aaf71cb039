import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.keyframes import KEYFRAME_INTERVAL_NS
from pose_rig.fusion.calibration.resection import (
    MAX_SAMPLES,
    MIN_POINTS,
    RESECTION_STRIDE,
    Resection,
    inlier_share,
    resect,
)
from pose_rig.geometry import angle_deg
from tests.fusion.simulated import calibration, images, points_of, stroll

SD = 0.004
TICK = KEYFRAME_INTERVAL_NS + 1_000_000
OTHER = calibration(3)


def seen(people: Floats, view: int = 1, noise: float = 0.5 * SD, seed: int = 0) -> tuple[Floats, Floats]:
    """Points (N,P,3) and their ideal coordinates (N,P,2)."""
    ideal_xy = points_of(OTHER.ideal_xy(images(people, OTHER))[:, view])
    return points_of(people), ideal_xy + np.random.default_rng(seed).normal(0, 1, ideal_xy.shape) * noise


def added(
    out: Resection, count: int, *, view: int = 1, tick_ns: int = TICK, start: int = 0
) -> list[tuple[Floats, Floats] | None]:
    """Results of a resection for consecutive samples."""
    points, ideal_xy = seen(stroll((start + count) / 15), view)
    return [out.add(n * tick_ns, points[n], ideal_xy[n], SD) for n in range(start, start + count)]


def test_exact_points_give_the_exact_pose() -> None:
    points, ideal_xy = (value.reshape(-1, value.shape[-1]) for value in seen(stroll(2.0), noise=0.0))
    found = resect(points, ideal_xy, SD)
    assert found is not None
    assert angle_deg(found[0], OTHER.rotation[1]) < 0.01
    assert found[1] == pytest.approx(OTHER.translation[1], abs=1e-3)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_noise_and_outliers_have_little_effect(share: float) -> None:
    points, ideal_xy = (value.reshape(-1, value.shape[-1]) for value in seen(stroll(2.0)))
    rng = np.random.default_rng(1)
    wild = rng.random(len(ideal_xy)) < share
    ideal_xy = np.where(wild[:, None], ideal_xy + rng.normal(0, 0.15, ideal_xy.shape), ideal_xy)
    found = resect(points, ideal_xy, SD)
    assert found is not None
    assert angle_deg(found[0], OTHER.rotation[1]) < 0.5
    assert found[1] == pytest.approx(OTHER.translation[1], abs=0.04)
    again = resect(points, ideal_xy, SD)
    assert again is not None
    assert np.array_equal(found[1], again[1])


def test_uncertain_points_give_a_pose_where_their_uncertainty_is_known() -> None:
    points, ideal_xy = seen(stroll(1.0))
    points = points + np.random.default_rng(3).normal(0, 0.06, points.shape)  # 15 mrad at 4 m
    sure, unsure = Resection(), Resection()
    for n in range(RESECTION_STRIDE):
        exact = sure.add(n * TICK, points[n], ideal_xy[n], SD)
        found = unsure.add(n * TICK, points[n], ideal_xy[n], SD, 0.015)
    assert exact is None
    assert found is not None
    assert angle_deg(found[0], OTHER.rotation[1]) < 4
    assert found[1] == pytest.approx(OTHER.translation[1], abs=0.3)


@pytest.mark.parametrize("spread", [0.0, 1e-4, 1e-3])
def test_detections_in_one_spot_give_no_pose(spread: float) -> None:
    points, ideal_xy = (value.reshape(-1, value.shape[-1]) for value in seen(stroll(2.0)))
    assert resect(points, spread * ideal_xy, SD) is None
    assert inlier_share(points, spread * ideal_xy, SD) == 0


def test_a_majority_of_outliers_gives_no_pose() -> None:
    points, ideal_xy = (value.reshape(-1, value.shape[-1]) for value in seen(stroll(2.0)))
    rng = np.random.default_rng(2)
    wild = rng.random(len(ideal_xy)) < 0.7
    assert resect(points, np.where(wild[:, None], ideal_xy + rng.normal(0, 0.3, ideal_xy.shape), ideal_xy), SD) is None


def test_too_few_points_give_no_pose() -> None:
    points, ideal_xy = (value.reshape(-1, value.shape[-1]) for value in seen(stroll(1.0)))
    assert resect(points[: MIN_POINTS - 1], ideal_xy[: MIN_POINTS - 1], SD) is None
    assert resect(points[::3][:MIN_POINTS], ideal_xy[::3][:MIN_POINTS], SD) is not None


def test_every_second_of_movement_improves_the_pose() -> None:
    out = Resection()
    results = added(out, MAX_SAMPLES)
    places = [place for place in results if place is not None]
    assert [n for n, place in enumerate(results, 1) if place is not None] == [
        *range(RESECTION_STRIDE, MAX_SAMPLES + 1, RESECTION_STRIDE)
    ]
    for rotation, translation in places:
        assert angle_deg(rotation, OTHER.rotation[1]) < 0.6
        assert translation == pytest.approx(OTHER.translation[1], abs=0.05)


def test_resection_completes_with_enough_samples() -> None:
    out = Resection()
    assert not out.complete
    added(out, MAX_SAMPLES - 1)
    assert not out.complete
    added(out, 1, start=MAX_SAMPLES - 1)
    assert out.complete


def test_a_high_frame_rate_does_not_shorten_resection() -> None:
    """At 120 Hz, half a second has 60 similar samples."""
    assert added(Resection(), 60, tick_ns=8_333_333) == [None] * 60


def test_random_points_give_no_pose() -> None:
    out, rng = Resection(), np.random.default_rng(0)
    points, ideal_xy = seen(stroll(3.0))
    for n in range(RESECTION_STRIDE):
        assert out.add(n * TICK, points[n], rng.uniform(-0.5, 0.5, ideal_xy[n].shape), SD) is None


def test_old_samples_are_dropped_after_a_move() -> None:
    out = Resection()
    added(out, RESECTION_STRIDE, view=0)
    results = added(out, 2 * MAX_SAMPLES - RESECTION_STRIDE, start=RESECTION_STRIDE)
    assert results[-1] is not None
    assert angle_deg(results[-1][0], OTHER.rotation[1]) < 0.5


def test_the_latest_samples_show_whether_a_pose_still_fits() -> None:
    out = Resection()
    assert out.latest_inlier_share(OTHER.rotation[1], OTHER.translation[1]) == 0
    added(out, 10, view=2)
    assert out.latest_inlier_share(OTHER.rotation[1], OTHER.translation[1]) < 0.2
    added(out, 10, view=1, start=10)  # what is older does not count
    assert out.latest_inlier_share(OTHER.rotation[1], OTHER.translation[1]) > 0.9
