"""The losses of one training step: lift all views, compare all pairs, refine, lift again (the paper's Steps 1 and 2).

Axes: B frames, V views, J joints.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pose_rig.training import heatmap_voting, losses
from pose_rig.training.consensus import fuse_views
from pose_rig.training.footage.dataset import Batch
from pose_rig.training.methods import TERMS, Method, Weights

Network = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]  # a lifter, compiled or not

FUSED_POSE_SCALE = 0.02  # of the 2D norm, about 4 cm: joints that are known better than this count in full
REFINED_CONFIDENCE = 0.85  # minimum confidence in Step 2 of a joint that was moved by the refinement
SINGLE_VIEW_TERMS = ("supervised", "spread")


@dataclass(frozen=True, slots=True)
class Lifted:
    """The lifter's outputs for a batch.

    Attributes:
        pose: (B,V,J,3) canonical.
        view_from_canonical: (B,V,3,3).
        spread: (B,V,J) Laplace scale of the depths.
    """

    pose: Tensor
    view_from_canonical: Tensor
    spread: Tensor

    def in_own_views(self) -> Tensor:
        """Returns (B,V,J,3) each pose in the frame of its view."""
        return torch.einsum("bvij,bvkj->bvki", self.view_from_canonical, self.pose)


def lift(lifter: Network, pose_2d: Tensor, confidence: Tensor, depth: Tensor) -> Lifted:
    """Returns the lifts of all views (B,V,J,2), computed as one batch; the other arguments as in `Batch`."""
    outputs = lifter(pose_2d.flatten(0, 1), confidence.flatten(0, 1), depth.flatten(0, 1))
    return Lifted(*(value.float().reshape(*pose_2d.shape[:2], *value.shape[1:]) for value in outputs))


def loss_terms(
    lifter: Network, batch: Batch, method: Method, weights: Weights, permutation: Tensor
) -> dict[str, Tensor]:
    """Returns the terms whose weight is not 0, unweighted, by name.

    ``weights`` are those of the current stage of the method; ``permutation`` (B,) has another frame of the same rig for
    every frame, for the camera consistency.
    """
    lifted = lift(lifter, batch.pose_2d, batch.confidence, batch.depth)
    out: dict[str, Tensor] = {}
    if weights.supervised:
        own = lifted.in_own_views()
        out["supervised"] = losses.supervised(own, batch.true_pose, batch.has_truth)
        if weights.spread:
            out["spread"] = losses.depth_nll(own, batch.true_pose, lifted.spread, batch.has_truth)
    if not any(getattr(weights, name) for name in TERMS if name not in SINGLE_VIEW_TERMS):
        return out
    inverse_depth = batch.inverse_depth if method.perspective else torch.zeros_like(batch.inverse_depth)
    poses = losses.in_all_views(lifted.view_from_canonical, lifted.pose)
    out["rep"], out["view"] = losses.pairs(batch.pose_2d, batch.confidence, inverse_depth, poses)
    if weights.cam:
        # gradients are averaged over the processes: each one's sum over its own rigs, times their number
        out["cam"] = batch.processes * losses.camera_consistency(
            batch.pose_2d, batch.confidence, inverse_depth, lifted.view_from_canonical, lifted.pose,
            batch.view_from_camera.transpose(-1, -2), permutation, 1 - batch.moving, batch.per_rig,
        )  # fmt: skip
    if weights.bend:
        out["bend"] = losses.bending(lifted.pose, losses.visible_views(batch.confidence))
    if method.refinement == "agreement":
        out |= _fused_pose_terms(batch, lifted, poses, weights)
    elif method.refinement:
        out |= _refined_2d_terms(lifter, batch, lifted, poses, inverse_depth, method, weights)
    return out


def total_loss(terms: dict[str, Tensor], weights: Weights) -> Tensor:
    """Returns the weighted sum of the terms; those that are not in `Weights` have the weight 1."""
    return torch.stack([getattr(weights, name, 1.0) * value for name, value in terms.items()]).sum()


def permutation_within_rigs(rigs: int, per_rig: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """Returns (rigs × per_rig,) a random permutation of the frames of each rig."""
    inside = torch.rand(rigs, per_rig, generator=generator).argsort(1)
    return (inside + per_rig * torch.arange(rigs)[:, None]).flatten().to(device)


def _fused_pose_terms(batch: Batch, lifted: Lifted, poses: Tensor, weights: Weights) -> dict[str, Tensor]:
    """Returns the terms of our own method, whose target is the fused pose of all views."""
    if not (weights.sp or weights.spread):
        return {}
    fused = fuse_views(batch, lifted.pose.detach(), lifted.view_from_canonical.detach(), lifted.spread.detach())
    pairs = fused.trust[:, :, None] * losses.visible_views(batch.confidence)[:, None, :]
    own = torch.diagonal(poses, dim1=1, dim2=2).movedim(-1, 1)
    return {
        "sp": losses.fused_pose(poses, fused.target, fused.covariance, FUSED_POSE_SCALE, pairs),
        "spread": losses.depth_nll(own, fused.target, lifted.spread, fused.trust),
    }


def _refined_2d_terms(
    lifter: Network, batch: Batch, lifted: Lifted, poses: Tensor, inverse_depth: Tensor, method: Method,
    weights: Weights,
) -> dict[str, Tensor]:  # fmt: skip
    """Returns the terms of the paper: refined 2D as the target, and the poses lifted from it."""
    refine = heatmap_voting.released if method.refinement == "released" else heatmap_voting.corrected
    refined = refine(batch.pose_2d, batch.confidence, lifted.view_from_canonical.detach(), lifted.pose.detach())
    confidence = batch.confidence
    if not method.released:
        moved = (refined != batch.pose_2d).any(-1)
        confidence = torch.where(moved, confidence.clamp_min(REFINED_CONFIDENCE), confidence)
    out = {"ref": losses.refinement(batch.pose_2d, batch.confidence, refined)}
    out["frep"], out["fview"] = losses.pairs(refined, confidence, inverse_depth, poses)
    if weights.consistent or weights.lifts or weights.rep2 or weights.view2:
        second = lift(lifter, refined, confidence, batch.depth)
        second_poses = losses.in_all_views(second.view_from_canonical, second.pose)
        out["rep2"], out["view2"] = losses.pairs(refined, confidence, inverse_depth, second_poses)
        if method.released:
            out["consistent"] = losses.consistency_3d_released(second.pose)
            out["lifts"] = losses.lift_consistency_released(lifted.pose, second.pose, batch.confidence)
        else:
            out["consistent"] = losses.consistency_3d(second.pose, confidence)
            out["lifts"] = losses.lift_consistency(lifted.pose, second.pose, batch.confidence)
    return out
