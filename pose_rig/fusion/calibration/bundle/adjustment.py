"""Robust bundle adjustment of cameras and moving people.

Parameters are the cameras, the pose in every keyframe, and the lengths of every person's body segments; measurements
are 2D keypoints. Segments keep their lengths over time and are alike on both sides. That and anthropometric priors
constrain what the images alone determine weakly: focal length, scale, the angle between two cameras.

Levenberg–Marquardt on cameras and lengths; the poses are eliminated (Schur complement), one block per keyframe.

Axes: N keyframes, V views, P points, H people, L lengths, C parameters per camera, B coefficients of the direction
bias. Globals: V·C camera parameters, H·L lengths, then the bias if it is estimated.
"""

import numpy as np

from pose_rig.fusion.calibration.bundle.normal_equations import NormalEquations, schur_complement
from pose_rig.fusion.calibration.bundle.priors import Priors, add_priors, prior_cost
from pose_rig.fusion.calibration.bundle.reprojection import (
    FRAMES_PER_INDEPENDENT,
    Tracks,
    add_detections,
    reprojection_cost,
)
from pose_rig.fusion.calibration.bundle.segments import JACOBIAN_BY_LENGTH, L, segment_cost, segment_residuals
from pose_rig.fusion.calibration.bundle.state import BundleState, C

MAX_ITERATIONS = 20
MIN_RELATIVE_DECREASE = 3e-4  # of the cost
GAUGE_WEIGHT = 1e8  # holds the pose of the gauge view
# of a step that would raise the cost; to solve with more damping takes several times longer
STEP_SHARES = (1.0, 0.5, 0.25)
DAMPING_DECREASE, DAMPING_INCREASE = 5.0, 30.0


def robust_cost(state: BundleState, tracks: Tracks, priors: Priors) -> float:
    """Returns half the sum of squared residuals in sd, detections and segments under the Geman–McClure loss."""
    errors = reprojection_cost(state, tracks) + segment_cost(state.points, tracks.lengths(state.length))
    return 0.5 * (errors / FRAMES_PER_INDEPENDENT + prior_cost(state, priors))


def linearise(state: BundleState, tracks: Tracks, priors: Priors) -> NormalEquations:
    """Returns the normal equations at a state, iteratively reweighted."""
    count, views, points = tracks.weight.shape
    size = views * C + state.length.size + len(state.bias)
    system = NormalEquations(
        hessian_global=np.zeros((size, size)),
        gradient_global=np.zeros(size),
        hessian_cross=np.zeros((count, points * 3, size)),
        hessian_points=np.zeros((count, points * 3, points * 3)),
        gradient_points=np.zeros((count, points * 3)),
    )
    add_detections(system, state, tracks)
    _add_segments(system, state, tracks, views * C)
    add_priors(system, state, priors)
    return system


def _add_segments(system: NormalEquations, state: BundleState, tracks: Tracks, first: int) -> None:
    jacobian, residual, weight = segment_residuals(state.points, tracks.lengths(state.length))
    weight = weight / FRAMES_PER_INDEPENDENT
    transposed = (jacobian * weight[..., None]).swapaxes(1, 2)
    system.hessian_points += transposed @ jacobian
    system.gradient_points += (transposed @ residual[..., None])[..., 0]
    for person in range(len(state.length)):
        of, at = tracks.of(person), slice(first + person * L, first + person * L + L)
        system.hessian_cross[of, :, at] += transposed[of] @ JACOBIAN_BY_LENGTH
        system.hessian_global[at, at] += (JACOBIAN_BY_LENGTH.T * weight[of].sum(0)) @ JACOBIAN_BY_LENGTH
        system.gradient_global[at] += (weight[of] * residual[of]).sum(0) @ JACOBIAN_BY_LENGTH


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
        points = (solved[..., -1] - solved[..., :-1] @ step).reshape(state.points.shape)
        for share in STEP_SHARES:
            cameras, length, bias = np.split(share * step, [views * C, views * C + state.length.size])
            length = length.reshape(state.length.shape)
            trial = state.updated(cameras.reshape(views, C), length, share * points, bias)
            trial_cost = robust_cost(trial, tracks, priors)
            if trial_cost < cost:
                break
        if trial_cost < cost:
            decrease = (cost - trial_cost) / cost
            state, cost = trial, trial_cost
            if decrease < MIN_RELATIVE_DECREASE:
                break
            damping = max(damping / DAMPING_DECREASE, 1e-7) if share == 1.0 else damping
            system = None
        else:
            damping *= DAMPING_INCREASE
            if damping > 1e4:
                break
    return state, cost
