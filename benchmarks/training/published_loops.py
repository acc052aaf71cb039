"""Reimplementation of the published training: loops over views, subjects and joints, heatmaps in numpy.

Written from the descriptions of CanonPose (Wandt et al., CVPR 2021) and Cross-View Self-Fusion (Kim et al., ACCV 2022),
for comparisons of speed: nothing is slower than in the description. The lifter is called once for all views; losses
loop over the source view, the camera consistency over subjects too; the refinement makes 64×64 heatmaps joint by joint.

Axes: B frames, V views, J joints; S = B·V, the views of a frame side by side.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pose_rig.skeleton import LIMBS

Array = NDArray[np.floating]
Lift = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]

MIN_CONFIDENCE = 0.85
CELLS = 64
POINT_SD_CELLS, LINE_SD_CELLS = 3, 2
LINE_X_CELLS, LINE_Y_CELLS = (12.8, 51.2), (6.4, 57.6)
LINE_POINTS = 16


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch.

    Attributes:
        pose_2d: (S,J,2) root-centred, norm 1.
        confidence: (S,J).
        subject: (B,) number of the person.
        views: V.
    """

    pose_2d: Tensor
    confidence: Tensor
    subject: Tensor
    views: int


def canonpose_loss(lift: Lift, batch: Batch) -> Tensor:
    """Returns the loss of CanonPose: reprojection of the poses of all views, and camera consistency."""
    pose, rotation, _ = lift(batch.pose_2d, batch.confidence)
    return _canonpose_terms(batch, pose, rotation)


def step2_loss(lift: Lift, batch: Batch) -> Tensor:
    """Returns the loss of Cross-View Self-Fusion, Steps 1 and 2, with the weights of its first stage."""
    pose, rotation, _ = lift(batch.pose_2d, batch.confidence)
    loss = _canonpose_terms(batch, pose, rotation)
    stacked = (_by_view(value, batch.views) for value in (batch.pose_2d, batch.confidence, rotation, pose))
    refined = refine(*stacked).flatten(0, 1)
    loss = loss + _reprojection(batch.pose_2d, refined, batch.confidence)
    loss = loss + 0.01 * _reprojection(refined, _project(rotation, pose), batch.confidence)
    loss = loss + 0.01 * _other_views(refined, batch, pose, rotation)
    again, _, _ = lift(refined, batch.confidence)
    loss = loss + 0.001 * _consistency(_by_view(again, batch.views))
    return loss + 0.1 * _between_lifts(pose, again, batch.confidence)


def _canonpose_terms(batch: Batch, pose: Tensor, rotation: Tensor) -> Tensor:
    own = _reprojection(batch.pose_2d, _project(rotation, pose), batch.confidence)
    others = _other_views(batch.pose_2d, batch, pose, rotation)
    return own + others + 0.1 * _camera_consistency(batch, pose, rotation)


def _by_view(value: Tensor, views: int) -> Tensor:
    """Returns (B,V,...) of (S,...)."""
    return value.reshape(-1, views, *value.shape[1:])


def _project(rotation: Tensor, pose: Tensor) -> Tensor:
    """Returns (S,J,2) the first two rows of R X."""
    return (pose @ rotation.transpose(-1, -2))[..., :2]


def _reprojection(pose_2d: Tensor, projected: Tensor, confidence: Tensor) -> Tensor:
    """Returns the mean over samples of 1/(2J) Σ_j c_j |w_j/rms(w) − y_j/rms(y)|₁."""
    pose_2d = pose_2d / pose_2d.square().mean((-1, -2), keepdim=True).sqrt()
    projected = projected / projected.square().mean((-1, -2), keepdim=True).sqrt()
    return ((pose_2d - projected).abs().sum(-1) * confidence).sum() / (2 * pose_2d.shape[-2] * len(pose_2d))


def _other_views(pose_2d: Tensor, batch: Batch, pose: Tensor, rotation: Tensor) -> Tensor:
    """Returns the sum over views c of the reprojection of the pose of c in all other views."""
    xy, score = _by_view(pose_2d, batch.views), _by_view(batch.confidence, batch.views)
    poses, rotations = _by_view(pose, batch.views), _by_view(rotation, batch.views)
    loss = pose_2d.new_zeros(())
    for c in range(batch.views):
        others = [v for v in range(batch.views) if v != c]
        projected = _project(rotations[:, others], poses[:, c : c + 1])
        loss = loss + _reprojection(
            xy[:, others].flatten(0, 1), projected.flatten(0, 1), score[:, others].flatten(0, 1)
        )
    return loss


def _camera_consistency(batch: Batch, pose: Tensor, rotation: Tensor) -> Tensor:
    """Returns the reprojection under relative rotations of other frames of the same subject."""
    xy, score = _by_view(batch.pose_2d, batch.views), _by_view(batch.confidence, batch.views)
    poses, rotations = _by_view(pose, batch.views), _by_view(rotation, batch.views)
    loss = batch.pose_2d.new_zeros(())
    for c in range(batch.views):
        others = [v for v in range(batch.views) if v != c]
        here = poses[:, c] @ rotations[:, c].transpose(-1, -2)
        relative = rotations[:, others] @ rotations[:, c : c + 1].transpose(-1, -2)
        for subject in torch.unique(batch.subject):
            rows = torch.nonzero(batch.subject == subject)[:, 0]
            exchanged = rows[torch.randperm(len(rows), device=rows.device)]
            projected = _project(relative[exchanged], here[rows][:, None]).flatten(0, 1)
            pose_2d, confidence = xy[rows][:, others].flatten(0, 1), score[rows][:, others].flatten(0, 1)
            loss = loss + _reprojection(pose_2d, projected, confidence)
    return loss


def _consistency(poses: Tensor) -> Tensor:
    """Returns the weighted distances of the poses (B,V,J,3) of all pairs of views."""
    frames, views = poses.shape[:2]
    loss = poses.new_zeros(())
    for i in range(views - 1):
        for u in range(i + 1, views):
            loss = loss + (poses[:, i] - poses[:, u]).abs().sum() / (views - 1 - i)
    return loss / (poses[0, 0].numel() * frames)


def _between_lifts(pose: Tensor, again: Tensor, confidence: Tensor) -> Tensor:
    """Returns the distance of the poses (S,J,3) lifted from detected and refined 2D."""
    apart = ((pose - again).square().sum((-1, -2)) + 1e-12).sqrt()
    return (confidence.sqrt().sum(-1) * apart).sum() / pose.numel()


def refine(pose_2d: Tensor, confidence: Tensor, rotation: Tensor, canonical: Tensor) -> Tensor:
    """Returns (B,V,J,2) refined 2D; the arguments are those of `pose_rig.training.heatmap_voting.released`."""
    xy, score, turn, pose = (value.detach().cpu().numpy() for value in (pose_2d, confidence, rotation, canonical))
    refined = xy.copy()
    for b in range(xy.shape[0]):
        for v in range(xy.shape[1]):
            projected = _projections(turn[b, v], pose[b])
            relative = turn[b, v] @ turn[b].swapaxes(-1, -2)
            for j in LIMBS:
                if score[b, v, j] >= MIN_CONFIDENCE:
                    continue
                votes = _reprojection_votes(projected[:, j], score[0, :, j])
                votes += _line_votes(relative, xy[b, :, j], score[b, :, j], v)
                row, column = np.unravel_index(np.argmax(votes), votes.shape)
                refined[b, v, j] = (np.array([column, row]) - CELLS / 2) / CELLS
    return torch.from_numpy(refined).to(pose_2d.device)


def _projections(rotation: Array, poses: Array) -> Array:
    """Returns (V,J,2) the poses (V,J,3) of all views in one view, norm 1 each."""
    projected = poses @ rotation[:2].T
    return np.asarray(projected / np.linalg.norm(projected, axis=(1, 2), keepdims=True))


def _reprojection_votes(points: Array, heights: Array) -> Array:
    """Returns (64,64) the sum of a map for each point."""
    total = np.zeros((CELLS, CELLS))
    for point, height in zip(points, heights, strict=True):
        one = np.zeros((CELLS, CELLS))
        _paste(one, np.floor(CELLS * point + CELLS / 2), POINT_SD_CELLS, height)
        total += one
    return total


def _line_votes(relative: Array, xy: Array, heights: Array, view: int) -> Array:
    """Returns (64,64) the sum of the maps of the lines of all other views, nothing if only one line is left."""
    maps = []
    for u in range(len(xy)):
        if u == view:
            continue
        one = np.zeros((CELLS, CELLS))
        for point in _line_points(relative[u], xy[u]):
            _paste(one, np.floor(point), LINE_SD_CELLS, heights[u])
        maps.append(one)
    empty = sum(not one.any() for one in maps)
    return np.zeros((CELLS, CELLS)) if empty == len(xy) - 2 else np.sum(maps, axis=0)


def _line_points(relative: Array, xy: Array) -> Array:
    """Returns (16,2) points, cells, of the epipolar line of a joint of another view; (0,2) if none."""
    ends = np.array([(*xy, -3.0), (*xy, 3.0)], relative.dtype) @ relative[:2].T
    (x0, y0), (x1, y1) = CELLS * ends + CELLS / 2
    if x0 == x1:
        return np.zeros((0, 2))
    slope = (y1 - y0) / (x1 - x0)
    x = np.arange(CELLS)
    y = slope * x + (y0 - slope * x0)
    kept = np.stack([x, y], -1)[
        (x > LINE_X_CELLS[0]) & (x < LINE_X_CELLS[1]) & (y > LINE_Y_CELLS[0]) & (y < LINE_Y_CELLS[1])
    ]
    return np.linspace(kept[0], kept[-1], LINE_POINTS) if len(kept) >= 2 else np.zeros((0, 2))


def _paste(grid: Array, cell: Array, sd: int, height: float) -> None:
    """Writes a Gaussian over a window of a map."""
    x, y = int(cell[0]), int(cell[1])
    left, right = max(x - sd, 0), min(x + sd + 1, CELLS)
    top, bottom = max(y - sd, 0), min(y + sd + 1, CELLS)
    if left >= right or top >= bottom:
        return
    off_x, off_y = np.arange(left, right) - x, np.arange(top, bottom) - y
    grid[top:bottom, left:right] = height * np.exp(-(off_y[:, None] ** 2 + off_x**2) / (2 * sd**2))
