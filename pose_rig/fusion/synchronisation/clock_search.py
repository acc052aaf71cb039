"""The clock of a camera whose movement signals say nothing, by geometry: at which lag does a camera pose exist?

The other cameras give the joints of the person in the room. At every lag the camera is resected from them: only at the
right one do most of its keypoints fit one camera pose. Geometry needs less movement than signals, and it is not
misled by a view that is mirrored in space or time.

Axes: N time steps, V views, P points (`segments.POINTS`), J = 17 joints.
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.segments import POINTS
from pose_rig.fusion.calibration.initialise import USED_WEIGHT, build_tracks, detection_sd, with_points
from pose_rig.fusion.calibration.keyframes import of_each_person
from pose_rig.fusion.calibration.resection import inlier_share
from pose_rig.fusion.calibration.self_solve import current_state
from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.people_in_view import MAX_GAP_S, main_person, people_in_view

STEP_S = 0.04  # between lags
MAX_LAG_S = 60.0
TIME_STEPS = 24  # at which joints are compared
MIN_OVERLAP = 0.4  # of these
MIN_TIME_STEPS = 8
SD_FACTOR = 2.0  # larger reprojection errors while the lens of the camera is a guess
MIN_SHARE = 0.5  # of inliers, at the best lag
MAX_SECOND_SHARE = 0.75  # of that, at any other lag
PEAK_WIDTH_S = 0.4  # lags that are nearer belong to the same peak


def search_offset(
    task: SolveTask, track: CameraTrack, sure: NDArray[np.bool_], view: int, *, several: bool = False
) -> float | None:
    """Returns the offset, s, at which the keypoints of a camera fit one camera pose, None if there is none or several.

    Args:
        task: Of the solved rig.
        track: What the camera detected.
        sure: (V,) cameras whose clocks are known.
        view: The camera, not one of these.
        several: Whether it may show several people; any of them may be the one that the others show most.
    """
    room = _joints_in_room(task, np.flatnonzero(sure))
    people = people_in_view(track) if several else [main_person(track)]
    found = [_shares(*room, track, person, task, view) for person in people if room and len(person) >= MIN_TIME_STEPS]
    if not found:
        return None
    lags, shares = max(found, key=lambda one: one[1].max(initial=0.0))
    best = int(np.argmax(shares)) if len(shares) else 0
    if not len(shares) or shares[best] < MIN_SHARE:
        return None
    others = shares[np.abs(lags - lags[best]) > PEAK_WIDTH_S]
    if not len(others) or others.max() > MAX_SECOND_SHARE * shares[best]:
        return None
    return _middle(lags, shares, best)


def _joints_in_room(task: SolveTask, views: NDArray[np.int64]) -> tuple[Floats, Floats, NDArray[np.bool_]] | None:
    """Returns rig times (N,), joints (N,P,3) from some views and which are known (N,P); None if they are not solved."""
    most = next(iter(of_each_person(task.keyframes)), [])
    frames = [keyframe for keyframe in most if (keyframe.weight[views] > 0).sum() > 1]
    state = current_state(task, views) if len(views) > 1 else None
    if state is None or len(frames) < MIN_TIME_STEPS:
        return None
    chosen = np.unique(np.linspace(0, len(frames) - 1, TIME_STEPS).astype(int))
    frames = sorted((frames[index] for index in chosen), key=lambda keyframe: keyframe.t_ns)
    tracks, _ = build_tracks(frames, task.intrinsics, views)
    known = (tracks.weight > USED_WEIGHT).sum(1) > 1
    return np.array([frame.t_ns for frame in frames]) * 1e-9, with_points(state, tracks).points, known


def _shares(
    rig_s: Floats,
    points: Floats,
    known: NDArray[np.bool_],
    track: CameraTrack,
    person: NDArray[np.int64],
    task: SolveTask,
    view: int,
) -> tuple[Floats, Floats]:
    """Returns lags, rig time minus camera time, and the share of inliers at each; 0 where the overlap is too short."""
    times = track.t_ns[person] * 1e-9
    low, high = max(rig_s[0] - times[-1], -MAX_LAG_S), min(rig_s[-1] - times[0], MAX_LAG_S)
    lags = np.arange(np.ceil(low / STEP_S), np.floor(high / STEP_S) + 1) * STEP_S
    lens = task.intrinsics.at(np.array([view]))
    xy = lens.ideal_xy(track.xy_px[person][:, None, list(POINTS)])[:, 0]
    xy, visible = _with_solved_focal(xy, task, view), track.score[person][:, list(POINTS)] > 0
    sd = SD_FACTOR * float(np.median(detection_sd(xy, visible)))
    shares = np.zeros(len(lags))
    for index, lag in enumerate(lags.tolist()):
        after = np.clip(np.searchsorted(times, rig_s - lag), 1, len(times) - 1)
        gap = times[after] - times[after - 1]
        part = ((rig_s - lag) - times[after - 1]) / gap
        inside = (part >= 0) & (part <= 1) & (gap < MAX_GAP_S)
        if inside.sum() < max(MIN_OVERLAP * len(rig_s), MIN_TIME_STEPS):
            continue
        moved = xy[after - 1] + part[:, None, None] * (xy[after] - xy[after - 1])
        used = known & visible[after] & visible[after - 1] & inside[:, None]
        shares[index] = inlier_share(points[used], moved[used], sd)
    return lags, shares


def _with_solved_focal(xy: Floats, task: SolveTask, view: int) -> Floats:
    """Returns coordinates for the focal length of solved cameras with images of the same size, if there are any."""
    current = task.current
    if current is None or task.focal_given[view]:
        return xy
    size_px = task.intrinsics.size_px
    alike = np.flatnonzero(current.known & (size_px == size_px[view]).all(-1) & (np.arange(len(size_px)) != view))
    if not len(alike):
        return xy
    return xy * float(task.intrinsics.focal_px[view] / np.median(current.focal_px[alike]))


def _middle(lags: Floats, shares: Floats, best: int) -> float:
    """Returns the lag of the peak, weighted over its neighbours."""
    near = np.abs(lags - lags[best]) <= 2 * STEP_S
    weight = np.maximum(shares[near] - 0.5 * shares[best], 0.0) ** 2
    return float((lags[near] * weight).sum() / weight.sum())
