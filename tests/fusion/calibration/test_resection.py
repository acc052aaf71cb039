import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.resection import (
    MAX_SAMPLES,
    MIN_POINTS,
    RESECTION_STRIDE,
    SAMPLE_INTERVAL_NS,
    Resection,
    resect,
)
from pose_rig.geometry import angle_deg
from tests.fusion.simulated import calibration, images, points_of, stroll

SD = 0.004
TICK = SAMPLE_INTERVAL_NS + 1_000_000
OTHER = calibration(3)


def seen(people: Floats, view: int = 1, noise: float = 0.5 * SD, seed: int = 0) -> tuple[Floats, Floats]:
    """Points (N,P,3) and where a camera sees them (N,P,2)."""
    ideal_xy = points_of(OTHER.ideal_xy(images(people, OTHER))[:, view])
    return points_of(people), ideal_xy + np.random.default_rng(seed).normal(0, 1, ideal_xy.shape) * noise


def added(
    out: Resection, count: int, *, view: int = 1, tick_ns: int = TICK, start: int = 0
) -> list[tuple[Floats, Floats] | None]:
    """What a resection says to each of some instants."""
    points, ideal_xy = seen(stroll((start + count) / 15), view)
    return [out.add(n * tick_ns, points[n], ideal_xy[n], SD) for n in range(start, start + count)]


def test_exact_points_give_the_exact_place() -> None:
    points, ideal_xy = (value.reshape(-1, value.shape[-1]) for value in seen(stroll(2.0), noise=0.0))
    found = resect(points, ideal_xy, SD)
    assert found is not None
    assert angle_deg(found[0], OTHER.rotation[1]) < 0.01
    assert found[1] == pytest.approx(OTHER.translation[1], abs=1e-3)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_noise_and_wild_points_do_little(share: float) -> None:
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


def test_a_place_that_most_points_contradict_is_none() -> None:
    points, ideal_xy = (value.reshape(-1, value.shape[-1]) for value in seen(stroll(2.0)))
    rng = np.random.default_rng(2)
    wild = rng.random(len(ideal_xy)) < 0.7
    assert resect(points, np.where(wild[:, None], ideal_xy + rng.normal(0, 0.3, ideal_xy.shape), ideal_xy), SD) is None


def test_few_points_do_not_suffice() -> None:
    points, ideal_xy = (value.reshape(-1, value.shape[-1]) for value in seen(stroll(1.0)))
    assert resect(points[: MIN_POINTS - 1], ideal_xy[: MIN_POINTS - 1], SD) is None
    assert resect(points[::3][:MIN_POINTS], ideal_xy[::3][:MIN_POINTS], SD) is not None


def test_every_second_of_movement_tells_the_place_more_exactly() -> None:
    out = Resection()
    told = added(out, MAX_SAMPLES)
    places = [place for place in told if place is not None]
    assert [n for n, place in enumerate(told, 1) if place is not None] == [
        RESECTION_STRIDE,
        2 * RESECTION_STRIDE,
        MAX_SAMPLES,
    ]
    for rotation, translation in places:
        assert angle_deg(rotation, OTHER.rotation[1]) < 0.6
        assert translation == pytest.approx(OTHER.translation[1], abs=0.05)


def test_it_is_over_once_the_memory_is_full() -> None:
    out = Resection()
    assert not out.complete
    added(out, MAX_SAMPLES - 1)
    assert not out.complete
    added(out, 1, start=MAX_SAMPLES - 1)
    assert out.complete


def test_a_fast_rig_does_not_shorten_what_is_needed() -> None:
    """At 120 Hz, half a second brings 60 instants of the same."""
    assert added(Resection(), 60, tick_ns=8_333_333) == [None] * 60


def test_what_fits_nowhere_has_no_place() -> None:
    out, rng = Resection(), np.random.default_rng(0)
    points, ideal_xy = seen(stroll(3.0))
    for n in range(RESECTION_STRIDE):
        assert out.add(n * TICK, points[n], rng.uniform(-0.5, 0.5, ideal_xy[n].shape), SD) is None


def test_what_was_before_a_move_is_forgotten() -> None:
    out = Resection()
    added(out, RESECTION_STRIDE, view=0)
    told = added(out, 2 * MAX_SAMPLES - RESECTION_STRIDE, start=RESECTION_STRIDE)
    assert told[-1] is not None
    assert angle_deg(told[-1][0], OTHER.rotation[1]) < 0.5
