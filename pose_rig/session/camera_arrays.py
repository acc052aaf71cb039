"""The 2D keypoints of a session at the times of its poses, and its cameras: for a poses file.

Axes: T time steps, V views, P people, K landmarks, J = 17 joints.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import SessionError
from pose_rig.fusion.synchronisation.camera_clocks import clock_of
from pose_rig.geometry import camera_matrix
from pose_rig.session.formats.message_arrays import CameraKeypoints, CameraRefined, neighbours
from pose_rig.session.formats.poses import Poses
from pose_rig.session.formats.poses_file import unsolved_cameras
from pose_rig.session.reader import Session
from pose_rig.skeleton import J
from pose_rig.skeleton import landmarks as landmark_set
from pose_rig.wire.messages import CameraState

MAX_DISTANCE_PERIODS = 1.0  # of a frame from the time of the pose


def view_arrays(session: Session, people: Sequence[Poses]) -> dict[str, NDArray[Any]]:
    """Returns the arrays of a poses file with a views axis, as far as a session contains them.

    Rows are those of one person after the other. ``xy`` is from the frame nearest to the pose, of the detected person
    nearest to the refined 2D; where several people are tracked, there is none without refined 2D.
    """
    refined = [{one.person: one for one in session.refined_people(camera)} for camera in session.cameras]
    alone = {person for camera in refined for person in camera} | {one.person for one in people} == {people[0].person}
    states = session.rig_states()
    known = {camera.name: camera for camera in states[-1].cameras} if states else {}
    keypoints = [_keypoints_of(session, camera, known.get(camera)) for camera in session.cameras]
    names = next((one.landmarks for one in keypoints if one is not None), ("none",))
    places = [np.concatenate([_refined_at(camera.get(one.person), one.t_ns) for one in people]) for camera in refined]
    t_ns = np.concatenate([one.t_ns for one in people])
    pairs = [_followed(one, t_ns, xy, names, alone=alone) for one, xy in zip(keypoints, places, strict=True)]
    return {
        "cameras": np.array(session.cameras),
        "landmarks": np.array(names),
        "xy": np.stack([xy for xy, _ in pairs], 1),
        "xy_score": np.stack([score for _, score in pairs], 1),
        "xy_refined": np.stack(places, 1),
        **_cameras(session, known),
    }


def _keypoints_of(session: Session, camera: str, state: CameraState | None) -> CameraKeypoints | None:
    """Returns the keypoints of a camera at rig times."""
    try:
        keypoints = session.keypoints(camera)
    except SessionError:  # it has no frame
        return None
    return keypoints if state is None else replace(keypoints, t_ns=clock_of(state).rig_times_ns(keypoints.t_ns))


def _refined_at(refined: CameraRefined | None, t_ns: NDArray[np.int64]) -> NDArray[np.float32]:
    """Returns (T,J,2) refined 2D at exactly these times, NaN where there is none."""
    out = np.full((len(t_ns), J, 2), np.nan, np.float32)
    if refined is None:
        return out
    _, rows, refined_rows = np.intersect1d(t_ns, refined.t_ns, return_indices=True)
    out[rows] = refined.xy[refined_rows]
    return out


def _followed(
    keypoints: CameraKeypoints | None,
    t_ns: NDArray[np.int64],
    places: NDArray[np.float32],
    names: tuple[str, ...],
    *,
    alone: bool,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Returns (T,K,2) and (T,K) the detections of the tracked person.

    Where no joint is refined, they are those of the first detected person if the tracked one is ``alone``, else none.
    """
    xy = np.full((len(t_ns), len(names), 2), np.nan, np.float32)
    score = np.zeros((len(t_ns), len(names)), np.float32)
    if keypoints is None or not keypoints.xy.shape[1] or keypoints.landmarks != names:
        return xy, score
    frames_ns = keypoints.t_ns
    period_ns = float(np.median(np.diff(frames_ns))) if len(frames_ns) > 1 else np.inf
    before, after = neighbours(frames_ns, t_ns)
    nearest = np.where(t_ns - frames_ns[before] <= frames_ns[after] - t_ns, before, after)
    is_known = np.abs(frames_ns[nearest] - t_ns) <= MAX_DISTANCE_PERIODS * period_ns
    near = np.flatnonzero(is_known if alone else is_known & np.isfinite(places).any((1, 2)))
    rows = nearest[near]
    joints, joints_score = landmark_set(keypoints.schema).to_joints(keypoints.xy[rows], keypoints.score[rows])
    distance = np.linalg.norm(joints - places[near][:, None], axis=-1)
    counted = (joints_score > 0) & np.isfinite(distance)
    mean_px = np.where(counted, distance, 0).sum(-1) / np.maximum(counted.sum(-1), 1)
    person = np.where(counted.any(-1), mean_px, np.inf).argmin(-1)  # the first one if no joint is refined
    xy[near], score[near] = keypoints.xy[rows, person], keypoints.score[rows, person]
    return xy, score


def _cameras(session: Session, known: Mapping[str, CameraState]) -> dict[str, NDArray[Any]]:
    """Returns the cameras of the last rig state, NaN where not solved."""
    arrays = unsolved_cameras(len(session.cameras))
    for v, name in enumerate(session.cameras):
        camera = known.get(name)
        if camera is not None and camera.time_offset_sd_s is not None:
            arrays["time_offset_s"][v], arrays["time_offset_sd_s"][v] = camera.time_offset_s, camera.time_offset_sd_s
        if camera is not None and camera.time_rate != 1.0:
            arrays.setdefault("time_rate", np.ones(len(session.cameras)))[v] = camera.time_rate
        if camera is not None and camera.rotation and camera.translation_m and camera.size_px:
            arrays["K"][v] = camera_matrix(camera.focal_px, camera.size_px, camera.principal_point_px)
            arrays["k1"][v], arrays["dist"][v], arrays["fisheye"][v] = camera.k1, camera.lens, camera.fisheye
            arrays["size_px"][v] = camera.size_px
            arrays["R"][v], arrays["t"][v] = np.reshape(camera.rotation, (3, 3)), camera.translation_m
            for key, sd in (
                ("R_sd_deg", camera.rotation_sd_deg),
                ("t_sd_m", camera.translation_sd_m),
                ("focal_sd_px", camera.focal_sd_px),
            ):
                arrays[key][v] = np.nan if sd is None else sd
    return arrays
