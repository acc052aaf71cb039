"""Rates of clocks, given uncertain measurements."""

import numpy as np

from pose_rig.fusion.synchronisation.camera_clock import MAX_RATE
from pose_rig.fusion.synchronisation.likely_rates import likely_rates


def test_certain_rates_are_believed_and_uncertain_ones_are_nearly_zero() -> None:
    measured = np.array([1e-3, -1e-3, 1e-4, 1e-4, 0.0])
    likely, sd = likely_rates(measured, np.array([1e-5, 1e-5, 1e-6, 3e-4, 3e-4]))
    np.testing.assert_allclose(likely[:3], measured[:3], rtol=0.01)
    assert 0 < likely[3] < 3e-5
    assert likely[4] == 0
    assert (np.diff(sd[[2, 0, 3]]) > 0).all()
    assert sd[3] < 3e-4  # most clocks deviate by less


def test_rates_are_more_exact_than_measured_and_their_standard_deviations_are_true() -> None:
    rng = np.random.default_rng(0)
    usual = rng.random(20000) < 0.5
    true = np.where(usual, rng.normal(0, 6e-5, 20000), rng.normal(0, 6e-4, 20000))
    measured = true + rng.normal(0, 2.5e-4, 20000)
    likely, sd = likely_rates(measured, np.full(20000, 2.5e-4))
    believed = np.abs(measured) < MAX_RATE
    error = np.sqrt(((likely - true)[believed] ** 2).mean())
    assert error < 0.85 * 2.5e-4
    np.testing.assert_allclose(error, np.sqrt((sd[believed] ** 2).mean()), rtol=0.05)


def test_rates_that_no_clock_has_are_not_believed() -> None:
    likely, sd = likely_rates(np.array([0.02, 1.0]), np.array([1e-4, 1e-4]))
    assert likely.tolist() == [0, 0]
    np.testing.assert_allclose(sd, [0.02, 1.0], rtol=0.01)
