"""The covariance of adjusted cameras.

Axes: V views, C parameters per camera.
"""

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.adjustment import linearise
from pose_rig.fusion.calibration.bundle.normal_equations import schur_complement
from pose_rig.fusion.calibration.bundle.priors import Priors
from pose_rig.fusion.calibration.bundle.reprojection import Tracks
from pose_rig.fusion.calibration.bundle.state import BundleState, C


def camera_covariance(state: BundleState, tracks: Tracks, priors: Priors) -> Floats:
    """Returns (V·C, V·C) the covariance of the cameras with the similarity gauge (7 degrees of freedom) projected out.

    The second three parameters of a camera are here its centre (rig axes) instead of its translation.
    """
    views = len(state.log_focal_scale)
    size = views * C
    reduced, _, _ = schur_complement(linearise(state, tracks, priors), 0.0)
    cross = reduced[:size, size:]
    cameras = reduced[:size, :size] - cross @ np.linalg.solve(reduced[size:, size:], cross.T)
    to_centre = np.zeros((size, size))
    gauge = np.zeros((size, 7))  # change of the cameras when the whole rig is rotated, moved and scaled
    middle = np.median(state.points.reshape(-1, 3), axis=0)
    for v in range(views):
        rotation, translation, at = state.rotation[v], state.translation[v], v * C
        block = np.eye(C)
        block[3:6, 3:6], block[3:6, :3] = -rotation.T, -rotation.T @ _skew(translation)
        to_centre[at : at + C, at : at + C] = block
        from_middle = -rotation.T @ translation - middle
        gauge[at : at + 3, :3], gauge[at + 3 : at + 6, :3] = -rotation, -_skew(from_middle)
        gauge[at + 3 : at + 6, 3:6] = np.eye(3)
        gauge[at + 3 : at + 6, 6] = from_middle
    from_centre = np.linalg.inv(to_centre)
    information = from_centre.T @ cameras @ from_centre
    basis, _ = np.linalg.qr(gauge)
    fixed = information + basis @ basis.T * np.trace(information)
    inverse = np.linalg.inv(0.5 * (fixed + fixed.T))
    projection = np.eye(size) - basis @ basis.T
    return np.asarray(projection @ inverse @ projection)


def _skew(vector: Floats) -> Floats:
    """Returns the matrix of ``vector ×``."""
    x, y, z = vector
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
