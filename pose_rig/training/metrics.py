"""Errors of 3D poses, on numpy arrays. Axes: N poses, J joints."""

import numpy as np
from numpy.typing import NDArray

from pose_rig.geometry import nearest_rotation

Floats = NDArray[np.float64]


def n_mpjpe(predicted: Floats, target: Floats) -> Floats:
    """Returns (N,) the mean joint distance after the best scale, both poses (N,J,3) root-relative."""
    scale = (predicted * target).sum((1, 2)) / np.maximum((predicted**2).sum((1, 2)), 1e-12)
    return np.asarray(np.linalg.norm(scale[:, None, None] * predicted - target, axis=-1).mean(-1))


def pmpjpe(predicted: Floats, target: Floats) -> Floats:
    """Returns (N,) the mean joint distance after the best similarity with a proper rotation (Procrustes)."""
    a = predicted - predicted.mean(1, keepdims=True)
    b = target - target.mean(1, keepdims=True)
    rotation = nearest_rotation(np.einsum("nji,njk->nik", b, a))
    turned = a @ rotation.swapaxes(1, 2)
    scale = (turned * b).sum((1, 2)) / np.maximum((a**2).sum((1, 2)), 1e-12)
    return np.asarray(np.linalg.norm(scale[:, None, None] * turned - b, axis=-1).mean(-1))
