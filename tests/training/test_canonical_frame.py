"""Which way round the people of a lifter are."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pose_rig.geometry import rotation_from_vector
from pose_rig.lifting.checkpoint import load, save
from pose_rig.lifting.model import Lifter, LifterConfig
from pose_rig.skeleton import INDEX, J
from pose_rig.training.canonical_frame import body_from_canonical, handedness, with_canonical_frame
from pose_rig.training.footage.dataset import PoseDataset
from tests.fusion.fakes import standing
from tests.training.fakes.footage import exact_walk

FLIP = np.array([1.0, 1.0, -1.0])
TURN = rotation_from_vector(np.array([0.8, -2.0, 0.5]))


def lifter_of(pose: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Lifter:
    """A lifter with one canonical pose (J,3) and random rotations."""
    torch.manual_seed(0)
    lifter = Lifter(LifterConfig(width=16, pose_blocks=1, camera_blocks=1)).eval()
    with torch.no_grad():
        lifter.pose_head.weight[: 3 * J] = 0
        lifter.pose_head.bias[: 3 * J] = torch.from_numpy(pose.ravel()).float()
    return lifter


def dataset() -> PoseDataset:
    return PoseDataset([exact_walk()], "ray")


def out(lifter: Lifter) -> tuple[Tensor, Tensor, Tensor]:
    seen = dataset().all
    with torch.no_grad():
        canonical, rotation, _ = lifter(seen.pose_2d.flatten(0, 1), seen.confidence.flatten(0, 1))
    return canonical, rotation, canonical @ rotation.mT


@pytest.mark.parametrize("mirrored", [False, True])
def test_people_are_upright_with_unchanged_projections(tmp_path: Path, mirrored: bool) -> None:
    sign = FLIP if mirrored else np.ones(3)
    before = lifter_of(standing() @ TURN.T * sign)
    after = with_canonical_frame(before, dataset())
    assert after.config.mirrored is mirrored
    assert (handedness(before, dataset()) < 0) is mirrored
    assert handedness(after, dataset()) > 0
    canonical, rotation, view = out(after)
    assert torch.allclose(canonical, torch.from_numpy(standing()).float().expand_as(canonical), atol=1e-5)
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(len(rotation)), atol=1e-5)
    assert torch.allclose(view, out(before)[2] * torch.from_numpy(sign).float(), atol=1e-5)
    save(tmp_path / "lifter.pt", after, {})
    again = load(tmp_path / "lifter.pt")[0]
    assert again.config == after.config
    assert all(torch.equal(x, y) for x, y in zip(out(again), out(after), strict=True))


def test_a_canonical_frame_is_kept() -> None:
    once = with_canonical_frame(lifter_of(standing() @ TURN.T * FLIP), dataset())
    assert with_canonical_frame(once, dataset()).config == once.config
    right = with_canonical_frame(lifter_of(standing()), dataset())
    assert not right.config.mirrored
    assert np.allclose(right.config.body_from_canonical, np.eye(3).ravel(), atol=1e-6)


def test_upright_counts_every_pose_alike_whatever_its_size() -> None:
    poses = np.stack([standing(), 100 * standing() @ TURN.T])
    middle, same = body_from_canonical(poses), body_from_canonical(np.stack([standing(), standing() @ TURN.T]))
    assert np.allclose(middle, same)
    assert np.linalg.det(middle) == pytest.approx(1)
    assert np.allclose(body_from_canonical(poses[1:]), TURN.T)


def test_the_trunk_defines_up_before_hips_and_shoulders() -> None:
    leaning = standing()
    leaning[:, 0] += 0.4 * leaning[:, 1]
    turned = leaning @ body_from_canonical(leaning[None]).T
    assert np.allclose(turned[INDEX["thorax"], [0, 2]], 0, atol=1e-9)
    assert turned[INDEX["thorax"], 1] > 0
    assert turned[INDEX["l_hip"], 0] > 0


def test_poses_without_any_extent_turn_nothing_to_nonsense() -> None:
    assert np.linalg.det(body_from_canonical(np.zeros((3, J, 3)))) == pytest.approx(1)
