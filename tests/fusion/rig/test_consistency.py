import numpy as np
import pytest

from pose_rig.fusion.rig.consistency import AVERAGING_TIME_S, LOWEST_AGREEMENT, MIN_AGREEMENT, Consistency

TICK = 20_000_000
BOTH = np.array([True, True])


def after(
    consistency: Consistency, agreed: list[float], seconds: float, start_ns: int = 0, present: object = BOTH
) -> int:
    """The last time step of a period of constant agreement."""
    steps = round(seconds * 1e9 / TICK)
    for step in range(1, steps + 1):
        consistency.update(start_ns + step * TICK, np.asarray(present), np.array(agreed))
    return start_ns + steps * TICK


def test_before_the_first_time_step_no_person_is_present() -> None:
    consistency = Consistency(3)
    assert not consistency.agreement.any()
    assert not consistency.present.any()
    consistency.no_person()
    assert not consistency.inconsistent_s.any()


def test_the_first_time_step_counts_fully() -> None:
    consistency = Consistency(2)
    consistency.update(1_000_000_000, BOTH, np.array([0.9, 0.2]))
    assert consistency.agreement == pytest.approx([0.9, 0.2])


def test_one_bad_time_step_is_no_disagreement() -> None:
    consistency = Consistency(2)
    now = after(consistency, [0.9, 0.9], 1.0)
    consistency.update(now + TICK, BOTH, np.array([0.9, 0.0]))
    assert consistency.agreement[1] > MIN_AGREEMENT
    assert consistency.inconsistent_s[1] == 0


def test_lasting_disagreement_is_noticed_and_timed() -> None:
    consistency = Consistency(2)
    now = after(consistency, [0.9, 0.9], 1.0)
    after(consistency, [0.9, 0.05], 1.5, now)
    assert consistency.agreement[0] == pytest.approx(0.9)
    assert consistency.agreement[1] < MIN_AGREEMENT
    assert consistency.inconsistent_s[0] == 0
    assert 0.9 < consistency.inconsistent_s[1] < 1.5  # the average needs a moment


def test_a_camera_that_agrees_again_is_consistent() -> None:
    consistency = Consistency(2)
    now = after(consistency, [0.9, 0.05], 2.0)
    assert consistency.inconsistent_s[1] > 1.5
    after(consistency, [0.9, 0.9], 1.0, now)
    assert consistency.agreement[1] > 0.7
    assert consistency.inconsistent_s[1] == 0


def test_a_camera_without_a_person_has_agreement_zero_and_is_not_inconsistent() -> None:
    consistency = Consistency(2)
    now = after(consistency, [0.9, 0.1], 1.0)
    after(consistency, [0.9, 0.0], 0.1, now, [True, False])
    assert consistency.agreement[1] == 0
    assert consistency.inconsistent_s[1] == 0
    assert consistency.present.tolist() == [True, False]


def test_agreement_has_a_lower_limit() -> None:
    consistency = Consistency(1)
    after(consistency, [0.0], 3.0, present=[True])
    assert consistency.agreement[0] == pytest.approx(LOWEST_AGREEMENT)


def test_after_a_long_gap_at_most_the_averaging_time_counts() -> None:
    consistency = Consistency(2)
    consistency.update(1_000_000_000, BOTH, np.array([0.1, 0.9]))
    ill = consistency.inconsistent_s[0]
    consistency.update(3_600_000_000_000, BOTH, np.array([0.1, 0.2]))
    assert consistency.inconsistent_s[0] - ill == pytest.approx(AVERAGING_TIME_S)
    assert consistency.agreement[1] == pytest.approx(0.2)  # what was before the gap is forgotten


def test_time_that_goes_back_does_no_harm() -> None:
    consistency = Consistency(2)
    now = after(consistency, [0.9, 0.3], 1.0)
    before = consistency.inconsistent_s.copy()
    consistency.update(now - 10**9, BOTH, np.array([0.0, 0.0]))
    assert consistency.agreement == pytest.approx([0.9, 0.3])
    assert consistency.inconsistent_s == pytest.approx(before)


def test_no_person_and_reset() -> None:
    consistency = Consistency(2)
    after(consistency, [0.9, 0.1], 1.0)
    consistency.reset(1)
    assert (consistency.agreement[1], consistency.inconsistent_s[1]) == (0, 0)
    assert consistency.agreement[0] == pytest.approx(0.9)
    consistency.no_person()
    assert not consistency.agreement.any()
    assert not consistency.present.any()


def test_the_mean_is_over_the_time_steps_with_a_person() -> None:
    consistency = Consistency(3)
    ended_ns = after(consistency, [0.9, 0.5, 0.0], 1.0, present=[True, True, False])
    after(consistency, [0.0, 0.7, 0.0], 1.0, ended_ns, present=[False, True, False])
    assert consistency.mean(0) == pytest.approx(0.9)
    assert consistency.mean(1) == pytest.approx(0.6)
    assert consistency.mean(2) is None
    consistency.no_person()
    assert consistency.mean(0) == pytest.approx(0.9)
