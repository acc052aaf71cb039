"""The rig of a recording, used in a replay whose recording lacks messages that the rig was estimated from.

Axes: V views, L bones.
"""

from collections.abc import Sequence

import numpy as np

from pose_rig.fusion.calibration.bundle.segments import LENGTH_PER_HEIGHT
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.rotation_averaging import CameraRotations
from pose_rig.fusion.rig.setup import calibration_of
from pose_rig.wire.messages import CameraState, PersonBones, RigState


def recorded_rotations(state: RigState, names: Sequence[str]) -> CameraRotations:
    """Returns the rotations of a settled rig."""
    rows = _rows(state, names)
    cameras = calibration_of(rows, np.array([row.rotation is not None for row in rows]))
    return CameraRotations(cameras.rotation, np.array([row.rotation_sd_deg or 0.0 for row in rows]), cameras.known)


def recorded_solution(state: RigState, names: Sequence[str], height_m: float) -> RigSolution:
    """Returns a solved rig; average bones where an earlier version recorded none."""
    rows = _rows(state, names)
    known = np.array([row.rotation is not None and row.translation_m is not None for row in rows])
    average = LENGTH_PER_HEIGHT * height_m
    length_m = np.array(state.bones_m) if len(state.bones_m) == len(average) else average
    people = {each.person: np.array(each.bones_m) for each in state.people if len(each.bones_m) == len(average)}
    first = next(iter(people), 0)
    others = {person: own for person, own in people.items() if person != first}
    return RigSolution(calibration_of(rows, known), length_m, person=first, others_bone_length_m=others)


def bones_of_people(solution: RigSolution) -> tuple[PersonBones, ...]:
    """Returns the bones of each person, the first person first; empty if there is only person 0."""
    if not solution.person and not solution.others_bone_length_m:
        return ()
    people = {solution.person: solution.bone_length_m, **solution.others_bone_length_m}
    return tuple(PersonBones(person=person, bones_m=tuple(own.tolist())) for person, own in people.items())


def _rows(state: RigState, names: Sequence[str]) -> list[CameraState]:
    known = {camera.name: camera for camera in state.cameras}
    return [known.get(name) or CameraState(name=name, focal_px=1.0) for name in names]


def same_rig(a: RigState, b: RigState) -> bool:
    """Returns whether two states have the same mode, cameras and bones."""
    return (a.mode, a.bones_m, a.people, _cameras(a)) == (b.mode, b.bones_m, b.people, _cameras(b))


def clocks_of(state: RigState) -> list[tuple[str, float, float]]:
    """Returns name, offset and rate of the clock of every camera."""
    return [(camera.name, camera.time_offset_s, camera.time_rate) for camera in state.cameras]


def _cameras(state: RigState) -> list[tuple[object, ...]]:
    return [
        (c.name, c.rotation, c.translation_m, c.focal_px, c.lens, c.fisheye, c.principal_point_px, c.moving, c.size_px)
        for c in state.cameras
    ]
