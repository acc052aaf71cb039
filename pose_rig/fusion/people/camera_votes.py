"""Votes for a camera pose: how far two of them agree, and the mean of those that do.

Axes: K votes.
"""

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.geometry import angle_deg, nearest_rotation

ANGLE_SCALE_DEG, DISTANCE_SCALE = 30.0, 1.2  # at which two poses no longer agree; body heights


def rotation_agreement(a: Floats, b: Floats) -> Floats:
    """Returns (...) 0–1 how far rotations (...,3,3) agree."""
    return _kernel(angle_deg(a, b) / ANGLE_SCALE_DEG)


def agreement(rotation_a: Floats, translation_a: Floats, rotation_b: Floats, translation_b: Floats) -> Floats:
    """Returns (...) 0–1 how far poses agree: rotations (...,3,3) and translations (...,3), body heights."""
    apart = np.linalg.norm(translation_a - translation_b, axis=-1)
    return rotation_agreement(rotation_a, rotation_b) * _kernel(apart / DISTANCE_SCALE)


def mean_pose(rotation: Floats, translation: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Returns the mean (3,3), (3,) of poses (K,3,3), (K,3) with weights (K,)."""
    mean = nearest_rotation(np.einsum("k,kij->ij", weight, rotation))
    return mean, (weight[:, None] * translation).sum(0) / weight.sum()


def _kernel(distance: Floats) -> Floats:
    return np.maximum(0.0, 1.0 - distance**2)
