"""Contact detection of one point of a foot."""

import math

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.humanoid.foot_contact import MAX_LEVEL_OFFSET_M, MIN_SLOW_RAISED_S, RELEASE_SPEED_M_S, FootContact

DT_S = 1 / 60
HEIGHT_M = 0.08
G = 9.81


def contacts_of(contact: FootContact, path: Floats, other_clearance_m: float = 0.0) -> list[bool]:
    """Returns (T) the contact of a point with positions (T,3) m."""
    active = []
    for x, y, z in path.tolist():
        contact.step(DT_S, (x, y, z), other_clearance_m)
        active.append(contact.active)
    return active


def new_contacts(path: Floats) -> list[bool]:
    return contacts_of(FootContact(HEIGHT_M), path)


def still(seconds: float, y: float = HEIGHT_M) -> Floats:
    return np.tile([0.0, y, 0.0], (round(seconds / DT_S), 1))


def moved(start: Floats, velocity: list[float], seconds: float) -> Floats:
    t = np.arange(1, round(seconds / DT_S) + 1)[:, None] * DT_S
    return np.asarray(start + t * np.array(velocity))


def test_a_slow_low_foot_is_in_contact_within_a_fifth_of_a_second() -> None:
    active = new_contacts(still(0.5))
    assert not active[0]
    assert active.index(True) * DT_S < 0.2
    assert all(active[active.index(True) :])


def test_noise_of_10_mm_hardly_ever_ends_a_contact() -> None:
    rng = np.random.default_rng(3)
    kept = 0.9 ** (DT_S / 0.04)
    noise = rng.normal(0, 0.010, (1200, 3))
    for i in range(1, len(noise)):
        noise[i] = kept * noise[i - 1] + math.sqrt(1 - kept**2) * noise[i]
    active = new_contacts(still(20.0) + noise)
    assert np.mean(active[60:]) > 0.97


@pytest.mark.parametrize("velocity", [[0.0, 0.0, 1.0], [0.0, 2.0, 0.0]])
def test_a_swing_ends_the_contact_within_a_tenth_of_a_second(velocity: list[float]) -> None:
    contact = FootContact(HEIGHT_M)
    path = np.concatenate([still(0.5), moved(still(0.1)[-1], velocity, 0.3)])
    active = contacts_of(contact, path)
    assert active[29]
    assert not any(active[36:])


def test_a_take_off_ends_the_contact_within_two_frames() -> None:
    active = contacts_of(
        FootContact(HEIGHT_M), np.concatenate([still(0.5), moved(still(0.1)[-1], [0.0, 2.5, 0.0], 0.1)])
    )
    assert active[29]
    assert not any(active[31:])


def test_a_low_swing_is_no_contact() -> None:
    path = moved(np.array([0.0, HEIGHT_M + 0.013, 0.0]), [0.0, 0.0, 1.0], 1.0)
    assert not any(new_contacts(path))


def test_between_the_speed_limits_a_contact_does_not_change() -> None:
    between = [0.0, 0.0, 0.9 * RELEASE_SPEED_M_S]
    assert not any(new_contacts(moved(still(0.1)[-1], between, 1.0)))
    assert all(new_contacts(np.concatenate([still(0.5), moved(still(0.1)[-1], between, 0.5)]))[15:])


@pytest.mark.parametrize("flight_s", [0.3, 0.5, 0.8])
def test_there_is_no_contact_at_the_top_of_a_jump(flight_s: float) -> None:
    t = np.arange(round(flight_s / DT_S) + 1) * DT_S
    height = 0.5 * G * t * (flight_s - t)
    jump = np.stack([0 * t, HEIGHT_M + height, 0 * t], -1)
    contact = FootContact(HEIGHT_M)
    active = contacts_of(contact, np.concatenate([still(0.5), jump, still(0.5)]), math.inf)
    assert active[29]
    assert not any(active[32 : 30 + len(t)])
    landed = active[30 + len(t) :]
    assert landed.index(True) * DT_S < 0.25


def test_a_raised_foot_is_in_contact_after_a_while() -> None:
    contact = FootContact(HEIGHT_M)
    active = contacts_of(contact, still(1.0, HEIGHT_M + 0.3), 0.3)
    assert active.index(True) * DT_S > MIN_SLOW_RAISED_S
    assert contact.active
    assert contact.raised
    assert not any(contacts_of(contact, moved(still(0.1, HEIGHT_M + 0.3)[-1], [0.0, 2.5, 0.0], 0.2))[2:])


def test_a_foot_lifted_above_the_other_one_is_not_in_contact() -> None:
    assert not any(new_contacts(still(2.0, HEIGHT_M + 0.15)))


def test_the_level_of_the_floor_is_estimated() -> None:
    contact = FootContact(HEIGHT_M)
    contacts_of(contact, still(5.0, HEIGHT_M + 0.04))
    assert contact.active
    assert not contact.raised
    assert abs(contact.clearance_m) < 0.005


def test_a_step_does_not_change_the_level_of_the_floor() -> None:
    contact = FootContact(HEIGHT_M)
    contacts_of(contact, still(10.0, HEIGHT_M + MAX_LEVEL_OFFSET_M + 0.04), math.inf)
    assert contact.raised
    assert contact.clearance_m == pytest.approx(MAX_LEVEL_OFFSET_M + 0.04)


def test_a_reset_ends_the_contact_and_keeps_the_level_of_the_floor() -> None:
    contact = FootContact(HEIGHT_M)
    contacts_of(contact, still(5.0, HEIGHT_M + 0.04))
    contact.reset()
    assert not contact.active
    assert contact.clearance_m == math.inf
    assert not any(contacts_of(contact, still(0.1, HEIGHT_M + 0.04)))
    assert abs(contact.clearance_m) < 0.005
