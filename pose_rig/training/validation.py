"""How good a lifter is on held-back instants, with and without the truth.

Axes: N instants, V views, J joints.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pose_rig.training import terms
from pose_rig.training.evaluation.metrics import n_mpjpe, pmpjpe
from pose_rig.training.footage.dataset import PoseDataset
from pose_rig.training.training_step import Network, lift

PART = 1024  # instants at once


@dataclass(frozen=True, slots=True)
class ValidationMetrics:
    """How a lifter does.

    Attributes:
        reprojection: What one view lifts, looked at from another view, against what that one saw: the reprojection
            loss of the paper, over all pairs of views. Needs no truth.
        bent: How far poses bend the wrong way (`terms.bends`).
        n_mpjpe: Of single-view lifts against the truth, in units of the 2D norm (about 2 m); NaN without truth.
        pmpjpe: The same after similarity alignment.
    """

    reprojection: float
    bent: float
    n_mpjpe: float
    pmpjpe: float

    def score(self, *, truth: bool) -> float:
        """Returns what training wants to be small: the error, where there is a truth to learn from, else label-free."""
        return self.n_mpjpe if truth and self.n_mpjpe == self.n_mpjpe else self.reprojection + self.bent


@torch.no_grad()
def look(lifter: Network, bank: PoseDataset) -> ValidationMetrics:
    """Returns how a lifter does on all of a bank."""
    sums: list[tuple[float, float, int]] = []
    lifted: list[Tensor] = []
    for part in bank.parts(PART):
        out = lift(lifter, part.flat, part.confidence)
        poses = terms.turned(out.rotation, out.pose)
        _, across = terms.pairs(part.flat, part.confidence, part.norm, poses)
        bent = terms.bends(out.pose, terms.present(part.confidence))
        sums.append((float(across) / part.flat.shape[1], float(bent), len(part.flat)))
        lifted.append(torch.diagonal(poses, dim1=1, dim2=2).movedim(-1, 1))
    weight = np.array([count for _, _, count in sums], float)
    reprojection, bent = (np.average([row[i] for row in sums], weights=weight) for i in range(2))
    known = (bank.all.scored * terms.present(bank.all.confidence)).bool()
    if not known.any():
        return ValidationMetrics(float(reprojection), float(bent), float("nan"), float("nan"))
    own, true = (x[known].double().cpu().numpy() for x in (torch.cat(lifted), bank.all.shape))
    return ValidationMetrics(
        float(reprojection), float(bent), float(n_mpjpe(own, true).mean()), float(pmpjpe(own, true).mean())
    )
