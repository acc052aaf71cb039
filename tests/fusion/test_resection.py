import numpy as np
import pytest

from pose_rig.fusion.resection import ENOUGH, EVERY_NS, FEWEST, KEPT, SAME_S, Resection, resect
from pose_rig.geometry import angle_deg
from tests.fusion.fakes import Floats
from tests.fusion.simulated import calibration, images, points_of, stroll

SD = 0.004
TICK = EVERY_NS + 1_000_000
OTHER = calibration(3)


def seen(people: Floats, view: int = 1, noise: float = 0.5 * SD, seed: int = 0) -> tuple[Floats, Floats]:
    """Points (N,P,3) and where a camera sees them (N,P,2)."""
    flat = points_of(OTHER.flat(images(people, OTHER))[:, view])
    return points_of(people), flat + np.random.default_rng(seed).normal(0, 1, flat.shape) * noise


def filled(count: int, tick_ns: int = TICK) -> Resection:
    out = Resection()
    for n, (points, flat) in enumerate(zip(*seen(stroll(count / 15)[:count]), strict=True)):
        out.add(n * tick_ns, points, flat, SD)
    return out


def test_exact_points_give_the_exact_place() -> None:
    points, flat = (value.reshape(-1, value.shape[-1]) for value in seen(stroll(2.0), noise=0.0))
    found = resect(points, flat, SD)
    assert found is not None
    assert angle_deg(found[0], OTHER.rotation[1]) < 0.01
    assert found[1] == pytest.approx(OTHER.translation[1], abs=1e-3)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_noise_and_wild_points_do_little(share: float) -> None:
    points, flat = (value.reshape(-1, value.shape[-1]) for value in seen(stroll(2.0)))
    rng = np.random.default_rng(1)
    wild = rng.random(len(flat)) < share
    flat = np.where(wild[:, None], flat + rng.normal(0, 0.15, flat.shape), flat)
    found = resect(points, flat, SD)
    assert found is not None
    assert angle_deg(found[0], OTHER.rotation[1]) < 0.5
    assert found[1] == pytest.approx(OTHER.translation[1], abs=0.04)
    again = resect(points, flat, SD)
    assert again is not None
    assert np.array_equal(found[1], again[1])


def test_a_place_that_most_points_contradict_is_none() -> None:
    points, flat = (value.reshape(-1, value.shape[-1]) for value in seen(stroll(2.0)))
    rng = np.random.default_rng(2)
    wild = rng.random(len(flat)) < 0.7
    assert resect(points, np.where(wild[:, None], flat + rng.normal(0, 0.3, flat.shape), flat), SD) is None


def test_few_points_do_not_suffice() -> None:
    points, flat = (value.reshape(-1, value.shape[-1]) for value in seen(stroll(1.0)))
    assert resect(points[: ENOUGH - 1], flat[: ENOUGH - 1], SD) is None
    assert resect(points[::3][:ENOUGH], flat[::3][:ENOUGH], SD) is not None


def test_a_second_of_movement_tells_the_place() -> None:
    found = filled(FEWEST + 2).place()
    assert found is not None
    assert angle_deg(found[0], OTHER.rotation[1]) < 0.6


def test_before_that_there_is_no_place() -> None:
    assert Resection().place() is None
    assert filled(FEWEST - 1).place() is None
    barely = int(SAME_S * 1e9 / TICK)
    assert filled(barely).place() is None


def test_a_fast_rig_does_not_shorten_what_is_needed() -> None:
    """At 120 Hz, half a second brings 60 instants of the same."""
    assert filled(60, 8_333_333).place() is None


def test_what_was_before_a_move_is_forgotten() -> None:
    out = Resection()
    before, after = seen(stroll(4.0), view=0), seen(stroll(4.0), view=1)
    for n in range(20 + KEPT):
        points, flat = before if n < 20 else after
        out.add(n * TICK, points[n], flat[n], SD)
    found = out.place()
    assert found is not None
    assert angle_deg(found[0], OTHER.rotation[1]) < 0.5
