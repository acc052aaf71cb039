"""What is likely of a lens."""

import numpy as np
import pytest

from pose_rig.fusion.calibration.lens_prior import USUAL_K1_SD, WIDE_K1, WIDE_K1_SD, lens_prior


def test_lenses_of_usual_and_of_very_short_focal_lengths_are_perspective() -> None:
    mean, sd = lens_prior(np.array([0.2, 0.3, 0.75, 0.9, 2.0]))
    assert mean == pytest.approx(np.zeros(5), abs=0.01)
    assert sd == pytest.approx(np.full(5, USUAL_K1_SD), abs=0.01)


def test_action_cameras_may_be_straightened_or_not() -> None:
    mean, sd = lens_prior(np.array([0.48, 0.52]))
    assert mean == pytest.approx([WIDE_K1, WIDE_K1], abs=0.02)
    assert sd == pytest.approx([WIDE_K1_SD, WIDE_K1_SD], abs=0.02)
    for k1 in (0.0, -1 / 3):
        assert (np.abs(k1 - mean) < sd).all()
