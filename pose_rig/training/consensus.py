"""What the views of a batch agree on: the target of our own training (`pose_rig.lifting.csm`, static rigs averaged).

The lifter's rotations are noisy one by one; the cameras of a static rig stand still. So the rotations of all instants
of a rig in the batch are averaged after undoing each one's viewing ray; with these, one fused pose per instant. Nothing
here passes gradients.

Axes: B instants = R rigs × T instants, V views, J joints.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pose_rig.graph import LIFTER_ROTATION_SD
from pose_rig.lifting import csm
from pose_rig.training.footage.dataset import Batch
from pose_rig.training.terms import present

DOUBT_RAD = 0.14  # 8°: rotations further off than that from the rig's mean lose their say
ROUNDS = 5  # of averaging
SETTLED_RAD = 0.08  # 5°: how far an instant may turn the mean of a rig, about what the mean itself is off
LIFTED_SD = 0.2  # doubt about lifted depths, about 40 cm: they err alike in all views, and must not confirm themselves


@dataclass(frozen=True, slots=True)
class FusedTarget:
    """The fused pose of every instant, as each view would see it.

    Attributes:
        target: (B,V,J,3) in the view's frame, units of its 2D norm, root offset taken out.
        covariance: (B,V,J,3,3) of it.
        refined: (B,V,J,2) the view's 2D after the other views had their say.
        inlier: (B,V,J) probability that the detection was right.
        trust: (B,V) 0–1: how well the other views' prediction fits beyond the known noise; 0 = the view is absent.
    """

    target: Tensor
    covariance: Tensor
    refined: Tensor
    inlier: Tensor
    trust: Tensor


@torch.no_grad()
def agree(batch: Batch, pose: Tensor, rotation: Tensor, spread: Tensor) -> FusedTarget:
    """Returns what the views agree on.

    Args:
        batch: What they saw.
        pose: (B,V,J,3) lifted, canonical.
        rotation: (B,V,3,3) view_from_canonical.
        spread: (B,V,J) how far off the lifted depths may be (Laplace scale).
    """
    lifted = torch.einsum("bvij,bvkj->bvki", rotation, pose)
    there = present(batch.confidence)
    filled = torch.where(batch.confidence.unsqueeze(-1) > 0, batch.flat, lifted[..., :2])
    rig = torch.where(batch.known[:, None, None, None] > 0, batch.rotation, average(batch, rotation, there))
    settled = (batch.moving < 0.5) | (batch.known > 0.5)

    def views(given: Tensor) -> csm.Views:
        return csm.Views(
            ray_xy=filled, confidence=batch.confidence, weight=there, norm=batch.norm, depth=lifted[..., 2],
            depth_sd=csm.LAPLACE_SD * spread + LIFTED_SD, ray_from_body=given,
        )  # fmt: skip

    def used(rig: Tensor) -> Tensor:
        return torch.where(settled[:, None, None, None], batch.view_from_camera @ rig, rotation)

    freedom = torch.where(settled, SETTLED_RAD, LIFTER_ROTATION_SD)[:, None].expand_as(there)
    fused = csm.fuse(views(used(rig)), freedom)
    return _as_seen(fused, there)


def average(batch: Batch, rotation: Tensor, there: Tensor) -> Tensor:
    """Returns (B,V,3,3) camera_from_rig of static rigs, the same for all instants of one.

    Alternates between the body's orientation at each instant and the cameras' rotations, chordal means weighed by how
    near an instant is to the rest.
    """
    camera = _by_rig(batch.view_from_camera.transpose(-1, -2) @ rotation, batch.per_rig)  # R,T,V,3,3
    weight = _by_rig(there, batch.per_rig)
    both = (weight * weight[:, :, :1])[..., None, None]
    mean = nearest(
        (both * (camera @ camera[:, :, :1].transpose(-1, -2))).sum(1, keepdim=True)
        + 1e-6 * torch.eye(3, device=camera.device)
    )
    for _ in range(ROUNDS):
        body = nearest((weight[..., None, None] * (mean.transpose(-1, -2) @ camera)).sum(2))  # R,T,3,3
        turned = camera @ body.unsqueeze(2).transpose(-1, -2)
        cosine = ((turned * mean).sum((-1, -2)) - 1) / 2
        off = torch.arccos(cosine.clamp(-0.9999, 0.9999)) / DOUBT_RAD
        weight = _by_rig(there, batch.per_rig) / (1 + off.square())
        mean = nearest((weight[..., None, None] * turned).sum(1, keepdim=True) + 1e-6 * mean)
    return mean.expand_as(camera).flatten(0, 1)


def _by_rig(values: Tensor, per_rig: int) -> Tensor:
    """Returns (R,T,...) of (B,...)."""
    return values.reshape(-1, per_rig, *values.shape[1:])


def nearest(matrix: Tensor) -> Tensor:
    """Returns (...,3,3) the proper rotation nearest to each matrix."""
    u, _, vt = torch.linalg.svd(matrix)
    sign = torch.linalg.det(u @ vt).sign()
    flip = torch.stack([torch.ones_like(sign), torch.ones_like(sign), sign], -1)
    out: Tensor = (u * flip.unsqueeze(-2)) @ vt
    return out


def _as_seen(fused: csm.Fused, there: Tensor) -> FusedTarget:
    """Returns the fused poses in every view."""
    scale = fused.scale[..., None, None]
    rotation = fused.ray_from_body
    target = torch.einsum("bvij,bkj->bvki", rotation, fused.body) * scale
    covariance = torch.linalg.inv(fused.information.reshape(*fused.body.shape, 3))
    seen = torch.einsum("bvij,bkjl,bvml->bvkim", rotation, covariance, rotation) * scale[..., None] ** 2
    trust = there / (1 + (fused.model_sd / csm.DETECTOR_SD).square())
    return FusedTarget(target - target[:, :, :1], seen, fused.refined, fused.inlier, trust)
