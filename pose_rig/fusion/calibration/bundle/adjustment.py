"""Robust bundle adjustment of cameras and moving people.

Parameters are the cameras, the pose in every keyframe, and the lengths of every person's body segments; measurements
are 2D keypoints. Segments keep their lengths over time and are alike on both sides. That and anthropometric priors
constrain what the images alone determine weakly: focal length, scale, the angle between two cameras.

Levenberg–Marquardt on cameras and lengths; the poses are eliminated (Schur complement), one block per keyframe.

Axes: N keyframes, V views, P points, H people, L lengths, C parameters per camera, B coefficients of the direction
bias. Globals: V·C camera parameters, H·L lengths, then the bias if it is estimated.
"""

from dataclasses import dataclass, replace

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.normal_equations import NormalEquations, schur_complement
from pose_rig.fusion.calibration.bundle.priors import Priors, add_priors, prior_cost
from pose_rig.fusion.calibration.bundle.reprojection import (
    FRAMES_PER_INDEPENDENT,
    Tracks,
    add_detections,
    detection_costs,
    reprojection_cost,
)
from pose_rig.fusion.calibration.bundle.segments import (
    JACOBIAN_BY_LENGTH,
    L,
    segment_cost,
    segment_costs,
    segment_residuals,
)
from pose_rig.fusion.calibration.bundle.state import BundleState, C

GAUGE_WEIGHT = 1e8  # holds the pose of the gauge view
DAMPING_DECREASE = 5.0


@dataclass(frozen=True, slots=True)
class Descent:
    """How steps are taken.

    Attributes:
        max_iterations: Unless another number is given.
        min_decrease: Of the cost, less than which ends the adjustment.
        min_relative_decrease: The same, as a share of the cost.
        shares: Of a step that would raise the cost: it is shortened to them in turn. To solve with more damping instead
            takes several times longer.
        keyframe_shares: Of the points of a keyframe, of which each takes the best: one that overshoots does not shorten
            the step of all.
        damping: In the beginning; with more than that, `min_decrease` does not end it.
        damping_increase: Where the whole step is refused.
        min_damping: After many steps. The focal lengths of all cameras together change what is seen so little that
            damping holds them.
    """

    max_iterations: int
    min_decrease: float
    min_relative_decrease: float
    shares: tuple[float, ...]
    keyframe_shares: tuple[float, ...]
    damping: float
    damping_increase: float
    min_damping: float

    def is_finished(self, decrease: float, cost: float, damping: float) -> bool:
        """Whether a step that has decreased the cost from ``cost`` is the last one."""
        return decrease / cost < self.min_relative_decrease or (
            decrease < self.min_decrease and damping <= self.damping
        )


ONE_PERSON = Descent(20, 0.0, 3e-4, (1.0, 0.5, 0.25), (1.0,), 1e-3, 30.0, 1e-7)
# Fewer views show each of several people, and their points overshoot: ended as early as that of one person, adjustments
# stopped 3 to 10 above the minimum, which is more than what decides whether cameras are of one model.
SEVERAL_PEOPLE = Descent(30, 0.02, 0.0, (1.0, 0.5, 0.25, 0.1), (1.0, 0.5, 0.25, 0.0), 1e-4, 5.0, 1e-9)


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
    state: BundleState, tracks: Tracks, priors: Priors, max_iterations: int | None = None
) -> tuple[BundleState, float]:
    """Returns the state of minimal robust cost near an initial one (Levenberg–Marquardt), and its cost."""
    descent = ONE_PERSON if len(state.length) == 1 else SEVERAL_PEOPLE
    damping, cost = descent.damping, robust_cost(state, tracks, priors)
    fixed = np.arange(6) + priors.gauge_view * C
    system: NormalEquations | None = None
    for _ in range(descent.max_iterations if max_iterations is None else max_iterations):
        system = system or linearise(state, tracks, priors)
        reduced, gradient, solved = schur_complement(system, damping)
        reduced[fixed, fixed] += GAUGE_WEIGHT
        step = np.asarray(np.linalg.solve(reduced, gradient), np.float64)
        points = (solved[..., -1] - solved[..., :-1] @ step).reshape(state.points.shape)
        for share in descent.shares:
            trial = _stepped(state, tracks, share * step, share * points, descent.keyframe_shares)
            trial_cost = robust_cost(trial, tracks, priors)
            if trial_cost < cost:
                break
        if trial_cost < cost:
            finished = descent.is_finished(cost - trial_cost, cost, damping)
            state, cost = trial, trial_cost
            if finished:
                break
            damping = max(damping / DAMPING_DECREASE, descent.min_damping) if share == 1.0 else damping
            system = None
        else:
            damping *= descent.damping_increase
            if damping > 1e4:
                break
    return state, cost


def _stepped(
    state: BundleState, tracks: Tracks, step: Floats, points: Floats, keyframe_shares: tuple[float, ...]
) -> BundleState:
    """Returns the state after a step of globals and points (N,P,3), of which each keyframe takes the best share."""
    views = len(state.log_focal_scale)
    cameras, length, bias = np.split(step, [views * C, views * C + state.length.size])
    length = length.reshape(state.length.shape)
    trials = [state.updated(cameras.reshape(views, C), length, share * points, bias) for share in keyframe_shares]
    if len(trials) == 1:
        return trials[0]
    costs = [detection_costs(one, tracks).sum((1, 2)) for one in trials]
    costs = [
        cost + segment_costs(one.points, tracks.lengths(one.length)).sum(1)
        for cost, one in zip(costs, trials, strict=True)
    ]
    best = np.argmin(costs, axis=0)
    return replace(trials[0], points=np.stack([one.points for one in trials])[best, np.arange(len(best))])
