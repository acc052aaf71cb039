"""The covariance of adjusted cameras.

Axes: N keyframes, V views, P points, C parameters per camera, B coefficients of the direction bias.
"""

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.adjustment import linearise
from pose_rig.fusion.calibration.bundle.direction_bias import B, view_directions, weighted_sums
from pose_rig.fusion.calibration.bundle.normal_equations import NormalEquations, schur_complement
from pose_rig.fusion.calibration.bundle.priors import Priors
from pose_rig.fusion.calibration.bundle.reprojection import Tracks, jacobians, residuals, robust_weight
from pose_rig.fusion.calibration.bundle.state import BundleState, C


def camera_covariance(state: BundleState, tracks: Tracks, priors: Priors) -> Floats:
    """Returns (V·C, V·C) the covariance of the cameras with the similarity gauge (7 degrees of freedom) projected out.

    It includes the effect of principal points off the image centre, which the adjustment does not find (consider
    parameters). The second three parameters of a camera are here its centre (rig axes) instead of its translation.
    """
    views = len(state.log_focal_scale)
    size, count = views * C, views * C + state.length.size + len(state.bias)
    system = _with_principal_points(linearise(state, tracks, priors), state, tracks)
    reduced, _, _ = schur_complement(system, 0.0)
    cross = reduced[:size, size:count]
    solved = np.linalg.solve(reduced[size:count, size:count], np.delete(reduced[size:count], range(size, count), 1))
    cameras = reduced[:size, :size] - cross @ solved[:, :size]
    by_principal_point = reduced[:size, count:] - cross @ solved[:, size:]
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
    basis, _ = np.linalg.qr(gauge)  # priors fix the size, nothing fixes the motions
    motions, _ = np.linalg.qr(gauge[:, :6])
    fixed = information + motions @ motions.T * np.trace(information)
    inverse = np.linalg.inv(0.5 * (fixed + fixed.T))
    projection = np.eye(size) - basis @ basis.T
    shift = projection @ inverse @ from_centre.T @ by_principal_point * np.repeat(priors.principal_point_sd, 2)
    return np.asarray(projection @ inverse @ projection + shift @ shift.T)


def _with_principal_points(system: NormalEquations, state: BundleState, tracks: Tracks) -> NormalEquations:
    """Returns the normal equations with two more globals per view: its principal point, in assumed focal lengths."""
    count, views, points = tracks.weight.shape
    local, projected, _, square = residuals(state, tracks)
    weight = robust_weight(tracks, local, square) / tracks.sd
    by_point, by_camera = jacobians(state, tracks, local, projected)
    size = len(system.hessian_global)
    cross = np.zeros((count, points, 3, views, 2))
    hessian = np.zeros((size + views * 2, size + views * 2))
    hessian[:size, :size] = system.hessian_global
    for view in range(views):
        at = slice(size + view * 2, size + view * 2 + 2)
        cross[:, :, :, view] = weight[:, view, :, None, None] * by_point[:, view].swapaxes(-1, -2)
        own = slice(view * C, view * C + C)
        hessian[own, at] = np.einsum("np,npic->ci", weight[:, view], by_camera[:, view])
    if state.bias.size:
        directions = view_directions(state.rotation, state.translation, state.points)
        hessian[size - B : size, size:] = weighted_sums(directions, weight).reshape(B, views * 2)
    hessian[size:, :size] = hessian[:size, size:].T
    return NormalEquations(
        hessian,
        np.concatenate([system.gradient_global, np.zeros(views * 2)]),
        np.concatenate([system.hessian_cross, cross.reshape(count, points * 3, views * 2)], -1),
        system.hessian_points,
        system.gradient_points,
    )


def _skew(vector: Floats) -> Floats:
    """Returns the matrix of ``vector ×``."""
    x, y, z = vector
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
