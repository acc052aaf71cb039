"""Robust bundle adjustment of cameras and a moving person.

Parameters are the cameras, the pose in every keyframe, and the lengths of the person's body segments; measurements are
2D keypoints. Segments keep their lengths over time and are alike on both sides. That and anthropometric priors
constrain what the images alone determine weakly: focal length, scale, the angle between two cameras.

Levenberg–Marquardt on cameras and lengths; the poses are eliminated (Schur complement), one block per keyframe.

Axes: N keyframes, V views, P points (`segments.POINTS`), S segments, L lengths, C = 8 parameters per camera:
rotation (3), translation (3), log focal scale, k1. Globals: V·C camera parameters, then L lengths.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.cameras import MIN_DEPTH_M
from pose_rig.fusion.calibration.segments import (
    JACOBIAN_BY_LENGTH,
    LENGTH_INDEX,
    LENGTH_PER_HEIGHT,
    POINTS,
    RELATIVE_LENGTH_SD,
    ROBUST_SCALE_SD,
    SEGMENT_SD_M,
    SEGMENTS,
    L,
    segment_residuals,
)
from pose_rig.fusion.calibration.triangulate import length2
from pose_rig.geometry import rotation_from_vector

C = 8
K1_SD = 0.1
# Relative size of the person, which height_m fixes. Images do not determine it, and segments that vary by centimetres
# vary less in a smaller rig: with their own priors alone, noisy detections shrink everything to 0.6–0.8.
SIZE_SD = 0.01
SAME_MODEL_SD = 0.01  # of the log ratio of focal lengths of one camera model
FRAMES_PER_INDEPENDENT = 10.0  # errors of neighbouring frames correlate, and so do all frames of one person
OUTLIER_SD = 3.0  # Geman–McClure scale: standard deviations at which a detection has a quarter of its weight
MAX_ITERATIONS = 30
MIN_RELATIVE_DECREASE = 1e-4  # of the cost
MAX_LOG_FOCAL_SCALE = 1.5
GAUGE_WEIGHT = 1e8  # holds the pose of the gauge view


@dataclass(frozen=True, slots=True)
class Tracks:
    """2D keypoints in all keyframes.

    Attributes:
        xy: (N,V,P,2) (px − principal point) / assumed focal length.
        sd: (N,V,1) standard deviation of an inlier, same units.
        weight: (N,V,P), 0 = not visible.
    """

    xy: Floats
    sd: Floats
    weight: Floats

    def at(self, keyframes: NDArray[np.int64]) -> "Tracks":
        """Returns the tracks in some of the keyframes."""
        return Tracks(self.xy[keyframes], self.sd[keyframes], self.weight[keyframes])


@dataclass(frozen=True, slots=True)
class BundleState:
    """The parameters.

    Attributes:
        rotation: (V,3,3) camera_from_rig, translation: (V,3) m.
        log_focal_scale: (V,) log of focal length over the assumed one.
        k1: (V,).
        points: (N,P,3) m.
        length: (L,) m.
    """

    rotation: Floats
    translation: Floats
    log_focal_scale: Floats
    k1: Floats
    points: Floats
    length: Floats

    @classmethod
    def from_cameras(
        cls, rotation: Floats, translation: Floats, log_focal_scale: Floats, k1: Floats, height_m: float
    ) -> "BundleState":
        """Returns a state without points and with the lengths of an average person."""
        no_points = np.zeros((0, len(POINTS), 3))
        return cls(rotation, translation, log_focal_scale, k1, no_points, LENGTH_PER_HEIGHT * height_m)

    def updated(self, cameras: Floats, length: Floats, points: Floats) -> "BundleState":
        """Returns the state after a step: cameras (V,C), lengths (L,), points (N,P,3)."""
        log_focal_scale = self.log_focal_scale + cameras[:, 6]
        return BundleState(
            rotation_from_vector(cameras[:, :3]) @ self.rotation,
            self.translation + cameras[:, 3:6],
            np.clip(log_focal_scale, -MAX_LOG_FOCAL_SCALE, MAX_LOG_FOCAL_SCALE),
            self.k1 + cameras[:, 7],
            self.points + points,
            self.length + length,
        )


@dataclass(frozen=True, slots=True)
class Priors:
    """Prior knowledge.

    Attributes:
        height_m: Body height.
        log_focal_scale: (V,), log_focal_scale_sd: (V,) its standard deviation.
        same_model: (V,V) True where two cameras are of one model and share the focal length.
        gauge_view: The view whose pose is held.
    """

    height_m: float
    log_focal_scale: Floats
    log_focal_scale_sd: Floats
    same_model: NDArray[np.bool_]
    gauge_view: int


def residuals(state: BundleState, tracks: Tracks) -> tuple[Floats, Floats, Floats, Floats]:
    """Returns points in camera frames (N,V,P,3), projections (N,V,P,2), residuals in sd (N,V,P,2), their squares."""
    rotated = state.points[:, None] @ state.rotation.swapaxes(-1, -2)
    local = np.asarray(rotated + state.translation[:, None])
    ideal = local[..., :2] / np.maximum(local[..., 2:], MIN_DEPTH_M)
    distortion = 1 + state.k1[:, None] * length2(ideal)
    projected = (np.exp(state.log_focal_scale)[:, None] * distortion)[..., None] * ideal
    residual = (tracks.xy - projected) / tracks.sd[..., None]
    return local, projected, residual, length2(residual)


def robust_cost(state: BundleState, tracks: Tracks, priors: Priors) -> float:
    """Returns half the sum of squared residuals in sd, detections and segments under the Geman–McClure loss."""
    *_, square = residuals(state, tracks)
    c2 = OUTLIER_SD**2
    detections = (tracks.weight * c2 * square / (c2 + square)).sum()
    norm = np.linalg.norm(SEGMENTS @ state.points, axis=-1)
    square = ((norm - state.length[LENGTH_INDEX]) / SEGMENT_SD_M) ** 2
    segments = (ROBUST_SCALE_SD**2 * square / (ROBUST_SCALE_SD**2 + square)).sum()
    return 0.5 * float((detections + segments) / FRAMES_PER_INDEPENDENT + _prior_cost(state, priors))


def _prior_cost(state: BundleState, priors: Priors) -> float:
    mean, log_focal_scale = LENGTH_PER_HEIGHT * priors.height_m, state.log_focal_scale
    cost = (((state.length - mean) / (RELATIVE_LENGTH_SD * mean)) ** 2).sum()
    cost += (((state.length / mean).mean() - 1) / SIZE_SD) ** 2
    focal = ((log_focal_scale - priors.log_focal_scale) / priors.log_focal_scale_sd) ** 2
    cost += focal.sum() + ((state.k1 / K1_SD) ** 2).sum()
    difference = log_focal_scale[:, None] - log_focal_scale[None]
    return float(cost + 0.5 * (priors.same_model * (difference / SAME_MODEL_SD) ** 2).sum())


@dataclass(slots=True)
class NormalEquations:
    """Gauss–Newton normal equations: globals (G = V·C + L), and one block of P·3 per keyframe.

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


def linearise(state: BundleState, tracks: Tracks, priors: Priors) -> NormalEquations:
    """Returns the normal equations at a state, iteratively reweighted."""
    count, views, points = tracks.weight.shape
    size = views * C + L
    system = NormalEquations(
        hessian_global=np.zeros((size, size)),
        gradient_global=np.zeros(size),
        hessian_cross=np.zeros((count, points * 3, size)),
        hessian_points=np.zeros((count, points * 3, points * 3)),
        gradient_points=np.zeros((count, points * 3)),
    )
    _add_detections(system, state, tracks)
    _add_segments(system, state)
    _add_priors(system, state, priors)
    return system


def robust_weight(tracks: Tracks, local: Floats, square: Floats) -> Floats:
    """Returns (N,V,P) the weights of detections, from `residuals`."""
    in_front = local[..., 2] > MIN_DEPTH_M
    robust = (OUTLIER_SD**2 / (OUTLIER_SD**2 + square)) ** 2
    return np.asarray(tracks.weight * in_front * robust / FRAMES_PER_INDEPENDENT)


def jacobians(state: BundleState, tracks: Tracks, local: Floats, projected: Floats) -> tuple[Floats, Floats]:
    """Returns the Jacobians of projections, in standard deviations, by points (N,V,P,2,3) and cameras (N,V,P,2,C)."""
    depth = np.maximum(local[..., 2], MIN_DEPTH_M)
    ideal = local[..., :2] / depth[..., None]
    r2 = length2(ideal)
    focal_scale, k1 = np.exp(state.log_focal_scale)[:, None], state.k1[:, None]
    by_camera = np.empty((*ideal.shape, C))
    by_local = by_camera[..., 3:6]
    by_local[..., :2] = 2 * k1[..., None, None] * ideal[..., :, None] * ideal[..., None, :]  # d distorted / d ideal
    by_local[..., [0, 1], [0, 1]] += (1 + k1 * r2)[..., None]
    by_local[..., 2] = -(1 + 3 * k1 * r2)[..., None] * ideal
    by_local *= (focal_scale / (depth * tracks.sd))[..., None, None]
    arm = (local - state.translation[:, None])[..., None, :]
    by_camera[..., :3] = _cross_product(arm, by_local)  # row · (ω × arm) = ω · (arm × row)
    by_camera[..., 6] = projected / tracks.sd[..., None]
    by_camera[..., 7] = (focal_scale * r2 / tracks.sd)[..., None] * ideal
    return by_local @ state.rotation[:, None], by_camera


def _cross_product(a: Floats, b: Floats) -> Floats:
    """Returns (...,3) a × b; faster than `numpy.cross`."""
    i, j = [1, 2, 0], [2, 0, 1]
    return np.asarray(a[..., i] * b[..., j] - a[..., j] * b[..., i])


def _add_detections(system: NormalEquations, state: BundleState, tracks: Tracks) -> None:
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


def _add_segments(system: NormalEquations, state: BundleState) -> None:
    jacobian, residual, weight = segment_residuals(state.points, state.length)
    weight = weight / FRAMES_PER_INDEPENDENT
    transposed = (jacobian * weight[..., None]).swapaxes(1, 2)
    system.hessian_points += transposed @ jacobian
    system.gradient_points += (transposed @ residual[..., None])[..., 0]
    system.hessian_cross[..., -L:] += transposed @ JACOBIAN_BY_LENGTH
    system.hessian_global[-L:, -L:] += (JACOBIAN_BY_LENGTH.T * weight.sum(0)) @ JACOBIAN_BY_LENGTH
    system.gradient_global[-L:] += (weight * residual).sum(0) @ JACOBIAN_BY_LENGTH


def _add_priors(system: NormalEquations, state: BundleState, priors: Priors) -> None:
    hessian, gradient = system.hessian_global, system.gradient_global
    views = len(state.log_focal_scale)
    mean = LENGTH_PER_HEIGHT * priors.height_m
    at = np.arange(L) + views * C
    hessian[at, at] += (RELATIVE_LENGTH_SD * mean) ** -2
    gradient[at] += (mean - state.length) / (RELATIVE_LENGTH_SD * mean) ** 2
    by_size = 1 / (L * mean * SIZE_SD)
    hessian[np.ix_(at, at)] += by_size[:, None] * by_size
    gradient[at] += by_size * (1 - (state.length / mean).mean()) / SIZE_SD
    focal = np.arange(views) * C + 6
    hessian[focal, focal] += priors.log_focal_scale_sd**-2
    gradient[focal] += (priors.log_focal_scale - state.log_focal_scale) / priors.log_focal_scale_sd**2
    tie = priors.same_model * SAME_MODEL_SD**-2
    laplacian = np.diag(tie.sum(1)) - tie
    hessian[np.ix_(focal, focal)] += laplacian
    gradient[focal] -= laplacian @ state.log_focal_scale
    hessian[focal + 1, focal + 1] += K1_SD**-2
    gradient[focal + 1] -= state.k1 / K1_SD**2


def adjust(
    state: BundleState, tracks: Tracks, priors: Priors, max_iterations: int = MAX_ITERATIONS
) -> tuple[BundleState, float]:
    """Returns the state of minimal robust cost near an initial one (Levenberg–Marquardt), and its cost."""
    damping, cost = 1e-3, robust_cost(state, tracks, priors)
    views = len(state.log_focal_scale)
    fixed = np.arange(6) + priors.gauge_view * C
    system: NormalEquations | None = None
    for _ in range(max_iterations):
        system = system or linearise(state, tracks, priors)
        reduced, gradient, solved = schur_complement(system, damping)
        reduced[fixed, fixed] += GAUGE_WEIGHT
        step = np.asarray(np.linalg.solve(reduced, gradient), np.float64)
        points = solved[..., -1] - solved[..., :-1] @ step
        cameras = step[: views * C].reshape(views, C)
        trial = state.updated(cameras, step[views * C :], points.reshape(state.points.shape))
        trial_cost = robust_cost(trial, tracks, priors)
        if trial_cost < cost:
            decrease = (cost - trial_cost) / cost
            state, cost, damping = trial, trial_cost, max(damping / 5, 1e-7)
            if decrease < MIN_RELATIVE_DECREASE:
                break
            system = None
        else:
            damping *= 6
            if damping > 1e4:
                break
    return state, cost


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
