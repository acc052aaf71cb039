"""Poses in metres before the rig is solved.

The scale follows from the body height, given or assumed: average bone lengths are estimated over time, and every pose
is scaled to them. Without solved cameras the position in the room is unknown, so the pelvis stays above the origin and
the lowest joint on the floor.

Axes: J = 17 joints.
"""

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.skeleton import BONES, INDEX

# Ankles to ears along the segments of a person who stands straight, as a share of body height: that of the average
# segments of `bundle.segments`; measured on one man with detected joints: 0.880.
EARS_TO_ANKLES = 0.882
ANKLE_HEIGHT = 0.039
AVERAGED_FRAMES = 300  # bone lengths: cumulative mean, from here on an exponential one
_PARENT, _CHILD = (np.array(side) for side in zip(*BONES, strict=True))


def bone_lengths(joints: Floats) -> Floats:
    """Returns (16,) the length of every bone of a pose (J,3)."""
    return np.asarray(np.linalg.norm(joints[_CHILD] - joints[_PARENT], axis=-1))


def upright_length(bones: Floats) -> float:
    """Returns the distance from ankles to ears of a person standing straight with bones (16,)."""
    length = dict(zip(_CHILD.tolist(), bones.tolist(), strict=True))
    legs = sum(0.5 * length[INDEX[f"{side}_{part}"]] for side in "lr" for part in ("knee", "ankle"))
    return float(legs + length[INDEX["spine"]] + length[INDEX["thorax"]] + length[INDEX["head"]])


class BodyScale:
    """Estimates a person's bone lengths and scales their poses.

    Args:
        height_m: Body height.
    """

    def __init__(self, height_m: float) -> None:
        self._height_m = height_m
        self._bones: Floats | None = None
        self._count = 0

    def __call__(self, joints: Floats) -> Floats:
        """Returns a pose (J,3) of any size, y up, in metres: pelvis above the origin, lowest joint on the floor."""
        bones = bone_lengths(joints)
        mean = bones if self._bones is None else self._bones
        scale = float(np.median(mean / np.maximum(bones, 1e-6)))
        self._count = min(self._count + 1, AVERAGED_FRAMES)
        mean = mean + (scale * bones - mean) / self._count
        self._bones = mean * (EARS_TO_ANKLES * self._height_m / max(upright_length(mean), 1e-6))
        scale = float(np.median(self._bones / np.maximum(bones, 1e-6)))
        scaled = scale * (joints - joints[:1])
        scaled[:, 1] += ANKLE_HEIGHT * self._height_m - scaled[:, 1].min()
        return np.asarray(scaled)
