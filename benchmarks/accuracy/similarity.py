"""How far poses are from the truth once frames and units are taken out.

Axes: N poses, L joints.
"""

from dataclasses import dataclass

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.geometry import nearest_rotation
from pose_rig.training.evaluation.metrics import pmpjpe

FLIP = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True, slots=True)
class Similarity:
    """``scale · rotation · x + shift``."""

    scale: float
    rotation: Floats
    shift: Floats

    @classmethod
    def fit(cls, points: Floats, truth: Floats) -> "Similarity":
        """Returns the one that brings points (...,3) nearest to the truth (...,3) (Umeyama 1991)."""
        a, b = points.reshape(-1, 3), truth.reshape(-1, 3)
        mean_a, mean_b = a.mean(0), b.mean(0)
        rotation = nearest_rotation((b - mean_b).T @ (a - mean_a))
        turned = (a - mean_a) @ rotation.T
        scale = float((turned * (b - mean_b)).sum() / ((a - mean_a) ** 2).sum())
        return cls(scale, rotation, mean_b - scale * rotation @ mean_a)

    def __call__(self, points: Floats) -> Floats:
        """Returns points (...,3) in the other frame."""
        return np.asarray(self.scale * points @ self.rotation.T + self.shift)


def pa_mm(poses: Floats, truth: Floats) -> Floats:
    """Returns (N,) the mean joint errors of poses (N,L,3) m, each after its own best similarity."""
    return 1e3 * pmpjpe(poses, truth)


def global_mm(poses: Floats, truth: Floats) -> float:
    """Returns the mean joint error of poses (N,L,3) m after one similarity for all."""
    return float(1e3 * np.linalg.norm(Similarity.fit(poses, truth)(poses) - truth, axis=-1).mean())


def mirrored(poses: Floats, truth: Floats) -> bool:
    """Returns whether most of the poses (N,L,3) are rather the mirror image of the truth."""
    return bool((pmpjpe(poses * FLIP, truth) < pmpjpe(poses, truth)).mean() > 0.5)
