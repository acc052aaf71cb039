"""Self-calibration of the rig: keyframes in; cameras, segment lengths and their standard deviations out.

Bundle adjustment runs from several initial states on some of the keyframes; the best one is refined on the training
set, and the validation set measures its reprojection error.

Axes: N keyframes, V views, P points, H people.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.chirality import chirality
from pose_rig.config import ASSUMED_HEIGHT_M
from pose_rig.fusion.calibration.bundle.adjustment import adjust
from pose_rig.fusion.calibration.bundle.covariance import camera_covariance
from pose_rig.fusion.calibration.bundle.direction_bias import B
from pose_rig.fusion.calibration.bundle.lens_family import from_opencv, to_opencv
from pose_rig.fusion.calibration.bundle.priors import Priors
from pose_rig.fusion.calibration.bundle.reprojection import Tracks, residuals
from pose_rig.fusion.calibration.bundle.segments import body_height, joints_from_points, segment_lengths
from pose_rig.fusion.calibration.bundle.state import FOCAL, BundleState, C
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.initialise import (
    USED_WEIGHT,
    build_tracks,
    from_lifted_poses,
    from_two_view_geometry,
    with_points,
    with_sizes,
)
from pose_rig.fusion.calibration.keyframes import Keyframe, people_of
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.same_model import MIN_BAYES_FACTOR, STRICT_BAYES_FACTOR, are_tied, same_model
from pose_rig.fusion.calibration.solve_priors import LOG_FOCAL_SCALE_SD, priors_of
from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.geometry import nearest_rotation

MIN_KEYFRAMES = 12  # with the person in two views
INIT_KEYFRAMES = 40  # on which initial states are compared
INIT_ITERATIONS = 8
MIN_TIE_KEYFRAMES = 48  # in the training set, that a refused tie is tried; rigs tied too early lost cameras
RELAXED_SD_FACTOR, RELAXED_ITERATIONS = 3.0, 6
INIT_LOG_FOCAL_SCALES = (-0.4, 0.0)  # wider ones, or with distortion, never lead to a better solution
VALIDATION_STRIDE = 5  # every fifth keyframe is in the validation set
MAX_ERROR_SD = 2.0  # median reprojection error, in standard deviations of an inlier (1.2 if the noise is as assumed)
MAX_ROTATION_SD = np.radians(1.7)  # of a camera that was not placed by resection alone (`solved_rig`)
MIRROR_AMBIGUITY = "the pose cannot be distinguished from its mirror image yet: bend your arms and knees"
TOO_FEW_KEYFRAMES = "two cameras rarely had the person in view together: stand where several show all of you"


def self_solve(task: SolveTask) -> RigSolution | str:
    """Returns the rig of minimal reprojection error, or why there is none and what would help."""
    views = np.flatnonzero(task.known)
    keyframes = [k for k in task.keyframes if (k.weight[views] > 0).sum() > 1]
    if len(keyframes) < MIN_KEYFRAMES or len(views) < 2:
        return TOO_FEW_KEYFRAMES
    tracks, pelvis = build_tracks(keyframes, task.intrinsics, views)
    heights_m = _heights_m(task, keyframes, views, tracks)
    priors = priors_of(task, views, heights_m)
    validated = tracks.number % VALIDATION_STRIDE == VALIDATION_STRIDE - 1
    training, validation = tracks.at(np.flatnonzero(~validated)), tracks.at(np.flatnonzero(validated))
    best = accurate = _accurate_current(task, views, heights_m, validation)
    if best is None:
        few = training.at(np.flatnonzero(training.number % max(1, len(training.weight) // INIT_KEYFRAMES) == 0))
        states = _initial_states(task, keyframes, few, pelvis, views, heights_m)
        initial = [_relaxed(state, few, priors) for state in states]
        best = best_state(initial, few, priors)
    if best is None:
        return MIRROR_AMBIGUITY
    priors = priors_of(task, views, heights_m, best)
    start = replace(with_points(best, training), bias=np.zeros(B))
    if accurate is not None:
        start = with_sizes(start, training)
    state, covariance = _adjusted_with_ties(start, training, priors, _equal_images(task, views))
    return _solved(state, covariance, training, validation, task, views, people_of(keyframes))


def _heights_m(
    task: SolveTask, keyframes: Sequence[Keyframe], views: NDArray[np.int64], tracks: Tracks
) -> tuple[float | None, ...]:
    """Returns (H) the body heights of the people in the keyframes, None where it is unknown; at least one is known.

    Where none is, that of the first is as in the current rig, or else the assumed one.
    """
    known = tuple(task.known_height_m(person) for person in people_of(keyframes))
    if any(height_m is not None for height_m in known):
        return known
    current = current_state(task, views)
    if current is None:
        return ASSUMED_HEIGHT_M, *known[1:]
    return body_height(segment_lengths(with_points(current, tracks).points[tracks.of(0)])), *known[1:]


def _initial_states(
    task: SolveTask,
    keyframes: Sequence[Keyframe],
    tracks: Tracks,
    pelvis: Floats,
    views: NDArray[np.int64],
    heights_m: Sequence[float | None],
) -> Iterator[BundleState]:
    """Yields the current rig alone, or states from the lifted poses and from two-view geometry."""
    current = current_state(task, views, heights_m)
    if current is not None:
        yield current
        return
    assumed_m = [height_m or ASSUMED_HEIGHT_M for height_m in heights_m]
    yield from_lifted_poses(keyframes, pelvis, views, task.camera_from_rig[views], *assumed_m)
    for log_focal_scale in INIT_LOG_FOCAL_SCALES:
        scales = np.where(task.focal_given[views], 0.0, log_focal_scale)
        state = from_two_view_geometry(tracks, scales, *assumed_m)
        if state is not None:
            yield state


def best_state(initial: Sequence[BundleState], tracks: Tracks, priors: Priors) -> BundleState | None:
    """Returns the state of lowest cost after a few iterations, None if it is mirrored. One alone is not adjusted.

    Where two cameras see a person from opposite sides and left and right are exchanged in one image, mirrored people
    have the lowest cost; the best human ones have cameras that are wrong by up to 130°.
    """
    adjusted = [(initial[0], 0.0)]
    if len(initial) > 1:
        adjusted = [adjust(state, tracks, priors, INIT_ITERATIONS) for state in initial]
    best, _ = min(adjusted, key=lambda pair: pair[1])
    return best if chirality(joints_from_points(best.points)) > 0 else None


def _relaxed(state: BundleState, tracks: Tracks, priors: Priors) -> BundleState:
    """Returns a state adjusted under a wider loss, in which large errors are not outliers yet."""
    relaxed = replace(tracks, sd=RELAXED_SD_FACTOR * tracks.sd)
    return adjust(with_sizes(with_points(state, relaxed), relaxed), relaxed, priors, RELAXED_ITERATIONS)[0]


def _equal_images(task: SolveTask, views: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Returns (V,V) cameras that may be of one model: equal image size, focal lengths not given."""
    size, free = task.intrinsics.size_px[views], ~task.focal_given[views]
    return np.asarray((size[:, None] == size[None]).all(-1) & free[:, None] & free[None])


def _adjusted_with_ties(
    start: BundleState, tracks: Tracks, priors: Priors, candidates: NDArray[np.bool_]
) -> tuple[BundleState, Floats]:
    """Returns the adjusted state, with the cameras tied that are found to be of one model, and its covariance.

    Free focal lengths have local minima that equal ones have not: where the free solution refuses a tie, the tied one
    is adjusted too, from the same initial state, and released. A few keyframes alone would not show the difference.
    """
    possible = candidates & ~np.eye(len(candidates), dtype=bool)
    state, cost = adjust(start, tracks, priors)
    covariance = camera_covariance(state, tracks, priors)
    focal = np.arange(len(candidates)) * C + FOCAL
    refused_are_tried = len(tracks.weight) >= MIN_TIE_KEYFRAMES
    factor = STRICT_BAYES_FACTOR if refused_are_tried else MIN_BAYES_FACTOR
    tied = same_model(state.log_focal_scale, covariance[np.ix_(focal, focal)], LOG_FOCAL_SCALE_SD, candidates, factor)
    if refused_are_tried and (tied != possible).any():
        together = replace(priors, same_model=possible)
        tied_state, tied_cost = adjust(start, tracks, together)
        released, released_cost = adjust(tied_state, tracks, priors)
        without_ties = camera_covariance(tied_state, tracks, priors)
        if are_tied(tied_cost - min(cost, released_cost), without_ties, priors, candidates):
            if len(start.length) > 1:
                return _adjusted_tied(tied_state, tracks, together)
            return tied_state, camera_covariance(tied_state, tracks, together)
        if released_cost < cost:
            state, covariance = released, camera_covariance(released, tracks, priors)
    return _adjusted_tied(state, tracks, replace(priors, same_model=tied)) if tied.any() else (state, covariance)


def _adjusted_tied(state: BundleState, tracks: Tracks, priors: Priors) -> tuple[BundleState, Floats]:
    """Returns the state adjusted with the cameras tied that are of one model, and its covariance."""
    if len(state.length) > 1:
        priors = priors.of_models()
    state, _ = adjust(state, tracks, priors)
    return state, camera_covariance(state, tracks, priors)


def _solved(
    state: BundleState,
    covariance: Floats,
    training: Tracks,
    validation: Tracks,
    task: SolveTask,
    views: NDArray[np.int64],
    people: Sequence[int],
) -> RigSolution:
    """Returns the rig in the frame of the current rig, or of the averaged rotations."""
    current = current_state(task, views)
    new_from_state = nearest_rotation((state.rotation.swapaxes(-1, -2) @ task.camera_from_rig[views]).sum(0)).T
    shift, scale = np.zeros(3), 1.0
    if current is not None:  # position and size of the poses, as unmoved cameras see them, are kept
        unmoved = ~np.isin(views, task.placed)
        if unmoved.sum() < 2:
            unmoved[:] = True
        new_from_state = nearest_rotation((state.rotation.swapaxes(-1, -2) @ current.rotation)[unmoved].sum(0)).T
        seen = replace(training, weight=training.weight * unmoved[:, None])
        points = with_points(current, seen).points
        new_points = state.points if unmoved.all() else with_points(state, seen).points
        size = [np.linalg.norm(p - p.mean(1, keepdims=True), axis=(1, 2)) for p in (points, new_points)]
        scale = float(np.median(size[0] / np.maximum(size[1], 1e-9)))
        shift = np.median((points - scale * new_points @ new_from_state.T).reshape(-1, 3), axis=0)
    sd = np.sqrt(np.maximum(np.diag(covariance), 0.0)).reshape(len(views), C)
    count, intrinsics = len(task.known), task.intrinsics

    def all_views(values: Floats, otherwise: Floats | float) -> Floats:
        out = np.broadcast_to(np.asarray(otherwise, float), (count, *values.shape[1:])).copy()
        out[views] = values
        return out

    calibration = Calibration(
        rotation=all_views(state.rotation, np.eye(3)),
        translation=all_views(state.translation, 0.0),
        intrinsics=to_opencv(
            intrinsics, intrinsics.focal_px * all_views(np.exp(state.log_focal_scale), 1.0), all_views(state.k1, 0.0)
        ),
        known=task.known.copy(),
        rotation_sd=all_views(np.linalg.norm(sd[:, :3], axis=1), np.inf),
        translation_sd=all_views(np.linalg.norm(sd[:, 3:6], axis=1), np.inf),
        focal_sd=all_views(sd[:, 6], np.inf),
    ).transformed(new_from_state, -new_from_state.T @ shift / scale, scale)
    joints = joints_from_points(scale * state.points @ new_from_state.T + shift)
    error, current_error = _error_sd(state, validation), np.inf if current is None else _error_sd(current, validation)
    return RigSolution(
        calibration,
        scale * state.length[0],
        joints,
        error,
        chirality(joints),
        current_error,
        person=people[0],
        others_bone_length_m={person: scale * own for person, own in zip(people[1:], state.length[1:], strict=True)},
        pose_person=None if training.person is None else np.array(people)[training.person],
    )


def current_state(
    task: SolveTask, views: NDArray[np.int64], heights_m: Sequence[float | None] = (None,)
) -> BundleState | None:
    """Returns the current rig with average people (H), None if there is none or it lacks one of the views."""
    calibration = task.current
    if calibration is None or not calibration.known[views].all():
        return None
    rotation, translation = calibration.rotation[views], calibration.translation[views]
    log_focal_scale, k1 = from_opencv(calibration.intrinsics.at(views), task.intrinsics.at(views))
    assumed_m = [height_m or ASSUMED_HEIGHT_M for height_m in heights_m]
    return BundleState.from_cameras(rotation, translation, log_focal_scale, k1, *assumed_m)


def _accurate_current(
    task: SolveTask, views: NDArray[np.int64], heights_m: Sequence[float | None], validation: Tracks
) -> BundleState | None:
    """Returns the current rig if it can be adjusted directly: accurate, and no camera has moved since."""
    current = current_state(task, views, heights_m)
    if current is None or task.current is None or task.current.rotation_sd[views].max() > MAX_ROTATION_SD:
        return None
    return current if _error_sd(current, validation) < MAX_ERROR_SD else None


def _error_sd(cameras: BundleState, validation: Tracks) -> float:
    """Returns the median reprojection error of triangulated points, in standard deviations of an inlier."""
    *_, square = residuals(with_points(cameras, validation), validation)
    used = validation.weight > USED_WEIGHT
    return float(np.sqrt(np.median(square[used]))) if used.any() else float("inf")
