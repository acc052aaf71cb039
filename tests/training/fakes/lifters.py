"""Fake lifters that return the ground truth.

Axes: B frames, V views, J = 17 joints.
"""

from dataclasses import replace

import torch
from torch import Tensor

from pose_rig.training.consensus import nearest_rotation
from pose_rig.training.footage.dataset import Batch
from pose_rig.training.footage.footage import Footage
from pose_rig.training.training_step import Lifted, Network

FLIP = torch.tensor([1.0, 1.0, -1.0])  # of depth


def true_rig(footage: Footage) -> Tensor:
    """Returns (V,3,3) true rotations of static cameras, relative to the first."""
    assert footage.truth is not None
    joints = torch.from_numpy(footage.truth.joints - footage.truth.joints[:, :, :1])
    return nearest_rotation(torch.einsum("tvki,tkj->vij", joints, joints[:, 0]))


def true_lifts(batch: Batch, rig: Tensor) -> Lifted:
    """Returns the true poses of a batch before a rig (V,3,3) or (B,V,3,3), in the axes of the first camera."""
    return lifts(batch, batch.view_from_camera @ rig, batch.true_pose)


def lifts(batch: Batch, rotation: Tensor, shape: Tensor) -> Lifted:
    """Returns lifts by their rotation (B,V,3,3) and the pose in the view (B,V,J,3)."""
    pose = torch.einsum("bvji,bvkj->bvki", rotation, shape)
    return Lifted(pose, rotation, torch.full_like(batch.confidence, 0.02))


def rolled(batch: Batch) -> tuple[Batch, Tensor]:
    """Returns the same frames, every image turned in its plane, and how (B,V,3,3)."""
    angle = torch.linspace(-3, 3, batch.pose_2d.shape[0] * batch.pose_2d.shape[1]).reshape(batch.pose_2d.shape[:2])
    roll = torch.eye(3).expand(*angle.shape, 3, 3).clone()
    roll[..., 0, 0], roll[..., 1, 1] = angle.cos(), angle.cos()
    roll[..., 0, 1], roll[..., 1, 0] = -angle.sin(), angle.sin()
    turned = replace(
        batch,
        pose_2d=torch.einsum("bvij,bvkj->bvki", roll[..., :2, :2], batch.pose_2d),
        true_pose=torch.einsum("bvij,bvkj->bvki", roll, batch.true_pose),
        view_from_camera=roll @ batch.view_from_camera,
    )
    return turned, roll


def knowing(lifted: Lifted) -> Network:
    """Returns a network with constant outputs."""

    def network(pose_2d: Tensor, confidence: Tensor, depth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        assert confidence.shape == depth.shape[:-1] == lifted.spread.flatten(0, 1).shape
        return lifted.pose.flatten(0, 1), lifted.view_from_canonical.flatten(0, 1), lifted.spread.flatten(0, 1)

    return network
