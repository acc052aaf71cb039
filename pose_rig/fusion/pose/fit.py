"""The pose in a solved rig: reprojection errors in all views, segments of known length, and the lifted pose as prior.

Detections determine joints that are visible in two views or more; segments and the lifted pose determine the others.

Axes: N poses, V views, P points (`segments.POINTS`).
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.reprojection import OUTLIER_SD
from pose_rig.fusion.calibration.bundle.segments import POINTS, segment_residuals
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.triangulate import (
    EYE3,
    INITIAL_RELAXATION,
    Rays,
    dlt_rows,
    normal_equations,
    to_camera_frames,
    triangulate,
)
from pose_rig.geometry import MIN_DEPTH_M, length2
from pose_rig.skeleton import JOINTS

INIT_ITERATIONS, ITERATIONS = 3, 4  # more change nothing
MIN_STEP_M = 2e-3  # convergence: the next step is a third as long
LIFT_SD_M = 0.06  # of a joint in a fused lift about the body's position, before the joints are known better
# the same of each joint of a lift with the person's own bone lengths, where it is not an outlier
JOINT_LIFT_SD_M = {
    "hip": 0.018, "knee": 0.033, "ankle": 0.042, "shoulder": 0.03, "elbow": 0.045, "wrist": 0.06, "nose": 0.042,
    "head": 0.03,
}  # fmt: skip
LIFT_INFORMATION = np.array([JOINT_LIFT_SD_M[JOINTS[point].split("_")[-1]] for point in POINTS]) ** -2.0  # (P,)
LIFT_OUTLIER_SD = 1.5  # Cauchy scale, where two views see the joint: an arm that points forward instead of back
SPEED_SD_M_S = 3.0  # of joints; the hands of a thrower reach three times that
TEMPORAL_RELAXATION = 0.25 * INITIAL_RELAXATION  # with a temporal prior
MIN_TOTAL_WEIGHT = 1e-9  # of all detections of a pose
INITIAL_POINTS_RELAXATION = 2.0  # from given initial points


@dataclass(frozen=True, slots=True)
class Fit:
    """Fitted poses.

    Attributes:
        points: (N,P,3) m.
        covariance: (N,P,3,3) m².
        inlier: (N,V,P) 0–1, robust weight of each detection.
        error: (N,V,P) reprojection error, in standard deviations.
    """

    points: Floats
    covariance: Floats
    inlier: Floats
    error: Floats


@dataclass(frozen=True, slots=True)
class TemporalPrior:
    """Prior from the pose of the previous time step; of several poses with a leading axis N.

    Attributes:
        points: (P,3) m, as they were.
        precision: (P,3,3) 1/m², that of the points now.
        expected: (P,3) m, predicted at constant velocity.
        elapsed_s: Time since then.
    """

    points: Floats
    precision: Floats
    expected: Floats
    elapsed_s: float

    @classmethod
    def after(
        cls, elapsed_s: float, points: Floats, covariance: Floats, velocity: Floats | float = 0.0
    ) -> "TemporalPrior":
        """Returns the prior after some time from points (P,3), covariance (P,3,3) m² and velocity (P,3) m/s."""
        precision = np.linalg.inv(covariance + (SPEED_SD_M_S * elapsed_s) ** 2 * EYE3)
        return cls(points, np.asarray(precision, np.float64), points + velocity * elapsed_s, elapsed_s)


@dataclass(frozen=True, slots=True)
class PoseFit:
    """The fit of one pose, as a `Computation` that returns `Fit`; attributes are the arguments of `fit_pose`."""

    rays: Rays
    cameras: Calibration
    length: Floats
    shape: Floats
    prior: TemporalPrior | None = None
    initial: Floats | None = None
    stage: ClassVar[int] = 2

    @property
    def kind(self) -> Hashable:
        """Fits in the same rig that begin in the same way."""
        return PoseFit, id(self.cameras), self.prior is None, self.initial is None

    def alone(self) -> Fit:
        """Returns the fit."""
        return fit_pose(self.rays, self.cameras, self.length, self.shape, self.prior, self.initial)

    @classmethod
    def together(cls, computations: Sequence["PoseFit"]) -> list[Fit]:
        """Returns several fits."""
        first = computations[0]
        rays = Rays(*(np.concatenate([getattr(fit.rays, name) for fit in computations]) for name in RAYS))
        shape = np.concatenate([fit.shape for fit in computations])
        priors = [fit.prior for fit in computations if fit.prior is not None]
        prior = _stacked(priors) if priors else None
        starts = [fit.initial for fit in computations if fit.initial is not None]
        same = all(fit.length is first.length for fit in computations)
        length = first.length if same else np.stack([fit.length for fit in computations])
        found = fit_pose(rays, first.cameras, length, shape, prior, np.concatenate(starts) if starts else None)
        return [Fit(*(getattr(found, name)[i : i + 1] for name in Fit.__slots__)) for i in range(len(shape))]


RAYS = ("ideal_xy", "sd", "weight")


def _stacked(priors: Sequence[TemporalPrior]) -> TemporalPrior:
    """Returns the priors of several poses, whose fit does not use how old they are."""
    points, precision, expected = (np.stack([getattr(one, name) for one in priors]) for name in PRIOR)
    return TemporalPrior(points, precision, expected, np.nan)


PRIOR = ("points", "precision", "expected")


def fit_pose(
    rays: Rays,
    cameras: Calibration,
    length: Floats,
    shape: Floats,
    prior: TemporalPrior | None = None,
    initial: Floats | None = None,
) -> Fit:
    """Returns poses by Gauss–Newton with iteratively reweighted detections.

    Args:
        rays: Detections.
        cameras: The rig.
        length: (L,) m, segment lengths of the person; (N,L) of several people.
        shape: (N,P,3) m, the lifted pose, rig axes, at any position.
        prior: From the previous time step; None = no prior.
        initial: (N,P,3) m, initial points; None = they are triangulated.

    Every pose converges by itself, so that it does not depend on those that it is fitted together with.
    """
    x = _initial_points(rays, cameras, shape, prior) if initial is None else initial
    relaxation = 1.0 if initial is None else INITIAL_POINTS_RELAXATION
    middle, weight = _median(x - shape), rays.by_point[2]
    robust_lift = (weight > 0).sum(-1) > 1  # (N,P) two views decide whether the lift of a joint is right
    information, vector = np.zeros((3, 3)), np.zeros(1)  # of the temporal prior
    if prior is not None:
        information, vector = prior.precision, (prior.precision @ prior.points[..., None])[..., 0]
    converged, last = np.zeros((len(x), 1, 1), bool), np.zeros(1)
    for _ in range(ITERATIONS):
        local, projected, residual, square = _residuals(rays, cameras, x)
        robust = weight * _inlier(local, square, relaxation)
        a, g = _detection_equations(local, projected, residual, robust, rays, cameras)
        middle = _robust_mean(x - shape, middle, robust.sum(-1))
        pull, precision = _lift_equations(shape + middle - x, robust_lift)
        gradient = vector + pull - (information @ x[..., None])[..., 0]
        a, g = _add_segments(a + information + precision, g + gradient, x, length)
        step = np.linalg.solve(a, g[..., None]).reshape(x.shape)
        if converged.any():
            step, a = np.where(converged, 0.0, step), np.where(converged, last, a)
        x, last = x + step, a
        if relaxation == 1.0:
            converged = converged | (np.abs(step).max((1, 2), keepdims=True) < MIN_STEP_M)
            if converged.all():
                break
        relaxation = 1.0
    local, _, _, square = _residuals(rays, cameras, x)
    covariance = np.ascontiguousarray(_diagonal_blocks(np.asarray(np.linalg.inv(a), np.float64)))
    return Fit(x, covariance, _inlier(local, square).swapaxes(1, 2), np.sqrt(square).swapaxes(1, 2))


def _initial_points(rays: Rays, cameras: Calibration, shape: Floats, prior: TemporalPrior | None) -> Floats:
    """Returns points (N,P,3) triangulated with the lifted pose as prior."""
    relaxation = INITIAL_RELAXATION if prior is None else TEMPORAL_RELAXATION
    x = shape + fit_translation(rays, cameras, shape, prior, relaxation)
    return triangulate(rays, cameras, x, LIFT_SD_M, INIT_ITERATIONS, relaxation).points


def reprojection_errors(rays: Rays, cameras: Calibration, points: Floats) -> Floats:
    """Returns (N,V,P) the reprojection errors of points (N,P,3) m, in standard deviations."""
    return np.sqrt(_residuals(rays, cameras, points)[3]).swapaxes(1, 2)


def _residuals(rays: Rays, cameras: Calibration, x: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Returns points in camera frames (N,P,V,3), projections (N,P,V,2), residuals in sd (N,P,V,2), their squares."""
    ideal_xy, sd, _ = rays.by_point
    local = to_camera_frames(cameras, x)
    projected = local[..., :2] / np.maximum(local[..., 2:], MIN_DEPTH_M)
    residual = (ideal_xy - projected) / sd[..., None]
    return local, projected, residual, length2(residual)


def _inlier(local: Floats, square: Floats, relaxation: float = 1.0) -> Floats:
    """Returns (N,P,V) robust weights; ``relaxation`` is a factor of the outlier threshold."""
    c2 = (OUTLIER_SD * relaxation) ** 2
    return np.asarray((local[..., 2] > MIN_DEPTH_M) * (c2 / (c2 + square)) ** 2)


def _detection_equations(
    local: Floats, projected: Floats, residual: Floats, weight: Floats, rays: Rays, cameras: Calibration
) -> tuple[Floats, Floats]:
    """Returns the normal equations (N,P,3,3), (N,P,3) of the detections, weighted (N,P,V)."""
    count, points, views = weight.shape
    scale = np.maximum(local[..., 2], MIN_DEPTH_M) * rays.by_point[1]
    rotation = cameras.rotation
    jacobian = (rotation[:, :2] - projected[..., None] * rotation[:, 2:]) / scale[..., None, None]
    rows = jacobian.reshape(count, points, 2 * views, 3)
    weighted = (jacobian * weight[..., None, None]).reshape(rows.shape).swapaxes(-1, -2)
    return weighted @ rows, (weighted @ residual.reshape(count, points, 2 * views, 1))[..., 0]


def _lift_equations(offset: Floats, robust_lift: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Returns pull (N,P,3) and precision (N,P,3,3) of the lift, from the offsets (N,P,3) m of its joints.

    Joints with ``robust_lift`` (N,P) have Cauchy weights.
    """
    square = robust_lift * length2(offset) * (LIFT_INFORMATION * LIFT_OUTLIER_SD**-2)
    weight = LIFT_INFORMATION / (1 + square)
    return weight[..., None] * offset, weight[..., None, None] * EYE3


def _add_segments(blocks: Floats, g: Floats, x: Floats, length: Floats) -> tuple[Floats, Floats]:
    """Returns joint normal equations (N,P·3,P·3), (N,P·3) of all points, from those of each point and the segments."""
    jacobian, residual, robust = segment_residuals(x, length)
    weighted = (jacobian * robust[..., None]).swapaxes(1, 2)
    a = weighted @ jacobian
    _diagonal_blocks(a)[...] += blocks
    return a, g.reshape(len(x), -1) + (weighted @ residual[..., None])[..., 0]


def _diagonal_blocks(a: Floats) -> Floats:
    """Returns the blocks (N,P,3,3) on the diagonal of matrices (N,P·3,P·3), a view of them."""
    count, size = a.shape[:2]
    return np.asarray(np.einsum("npipj->npij", a.reshape(count, size // 3, 3, size // 3, 3)))


def fit_translation(
    rays: Rays, cameras: Calibration, shape: Floats, prior: TemporalPrior | None, relaxation: float
) -> Floats:
    """Returns (N,1,3) the position of poses of known shape and size."""
    ideal_xy, sd, weight = rays.by_point
    rows = dlt_rows(ideal_xy, cameras)
    rows[..., 3] += (rows[..., :3] @ shape[:, :, None, :, None])[..., 0]
    rows = rows.reshape(len(shape), 1, -1, 2, 4)
    depth, robust = np.ones_like(weight), weight
    position = np.zeros((len(shape), 1, 3))
    if prior is not None:
        position = (prior.points - shape).mean(1, keepdims=True)
        depth, robust = _reweighted(rays, cameras, shape + position, relaxation)
    for k in range(ITERATIONS):
        w = robust / np.maximum(sd * depth, LIFT_SD_M) ** 2
        a, b = normal_equations(rows, w.reshape(len(w), 1, -1))
        damping = (1e-6 * np.trace(a, axis1=2, axis2=3) + 1e-9)[..., None]
        position = np.linalg.solve(a + damping[..., None] * EYE3, (b + damping * position)[..., None])[..., 0]
        depth, robust = _reweighted(rays, cameras, shape + position, max(1.0, relaxation * 0.5**k))
    return position


def _reweighted(rays: Rays, cameras: Calibration, points: Floats, relaxation: float) -> tuple[Floats, Floats]:
    """Returns depths (N,P,V) of points and the robust weights (N,P,V) of their rays."""
    ideal_xy, _, weight = rays.by_point
    local = to_camera_frames(cameras, points)
    depth = np.maximum(local[..., 2], MIN_DEPTH_M)
    square = length2(local[..., :2] - ideal_xy * depth[..., None]) / LIFT_SD_M**2  # at that depth
    robust = weight * (local[..., 2] > MIN_DEPTH_M) / (1 + square / (OUTLIER_SD * relaxation) ** 2) ** 2
    return depth, robust + 1e-6 * weight


def _robust_mean(offset: Floats, middle: Floats, weight: Floats) -> Floats:
    """Returns (N,1,3) the mean of offsets (N,P,3) with Cauchy weights about the previous one."""
    residual = offset - middle
    w = weight / (1 + (residual * residual).sum(-1) / LIFT_SD_M**2)
    total = w.sum(1)[:, None, None]
    return np.where(total > MIN_TOTAL_WEIGHT, (w[:, None] @ offset) / np.maximum(total, MIN_TOTAL_WEIGHT), middle)


def _median(offset: Floats) -> Floats:
    """Returns (N,1,3) the median of offsets (N,P,3)."""
    ordered, last = np.sort(offset, axis=1), offset.shape[1] - 1
    return np.asarray(0.5 * (ordered[:, last // 2, None] + ordered[:, (last + 1) // 2, None]))
