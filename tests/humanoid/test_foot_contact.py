"""FootContact of one point of a foot, from where it was seen."""

import math

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.humanoid.foot_contact import MAX_LEVEL_OFFSET_M, MIN_SLOW_RAISED_S, RELEASE_SPEED_M_S, FootContact

DT_S = 1 / 60
HEIGHT_M = 0.08
G = 9.81


def seen(contact: FootContact, path: Floats, other_clearance_m: float = 0.0) -> list[bool]:
    """Returns (T) whether a point stands that takes a path (T,3) m."""
    standing = []
    for x, y, z in path.tolist():
        contact.step(DT_S, (x, y, z), other_clearance_m)
        standing.append(contact.active)
    return standing


def still(seconds: float, y: float = HEIGHT_M) -> Floats:
    return np.tile([0.0, y, 0.0], (round(seconds / DT_S), 1))


def moved(start: Floats, velocity: list[float], seconds: float) -> Floats:
    t = np.arange(1, round(seconds / DT_S) + 1)[:, None] * DT_S
    return np.asarray(start + t * np.array(velocity))


def test_what_is_still_and_low_stands_within_a_fifth_of_a_second() -> None:
    standing = seen(FootContact(HEIGHT_M), still(0.5))
    assert not standing[0]
    assert standing.index(True) * DT_S < 0.2
    assert all(standing[standing.index(True) :])


def test_noise_of_ten_millimetres_hardly_ever_lets_go_of_a_foot_that_stands() -> None:
    rng = np.random.default_rng(3)
    kept = 0.9 ** (DT_S / 0.04)
    noise = rng.normal(0, 0.010, (1200, 3))
    for i in range(1, len(noise)):
        noise[i] = kept * noise[i - 1] + math.sqrt(1 - kept**2) * noise[i]
    standing = seen(FootContact(HEIGHT_M), still(20.0) + noise)
    assert np.mean(standing[60:]) > 0.97


@pytest.mark.parametrize("velocity", [[0.0, 0.0, 1.0], [0.0, 2.0, 0.0]])
def test_what_moves_like_a_swing_is_let_go_of_within_a_tenth_of_a_second(velocity: list[float]) -> None:
    contact = FootContact(HEIGHT_M)
    path = np.concatenate([still(0.5), moved(still(0.1)[-1], velocity, 0.3)])
    standing = seen(contact, path)
    assert standing[29]
    assert not any(standing[36:])


def test_a_foot_that_takes_off_is_let_go_of_within_two_instants() -> None:
    standing = seen(FootContact(HEIGHT_M), np.concatenate([still(0.5), moved(still(0.1)[-1], [0.0, 2.5, 0.0], 0.1)]))
    assert standing[29]
    assert not any(standing[31:])


def test_a_foot_swung_low_over_the_floor_never_stands() -> None:
    path = moved(np.array([0.0, HEIGHT_M + 0.013, 0.0]), [0.0, 0.0, 1.0], 1.0)
    assert not any(seen(FootContact(HEIGHT_M), path))


def test_between_slow_and_fast_a_contact_stays_what_it_is() -> None:
    between = [0.0, 0.0, 0.9 * RELEASE_SPEED_M_S]
    assert not any(seen(FootContact(HEIGHT_M), moved(still(0.1)[-1], between, 1.0)))
    assert all(seen(FootContact(HEIGHT_M), np.concatenate([still(0.5), moved(still(0.1)[-1], between, 0.5)]))[15:])


@pytest.mark.parametrize("flight_s", [0.3, 0.5, 0.8])
def test_nothing_stands_at_the_top_of_a_jump(flight_s: float) -> None:
    t = np.arange(round(flight_s / DT_S) + 1) * DT_S
    height = 0.5 * G * t * (flight_s - t)
    jump = np.stack([0 * t, HEIGHT_M + height, 0 * t], -1)
    contact = FootContact(HEIGHT_M)
    standing = seen(contact, np.concatenate([still(0.5), jump, still(0.5)]), math.inf)
    assert standing[29]
    assert not any(standing[32 : 30 + len(t)])
    landed = standing[30 + len(t) :]
    assert landed.index(True) * DT_S < 0.25


def test_on_something_high_a_foot_stands_after_a_while_and_is_told_to_be_high() -> None:
    contact = FootContact(HEIGHT_M)
    standing = seen(contact, still(1.0, HEIGHT_M + 0.3), 0.3)
    assert standing.index(True) * DT_S > MIN_SLOW_RAISED_S
    assert contact.active
    assert contact.raised
    assert not any(seen(contact, moved(still(0.1, HEIGHT_M + 0.3)[-1], [0.0, 2.5, 0.0], 0.2))[2:])


def test_a_foot_lifted_above_the_other_one_does_not_stand() -> None:
    assert not any(seen(FootContact(HEIGHT_M), still(2.0, HEIGHT_M + 0.15), other_clearance_m=0.0))


def test_a_floor_some_centimetres_off_is_learned() -> None:
    contact = FootContact(HEIGHT_M)
    seen(contact, still(5.0, HEIGHT_M + 0.04))
    assert contact.active
    assert not contact.raised
    assert abs(contact.clearance_m) < 0.005


def test_a_step_is_not_learned_for_the_floor() -> None:
    contact = FootContact(HEIGHT_M)
    seen(contact, still(10.0, HEIGHT_M + MAX_LEVEL_OFFSET_M + 0.04), math.inf)
    assert contact.raised
    assert contact.clearance_m == pytest.approx(MAX_LEVEL_OFFSET_M + 0.04)


def test_what_is_forgotten_does_not_stand_and_has_to_be_still_again_but_knows_its_floor() -> None:
    contact = FootContact(HEIGHT_M)
    seen(contact, still(5.0, HEIGHT_M + 0.04))
    contact.reset()
    assert not contact.active
    assert contact.clearance_m == math.inf
    assert not any(seen(contact, still(0.1, HEIGHT_M + 0.04)))
    assert abs(contact.clearance_m) < 0.005
