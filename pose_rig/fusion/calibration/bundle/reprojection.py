"""Reprojection errors in all keyframes, and their derivatives.

Axes: N keyframes, V views, P points (`segments.POINTS`), H people, L lengths, C parameters per camera.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.direction_bias import add_direction_bias, view_directions
from pose_rig.fusion.calibration.bundle.lens_family import distortion
from pose_rig.fusion.calibration.bundle.normal_equations import NormalEquations
from pose_rig.fusion.calibration.bundle.state import BundleState, C
from pose_rig.geometry import MIN_DEPTH_M, length2

FRAMES_PER_INDEPENDENT = 10.0  # errors of neighbouring frames correlate, and so do all frames of one person
OUTLIER_SD = 3.0  # Geman–McClure scale: standard deviations at which a detection has a quarter of its weight


@dataclass(frozen=True, slots=True)
class Tracks:
    """2D keypoints in all keyframes.

    Attributes:
        xy: (N,V,P,2) (px − principal point) / assumed focal length.
        sd: (N,V,1) standard deviation of an inlier, same units.
        weight: (N,V,P), 0 = not visible.
        person: (N,) whose they are, as indices of people (H); None = all are of one person.
    """

    xy: Floats
    sd: Floats
    weight: Floats
    person: NDArray[np.int64] | None = None

    def at(self, keyframes: NDArray[np.int64]) -> "Tracks":
        """Returns the tracks in some of the keyframes."""
        person = None if self.person is None else self.person[keyframes]
        return Tracks(self.xy[keyframes], self.sd[keyframes], self.weight[keyframes], person)

    @property
    def number(self) -> NDArray[np.int64]:
        """(N,) which keyframe of its person each one is, from 0."""
        out = np.zeros(len(self.weight), np.int64)
        for person in range(1 if self.person is None else int(self.person.max(initial=0)) + 1):
            of = self.of(person)
            out[of] = np.arange(len(out[of]))
        return out

    def of(self, person: int) -> NDArray[np.int64] | slice:
        """Returns the keyframes of a person, as an index."""
        return slice(None) if self.person is None else np.flatnonzero(self.person == person)

    def lengths(self, length: Floats) -> Floats:
        """Returns the segment lengths of the person of each keyframe (N,L), of one person (L,), from (H,L)."""
        return np.asarray(length[0] if self.person is None else length[self.person])


def residuals(state: BundleState, tracks: Tracks) -> tuple[Floats, Floats, Floats, Floats]:
    """Returns points in camera frames (N,V,P,3), projections (N,V,P,2), residuals in sd (N,V,P,2), their squares."""
    rotated = state.points[:, None] @ state.rotation.swapaxes(-1, -2)
    local = np.asarray(rotated + state.translation[:, None])
    ideal = local[..., :2] / np.maximum(local[..., 2:], MIN_DEPTH_M)
    stretch = np.exp(state.log_focal_scale)[:, None] * distortion(ideal, state.k1).stretch
    projected = stretch[..., None] * ideal
    residual = (tracks.xy - projected) / tracks.sd[..., None]
    if state.bias.any():
        residual = residual - view_directions(state.rotation, state.translation, state.points).shift(state.bias)
    return local, projected, residual, length2(residual)


def reprojection_cost(state: BundleState, tracks: Tracks) -> float:
    """Returns the sum of squared residuals in sd under the Geman–McClure loss."""
    return float(detection_costs(state, tracks).sum())


def detection_costs(state: BundleState, tracks: Tracks) -> Floats:
    """Returns (N,V,P) squared residuals in sd under the Geman–McClure loss."""
    *_, square = residuals(state, tracks)
    c2 = OUTLIER_SD**2
    return np.asarray(tracks.weight * c2 * square / (c2 + square))


def robust_weight(tracks: Tracks, local: Floats, square: Floats) -> Floats:
    """Returns (N,V,P) the weights of detections, from `residuals`."""
    in_front = local[..., 2] > MIN_DEPTH_M
    robust = (OUTLIER_SD**2 / (OUTLIER_SD**2 + square)) ** 2
    return np.asarray(tracks.weight * in_front * robust / FRAMES_PER_INDEPENDENT)


def jacobians(state: BundleState, tracks: Tracks, local: Floats, projected: Floats) -> tuple[Floats, Floats]:
    """Returns the Jacobians of projections, in standard deviations, by points (N,V,P,2,3) and cameras (N,V,P,2,C)."""
    depth = np.maximum(local[..., 2], MIN_DEPTH_M)
    ideal = local[..., :2] / depth[..., None]
    lens, focal_scale = distortion(ideal, state.k1), np.exp(state.log_focal_scale)[:, None]
    by_camera = np.empty((*ideal.shape, C))
    by_local = by_camera[..., 3:6]
    along = lens.bend[..., None] * ideal
    by_local[..., :2] = along[..., :, None] * ideal[..., None, :]  # d distorted / d ideal
    by_local[..., [0, 1], [0, 1]] += lens.stretch[..., None]
    by_local[..., 2] = -(lens.stretch + lens.bend * length2(ideal))[..., None] * ideal
    by_local *= (focal_scale / (depth * tracks.sd))[..., None, None]
    arm = (local - state.translation[:, None])[..., None, :]
    by_camera[..., :3] = _cross_product(arm, by_local)  # row · (ω × arm) = ω · (arm × row)
    by_camera[..., 6] = projected / tracks.sd[..., None]
    by_camera[..., 7] = (focal_scale * lens.stretch_by_k1 / tracks.sd)[..., None] * ideal
    return by_local @ state.rotation[:, None], by_camera


def _cross_product(a: Floats, b: Floats) -> Floats:
    """Returns (...,3) a × b; faster than `numpy.cross`."""
    i, j = [1, 2, 0], [2, 0, 1]
    return np.asarray(a[..., i] * b[..., j] - a[..., j] * b[..., i])


def add_detections(system: NormalEquations, state: BundleState, tracks: Tracks) -> None:
    """Adds the reprojection errors to the normal equations, iteratively reweighted."""
    count, views, points = tracks.weight.shape
    local, projected, residual, square = residuals(state, tracks)
    weight = robust_weight(tracks, local, square)[..., None, None]
    by_point, by_camera = jacobians(state, tracks, local, projected)
    weighted_point, weighted_camera = by_point * weight, by_camera * weight

    def rows(values: Floats) -> Floats:
        """(N,P,V·2,…): all measurements of a point."""
        return np.asarray(values.swapaxes(1, 2)).reshape(count, points, views * 2, -1)

    transposed = rows(weighted_point).swapaxes(-1, -2)
    blocks = system.hessian_points.reshape(count, points, 3, points, 3)  # a view of it
    np.einsum("npipj->npij", blocks)[...] += transposed @ rows(by_point)
    system.gradient_points += (transposed @ rows(residual)).reshape(count, -1)
    cross = system.hessian_cross.reshape(count, points, 3, -1)[..., : views * C]
    cross = cross.reshape(count, points, 3, views, C)  # a view of it
    of_points = weighted_point.transpose(3, 0, 2, 4, 1)[..., None]
    of_cameras = by_camera.transpose(3, 0, 2, 1, 4)[:, :, :, None]
    for axis in range(2):
        cross += of_points[axis] * of_cameras[axis]
    for v in range(views):
        jacobian, weighted = by_camera[:, v].reshape(-1, C), weighted_camera[:, v].reshape(-1, C)
        at = slice(v * C, v * C + C)
        system.hessian_global[at, at] += weighted.T @ jacobian
        system.gradient_global[at] += residual[:, v].reshape(-1) @ weighted
    if state.bias.size:
        directions = view_directions(state.rotation, state.translation, state.points)
        add_direction_bias(system, directions, residual, weight[..., 0, 0], by_point, by_camera)
