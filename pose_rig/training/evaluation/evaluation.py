"""Evaluation of a lifter on footage with ground truth.

Axes: T frames, V views, J = 17 joints.
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
from pose_rig.graph import GraphInput, depth_input
from pose_rig.lifting.csm import LAPLACE_SD
from pose_rig.lifting.model import Lifter
from pose_rig.lifting.rig_graph import RigGraph, single_views
from pose_rig.skeleton import J
from pose_rig.training.evaluation.scores import PAPER_JOINTS, Jdr, Scores
from pose_rig.training.export.module import reference
from pose_rig.training.footage.dataset import LifterInput, lifter_input
from pose_rig.training.footage.footage import Footage

BATCH_POSES = 4096


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of one lifter on one dataset.

    Attributes:
        weights: Name of the lifter.
        dataset: Name of the dataset.
        scores: Of the 3D poses, each from one view.
        detected: Joint detection rates of the 2D input; None if it is the ground truth itself.
        refined: The same of the 2D poses refined by all views of a frame, with the rotations of the lifter.
    """

    weights: str
    dataset: str
    scores: Scores
    detected: Jdr | None
    refined: Jdr | None


def lift(lifter: Lifter, footage: Footage) -> Floats:
    """Returns (T,V,J,3) single-view lifts in the axes of the camera, root-relative, no scale; NaN if not visible."""
    given = lifter_input(footage, lifter.config.frame)
    poses = np.einsum("tvki,tvjk->tvji", given.view_from_camera, lift_in_views(lifter, given)[0])
    return np.where(given.visible[..., None, None], poses, np.nan)


@torch.no_grad()
def lift_in_views(lifter: Lifter, given: LifterInput) -> tuple[Floats, Floats]:
    """Returns (T,V,J,3) single-view lifts in the frame of the lifter's input, and (T,V,J) the sds of their depths."""
    device = lifter.stem.weight.device
    pose_2d = torch.split(torch.from_numpy(given.pose_2d.reshape(-1, J, 2).astype(np.float32)), BATCH_POSES)
    confidence = torch.split(torch.from_numpy(given.confidence.reshape(-1, J).astype(np.float32)), BATCH_POSES)
    norm = torch.split(torch.from_numpy(given.inverse_depth.ravel().astype(np.float32)), BATCH_POSES)
    depth = torch.split(torch.from_numpy(depth_input(given.depth).reshape(-1, J, 2)), BATCH_POSES)
    parts, spreads = [], []
    for batch in zip(pose_2d, confidence, norm, depth, strict=True):
        poses, _, spread = single_views(lifter, *(value.to(device) for value in batch))
        parts.append(poses.cpu().numpy())
        spreads.append(spread.cpu().numpy())
    lifted, sd = (np.concatenate(arrays).astype(np.float64) for arrays in (parts, spreads))
    return lifted.reshape(*given.confidence.shape, 3), LAPLACE_SD * sd.reshape(given.confidence.shape)


def refine(lifter: Lifter, footage: Footage) -> Floats:
    """Returns (T,V,J,2) px the 2D poses refined by all views of a frame; NaN if not visible.

    The lifter runs on the CPU, frame by frame, with its own rotations.
    """
    given = lifter_input(footage, lifter.config.frame)
    graph = RigGraph(copy.deepcopy(lifter).cpu())
    size = max(1, BATCH_POSES // footage.views)
    parts = [_refined(graph, given, slice(at, at + size)) for at in range(0, footage.frames, size)]
    pixels = _to_px(np.concatenate(parts).astype(np.float64), given, footage)
    return np.where(given.visible[..., None, None], pixels, np.nan)


def evaluate(
    name: str, lifter: Lifter, dataset: str, footage: Sequence[Footage], half_head_px: float | None = None
) -> Evaluation:
    """Returns the scores of a lifter on footage with ground truth.

    Args:
        name: Name of the weights.
        lifter: A trained lifter.
        dataset: Name of the footage.
        footage: The takes; numbers of views may differ.
        half_head_px: For the joint detection rates (`Jdr.of`).

    Raises:
        UsageError: A take has no ground truth, or no person is visible in any.
    """
    truths = [take.truth for take in footage if take.truth is not None]
    if unlabelled := [take.name for take in footage if take.truth is None]:
        raise UsageError(f"{unlabelled[0]} has no ground truth.", "Evaluate on takes with true poses.")
    if not truths:
        raise UsageError(f"{dataset} has no footage.", "Check its folder.")
    views = max(take.views for take in footage)
    true_px = _joined([truth.xy_px for truth in truths], views)
    detected_px = _joined([np.where(take.score[..., None] > 0, take.xy_px, np.nan) for take in footage], views)
    is_truth = not (np.isfinite(detected_px) & (detected_px != true_px)).any()
    refined_px = [] if is_truth else [refine(lifter, take) for take in footage]
    return Evaluation(
        weights=name,
        dataset=dataset,
        scores=Scores.of(
            _joined([lift(lifter, take) for take in footage], views),
            _joined([truth.joints for truth in truths], views),
            PAPER_JOINTS,
        ),
        detected=None if is_truth else Jdr.of(detected_px, true_px, half_head_px),
        refined=None if is_truth else Jdr.of(_joined(refined_px, views), true_px, half_head_px),
    )


def _refined(graph: RigGraph, given: LifterInput, part: slice) -> NDArray[np.float32]:
    """Returns (T,V,J,2) the refined 2D poses of some frames."""
    visible = given.visible[part]
    inputs = GraphInput(
        ray_xy=given.pose_2d[part].reshape(-1, J, 2).astype(np.float32),
        confidence=given.confidence[part].reshape(-1, J).astype(np.float32),
        norm=given.inverse_depth[part].ravel().astype(np.float32),
        assignment=np.arange(visible.size).reshape(visible.shape),
        view_weight=visible.astype(np.float32),
        ray_from_rig=np.tile(np.eye(3, dtype=np.float32), (*visible.shape, 1, 1)),
        rotation_prior_sd=np.ones(visible.shape, np.float32),
        depth_bias_sd=np.zeros((len(visible), 1), np.float32),
        lifter_rotations=np.ones(len(visible), bool),
        depth=given.depth[part].reshape(-1, J).astype(np.float32),
    )
    return reference(graph, inputs).refined


def _to_px(pose_2d: Floats, given: LifterInput, footage: Footage) -> Floats:
    """Returns (T,V,J,2) px of 2D poses in the frame of the lifter's input."""
    if (given.inverse_depth > 0).any():
        focal_px, size_px = footage.focal_px.astype(float), footage.size_px.astype(float)
        return unrectify(pose_2d, given.inverse_depth, given.view_from_camera, focal_px, size_px)
    xy, score = footage.xy_px.astype(np.float64), footage.score.astype(np.float64)
    root = complete_root(xy, score)[0][:, :, :1]
    offset = np.where(given.confidence[..., None] > 0, xy - root, 0.0)
    scale_px = (offset * given.pose_2d).sum((2, 3)) / np.maximum((given.pose_2d**2).sum((2, 3)), 1e-12)
    return np.asarray(root + pose_2d * scale_px[..., None, None])


def _joined(takes: Sequence[NDArray[np.floating]], views: int) -> Floats:
    """Returns arrays (T,V,…) one after the other, padded with NaN to a number of views."""
    filled = [
        np.pad(take.astype(np.float64), [(0, 0), (0, views - take.shape[1]), (0, 0), (0, 0)], constant_values=np.nan)
        for take in takes
    ]
    return np.concatenate(filled)
