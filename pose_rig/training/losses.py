"""Losses of the lifter, pure functions.

Axes: N samples, J = 17 joints. Lengths in units of the lifter's flat input (the person's 2D norm).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

POSE_WEIGHT = 1.0
CANONICAL_WEIGHT = 0.5
ROTATION_WEIGHT = 0.15
SPREAD_WEIGHT = 0.01


@dataclass(frozen=True, slots=True)
class Terms:
    """The parts of the loss, and their weighted sum."""

    total: Tensor
    pose: Tensor
    canonical: Tensor
    rotation: Tensor
    spread: Tensor


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Returns the mean distance of points (...,3): not squared, so that hopeless limbs do not rule."""
    return ((a - b).square().sum(-1) + 1e-8).sqrt().mean()


def lifting_loss(outputs: tuple[Tensor, Tensor, Tensor], target: dict[str, Tensor]) -> Terms:
    """Returns the supervised loss of one batch.

    Args:
        outputs: What `Lifter.forward` returns: canonical (N,J,3), rotation (N,3,3), depth spread (N,J).
        target: ``shape`` (N,J,3), ``canonical`` (N,J,3), ``rotation`` (N,3,3).
    """
    canonical, rotation, spread = (value.float() for value in outputs)
    shape = canonical @ rotation.transpose(1, 2)
    pose = distance(shape, target["shape"])
    body = distance(canonical, target["canonical"])
    turn = ((rotation - target["rotation"]).square().sum((1, 2)) + 1e-8).sqrt().mean()
    # Laplace likelihood of the depth; the pose learns from the distances alone
    miss = (shape[..., 2] - target["shape"][..., 2]).abs().detach()
    trust = (miss / spread + torch.log(spread)).mean()
    total = POSE_WEIGHT * pose + CANONICAL_WEIGHT * body + ROTATION_WEIGHT * turn + SPREAD_WEIGHT * trust
    return Terms(total, pose.detach(), body.detach(), turn.detach(), trust.detach())
