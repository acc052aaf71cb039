import numpy as np
import pytest

from pose_rig.wire.precision import APPEARANCE_STEP, SCORE_STEP, XY_STEP_PX, quantize, truncate_mantissa


@pytest.mark.parametrize("step", [XY_STEP_PX, SCORE_STEP, APPEARANCE_STEP])
def test_quantization_is_exact_in_binary_and_within_half_a_step(step: float) -> None:
    values = np.random.default_rng(0).uniform(-4000, 4000, 1000)
    rounded = quantize(values, step)
    assert rounded.dtype == np.float32
    assert np.abs(rounded - values).max() <= step / 2
    np.testing.assert_array_equal(quantize(rounded, step), rounded)
    np.testing.assert_array_equal(rounded / np.float32(step) % 1, 0)


def test_truncation_is_within_half_a_percent_and_keeps_symmetry_and_zeros() -> None:
    values = np.random.default_rng(1).lognormal(-8, 3, (50, 3, 3))
    values = values @ values.swapaxes(-1, -2)
    short = truncate_mantissa(values)
    assert (np.abs(short - values) <= values / 128).all()
    np.testing.assert_array_equal(short, short.swapaxes(-1, -2))
    np.testing.assert_array_equal(truncate_mantissa(-values), -short)
    np.testing.assert_array_equal(truncate_mantissa(np.array([0.0, np.nan, np.inf])), [0.0, np.nan, np.inf])
    assert not (short.view(np.int32) & 0x7FFF).any()
