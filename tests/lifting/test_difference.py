from dataclasses import replace

import numpy as np
import pytest

from pose_rig.lifting.difference import Difference, difference
from pose_rig.lifting.engine import OrtEngine
from pose_rig.lifting.example import example


def test_equal_engines_have_no_difference_and_others_a_large_one() -> None:
    out = OrtEngine().run(example(3, 2, np.random.default_rng(0)))
    assert difference(out, out) == Difference(0.0, 0.0, 0.0)
    assert difference(out, out).small
    angle = np.radians(0.2)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    turned = difference(out, replace(out, ray_from_body=(turn @ out.ray_from_body).astype(np.float32)))
    assert turned.rotation_deg == pytest.approx(0.2, rel=1e-3)
    moved = difference(out, replace(out, body=out.body + np.float32(0.001)))
    assert moved.body_mm == pytest.approx(2 * 3**0.5, rel=1e-3)
    stiff = difference(out, replace(out, rotation_hessian=out.rotation_hessian * np.float32(1.02)))
    assert stiff.hessian_ratio == pytest.approx(0.02, rel=1e-3)
    assert not any(one.small for one in (turned, moved, stiff))
    assert str(moved) == "rotations 0°, joints 3.5 mm, Hessians 0 %"
    assert not difference(out, replace(out, body=out.body * np.nan)).small
