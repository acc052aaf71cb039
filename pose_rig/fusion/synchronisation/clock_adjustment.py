"""Offsets between the clocks of cameras, fine: as unknowns of the bundle adjustment.

Keypoints move with their measured velocity when the clock of their camera is changed, which is one more column per
camera in the normal equations. Each round adjusts the cameras to the keypoints at the offsets so far, then takes the
Gauss–Newton step of the offsets in which cameras, poses and segment lengths are free: with the cameras held, the
offsets would hardly move, for the cameras have absorbed them.

Axes: N keyframes, V views, P points (`segments.POINTS`), C parameters per camera, J = 17 joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.adjustment import GAUGE_WEIGHT, adjust, linearise
from pose_rig.fusion.calibration.bundle.normal_equations import NormalEquations, schur_complement
from pose_rig.fusion.calibration.bundle.priors import Priors
from pose_rig.fusion.calibration.bundle.reprojection import Tracks, jacobians, residuals, robust_weight
from pose_rig.fusion.calibration.bundle.segments import POINTS
from pose_rig.fusion.calibration.bundle.state import BundleState, C
from pose_rig.fusion.calibration.initialise import build_tracks, with_points
from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.calibration.self_solve import MIN_KEYFRAMES, SolveTask, current_state, priors_of
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.skeleton import MIRROR, J

WINDOW_NS, WINDOW_PERIODS = 45_000_000, 1.1  # of the fit of a trajectory, to each side; the larger one counts
MAX_PERSON_DISTANCE = 0.25  # person sizes, of a detection from the keyframe's: others are other people
ROUNDS = 12
CONVERGED_S = 0.0005
OFFSET_PRIOR_SD_S = 0.2  # about the offset so far
SYSTEMATIC_SD_S = 0.004  # detectors shift joints by the direction of view, which moves like an offset
MAX_OFFSET_SD_S = 0.02
MIN_EXPLAINED = 0.2  # of the squared velocities in a view, by those in the others; standing 0.1, moving 0.3 and more


@dataclass(frozen=True, slots=True)
class ClockOffsets:
    """Offsets of clocks.

    Attributes:
        offset_s: (V,) rig time minus camera time.
        sd_s: (V,) standard deviation; 0 for the first of the views, NaN where the offset is not observable.
        explained: (V,) share of the squared velocities of keypoints that the other views explain.
    """

    offset_s: Floats
    sd_s: Floats
    explained: Floats


def adjust_clocks(task: SolveTask, tracks: Sequence[CameraTrack], offset_s: Floats) -> ClockOffsets | None:
    """Returns the offsets of minimal reprojection error.

    Args:
        task: Of the rig, solved with the offsets so far.
        tracks: (V) what each camera detected.
        offset_s: (V,) the offsets so far.

    Returns:
        None if the rig is not solved, or too few of its keyframes are in the tracks.
    """
    views = np.flatnonzero(task.known)
    state = current_state(task, views) if len(views) > 1 else None
    if state is None:
        return None
    offset, priors = offset_s.copy(), priors_of(task, views)
    for _ in range(ROUNDS):
        keyframes, velocity_px = resampled(task.keyframes, tracks, offset_s, offset)
        used = np.array([(k.weight[views] > 0).sum() > 1 for k in keyframes])
        keyframes = [k for k, usable in zip(keyframes, used, strict=True) if usable]
        if len(keyframes) < MIN_KEYFRAMES:
            return None
        points, _ = build_tracks(keyframes, task.intrinsics, views)
        velocity = velocity_px[used][:, views][:, :, list(POINTS)] / task.intrinsics.focal_px[views][:, None, None]
        state, _ = adjust(with_points(state, points), points, priors)
        step, sd = _step(state, points, velocity, priors)
        offset[views] += step
        if np.abs(step).max() < CONVERGED_S:
            break
    explained, all_sd = np.zeros(len(task.known)), np.full(len(task.known), np.nan)
    explained[views] = _explained(state, points, velocity)
    all_sd[views] = np.where(np.arange(len(views)) == 0, 0.0, np.hypot(sd, SYSTEMATIC_SD_S))
    observable = (explained >= MIN_EXPLAINED) & (all_sd <= MAX_OFFSET_SD_S)
    observable[views[0]] = observable.any()
    return ClockOffsets(np.where(observable, offset, offset_s), np.where(observable, all_sd, np.nan), explained)


def resampled(
    keyframes: Sequence[Keyframe], tracks: Sequence[CameraTrack], before_s: Floats, offset_s: Floats
) -> tuple[list[Keyframe], Floats]:
    """Returns the keyframes with the keypoints at other clock offsets, and the velocities (N,V,J,2) px/s.

    Args:
        keyframes: Made with the offsets ``before_s`` (V,).
        tracks: (V) what each camera detected.
        before_s: (V,) see above.
        offset_s: (V,) the new offsets.
    """
    velocity = np.zeros((len(keyframes), len(tracks), J, 2))
    out: list[Keyframe] = []
    for n, keyframe in enumerate(keyframes):
        xy_px, weight = keyframe.xy_px.copy(), keyframe.weight.copy()
        for view, track in enumerate(tracks):
            if weight[view] > 0:
                time = (keyframe.t_ns - offset_s[view] * 1e9, keyframe.t_ns - before_s[view] * 1e9)
                found = _trajectory(track, *time, keyframe.xy_px[view], keyframe.score[view] > 0)
                if found is None:
                    weight[view] = 0.0
                else:
                    xy_px[view], velocity[n, view] = found
        out.append(replace(keyframe, xy_px=xy_px, weight=weight))
    return out, velocity


def _trajectory(
    track: CameraTrack, t_ns: float, before_ns: float, reference_px: Floats, visible: NDArray[np.bool_]
) -> tuple[Floats, Floats] | None:
    """Returns positions and velocities (J,2) of a person at a time, by a local parabola; None without detections.

    Args:
        track: Of the camera.
        t_ns: The time, clock of the camera.
        before_ns: The time of ``reference_px``.
        reference_px: (J,2) the person.
        visible: (J,) which joints of the person are known.
    """
    window_ns = max(WINDOW_NS, WINDOW_PERIODS * track.period_ns)
    start = _follow(track, before_ns, window_ns, reference_px, visible)
    if start is None:
        return None
    near = np.arange(*track.near(t_ns, window_ns).indices(len(track.t_ns)))
    times, chosen = [], []
    for time in np.unique(track.t_ns[near]):
        people = near[track.t_ns[near] == time]
        found = _same_person(track, people, start, visible)
        if found is not None:
            times.append((int(time) - t_ns) * 1e-9)
            chosen.append(found)
    if len(times) < 2 or min(times) > 0 or max(times) < 0:
        return None
    basis = np.vander(np.array(times), min(len(times), 3), increasing=True)
    fit = np.linalg.pinv(basis) @ np.stack(chosen).reshape(len(times), -1)
    return fit[0].reshape(J, 2), fit[1].reshape(J, 2)


def _follow(
    track: CameraTrack, t_ns: float, window_ns: float, reference_px: Floats, visible: NDArray[np.bool_]
) -> Floats | None:
    people = np.arange(*track.near(t_ns, window_ns).indices(len(track.t_ns)))
    return _same_person(track, people, reference_px, visible) if len(people) else None


def _same_person(
    track: CameraTrack, people: NDArray[np.int64], reference_px: Floats, visible: NDArray[np.bool_]
) -> Floats | None:
    """Returns the joints (J,2) of the detection nearest to a reference, with its sides; None if none is near."""
    candidates = np.concatenate([track.xy_px[people], track.xy_px[people][:, list(MIRROR)]])
    both = np.concatenate([track.score[people] > 0, track.score[people][:, list(MIRROR)] > 0]) & visible
    size = max(float(np.ptp(reference_px[visible], axis=0).max()), 1.0)
    distance = np.where(both, np.linalg.norm(candidates - reference_px, axis=-1), 0.0).sum(1) / both.sum(1).clip(1)
    distance = np.where(both.sum(1) >= visible.sum(), distance, np.inf) / size
    best = int(np.argmin(distance))
    return candidates[best] if distance[best] < MAX_PERSON_DISTANCE else None


def _step(state: BundleState, tracks: Tracks, velocity: Floats, priors: Priors) -> tuple[Floats, Floats]:
    """Returns the step of the offsets (V,) s and their standard deviations, everything else being free."""
    views = len(state.log_focal_scale)
    system = _with_offsets(linearise(state, tracks, priors), state, tracks, velocity)
    reduced, gradient, _ = schur_complement(system, 0.0)
    fixed = np.arange(6) + priors.gauge_view * C
    reduced[fixed, fixed] += GAUGE_WEIGHT
    first = len(reduced) - views
    reduced[first, first] += GAUGE_WEIGHT  # the first camera has the rig's clock
    covariance = np.linalg.inv(0.5 * (reduced + reduced.T))
    step = (covariance @ gradient)[first:]
    step[0] = 0.0
    return step, np.sqrt(np.maximum(np.diag(covariance)[first:], 0.0))


def _with_offsets(system: NormalEquations, state: BundleState, tracks: Tracks, velocity: Floats) -> NormalEquations:
    """Returns the normal equations with one more global per view: the offset of its clock, in s.

    A larger offset takes the keypoints from an earlier time, as if their projections were moved by the velocity.
    """
    count, views, points = tracks.weight.shape
    local, projected, residual, square = residuals(state, tracks)
    weight = robust_weight(tracks, local, square)[..., None]
    by_point, by_camera = jacobians(state, tracks, local, projected)
    by_offset = velocity / tracks.sd[..., None]
    weighted = weight * by_offset
    size = len(system.hessian_global)
    hessian, gradient = np.zeros((size + views, size + views)), np.zeros(size + views)
    hessian[:size, :size], gradient[:size] = system.hessian_global, system.gradient_global
    cross = np.einsum("nvpi,nvpij->npjv", weighted, by_point).reshape(count, points * 3, views)
    for v in range(views):
        at = size + v
        hessian[at, at] = (weighted[:, v] * by_offset[:, v]).sum() + OFFSET_PRIOR_SD_S**-2
        hessian[at, v * C : v * C + C] = np.einsum("npi,npic->c", weighted[:, v], by_camera[:, v])
        hessian[v * C : v * C + C, at] = hessian[at, v * C : v * C + C]
        gradient[at] = (weighted[:, v] * residual[:, v]).sum()
    return NormalEquations(
        hessian, gradient, np.concatenate([system.hessian_cross, cross], -1), system.hessian_points,
        system.gradient_points,
    )  # fmt: skip


def _explained(state: BundleState, tracks: Tracks, velocity: Floats) -> Floats:
    """Returns (V,) the share of a view's squared velocities that follows from the velocities in the other views."""
    local, projected, _, square = residuals(state, tracks)
    weight = robust_weight(tracks, local, square)
    by_point, _ = jacobians(state, tracks, local, projected)
    rate = velocity / tracks.sd[..., None]
    matrix = np.einsum("nvp,nvpij,nvpik->nvpjk", weight, by_point, by_point)
    right = np.einsum("nvp,nvpij,nvpi->nvpj", weight, by_point, rate)
    others = matrix.sum(1, keepdims=True) - matrix
    ridge = 1e-3 * np.trace(others, axis1=-2, axis2=-1)[..., None, None] * np.eye(3) + 1e-9 * np.eye(3)
    speed = np.linalg.solve(others + ridge, (right.sum(1, keepdims=True) - right)[..., None])[..., 0]
    predicted = np.einsum("nvpij,nvpj->nvpi", by_point, speed)
    measured = (weight[..., None] * rate**2).sum((0, 2, 3))
    return np.asarray((weight[..., None] * rate * predicted).sum((0, 2, 3)) / np.maximum(measured, 1e-12))
