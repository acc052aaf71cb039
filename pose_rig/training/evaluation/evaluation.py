"""How good a lifter is on footage whose truth is known.

Axes: T instants, V views, J = 17 joints, N = T·V poses.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.errors import UsageError
from pose_rig.geometry import complete_root, unrectify
from pose_rig.graph import GraphInput, GraphOutput
from pose_rig.lifting.model import Lifter
from pose_rig.skeleton import J
from pose_rig.training.evaluation.scores import PAPER_JOINTS, Jdr, Scores
from pose_rig.training.export.module import RigGraph, reference
from pose_rig.training.footage.dataset import LifterInput, lifter_input
from pose_rig.training.footage.footage import Footage

AT_ONCE = 4096  # poses


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one lifter reached on one set of footage.

    Attributes:
        weights: Its name, and
        dataset: that of the footage.
        scores: Of its 3D poses, each from one view.
        detected: Joint detection rates of the 2D poses that it was given, None where these are the truth itself, and
        refined: of the same after all views had their say, each instant by itself, rotations guessed by the lifter.
    """

    weights: str
    dataset: str
    scores: Scores
    detected: Jdr | None
    refined: Jdr | None


@torch.no_grad()
def lift(lifter: Lifter, footage: Footage) -> Floats:
    """Returns (T,V,J,3) each view's own lift: that camera's axes, root-relative, no scale; NaN where nobody is seen."""
    seen = lifter_input(footage, lifter.config.frame)
    device = lifter.stem.weight.device
    flat = torch.split(torch.from_numpy(seen.flat.reshape(-1, J, 2).astype(np.float32)), AT_ONCE)
    confidence = torch.split(torch.from_numpy(seen.confidence.reshape(-1, J).astype(np.float32)), AT_ONCE)
    parts = []
    for part in zip(flat, confidence, strict=True):
        canonical, rotation, _ = lifter(*(value.to(device) for value in part))
        parts.append((canonical @ rotation.transpose(1, 2)).cpu().numpy())
    lifted = np.concatenate(parts).astype(np.float64).reshape(*seen.confidence.shape, 3)
    poses = np.einsum("tvki,tvjk->tvji", seen.view_from_camera, lifted)
    return np.where(_somebody(seen)[..., None, None], poses, np.nan)


def refine(lifter: Lifter, footage: Footage) -> Floats:
    """Returns (T,V,J,2) px the 2D poses after all views of an instant had their say; NaN where nobody is seen.

    The lifter is run on the CPU, every instant by itself, its rotations guessed.
    """
    seen = lifter_input(footage, lifter.config.frame)
    graph = RigGraph(copy.deepcopy(lifter).cpu())
    size = max(1, AT_ONCE // footage.views)
    parts = [_fused(graph, seen, slice(at, at + size)).refined for at in range(0, footage.instants, size)]
    pixels = _to_px(np.concatenate(parts).astype(np.float64), seen, footage)
    return np.where(_somebody(seen)[..., None, None], pixels, np.nan)


def measure(
    name: str, lifter: Lifter, dataset: str, footage: Sequence[Footage], half_head_px: float | None = None
) -> Evaluation:
    """Returns what a lifter reaches on footage with its truth.

    Args:
        name: Of its weights.
        lifter: A trained one.
        dataset: Name of the footage.
        footage: One take each; numbers of views may differ.
        half_head_px: For the joint detection rates (`Jdr.of`).

    Raises:
        UsageError: The truth of a take is not known, or nobody is seen in any.
    """
    for take in footage:
        if take.truth is None:
            raise UsageError(f"The true poses of {take.name} are not known.", "Evaluate on takes that come with them.")
    truths = [take.truth for take in footage if take.truth is not None]
    if not truths:
        raise UsageError(f"There is no footage in {dataset}.", "Check what it is read from.")
    views = max(take.views for take in footage)
    true_px = _joined([truth.xy_px for truth in truths], views)
    seen_px = _joined([np.where(take.score[..., None] > 0, take.xy_px, np.nan) for take in footage], views)
    exact = not (np.isfinite(seen_px) & (seen_px != true_px)).any()
    refined_px = [] if exact else [refine(lifter, take) for take in footage]
    return Evaluation(
        weights=name,
        dataset=dataset,
        scores=Scores.of(
            _joined([lift(lifter, take) for take in footage], views),
            _joined([truth.joints for truth in truths], views),
            PAPER_JOINTS,
        ),
        detected=None if exact else Jdr.of(seen_px, true_px, half_head_px),
        refined=None if exact else Jdr.of(_joined(refined_px, views), true_px, half_head_px),
    )


def _somebody(seen: LifterInput) -> NDArray[np.bool_]:
    """Returns (T,V) where there is a pose."""
    return np.asarray((seen.confidence > 0).any(-1))


def _fused(graph: RigGraph, seen: LifterInput, part: slice) -> GraphOutput:
    """Returns what lifter and fusion make of some instants, rotations guessed."""
    here = _somebody(seen)[part]
    given = GraphInput(
        ray_xy=seen.flat[part].reshape(-1, J, 2).astype(np.float32),
        confidence=seen.confidence[part].reshape(-1, J).astype(np.float32),
        norm=seen.norm[part].ravel().astype(np.float32),
        assignment=np.arange(here.size).reshape(here.shape),
        view_weight=here.astype(np.float32),
        ray_from_rig=np.tile(np.eye(3, dtype=np.float32), (*here.shape, 1, 1)),
        rotation_prior_sd=np.ones(here.shape, np.float32),
        depth_bias_sd=np.zeros((len(here), 1), np.float32),
        lifter_rotations=np.ones(len(here), bool),
    )
    return reference(graph, given)


def _to_px(flat: Floats, seen: LifterInput, footage: Footage) -> Floats:
    """Returns (T,V,J,2) px of 2D poses in the frame that the lifter sees."""
    if (seen.norm > 0).any():
        return unrectify(
            flat, seen.norm, seen.view_from_camera, footage.focal_px.astype(float), footage.size_px.astype(float)
        )
    xy, score = footage.xy_px.astype(np.float64), footage.score.astype(np.float64)
    root = complete_root(xy, score)[0][:, :, :1]
    offset = np.where(seen.confidence[..., None] > 0, xy - root, 0.0)
    size_px = (offset * seen.flat).sum((2, 3)) / np.maximum((seen.flat**2).sum((2, 3)), 1e-12)
    return np.asarray(root + flat * size_px[..., None, None])


def _joined(takes: Sequence[NDArray[np.floating]], views: int) -> Floats:
    """Returns arrays (T,V,…) one after the other, those of fewer views filled up with NaN."""
    filled = [
        np.pad(take.astype(np.float64), [(0, 0), (0, views - take.shape[1]), (0, 0), (0, 0)], constant_values=np.nan)
        for take in takes
    ]
    return np.concatenate(filled)
