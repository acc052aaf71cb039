"""Gauss–Newton normal equations of bundle adjustment, and the elimination of the points.

Axes: N keyframes, P points, G globals: V·C of cameras, H·L of people, B of the detector.
"""

from dataclasses import dataclass

import numpy as np

from pose_rig.arrays import Floats


@dataclass(slots=True)
class NormalEquations:
    """Gauss–Newton normal equations: globals (G = V·C + H·L + B), and one block of P·3 per keyframe.

    Attributes:
        hessian_global: (G,G), gradient_global: (G,).
        hessian_cross: (N,P·3,G) between points and globals.
        hessian_points: (N,P·3,P·3), gradient_points: (N,P·3).
    """

    hessian_global: Floats
    gradient_global: Floats
    hessian_cross: Floats
    hessian_points: Floats
    gradient_points: Floats


def schur_complement(system: NormalEquations, damping: float) -> tuple[Floats, Floats, Floats]:
    """Returns the reduced matrix and right side, and the solved blocks (N,P·3,G + 1)."""
    hessian = system.hessian_points.copy()
    diagonal = np.einsum("nii->ni", hessian)  # a view of it
    diagonal *= 1 + damping
    diagonal += 1e-3
    right = np.concatenate([system.hessian_cross, system.gradient_points[..., None]], -1)
    solved = np.asarray(np.linalg.solve(hessian, right), np.float64)
    cross = system.hessian_cross.reshape(-1, system.hessian_cross.shape[-1])
    product = cross.T @ solved.reshape(-1, solved.shape[-1])
    hessian = system.hessian_global.copy()
    diagonal = np.einsum("ii->i", hessian)
    diagonal *= 1 + damping
    diagonal += 1e-6
    return hessian - product[:, :-1], system.gradient_global - product[:, -1], solved
