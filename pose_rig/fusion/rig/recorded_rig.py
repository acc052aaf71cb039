"""The rig of a recording, used in a replay whose recording lacks messages that the rig was estimated from.

Axes: V views, L bones.
"""

from collections.abc import Sequence

import numpy as np

from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.rotation_averaging import CameraRotations
from pose_rig.fusion.calibration.segments import LENGTH_PER_HEIGHT
from pose_rig.fusion.calibration.self_solve import RigSolution
from pose_rig.skeleton import J
from pose_rig.wire.messages import CameraState, RigState

UNKNOWN = np.eye(3).ravel()


def recorded_rotations(state: RigState, names: Sequence[str]) -> CameraRotations:
    """Returns the rotations of a settled rig."""
    rows = _rows(state, names)
    known = np.array([row.rotation is not None for row in rows])
    rotation = np.array([row.rotation or UNKNOWN for row in rows]).reshape(-1, 3, 3)
    return CameraRotations(rotation, np.array([row.rotation_sd_deg or 0.0 for row in rows]), known)


def recorded_solution(state: RigState, names: Sequence[str], height_m: float) -> RigSolution:
    """Returns a solved rig; average bones where an earlier version recorded none."""
    rows = _rows(state, names)
    calibration = Calibration(
        rotation=np.array([row.rotation or UNKNOWN for row in rows]).reshape(-1, 3, 3),
        translation=np.array([row.translation_m or np.zeros(3) for row in rows], np.float64),
        focal_px=np.array([row.focal_px or 1.0 for row in rows]),
        k1=np.array([row.k1 for row in rows]),
        size_px=np.array([row.size_px or (1, 1) for row in rows], np.float64),
        known=np.array([row.rotation is not None and row.translation_m is not None for row in rows]),
        rotation_sd=np.radians([row.rotation_sd_deg or 0.0 for row in rows]),
        translation_sd=np.array([row.translation_sd_m or 0.0 for row in rows]),
        focal_sd=np.array([(row.focal_sd_px or 0.0) / (row.focal_px or 1.0) for row in rows]),
    )
    average = LENGTH_PER_HEIGHT * height_m
    length = np.array(state.bones_m) if len(state.bones_m) == len(average) else average
    return RigSolution(calibration, length, np.zeros((0, J, 3)), 0.0, 1.0, np.inf)


def _rows(state: RigState, names: Sequence[str]) -> list[CameraState]:
    known = {camera.name: camera for camera in state.cameras}
    return [known.get(name) or CameraState(name=name, focal_px=1.0) for name in names]


def same_rig(a: RigState, b: RigState) -> bool:
    """Returns whether two states have the same mode, cameras and bones."""
    return (a.mode, a.bones_m, _cameras(a)) == (b.mode, b.bones_m, _cameras(b))


def _cameras(state: RigState) -> list[tuple[object, ...]]:
    return [(c.name, c.rotation, c.translation_m, c.focal_px, c.k1, c.moving, c.size_px) for c in state.cameras]
