import numpy as np
import pytest

from pose_rig.wire.precision import SCORE_STEP, XY_STEP_PX, shortened, stepped


@pytest.mark.parametrize("step", [XY_STEP_PX, SCORE_STEP])
def test_steps_are_exact_in_binary_and_nothing_moves_by_more_than_half_of_one(step: float) -> None:
    values = np.random.default_rng(0).uniform(-4000, 4000, 1000)
    rounded = stepped(values, step)
    assert rounded.dtype == np.float32
    assert np.abs(rounded - values).max() <= step / 2
    np.testing.assert_array_equal(stepped(rounded, step), rounded)
    np.testing.assert_array_equal(rounded / np.float32(step) % 1, 0)


def test_shortened_numbers_are_half_a_percent_off_at_most_and_keep_symmetry_and_zeros() -> None:
    values = np.random.default_rng(1).lognormal(-8, 3, (50, 3, 3))
    values = values @ values.swapaxes(-1, -2)
    short = shortened(values)
    assert (np.abs(short - values) <= values / 128).all()
    np.testing.assert_array_equal(short, short.swapaxes(-1, -2))
    np.testing.assert_array_equal(shortened(-values), -short)
    np.testing.assert_array_equal(shortened(np.array([0.0, np.nan, np.inf])), [0.0, np.nan, np.inf])
    assert not (short.view(np.int32) & 0x7FFF).any()
