import numpy as np
import pytest

from pose_rig.fusion.rig.consistency import DISAGREES, LEAST, MEMORY_S, Consistency

TICK = 20_000_000
BOTH = np.array([True, True])


def after(health: Consistency, agreed: list[float], seconds: float, start_ns: int = 0, present: object = BOTH) -> int:
    """The last instant of a while of the same agreement."""
    steps = round(seconds * 1e9 / TICK)
    for step in range(1, steps + 1):
        health.update(start_ns + step * TICK, np.asarray(present), np.array(agreed))
    return start_ns + steps * TICK


def test_before_anything_is_seen_nobody_is_there() -> None:
    health = Consistency(3)
    assert not health.value.any()
    assert not health.present.any()
    health.nobody()
    assert not health.ill_s.any()


def test_the_first_look_counts_at_once() -> None:
    health = Consistency(2)
    health.update(1_000_000_000, BOTH, np.array([0.9, 0.2]))
    assert health.value == pytest.approx([0.9, 0.2])


def test_a_bad_instant_is_not_yet_a_disagreement() -> None:
    health = Consistency(2)
    now = after(health, [0.9, 0.9], 1.0)
    health.update(now + TICK, BOTH, np.array([0.9, 0.0]))
    assert health.value[1] > DISAGREES
    assert health.ill_s[1] == 0


def test_lasting_disagreement_is_noticed_and_timed() -> None:
    health = Consistency(2)
    now = after(health, [0.9, 0.9], 1.0)
    after(health, [0.9, 0.05], 1.5, now)
    assert health.value[0] == pytest.approx(0.9)
    assert health.value[1] < DISAGREES
    assert health.ill_s[0] == 0
    assert 0.9 < health.ill_s[1] < 1.5  # the average needs a moment


def test_who_agrees_again_is_well_again() -> None:
    health = Consistency(2)
    now = after(health, [0.9, 0.05], 2.0)
    assert health.ill_s[1] > 1.5
    after(health, [0.9, 0.9], 1.0, now)
    assert health.value[1] > 0.7
    assert health.ill_s[1] == 0


def test_who_sees_nobody_has_no_say_and_is_not_ill() -> None:
    health = Consistency(2)
    now = after(health, [0.9, 0.1], 1.0)
    after(health, [0.9, 0.0], 0.1, now, [True, False])
    assert health.value[1] == 0
    assert health.ill_s[1] == 0
    assert health.present.tolist() == [True, False]


def test_who_is_there_but_never_agrees_has_a_little_left() -> None:
    health = Consistency(1)
    after(health, [0.0], 3.0, present=[True])
    assert health.value[0] == pytest.approx(LEAST)


def test_after_a_long_gap_time_counts_at_most_the_memory() -> None:
    health = Consistency(2)
    health.update(1_000_000_000, BOTH, np.array([0.1, 0.9]))
    ill = health.ill_s[0]
    health.update(3_600_000_000_000, BOTH, np.array([0.1, 0.2]))
    assert health.ill_s[0] - ill == pytest.approx(MEMORY_S)
    assert health.value[1] == pytest.approx(0.2)  # what was before the gap is forgotten


def test_time_that_goes_back_does_no_harm() -> None:
    health = Consistency(2)
    now = after(health, [0.9, 0.3], 1.0)
    before = health.ill_s.copy()
    health.update(now - 10**9, BOTH, np.array([0.0, 0.0]))
    assert health.value == pytest.approx([0.9, 0.3])
    assert health.ill_s == pytest.approx(before)


def test_nobody_there_and_forgiven() -> None:
    health = Consistency(2)
    after(health, [0.9, 0.1], 1.0)
    health.anew(1)
    assert (health.value[1], health.ill_s[1]) == (0, 0)
    assert health.value[0] == pytest.approx(0.9)
    health.nobody()
    assert not health.value.any()
    assert not health.present.any()


def test_the_mean_is_over_the_instants_at_which_a_camera_saw_somebody() -> None:
    health = Consistency(3)
    ended_ns = after(health, [0.9, 0.5, 0.0], 1.0, present=[True, True, False])
    after(health, [0.0, 0.7, 0.0], 1.0, ended_ns, present=[False, True, False])
    assert health.mean(0) == pytest.approx(0.9)
    assert health.mean(1) == pytest.approx(0.6)
    assert health.mean(2) is None
    health.nobody()
    assert health.mean(0) == pytest.approx(0.9)
