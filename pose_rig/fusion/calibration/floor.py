"""Where the floor is and what is up, from where the person's feet have been.

Axes: N instants, J joints.
"""

from dataclasses import replace

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.body_scale import ANKLE_HEIGHT
from pose_rig.fusion.calibration.rotation_averaging import gravity_aligned_rotation
from pose_rig.fusion.calibration.self_solve import RigSolution
from pose_rig.fusion.calibration.vertical import lowest_height
from pose_rig.skeleton import INDEX

TILT_SD = 0.05  # radians by which the vertical that the lifts see is off
LEVEL_SD_M = 0.03  # of an ankle on the floor
AIRBORNE_M, BURIED_M = 0.05, 0.1  # feet this far above, or misread below, the floor count a quarter
ROUNDS = 20
_ANKLES = [INDEX["l_ankle"], INDEX["r_ankle"]]


def fit_floor(bodies: Floats, up: Floats, height_m: float) -> tuple[Floats, float]:
    """Returns the upward normal (3,) of the floor and its height along it, m.

    The lower foot of most instants stands on the floor; feet below it are rarer than feet above it.

    Args:
        bodies: (N,J,3) m, any axes.
        up: (3,) the vertical as the lifts see it.
        height_m: Stature, for how high ankles are.
    """
    side = np.cross(up, [1.0, 0.0, 0.0] if abs(up[0]) < 0.9 else [0.0, 1.0, 0.0])
    axes = np.stack([side / np.linalg.norm(side), np.cross(up, side) / np.linalg.norm(side), up])
    ankles = bodies[:, _ANKLES] @ axes.T
    lower = np.take_along_axis(ankles, ankles[..., 2].argmin(1)[:, None, None], 1)[:, 0]
    middle = np.median(lower, axis=0)
    across = np.concatenate([lower[:, :2] - middle[:2], np.ones((len(lower), 1))], 1)
    plane = np.array([0.0, 0.0, np.percentile(lower[:, 2], 20)])
    prior = np.diag([TILT_SD**-2, TILT_SD**-2, 0.0])
    for _ in range(ROUNDS):
        above = lower[:, 2] - across @ plane
        off = above / np.where(above > 0, AIRBORNE_M, BURIED_M)
        weight = 1 / (1 + off**2) ** 2 / LEVEL_SD_M**2
        weight = weight / max(len(lower) / 10, 1.0)  # instants share their errors
        plane = np.linalg.solve(
            (across.T * weight) @ across + prior + 1e-9 * np.eye(3), (across.T * weight) @ lower[:, 2]
        )
    normal = np.array([-plane[0], -plane[1], 1.0])
    normal = axes.T @ (normal / np.linalg.norm(normal))
    level = middle @ axes
    level = level + (plane[2] - middle[2]) * up
    return normal, float(level @ normal) - ANKLE_HEIGHT * height_m


def to_room_frame(found: RigSolution, up: Floats, height_m: float, *, upright: bool = True) -> RigSolution:
    """Returns a solved rig in the room's axes, the origin under where the person was last.

    Args:
        found: In any axes.
        up: (3,) the vertical in these axes, as the lifts see it.
        height_m: Stature.
        upright: Whether the person stood on their feet; if not, the floor is under whatever of them is lowest_height.
    """
    cameras = found.cameras
    normal, level = fit_floor(found.poses, up, height_m) if upright else (up, lowest_height(found.poses, up, height_m))
    turn = gravity_aligned_rotation(normal, cameras.rotation[int(np.flatnonzero(cameras.known)[0])][2])
    pelvis = found.poses[-1, 0]
    origin = pelvis - (pelvis @ normal - level) * normal
    return replace(found, cameras=cameras.moved(turn, origin, 1.0), poses=(found.poses - origin) @ turn.T)
