"""One training step's losses: lift all views, compare all pairs, refine, lift again (the paper's Steps 1 and 2)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pose_rig.training import heatmap_voting, terms
from pose_rig.training.consensus import agree
from pose_rig.training.footage.dataset import Batch
from pose_rig.training.methods import TERMS, Method, Weights

Network = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]  # a lifter, compiled or not

SP_SCALE = 0.02  # about 4 cm: a joint known better than that counts in full
SURE = 0.85  # the confidence of a joint that was refined
ALONE = ("supervised", "spread")  # the terms that need no other view


@dataclass(frozen=True, slots=True)
class Lifted:
    """What the lifter makes of a batch.

    Attributes:
        pose: (B,V,J,3) canonical.
        rotation: (B,V,3,3) view_from_canonical.
        spread: (B,V,J).
    """

    pose: Tensor
    rotation: Tensor
    spread: Tensor


def lift(lifter: Network, flat: Tensor, confidence: Tensor) -> Lifted:
    """Returns all views' lifts, computed as one batch."""
    outputs = lifter(flat.flatten(0, 1), confidence.flatten(0, 1))
    return Lifted(*(value.float().reshape(*flat.shape[:2], *value.shape[1:]) for value in outputs))


def losses(lifter: Network, batch: Batch, method: Method, weights: Weights, order: Tensor) -> dict[str, Tensor]:
    """Returns the terms whose weight is not 0, unweighted, by name.

    Args:
        lifter: The network.
        batch: What it learns from.
        method: How.
        weights: What counts now.
        order: (B,) another instant of the same rig for every instant, for the cameras' consistency.
    """
    first = lift(lifter, batch.flat, batch.confidence)
    out: dict[str, Tensor] = {}
    if weights.supervised:
        own = torch.einsum("bvij,bvkj->bvki", first.rotation, first.pose)
        out["supervised"] = terms.supervised(own, batch.shape, batch.scored)
        if weights.spread:
            out["spread"] = terms.doubt(own, batch.shape, first.spread, batch.scored)
    if not any(getattr(weights, name) for name in TERMS if name not in ALONE):
        return out
    norm = batch.norm if method.perspective else torch.zeros_like(batch.norm)
    poses = terms.turned(first.rotation, first.pose)
    out["rep"], out["view"] = terms.pairs(batch.flat, batch.confidence, norm, poses)
    if weights.cam:
        out["cam"] = terms.camera_consistency(
            batch.flat, batch.confidence, norm, first.rotation, first.pose,
            batch.view_from_camera.transpose(-1, -2), order, 1 - batch.moving,
        )  # fmt: skip
    if weights.bend:
        out["bend"] = terms.bends(first.pose, terms.present(batch.confidence))
    if method.refinement == "agreement":
        out |= _towards_agreement(batch, first, poses, weights)
    elif method.refinement:
        out |= _towards_votes(lifter, batch, first, poses, norm, method, weights)
    return out


def total(values: dict[str, Tensor], weights: Weights) -> Tensor:
    """Returns the weighted sum of the terms; what is no term of a method counts as it is."""
    return torch.stack([getattr(weights, name, 1.0) * value for name, value in values.items()]).sum()


def permutation_within_rigs(rigs: int, per_rig: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """Returns (rigs × per_rig,) a random permutation of the instants of each rig."""
    inside = torch.rand(rigs, per_rig, generator=generator).argsort(1)
    return (inside + per_rig * torch.arange(rigs)[:, None]).flatten().to(device)


def _towards_agreement(batch: Batch, first: Lifted, poses: Tensor, weights: Weights) -> dict[str, Tensor]:
    """Returns the terms of our own method: towards the fused pose."""
    if not (weights.sp or weights.spread):
        return {}
    agreed = agree(batch, first.pose.detach(), first.rotation.detach(), first.spread.detach())
    pairs = agreed.trust[:, :, None] * terms.present(batch.confidence)[:, None, :]
    out = {"sp": terms.precise(poses, agreed.target, agreed.covariance, SP_SCALE, pairs)}
    own = torch.diagonal(poses, dim1=1, dim2=2).movedim(-1, 1)
    out["spread"] = terms.doubt(own, agreed.target, first.spread, agreed.trust)
    return out


def _towards_votes(
    lifter: Network, batch: Batch, first: Lifted, poses: Tensor, norm: Tensor, method: Method, weights: Weights
) -> dict[str, Tensor]:
    """Returns the terms of the paper: refined 2D as a target, and what is lifted from it."""
    vote = heatmap_voting.released if method.refinement == "released" else heatmap_voting.corrected
    refined = vote(batch.flat, batch.confidence, first.rotation.detach(), first.pose.detach())
    sure = batch.confidence
    if not method.released:  # Step 2 is told which joints were corrected
        moved = (refined != batch.flat).any(-1)
        sure = torch.where(moved, sure.clamp_min(SURE), sure)
    out = {"ref": terms.refinement(batch.flat, batch.confidence, refined)}
    out["frep"], out["fview"] = terms.pairs(refined, sure, norm, poses)
    if weights.consistent or weights.lifts or weights.rep2 or weights.view2:
        again = lift(lifter, refined, sure)
        out["rep2"], out["view2"] = terms.pairs(refined, sure, norm, terms.turned(again.rotation, again.pose))
        if method.released:
            out["consistent"] = terms.consistency_3d_released(again.pose)
            out["lifts"] = terms.lifts_agree_released(first.pose, again.pose, batch.confidence)
        else:
            out["consistent"] = terms.consistency_3d(again.pose, sure)
            out["lifts"] = terms.lifts_agree(first.pose, again.pose, batch.confidence)
    return out
