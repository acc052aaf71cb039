"""Simulated rigs as footage."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pose_rig.config import FOCAL_PER_LARGER_SIDE
from pose_rig.skeleton import LIMBS, J
from pose_rig.training.footage.footage import Footage
from pose_rig.training.footage.simulated import simulate_footage
from tests.training.fakes.motion_files import clips


def takes(folder: Path, seed: int = 0, *, ski: bool = False) -> list[Footage]:
    return simulate_footage(clips(folder), 8, 3, 1.0, seed, hz=10.0, ski=ski)


def focal_px(take: Footage) -> NDArray[np.float64]:
    """(T,V) true focal length: (xy − middle) z / (x, y), the same for every joint."""
    assert take.truth is not None
    joints = take.truth.joints.astype(float)
    ray = joints[..., :2] / joints[..., 2:]
    off = take.truth.xy_px - take.size_px[:, None] / 2
    found = (off * ray).sum((-1, -2)) / (ray**2).sum((-1, -2))
    assert np.allclose(off, found[..., None, None] * ray, atol=0.05)
    return np.asarray(found)


def lost(take: Footage) -> float:
    """The share of limb joints that are far from where they are."""
    assert take.truth is not None
    size = np.ptp(take.truth.xy_px, axis=2).max(-1)[..., None]
    off = np.linalg.norm(take.xy_px - take.truth.xy_px, axis=-1) / size
    return float((off[..., list(LIMBS)] > 0.08).mean())


def test_takes_have_the_requested_form(tmp_path: Path) -> None:
    made = takes(tmp_path)
    assert [take.name for take in made] == [f"sim{i}" for i in range(8)]
    for take in made:
        assert take.xy_px.shape == (10, 3, J, 2)
        assert take.xy_px.dtype == take.score.dtype == np.float32
        assert not take.moving
        assert take.camera_from_rig is None
        assert take.focal_px == pytest.approx(FOCAL_PER_LARGER_SIDE * take.size_px.max(-1))


def test_the_same_seed_gives_the_same_takes(tmp_path: Path) -> None:
    first, again, other = takes(tmp_path), takes(tmp_path), takes(tmp_path, seed=1)
    for one, same in zip(first, again, strict=True):
        assert np.array_equal(one.xy_px, same.xy_px)
        assert np.array_equal(one.score, same.score)
    assert not np.array_equal(first[0].xy_px, other[0].xy_px)


def test_the_ground_truth_is_the_projection_without_noise(tmp_path: Path) -> None:
    for take in takes(tmp_path):
        found = focal_px(take)
        assert np.ptp(found, axis=0).max() < 0.5
        assert (np.abs(np.log(found / take.focal_px)) > 1e-3).any()  # unknown to the rig


def test_skiers_are_followed_and_more_of_their_limbs_lost(tmp_path: Path) -> None:
    still, ski = takes(tmp_path), takes(tmp_path, ski=True)
    assert all(take.moving for take in ski)
    assert min(np.ptp(focal_px(take), axis=0).min() for take in ski) > 1.0
    assert np.mean([lost(take) for take in ski]) > np.mean([lost(take) for take in still]) + 0.1
