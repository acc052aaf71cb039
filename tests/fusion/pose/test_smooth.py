import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.smooth import OneEuro

MS = 1_000_000
PERIOD = 16 * MS


def filtered(values: Floats, times_ns: list[int], min_cutoff_hz: float = 1.5, beta: float = 0.5) -> Floats:
    """(T,) one coordinate after the filter."""
    smooth = OneEuro(min_cutoff_hz, beta)
    points = np.zeros((len(values), 2, 3))
    points[:, 1, 0] = values
    return np.array([smooth(t, point) for t, point in zip(times_ns, points, strict=True)])[:, 1, 0]


def even(count: int, period_ns: int = PERIOD) -> list[int]:
    return [i * period_ns for i in range(count)]


def test_a_constant_stays_what_it_is() -> None:
    assert np.allclose(filtered(np.full(50, 1.7), even(50)), 1.7)


def test_the_first_value_passes_and_the_shape_is_kept() -> None:
    value = np.random.default_rng(0).normal(size=(17, 3))
    given = value.copy()
    out = OneEuro(1.0, 1.0)(0, value)
    assert np.array_equal(out, given)
    out[:] = 0
    assert np.array_equal(value, given)


def test_noise_at_rest_becomes_less() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, 400)
    assert filtered(noise, even(400))[50:].std() < 0.5 * noise.std()


def test_a_step_is_followed_without_overshoot_and_sooner_with_beta() -> None:
    step = np.where(np.arange(120) < 20, 0.0, 1.0)
    slow, quick = filtered(step, even(120), beta=0.0), filtered(step, even(120), beta=2.0)
    for out in (slow, quick):
        assert out.max() <= 1 + 1e-9
        assert (np.diff(out[20:]) >= -1e-12).all()
        assert out[-1] > 0.98
    assert 0 < slow[20] < quick[20]
    assert np.argmax(quick > 0.9) < np.argmax(slow > 0.9)


def test_the_step_response_without_beta_is_that_of_a_first_order_low_pass() -> None:
    cutoff_hz, dt = 1.5, PERIOD * 1e-9
    share = 1 / (1 + 1 / (2 * np.pi * cutoff_hz * dt))
    out = filtered(np.where(np.arange(60) < 1, 0.0, 1.0), even(60), cutoff_hz, 0.0)
    assert np.allclose(out, 1 - (1 - share) ** np.arange(60))


def test_irregular_times_are_supported() -> None:
    rng = np.random.default_rng(1)
    uneven = np.cumsum(rng.integers(4 * MS, 28 * MS, 250)).tolist()

    def ramp(times: list[int]) -> Floats:
        return np.array(times) * 1e-9

    lags = []
    for times in (even(250), uneven):
        out = filtered(ramp(times), times)
        lags.append(float((ramp(times) - out)[60:].mean()))
    assert lags[1] == pytest.approx(lags[0], rel=0.2)


@pytest.mark.parametrize("t_ns", [PERIOD * 9 + 600 * MS, PERIOD * 9, 0])
def test_after_a_gap_or_a_step_back_it_restarts(t_ns: int) -> None:
    assert filtered(np.array([*[0.0] * 10, 5.0]), [*even(10), t_ns])[-1] == 5.0


def test_another_number_of_points_restarts() -> None:
    smooth = OneEuro(1.0, 1.0)
    smooth(0, np.zeros((2, 3)))
    assert np.array_equal(smooth(PERIOD, np.ones((3, 3))), np.ones((3, 3)))
