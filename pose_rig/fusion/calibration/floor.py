"""The room frame: floor and vertical from the positions of people's feet.

Axes: N keyframes, J joints.
"""

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.body_scale import ANKLE_HEIGHT
from pose_rig.fusion.calibration.bundle.segments import body_height
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.rotation_averaging import gravity_aligned_rotation
from pose_rig.fusion.calibration.vertical import lowest_height
from pose_rig.skeleton import INDEX

TILT_SD = 0.05  # rad, of the vertical of the lifted poses
ANKLE_SD_M = 0.03  # height of an ankle while the foot is on the floor
ABOVE_SCALE_M, BELOW_SCALE_M = 0.05, 0.1  # Geman–McClure scales of feet in the air, and of feet detected too low
ITERATIONS = 20
_ANKLES = [INDEX["l_ankle"], INDEX["r_ankle"]]


def fit_floor(bodies: Floats, up: Floats, height_m: float | Floats) -> tuple[Floats, float]:
    """Returns the upward normal (3,) of the floor and its height along it, m.

    The lower foot is mostly on the floor; it is more often above than below it.

    Args:
        bodies: (N,J,3) m, any axes.
        up: (3,) the vertical of the lifted poses.
        height_m: Body height, for the height of the ankles; of each body (N,) if they are of several people.
    """
    side = np.cross(up, [1.0, 0.0, 0.0] if abs(up[0]) < 0.9 else [0.0, 1.0, 0.0])
    axes = np.stack([side / np.linalg.norm(side), np.cross(up, side) / np.linalg.norm(side), up])
    ankles = bodies[:, _ANKLES] @ axes.T
    lower = np.take_along_axis(ankles, ankles[..., 2].argmin(1)[:, None, None], 1)[:, 0]
    ankle_m = ANKLE_HEIGHT * np.asarray(height_m)
    lower[:, 2] -= ankle_m - ankle_m.flat[0]
    middle = np.median(lower, axis=0)
    jacobian = np.concatenate([lower[:, :2] - middle[:2], np.ones((len(lower), 1))], 1)
    plane = np.array([0.0, 0.0, np.percentile(lower[:, 2], 20)])
    prior = np.diag([TILT_SD**-2, TILT_SD**-2, 0.0])
    for _ in range(ITERATIONS):
        height = lower[:, 2] - jacobian @ plane
        scaled = height / np.where(height > 0, ABOVE_SCALE_M, BELOW_SCALE_M)
        weight = 1 / (1 + scaled**2) ** 2 / ANKLE_SD_M**2
        weight = weight / max(len(lower) / 10, 1.0)  # neighbouring errors correlate
        hessian = (jacobian.T * weight) @ jacobian + prior + 1e-9 * np.eye(3)
        plane = np.linalg.solve(hessian, (jacobian.T * weight) @ lower[:, 2])
    normal = np.array([-plane[0], -plane[1], 1.0])
    normal = axes.T @ (normal / np.linalg.norm(normal))
    level = middle @ axes
    level = level + (plane[2] - middle[2]) * up
    return normal, float(level @ normal) - float(ankle_m.flat[0])


def to_room_frame(found: RigSolution, up: Floats, height_m: float, *, upright: bool = True) -> RigSolution:
    """Returns a solved rig with y up, the floor at 0, −z along the first camera, the origin under the last pose.

    Args:
        found: In any axes.
        up: (3,) the vertical in these axes, from the lifted poses.
        height_m: Body height of the first person.
        upright: Whether people stood on their feet; if not, the floor is under their lowest joint.
    """
    cameras, bodies = found.cameras, found.poses
    heights_m = _heights_m(found, height_m)
    normal, level = fit_floor(bodies, up, heights_m) if upright else (up, lowest_height(bodies, up, height_m))
    room_from_rig = gravity_aligned_rotation(normal, cameras.rotation[int(np.flatnonzero(cameras.known)[0])][2])
    pelvis = found.poses_by_person[found.person][-1, 0]
    origin = pelvis - (pelvis @ normal - level) * normal
    return found.transformed(room_from_rig, origin)


def _heights_m(found: RigSolution, height_m: float) -> float | Floats:
    """Returns the body heights (N,) of the poses: those of further people follow from their bones."""
    if found.pose_person is None:
        return height_m
    heights_m = {person: body_height(length) for person, length in found.others_bone_length_m.items()}
    return np.array([heights_m.get(person, height_m) for person in found.pose_person.tolist()])


def origin_below(joints: Floats, height_m: float) -> Floats:
    """Returns the point (3,) m on the floor below a standing person.

    Args:
        joints: (J,3) m, of the person, in the room frame.
        height_m: Body height, for the height of the ankles.
    """
    level = float(joints[_ANKLES, 1].min()) - ANKLE_HEIGHT * height_m
    pelvis = joints[INDEX["pelvis"]]
    return np.array([pelvis[0], level, pelvis[2]])
