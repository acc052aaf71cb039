import numpy as np
import pytest

from pose_rig.humanoid.predict import MAX_LEAD_MS, MAX_SPEED_M_S, MIN_WINDOW_S, PosePredictor

S = 1e9
HZ = 60.0


def predictor_of(positions: np.ndarray, hz: float = HZ) -> PosePredictor:
    predictor = PosePredictor()
    for i, position in enumerate(positions):
        predictor.add(round(i / hz * S), np.asarray(position, float), restart=False)
    return predictor


def test_uniform_motion_is_predicted_exactly() -> None:
    speed = np.array([[1.0, -2.0, 0.5], [0.0, 0.0, 3.0]])
    predictor = predictor_of(np.arange(20)[:, None, None] / HZ * speed)
    for lead_s in (0.02, 0.06, 0.15):
        np.testing.assert_allclose(predictor.predict(lead_s), (19 / HZ + lead_s) * speed, atol=1e-6)


def test_without_a_lead_the_last_joints_are_returned() -> None:
    positions = np.random.default_rng(1).normal(size=(10, 17, 3))
    np.testing.assert_array_equal(predictor_of(positions).predict(0.0), positions[-1])


@pytest.mark.parametrize("count", [1, 2])
def test_two_positions_are_not_extrapolated(count: int) -> None:
    positions = np.random.default_rng(1).normal(size=(count, 17, 3))
    np.testing.assert_array_equal(predictor_of(positions).predict(0.1), positions[-1])


@pytest.mark.parametrize("lead_ms", [20.0, 50.0, 100.0, MAX_LEAD_MS])
def test_jitter_does_not_increase_with_the_lead(lead_ms: float) -> None:
    noise = np.random.default_rng(1).normal(0, 1e-2, (3000, 30, 3))
    grown = [predictor_of(noise[i : i + 20]).predict(lead_ms * 1e-3).std() for i in range(0, 2900, 100)]
    assert 1.0 < np.median(grown) / 1e-2 < 2.2


def test_a_change_of_the_rig_is_not_motion() -> None:
    predictor = predictor_of(np.zeros((20, 5, 3)))
    predictor.add(round(20 / HZ * S), np.full((5, 3), 2.0), restart=True)
    np.testing.assert_array_equal(predictor.predict(0.1), 2.0)


def test_a_decreasing_timestamp_starts_over() -> None:
    predictor = predictor_of(np.zeros((20, 5, 3)))
    predictor.add(0, np.full((5, 3), 2.0), restart=False)
    np.testing.assert_array_equal(predictor.predict(0.1), 2.0)


def test_other_joints_start_over() -> None:
    predictor = predictor_of(np.zeros((20, 5, 3)))
    predictor.add(round(S), np.ones((6, 3)), restart=False)
    assert predictor.predict(0.1).shape == (6, 3)


def test_the_speed_is_limited() -> None:
    positions = np.zeros((10, 1, 3))
    positions[-1, 0, 0] = 5.0
    assert predictor_of(positions).predict(0.1)[0, 0] <= 5.0 + 0.1 * MAX_SPEED_M_S + 1e-9


def test_the_history_is_limited() -> None:
    predictor = predictor_of(np.zeros((5000, 2, 3)))
    assert len(predictor._past) <= max(MIN_WINDOW_S, MAX_LEAD_MS * 1e-3) * HZ + 2
