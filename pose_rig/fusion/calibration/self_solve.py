"""The rig solves itself: remembered instants in, cameras and the person's bones out, with how sure they are.

Several starts are tried on some of the instants; the best goes on with all but those held back, which then judge.

Axes: N instants, V views, P points.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.chirality import chirality
from pose_rig.fusion.calibration.bundle import POINTS, C, Priors, State, Tracks, adjust, covariance, residuals
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.initialise import from_lifts, from_pictures, on, tracks_of
from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.calibration.rotation_averaging import AssumedIntrinsics
from pose_rig.geometry import nearest_rotation
from pose_rig.skeleton import INDEX, J

FEWEST = 12  # instants that two views saw
SCOUTS = 40  # instants on which starts are compared
SOFT, SOFT_ROUNDS = 3.0, 6
SCOUT_ROUNDS = 8
USUAL_FOCAL = 0.75  # webcams, phones and action cameras: 0.55 … 1.1 of the larger image side
ZOOM_SD = 0.3
GIVEN_SD = 0.02  # of a focal length that the user gave
START_ZOOMS = (-0.4, 0.0)
HOLD_BACK = 5  # every fifth instant judges
FITS = 2.0  # median error of detections, in standard deviations of a good detector (1.2 if all is as assumed)
SURE = np.radians(1.0)  # of a camera that has not been placed by a few poses (`solved_rig`)
MIRRORED = "it cannot be told from its mirror image yet: bend your arms and knees"
SAME = 2.0  # standard deviations within which cameras of one image size are taken to have one intrinsics, if these
SURE_OF_SAME = 0.1  # are no larger than this share of the focal length


@dataclass(frozen=True, slots=True)
class SolveTask:
    """What is to be solved.

    Attributes:
        instants: What is remembered.
        intrinsics: Focal lengths assumed or given.
        given: (V,) whether the user gave the focal length.
        rotation: (V,3,3) camera_from_rig as averaged; its frame is kept.
        known: (V,) whose rotation that is.
        height_m: Stature.
        present: The rig in use, one more start.
    """

    instants: Sequence[Keyframe]
    intrinsics: AssumedIntrinsics
    given: NDArray[np.bool_]
    rotation: Floats
    known: NDArray[np.bool_]
    height_m: float
    present: Calibration | None = None


@dataclass(frozen=True, slots=True)
class RigSolution:
    """The solved cameras and the person's bones.

    Attributes:
        cameras: In the frame of the rig in use; else in that of the averaged rotations.
        bone_length_m: (L,) the person's bones (`bundle`).
        poses: (N,J,3) m, from which the rig was solved.
        validation_error: Median reprojection error of the detections that were not used, in standard deviations of a
            good detector: about 1.2.
        chirality: −1 … 1, how surely the poses are human rather than mirrored.
        previous_error: The validation error of the rig in use so far; infinite if there was none.
    """

    cameras: Calibration
    bone_length_m: Floats
    poses: Floats
    validation_error: float
    chirality: float
    previous_error: float


def self_solve(task: SolveTask) -> RigSolution | str:
    """Returns the rig that explains the instants best, or why it cannot be told and what would help."""
    views = np.flatnonzero(task.known)
    instants = [i for i in task.instants if (i.weight[views] > 0).sum() > 1]
    if len(instants) < FEWEST or len(views) < 2:
        return "two cameras have hardly seen the person together: stand where several see all of you"
    tracks, pelvis = tracks_of(instants, task.intrinsics.focal_px[views], task.intrinsics.size_px[views], views)
    priors = _priors(task, views)
    judges = np.arange(len(instants)) % HOLD_BACK == HOLD_BACK - 1
    train, held_back = tracks.at(np.flatnonzero(~judges)), tracks.at(np.flatnonzero(judges))
    scouts = train.at(np.arange(0, len(train.weight), max(1, len(train.weight) // SCOUTS)))
    best = _sure(task, views, held_back)
    if best is None:
        starts = [_near(start, scouts, priors) for start in _starts(task, instants, scouts, pelvis, views)]
        best = _best(starts, scouts, priors)
    if best is None:
        return MIRRORED
    state, _ = adjust(on(best, train), train, priors)
    same = _same_lens(state, covariance(state, train, priors), task, views)
    if same.any():
        priors = replace(priors, same_camera_model=same)
        state, _ = adjust(state, train, priors)
    return _solved(state, covariance(state, train, priors), train, held_back, task, views)


def _of_points() -> Floats:
    """Returns (J,P): points → joints, pelvis, thorax and spine being middles."""
    out = np.zeros((J, len(POINTS)))
    out[list(POINTS), np.arange(len(POINTS))] = 1.0
    for middle, side in (("pelvis", "hip"), ("thorax", "shoulder")):
        out[INDEX[middle]] = 0.5 * (out[INDEX[f"l_{side}"]] + out[INDEX[f"r_{side}"]])
    out[INDEX["spine"]] = 0.5 * (out[INDEX["pelvis"]] + out[INDEX["thorax"]])
    return out


JOINTS_FROM_POINTS = _of_points()


def bodies(points: Floats) -> Floats:
    """Returns (N,J,3) poses from their points (N,P,3)."""
    return np.asarray(JOINTS_FROM_POINTS @ points)


def _priors(task: SolveTask, views: NDArray[np.int64]) -> Priors:
    given = task.given[views]
    usual = np.log(USUAL_FOCAL * task.intrinsics.size_px.max(-1) / task.intrinsics.focal_px)[views]
    zoom, sd = np.where(given, 0.0, usual), np.where(given, GIVEN_SD, ZOOM_SD)
    return Priors(task.height_m, zoom, sd, np.zeros((len(views), len(views)), bool), 0)


def _starts(
    task: SolveTask, instants: Sequence[Keyframe], scouts: Tracks, pelvis: Floats, views: NDArray[np.int64]
) -> Iterator[State]:
    """Yields places to start from: the rig in use, the lifted poses, the pictures' own geometry."""
    present = _in_use(task, views)
    if present is not None:
        yield present
        return  # what was solved once needs no other start; nor do poses wait for one
    yield from_lifts(instants, pelvis, views, task.rotation[views], task.height_m)
    for log_zoom in START_ZOOMS:
        start = from_pictures(scouts, log_zoom, task.height_m)
        if start is not None:
            yield start


def _best(starts: Sequence[State], scouts: Tracks, priors: Priors) -> State | None:
    """Returns the start that comes out cheapest, None if all are mirrored. There is nothing to choose from one."""
    tried = [adjust(start, scouts, priors, SCOUT_ROUNDS) for start in starts] if len(starts) > 1 else [(starts[0], 0.0)]
    human = [(cost, state) for state, cost in tried if chirality(bodies(state.points)) > 0]
    return min(human, key=lambda pair: pair[0])[1] if human else None


def _near(start: State, tracks: Tracks, priors: Priors) -> State:
    """Returns a start brought nearer while detections that are far off still pull: later they count as wrong."""
    soft = replace(tracks, sd=SOFT * tracks.sd)
    return adjust(on(start, soft), soft, priors, SOFT_ROUNDS)[0]


def _same_lens(state: State, sure: Floats, task: SolveTask, views: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Returns (V,V) which cameras have one intrinsics: same image size, and focal lengths that do not contradict it."""
    at = np.arange(len(views)) * C + 6
    spread = sure[at, at][:, None] + sure[at, at][None] - 2 * sure[np.ix_(at, at)]
    sd = np.sqrt(np.maximum(spread, 1e-12))
    alike = (np.abs(state.zoom[:, None] - state.zoom[None]) < SAME * sd) & (sd < SURE_OF_SAME)
    size = task.intrinsics.size_px[views]
    free = ~task.given[views]
    same = alike & (size[:, None] == size[None]).all(-1) & free[:, None] & free[None]
    return np.asarray(same & ~np.eye(len(views), dtype=bool))


def _solved(
    state: State, sure: Floats, train: Tracks, held_back: Tracks, task: SolveTask, views: NDArray[np.int64]
) -> RigSolution:
    """Returns the solution in the frame of the rig in use, or of the rotations."""
    before = _in_use(task, views)
    turn = nearest_rotation((state.rotation.swapaxes(-1, -2) @ task.rotation[views]).sum(0)).T
    shift, scale = np.zeros(3), 1.0
    if before is not None:  # the poses stay where they are, and as large
        turn = nearest_rotation((state.rotation.swapaxes(-1, -2) @ before.rotation).sum(0)).T
        usual = on(before, train).points
        scale = float(np.median(_extent(usual) / np.maximum(_extent(state.points), 1e-9)))
        shift = np.median((usual - scale * state.points @ turn.T).reshape(-1, 3), axis=0)
    sd = np.sqrt(np.maximum(np.diag(sure), 0.0)).reshape(len(views), C)
    count, intrinsics = len(task.known), task.intrinsics

    def wide(values: Floats, otherwise: Floats | float) -> Floats:
        out = np.broadcast_to(np.asarray(otherwise, float), (count, *values.shape[1:])).copy()
        out[views] = values
        return out

    calibration = Calibration(
        rotation=wide(state.rotation, np.eye(3)),
        translation=wide(state.translation, 0.0),
        focal_px=intrinsics.focal_px * wide(np.exp(state.zoom), 1.0),
        k1=wide(state.k1, 0.0),
        size_px=intrinsics.size_px,
        known=task.known.copy(),
        rotation_sd=wide(np.linalg.norm(sd[:, :3], axis=1), np.inf),
        translation_sd=wide(np.linalg.norm(sd[:, 3:6], axis=1), np.inf),
        focal_sd=wide(sd[:, 6], np.inf),
    ).moved(turn, -turn.T @ shift / scale, scale)
    joints = bodies(scale * state.points @ turn.T + shift)
    misfit_before = np.inf if before is None else _misfit(before, held_back)
    return RigSolution(
        calibration, scale * state.length, joints, _misfit(state, held_back), chirality(joints), misfit_before
    )


def _extent(points: Floats) -> Floats:
    """Returns (N,) how large poses (N,P,3) are."""
    return np.asarray(np.linalg.norm(points - points.mean(1, keepdims=True), axis=(1, 2)))


def _in_use(task: SolveTask, views: NDArray[np.int64]) -> State | None:
    """Returns the rig in use, None if there is none that knows all the views."""
    calibration = task.present
    if calibration is None or not calibration.known[views].all():
        return None
    zoom = np.log(calibration.focal_px / task.intrinsics.focal_px)[views]
    return State.of(
        calibration.rotation[views], calibration.translation[views], zoom, calibration.k1[views], task.height_m
    )


def _sure(task: SolveTask, views: NDArray[np.int64], held_back: Tracks) -> State | None:
    """Returns the rig in use if it may be adjusted as it is: it fits, and no camera has been moved since."""
    before = _in_use(task, views)
    if before is None or task.present is None or task.present.rotation_sd[views].max() > SURE:
        return None
    return before if _misfit(before, held_back) < FITS else None


def _misfit(cameras: State, held_back: Tracks) -> float:
    """Returns the median error of detections, in their standard deviations, about points triangulated from them."""
    *_, square = residuals(on(cameras, held_back), held_back)
    seen = held_back.weight > 0.3
    return float(np.sqrt(np.median(square[seen]))) if seen.any() else float("inf")
