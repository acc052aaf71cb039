import numpy as np
import pytest

from benchmarks.engines.feet import RATE_HZ, Take
from benchmarks.engines.prediction import displayed, error_and_jitter_mm
from pose_rig.skeleton import JOINTS


def walker(seconds: float = 5.0) -> Take:
    """Returns subject whose joints swing by 50 cm once a second."""
    t_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    xyz = np.zeros((len(t_s), len(JOINTS), 3))
    xyz[..., 0] = 0.5 * np.sin(2 * np.pi * t_s)[:, None]
    return Take(JOINTS, RATE_HZ, xyz)


def test_without_prediction_poses_are_only_filtered() -> None:
    still = np.ones((50, len(JOINTS), 3))
    np.testing.assert_allclose(displayed(still, RATE_HZ, 0.0), still)
    np.testing.assert_allclose(displayed(still, RATE_HZ, 0.1), still)


@pytest.mark.parametrize("latency_ms", [33.0, 67.0])
def test_prediction_reduces_the_error_and_increases_jitter(latency_ms: float) -> None:
    still = Take(JOINTS, RATE_HZ, np.zeros_like(walker().xyz))
    medians = {}
    for name, take in (("walking", walker()), ("still", still)):
        for predict in (False, True):
            error, jitter = error_and_jitter_mm(take, np.random.default_rng(1), latency_ms, predict=predict)
            medians[name, predict] = np.median(error), np.median(jitter)
    assert medians["walking", True][0] < 0.6 * medians["walking", False][0]
    assert medians["still", True][1] > 1.2 * medians["still", False][1]
