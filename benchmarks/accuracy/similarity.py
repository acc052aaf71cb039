"""Errors of poses after alignment by a similarity transform.

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
    """``scale · rotation · x + translation``."""

    scale: float
    rotation: Floats
    translation: Floats

    @classmethod
    def fit(cls, points: Floats, truth: Floats) -> "Similarity":
        """Returns the least-squares similarity from points (...,3) to the truth (...,3) (Umeyama 1991)."""
        a, b = points.reshape(-1, 3), truth.reshape(-1, 3)
        mean_a, mean_b = a.mean(0), b.mean(0)
        rotation = nearest_rotation((b - mean_b).T @ (a - mean_a))
        rotated = (a - mean_a) @ rotation.T
        scale = float((rotated * (b - mean_b)).sum() / ((a - mean_a) ** 2).sum())
        return cls(scale, rotation, mean_b - scale * rotation @ mean_a)

    def __call__(self, points: Floats) -> Floats:
        """Returns transformed points (...,3)."""
        return np.asarray(self.scale * points @ self.rotation.T + self.translation)


def pa_mm(poses: Floats, truth: Floats) -> Floats:
    """Returns (N,) the mean joint errors of poses (N,L,3) m, each after its own similarity."""
    return 1e3 * pmpjpe(poses, truth)


def global_mm(poses: Floats, truth: Floats) -> float:
    """Returns the mean joint error of poses (N,L,3) m after one similarity for all."""
    return float(1e3 * np.linalg.norm(Similarity.fit(poses, truth)(poses) - truth, axis=-1).mean())


def mirrored(poses: Floats, truth: Floats) -> bool:
    """Returns whether most poses (N,L,3) are closer to the mirror image of the truth."""
    return bool((pmpjpe(poses * FLIP, truth) < pmpjpe(poses, truth)).mean() > 0.5)
