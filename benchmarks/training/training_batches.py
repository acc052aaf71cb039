"""Batches for timing: walking people in front of simulated rigs, with measured noise, visible in all views.

Axes: B frames = rigs × frames of each, V views, J joints.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmarks.training.published_loops import Batch as LoopBatch
from pose_rig.lifting.model import Lifter, LifterConfig, rotation_from_axis_angle
from pose_rig.simulation.motion import Clip
from pose_rig.simulation.walk import captured_walk
from pose_rig.training.consensus import nearest_rotation
from pose_rig.training.footage.dataset import Batch, PoseDataset, lifter_input
from pose_rig.training.footage.simulated import simulate_footage

RIGS = 8
SECONDS = 5.0
ROTATION_RAD = 0.06  # about 5° per axis, and
DEPTH = 0.04  # of the pose's norm, about 8 cm: how far off lifts are


@dataclass(frozen=True, slots=True)
class Lifts:
    """Input of the refinement, similar to that of a trained lifter.

    Attributes:
        flat: (B,V,J,2).
        confidence: (B,V,J).
        rotation: (B,V,3,3) view_from_canonical.
        canonical: (B,V,J,3).
    """

    pose_2d: Tensor
    confidence: Tensor
    rotation: Tensor
    canonical: Tensor


def batch_of(frames: int, views: int, device: str) -> Batch:
    """Returns a batch of frames (a multiple of 8) of 8 rigs with a number of views each."""
    joints, fps = captured_walk()
    root = joints[:, :1]
    clip = Clip("walking", fps, (joints - root).astype(np.float32), root[:, 0].astype(np.float32))
    takes = simulate_footage([clip], RIGS, views, SECONDS, seed=0)
    with_person = [take.at(np.flatnonzero(lifter_input(take, "image").confidence.any(-1).all(-1))) for take in takes]
    dataset = PoseDataset([take for take in with_person if take.frames], "image", device)
    return dataset.sample(RIGS, frames // RIGS, np.random.default_rng(0), augment=False)


def lifts(batch: Batch) -> Lifts:
    """Returns lifts with the errors of the detections, and depths and rotations near the ground truth."""
    generator = torch.Generator().manual_seed(0)
    shape = batch.true_pose.cpu()
    rotation = nearest_rotation(shape.transpose(-1, -2) @ shape[:, :1])
    wrong = rotation_from_axis_angle(ROTATION_RAD * torch.randn(rotation[..., 0].numel() // 3, 3, generator=generator))
    depth = shape[..., 2:] + DEPTH * torch.randn(shape[..., 2:].shape, generator=generator)
    plane = torch.where(batch.confidence.unsqueeze(-1) > 0, batch.pose_2d, batch.true_pose[..., :2]).cpu()
    rotation = wrong.reshape(rotation.shape) @ rotation
    canonical = torch.cat([plane, depth], -1) @ rotation
    return Lifts(batch.pose_2d, batch.confidence, rotation.to(batch.pose_2d.device), canonical.to(batch.pose_2d.device))


def for_loops(batch: Batch) -> LoopBatch:
    """Returns the batch in the form of the published loops, every rig a subject."""
    subject = torch.arange(len(batch.pose_2d), device=batch.pose_2d.device) // batch.per_rig
    return LoopBatch(batch.pose_2d.flatten(0, 1), batch.confidence.flatten(0, 1), subject, batch.pose_2d.shape[1])


def lifter(width: int, device: str) -> Lifter:
    """Returns an untrained lifter of the published form, with different rotations for different views.

    With the default initialisation all rotations are equal: there would be no epipolar lines, and the loops skip them.
    """
    torch.manual_seed(0)
    network = Lifter(LifterConfig(width=width, frame="image", rotation="axis_angle")).to(device)
    torch.nn.init.normal_(network.camera_head.weight)
    return network
