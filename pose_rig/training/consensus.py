"""The fused pose of all views of a batch: the target of our own training (`pose_rig.lifting.csm`).

The predicted rotations are noisy, but the cameras of a static rig do not move. So the rotations of all frames of a rig
in the batch are averaged after undoing the rotation to the viewing ray, and used to fuse one pose per frame. Nothing
here passes gradients.

Axes: B frames = R rigs × T frames, V views, J joints.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pose_rig.graph import LIFTER_ROTATION_SD
from pose_rig.lifting import csm
from pose_rig.training.footage.dataset import Batch
from pose_rig.training.losses import visible_views

OUTLIER_ROTATION_RAD = 0.14  # 8°: rotations this far from the mean of the rig have half the weight
AVERAGING_ITERATIONS = 5
ROTATION_SD_RAD = 0.08  # 5°: standard deviation of the averaged rotations
DEPTH_BIAS_SD = 0.2  # of the 2D norm, about 40 cm: errors of lifted depths that are common to all views


@dataclass(frozen=True, slots=True)
class FusedTarget:
    """The fused pose of every frame, in the frame of every view.

    Attributes:
        target: (B,V,J,3) in units of the 2D norm of the view, without the root offset.
        covariance: (B,V,J,3,3) of it.
        refined: (B,V,J,2) the 2D of the view, corrected by the other views.
        inlier: (B,V,J) probability that the detection is an inlier.
        trust: (B,V) 0–1, falls with the prediction error beyond the known noise; 0 = the view has no detection.
    """

    target: Tensor
    covariance: Tensor
    refined: Tensor
    inlier: Tensor
    trust: Tensor


@torch.no_grad()
def fuse_views(batch: Batch, pose: Tensor, view_from_canonical: Tensor, spread: Tensor) -> FusedTarget:
    """Returns the fused poses of a batch.

    Args:
        batch: The 2D poses.
        pose: (B,V,J,3) lifted, canonical.
        view_from_canonical: (B,V,3,3).
        spread: (B,V,J) Laplace scale of the lifted depths.
    """
    lifted = torch.einsum("bvij,bvkj->bvki", view_from_canonical, pose)
    visible = visible_views(batch.confidence)
    pose_2d = torch.where(batch.confidence.unsqueeze(-1) > 0, batch.pose_2d, lifted[..., :2])
    averaged = average_rotations(batch, view_from_canonical, visible)
    camera_from_rig = torch.where(batch.has_rotation[:, None, None, None] > 0, batch.camera_from_rig, averaged)
    static = (batch.moving < 0.5) | (batch.has_rotation > 0.5)
    rotation = torch.where(static[:, None, None, None], batch.view_from_camera @ camera_from_rig, view_from_canonical)
    views = csm.Views(
        ray_xy=pose_2d, confidence=batch.confidence, weight=visible, norm=batch.inverse_depth, depth=lifted[..., 2],
        depth_sd=csm.LAPLACE_SD * spread + DEPTH_BIAS_SD, ray_from_body=rotation,
    )  # fmt: skip
    rotation_sd = torch.where(static, ROTATION_SD_RAD, LIFTER_ROTATION_SD)[:, None].expand_as(visible)
    return _in_views(csm.fuse(views, rotation_sd), visible)


def average_rotations(batch: Batch, view_from_canonical: Tensor, visible: Tensor) -> Tensor:
    """Returns (B,V,3,3) camera_from_rig of static rigs, equal for all frames of a rig.

    Alternates between the orientation of the body in each frame and the rotations of the cameras: chordal means,
    weighted by the distance of each frame to the mean.
    """
    camera = _by_rig(batch.view_from_camera.transpose(-1, -2) @ view_from_canonical, batch.per_rig)  # R,T,V,3,3
    present = _by_rig(visible, batch.per_rig)
    both = (present * present[:, :, :1])[..., None, None]
    mean = nearest_rotation(
        (both * (camera @ camera[:, :, :1].transpose(-1, -2))).sum(1, keepdim=True)
        + 1e-6 * torch.eye(3, device=camera.device)
    )
    weight = present
    for _ in range(AVERAGING_ITERATIONS):
        body = nearest_rotation((weight[..., None, None] * (mean.transpose(-1, -2) @ camera)).sum(2))  # R,T,3,3
        turned = camera @ body.unsqueeze(2).transpose(-1, -2)
        cosine = ((turned * mean).sum((-1, -2)) - 1) / 2
        error = torch.arccos(cosine.clamp(-0.9999, 0.9999)) / OUTLIER_ROTATION_RAD
        weight = present / (1 + error.square())
        mean = nearest_rotation((weight[..., None, None] * turned).sum(1, keepdim=True) + 1e-6 * mean)
    return mean.expand_as(camera).flatten(0, 1)


def _by_rig(values: Tensor, per_rig: int) -> Tensor:
    """Returns (R,T,...) of (B,...)."""
    return values.reshape(-1, per_rig, *values.shape[1:])


def nearest_rotation(matrix: Tensor) -> Tensor:
    """Returns (...,3,3) the proper rotation nearest to each matrix."""
    u, _, vt = torch.linalg.svd(matrix)
    sign = torch.linalg.det(u @ vt).sign()
    flip = torch.stack([torch.ones_like(sign), torch.ones_like(sign), sign], -1)
    out: Tensor = (u * flip.unsqueeze(-2)) @ vt
    return out


def _in_views(fused: csm.Fused, visible: Tensor) -> FusedTarget:
    """Returns the fused poses in the frame of every view."""
    scale = fused.scale[..., None, None]
    rotation = fused.ray_from_body
    target = torch.einsum("bvij,bkj->bvki", rotation, fused.body) * scale
    covariance = torch.linalg.inv(fused.information.reshape(*fused.body.shape, 3))
    in_views = torch.einsum("bvij,bkjl,bvml->bvkim", rotation, covariance, rotation) * scale[..., None] ** 2
    trust = visible / (1 + (fused.model_sd / csm.DETECTOR_SD).square())
    return FusedTarget(target - target[:, :, :1], in_views, fused.refined, fused.inlier, trust)
