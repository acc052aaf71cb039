"""The rig's axes in the room: y up, the floor at 0, the origin under the person, −z where the first camera looks."""

from dataclasses import replace

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.floor import floor
from pose_rig.fusion.calibration.rotation_averaging import gravity_aligned_rotation
from pose_rig.fusion.calibration.self_solve import Solved
from pose_rig.fusion.calibration.vertical import lowest


def to_room_frame(found: Solved, up: Floats, height_m: float, *, upright: bool = True) -> Solved:
    """Returns a solved rig in the room's axes, the origin under where the person was last.

    Args:
        found: In any axes.
        up: (3,) the vertical in these axes, as the lifts see it.
        height_m: Stature.
        upright: Whether the person stood on their feet; if not, the floor is under whatever of them is lowest.
    """
    cameras = found.calibration
    normal, level = floor(found.bodies, up, height_m) if upright else (up, lowest(found.bodies, up, height_m))
    turn = gravity_aligned_rotation(normal, cameras.rotation[int(np.flatnonzero(cameras.known)[0])][2])
    pelvis = found.bodies[-1, 0]
    origin = pelvis - (pelvis @ normal - level) * normal
    return replace(found, calibration=cameras.moved(turn, origin, 1.0), bodies=(found.bodies - origin) @ turn.T)
