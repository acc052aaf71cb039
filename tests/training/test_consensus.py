"""The fused poses of a batch."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from pose_rig.skeleton import MIRROR
from pose_rig.training.consensus import FusedTarget, average_rotations, fuse_views, nearest_rotation
from pose_rig.training.footage.dataset import TENSORS, Batch, PoseDataset
from pose_rig.training.training_step import Lifted
from tests.training.fakes.footage import exact_walk, random_rotations
from tests.training.fakes.lifters import lifts, rolled, true_lifts, true_rig

FRAMES, VIEWS = 24, 4
OFF_RAD = 0.08  # per axis, about 8° in all


def scene() -> tuple[Batch, Lifted]:
    """A still rig, and lifts whose rotations and depths are off."""
    footage = exact_walk(VIEWS, FRAMES)
    batch = replace(PoseDataset([footage], "ray").all, per_rig=FRAMES)
    rotation = random_rotations(FRAMES, VIEWS, sd=OFF_RAD) @ true_lifts(batch, true_rig(footage)).view_from_canonical
    rotation = rotation @ random_rotations(FRAMES, 1, seed=1)  # people turn
    shape = batch.true_pose.clone()
    shape[..., 1:, 2] += 0.05 * torch.randn(shape[..., 1:, 2].shape, generator=torch.Generator().manual_seed(0))
    return batch, lifts(batch, rotation, shape)


def there(batch: Batch) -> Tensor:
    return (batch.confidence > 0).any(-1).float()


def apart_rad(rig: Tensor, true: Tensor) -> Tensor:
    """(...,V) angles between estimated and true rotations relative to the first camera."""
    off = (rig @ rig[..., :1, :, :].mT) @ (true @ true[:1].mT).mT
    cosine = (off.diagonal(dim1=-1, dim2=-2).sum(-1) - 1) / 2
    return torch.arccos(cosine.clamp(-1, 1))


def miss(found: Tensor, batch: Batch) -> float:
    return float((found - batch.true_pose).norm(dim=-1).mean())


def own(lifted: Lifted) -> Tensor:
    return torch.einsum("bvij,bvkj->bvki", lifted.view_from_canonical, lifted.pose)


def agreed(batch: Batch, lifted: Lifted) -> FusedTarget:
    return fuse_views(batch, lifted.pose, lifted.view_from_canonical, lifted.spread)


def part(batch: Batch, views: int) -> Batch:
    """The first views of every frame."""
    alike = {name: getattr(batch, name) for name in TENSORS if getattr(batch, name).dim() > 1}
    return replace(batch, **{name: value[:, :views] for name, value in alike.items()})


def without(batch: Batch, view: int) -> Batch:
    """A view without detections."""
    pose_2d, confidence = batch.pose_2d.clone(), batch.confidence.clone()
    pose_2d[:, view], confidence[:, view] = 0.0, 0.0
    return replace(batch, pose_2d=pose_2d, confidence=confidence)


def test_the_mean_of_a_rig_is_more_accurate_than_its_frames() -> None:
    batch, lifted = scene()
    true = true_rig(exact_walk(VIEWS, FRAMES))
    single = batch.view_from_camera.mT @ lifted.view_from_canonical
    mean = average_rotations(batch, lifted.view_from_canonical, there(batch))
    assert mean.shape == (FRAMES, VIEWS, 3, 3)
    assert torch.equal(mean, mean[:1].expand_as(mean))
    assert torch.allclose(torch.linalg.det(mean), torch.ones(FRAMES, VIEWS), atol=1e-5)
    assert float(apart_rad(mean[0], true).mean()) < 0.45 * float(apart_rad(single, true).mean())


def test_outlier_frames_lose_their_weight() -> None:
    batch, lifted = scene()
    true = true_rig(exact_walk(VIEWS, FRAMES))
    rotation = lifted.view_from_canonical.clone()
    turn = random_rotations(1, seed=5, sd=2.0)[0]
    rotation[:8, 1] = batch.view_from_camera[:8, 1] @ turn @ batch.view_from_camera[:8, 1].mT @ rotation[:8, 1]
    single = batch.view_from_camera.mT @ rotation
    plain = nearest_rotation((single @ single[:, :1].mT).mean(0))
    found = apart_rad(average_rotations(batch, rotation, there(batch))[0], true)
    assert float(found[1]) < 0.4 * float(apart_rad(plain, true)[1])


def test_every_rig_has_its_own_mean() -> None:
    batch, lifted = scene()
    half = replace(batch, per_rig=FRAMES // 2)
    rotation = lifted.view_from_canonical.clone()
    rotation[FRAMES // 2 :, 1] = random_rotations(1, seed=7)[0] @ rotation[FRAMES // 2 :, 1]
    mean, before = (average_rotations(half, x, there(half)) for x in (rotation, lifted.view_from_canonical))
    assert torch.equal(mean[: FRAMES // 2], before[: FRAMES // 2])
    assert not torch.allclose(mean[FRAMES // 2 :], before[FRAMES // 2 :], atol=0.1)


def test_the_target_is_nearer_the_truth_than_any_lift() -> None:
    batch, lifted = scene()
    found = agreed(batch, lifted)
    assert miss(found.target, batch) < 0.5 * miss(own(lifted), batch)
    assert (found.target[:, :, 0] == 0).all()
    assert (torch.linalg.eigvalsh(found.covariance) > 0).all()
    assert float(found.trust.min()) > 0.5
    assert float((found.refined - batch.pose_2d).norm(dim=-1).mean()) < 0.01


def test_a_joint_that_one_view_puts_elsewhere_is_put_back() -> None:
    batch, lifted = scene()
    pose_2d = batch.pose_2d.clone()
    wrist = 13
    pose_2d[:, 1, wrist] += 0.25
    found = agreed(replace(batch, pose_2d=pose_2d), lifted)
    assert float(found.inlier[:, 1, wrist].mean()) < 0.2
    assert float(found.inlier[:, 1, :wrist].mean()) > 0.8
    back = (found.refined - batch.pose_2d)[:, 1, wrist].norm(dim=-1)
    assert float(back.mean()) < 0.1


def bystander(batch: Batch, view: int) -> Batch:
    """A view that follows the person of another time of the walk."""
    pose_2d = batch.pose_2d.clone()
    pose_2d[:, view] = pose_2d[:, view].roll(FRAMES // 2, 0).roll(3, 1)
    pose_2d[:, view] -= pose_2d[:, view, :1].clone()
    return replace(batch, pose_2d=pose_2d)


def swapped(batch: Batch, view: int) -> Batch:
    """A view that takes left for right."""
    pose_2d = batch.pose_2d.clone()
    pose_2d[:, view] = pose_2d[:, view][:, list(MIRROR)]
    return replace(batch, pose_2d=pose_2d)


@pytest.mark.parametrize("spoiled", [bystander, swapped])
def test_a_view_of_another_person_has_the_least_trust(spoiled: Callable[[Batch, int], Batch]) -> None:
    batch, lifted = scene()
    found = agreed(spoiled(batch, 2), lifted)
    assert found.trust[:, 2].mean() < 0.25
    assert found.trust[:, [0, 1, 3]].min() > 0.8


def test_a_view_without_detections_has_no_trust_and_no_influence() -> None:
    batch, lifted = scene()
    elsewhere = replace(lifted, pose=lifted.pose.clone())
    elsewhere.pose[:, 3] += torch.randn(FRAMES, 17, 3, generator=torch.Generator().manual_seed(2))
    gone = without(batch, 3)
    found, same = agreed(gone, lifted), agreed(gone, elsewhere)
    three = agreed(part(batch, 3), Lifted(lifted.pose[:, :3], lifted.view_from_canonical[:, :3], lifted.spread[:, :3]))
    assert (found.trust[:, 3] == 0).all()
    assert (found.trust[:, :3] > 0).all()
    assert torch.allclose(found.target[:, :3], same.target[:, :3], atol=1e-5)
    assert torch.allclose(found.target[:, :3], three.target, atol=1e-3)


def test_known_camera_rotations_replace_those_of_the_lifter() -> None:
    batch, lifted = scene()
    rig = true_rig(exact_walk(VIEWS, FRAMES)).expand(FRAMES, -1, -1, -1)
    known = replace(batch, camera_from_rig=rig, has_rotation=torch.ones(FRAMES))
    shape = own(lifted)
    found = agreed(known, lifted)
    anyhow = agreed(known, lifts(batch, random_rotations(FRAMES, VIEWS, seed=3), shape))
    assert torch.allclose(found.target, anyhow.target, atol=1e-4)
    assert miss(found.target, batch) < 0.5 * miss(shape, batch)


def test_the_roll_of_images_may_differ_between_frames() -> None:
    batch, lifted = scene()
    other, roll = rolled(batch)
    found, turned = (
        agreed(batch, lifted),
        agreed(other, replace(lifted, view_from_canonical=roll @ lifted.view_from_canonical)),
    )
    assert torch.allclose(torch.einsum("bvij,bvkj->bvki", roll, found.target), turned.target, atol=2e-3)


def test_moving_cameras_are_fused_frame_by_frame() -> None:
    batch, _ = scene()
    order = torch.stack([torch.randperm(VIEWS, generator=torch.Generator().manual_seed(i)) for i in range(FRAMES)])
    row = torch.arange(FRAMES)[:, None]
    names = [name for name in TENSORS if getattr(batch, name).dim() > 1]
    still = replace(batch, **{name: getattr(batch, name)[row, order] for name in names})
    lifted = true_lifts(still, true_rig(exact_walk(VIEWS, FRAMES))[order])
    moving = agreed(replace(still, moving=torch.ones(FRAMES)), lifted)
    assert miss(moving.target, still) < 0.02
    assert miss(agreed(still, lifted).target, still) > 3 * miss(moving.target, still)


def test_no_gradient_passes() -> None:
    batch, lifted = scene()
    pose, rotation, spread = (
        x.clone().requires_grad_() for x in (lifted.pose, lifted.view_from_canonical, lifted.spread)
    )
    found = fuse_views(batch, pose, rotation, spread)
    assert not any(x.requires_grad for x in (found.target, found.covariance, found.refined, found.trust))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_nearest_rotation_is_proper(sign: float) -> None:
    rotation = random_rotations(5)
    found = nearest_rotation(sign * rotation)
    assert torch.allclose(torch.linalg.det(found), torch.ones(5), atol=1e-5)
    assert torch.allclose(found @ found.mT, torch.eye(3).expand(5, 3, 3), atol=1e-5)
    assert torch.allclose(found, rotation, atol=1e-5) is (sign > 0)
