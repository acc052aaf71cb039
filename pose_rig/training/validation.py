"""Validation of a lifter, with and without ground truth.

Axes: N frames, V views, J joints.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pose_rig.training import losses
from pose_rig.training.evaluation.metrics import n_mpjpe, pmpjpe
from pose_rig.training.footage.dataset import PoseDataset
from pose_rig.training.training_step import Network, lift

BATCH_FRAMES = 1024


@dataclass(frozen=True, slots=True)
class ValidationMetrics:
    """Metrics of a lifter on a validation set.

    Attributes:
        reprojection: Reprojection loss of the paper over all pairs of different views. Needs no ground truth.
        bent: How far joints bend the wrong way (`pose_rig.training.losses.bending`).
        n_mpjpe: Of single-view lifts, in units of the 2D norm (about 2 m); NaN without ground truth.
        pmpjpe: The same after similarity alignment.
    """

    reprojection: float
    bent: float
    n_mpjpe: float
    pmpjpe: float

    def score(self, *, supervised: bool) -> float:
        """Returns the validation score, lower is better: the error where labels are trained on, else label-free."""
        return self.n_mpjpe if supervised and not np.isnan(self.n_mpjpe) else self.reprojection + self.bent


@torch.no_grad()
def validate(lifter: Network, dataset: PoseDataset) -> ValidationMetrics:
    """Returns the metrics of a lifter on all of a dataset."""
    rows: list[tuple[float, float, int]] = []
    poses_in_views: list[Tensor] = []
    for batch in dataset.batches(BATCH_FRAMES):
        lifted = lift(lifter, batch.pose_2d, batch.confidence, batch.depth)
        poses = losses.in_all_views(lifted.view_from_canonical, lifted.pose)
        _, across = losses.pairs(batch.pose_2d, batch.confidence, batch.inverse_depth, poses)
        bent = losses.bending(lifted.pose, losses.visible_views(batch.confidence))
        rows.append((float(across) / batch.pose_2d.shape[1], float(bent), len(batch.pose_2d)))
        poses_in_views.append(torch.diagonal(poses, dim1=1, dim2=2).movedim(-1, 1))
    frames = np.array([count for _, _, count in rows], float)
    reprojection, bend = (float(np.average([row[i] for row in rows], weights=frames)) for i in range(2))
    known = (dataset.all.has_truth * losses.visible_views(dataset.all.confidence)).bool()
    if not known.any():
        return ValidationMetrics(reprojection, bend, float("nan"), float("nan"))
    own, true = (x[known].double().cpu().numpy() for x in (torch.cat(poses_in_views), dataset.all.true_pose))
    return ValidationMetrics(reprojection, bend, float(n_mpjpe(own, true).mean()), float(pmpjpe(own, true).mean()))
