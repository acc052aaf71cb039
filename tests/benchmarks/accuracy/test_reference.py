"""Scoring poses against a reference."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy.reference import LIMB, Reference, detected
from benchmarks.accuracy.similarity import pa_mm
from pose_rig.errors import UsageError
from pose_rig.geometry import rotation_from_vector


def test_errors_are_measured_after_a_similarity() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 0.4, (3, 17, 3))
    turned = 2.5 * truth @ rotation_from_vector(np.array([0.3, -0.4, 1.0])).T + 0.7
    assert pa_mm(turned[:, LIMB], truth[:, LIMB]).max() < 1e-6
    turned[1, 1:7] += rng.normal(0, 0.1, (6, 3))
    assert np.flatnonzero(pa_mm(turned[:, LIMB], truth[:, LIMB]) > 1) == [1]


def test_a_joint_is_detected_within_three_percent_of_the_height() -> None:
    truth_px = np.zeros((1, 17, 2))
    truth_px[:, 0, 1] = 1000.0
    xy_px = truth_px + np.array([29.0, 0.0])
    xy_px[0, 1] += 2.0
    xy_px[0, 2] = np.nan
    assert detected(xy_px, truth_px).tolist() == [[False, False, *[True] * 10]]


def reference_file(path: Path) -> Path:
    """Two instants of one point, a second apart, before a camera at the origin."""
    joints = np.tile([0.0, 0.0, 4.0], (2, 17, 1))
    joints[1, :, 0] = 1.0
    intrinsics = np.diag([100.0, 100.0, 1.0])[None]
    eye, none = np.eye(3)[None], np.zeros((1, 3))
    np.savez(path, ref3d_h36m17=joints, fps=np.array(1.0), K=intrinsics, dist=np.zeros((1, 5)), R=eye, t=none)
    return path


def test_a_reference_is_interpolated_between_its_frames(tmp_path: Path) -> None:
    reference = Reference.load(reference_file(tmp_path / "ref.npz"))
    covered, joints, xy_px = reference.at(np.array([-(10**9), 0, 5 * 10**8, 10**9, 3 * 10**9]))
    assert covered.tolist() == [False, True, True, True, False]
    assert joints[:, 0, 0].tolist() == [0.0, 0.5, 1.0]
    assert xy_px[0, :, 0, 0].tolist() == [0.0, 12.5, 25.0]


def test_an_invalid_reference_file_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", xyz=np.zeros(3))
    with pytest.raises(
        UsageError, match=r"other\.npz is not a reference: .*ref3d_h36m17.* benchmarks/README\.md has the format\."
    ):
        Reference.load(tmp_path / "other.npz")
