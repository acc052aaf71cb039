"""One leg of a humanoid: where its foot is, and how it is bent to put the foot elsewhere."""

import math
from collections.abc import Sequence
from typing import Literal

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import INDEX, RestPose
from pose_rig.humanoid.quaternion import (
    NONE,
    Quaternion,
    Vector,
    X,
    Y,
    about,
    alike,
    arc,
    back,
    dot,
    length,
    minus,
    plus,
    times,
    turn,
    unit,
)

# Near-straight knees turn by 10° for 3 mm between hip and ankle. While the bends before and after add up to less than
# this, only a part of the way is gone: the foot gives way by millimetres instead of the knee by many degrees.
SOFT_BEND_RAD = math.radians(30.0)
# Joints that are 10 mm off bend a knee by 3 to 4°. What would bend it three times as far, or stretch it, is let go.
MOST_BEND_RAD = math.radians(10.0)
HEEL = 0.36  # the sole reaches so far behind the ankle, as a part of what is before it (`pose_rig.humanoid.rest.PART`)
TINY_M = 1e-4


class Leg:
    """One leg, taken from the pose of an instant.

    Args:
        rest: Whose.
        side: Which.

    Attributes:
        ankle: Where the foot begins, m.
        foot: How it is turned in the room.
        toes: From the ankle to the tip of the toes at rest, m.
        ankle_m: Height of the ankle above the floor at rest; toes_m: that of the tip of the toes.
    """

    def __init__(self, rest: RestPose, side: Literal["Left", "Right"]) -> None:
        bones = ("UpperLeg", "LowerLeg", "Foot")
        self._bones = tuple(INDEX[side + bone] for bone in bones)
        self._hip, self._thigh, self._shank = (_vector(rest.offset[bone]) for bone in self._bones)
        toes = INDEX[f"{side}Toes"]
        self.toes = _vector(rest.offset[toes] + rest.tip[toes])
        self.ankle_m = sum(at[1] for at in (_vector(rest.offset[0]), self._hip, self._thigh, self._shank))
        self.toes_m = self.ankle_m + self.toes[1]
        self._hips = self._upper = self.foot = NONE
        self._lower = NONE
        self._begin = self.ankle = (0.0, 0.0, 0.0)

    def take(self, root: Vector, rotation: Sequence[Sequence[float]]) -> None:
        """Takes the leg of a pose, as in `pose_rig.humanoid.bones.Motion`."""
        self._hips = _quaternion(rotation[0])
        upper, self._lower, foot = (_quaternion(rotation[bone]) for bone in self._bones)
        self._upper = times(self._hips, upper)
        shank = times(self._upper, self._lower)
        self._begin = plus(root, turn(self._hips, self._hip))
        self.ankle = plus(plus(self._begin, turn(self._upper, self._thigh)), turn(shank, self._shank))
        self.foot = times(shank, foot)

    def over_sole_m(self, foot: Quaternion) -> float:
        """Returns how high the ankle is above the lower end of the sole of a foot that is so turned in the room."""
        x, y, z = self.toes
        return -min(turn(foot, self.toes)[1], turn(foot, (x, y, -HEEL * z))[1])

    def put(self, ankle: Vector, foot: Quaternion, rotation: Floats) -> None:
        """Bends the leg to where the ankle is wanted, as far as it reaches, its knee in the plane it was in.

        Args:
            ankle: Where the foot shall begin, m.
            foot: How it shall be turned in the room.
            rotation: (B,4) of the pose that was taken; that of this leg is changed.
        """
        way = minus(ankle, self._begin)
        lower = times(about(X, self._bending(length(way))), self._lower)
        reached = turn(self._upper, plus(self._thigh, turn(lower, self._shank)))
        upper = times(arc(unit(reached, Y), unit(way, Y)), self._upper)
        local = (times(back(self._hips), upper), lower, times(back(times(upper, lower)), foot))
        for bone, turned in zip(self._bones, local, strict=True):
            rotation[bone] = alike(turned, _quaternion(rotation[bone].tolist()))

    def _bending(self, wanted_m: float) -> float:
        """Returns by how much the knee is bent further, rad, so that the ankle is so far from the hip."""
        thigh, shank = self._thigh, turn(self._lower, self._shank)
        across = math.hypot(thigh[1], thigh[2]) * math.hypot(shank[1], shank[2])
        if across < TINY_M**2:
            return 0.0
        # about X, y comes to z; what lies along X is not turned
        now = math.atan2(thigh[1] * shank[2] - thigh[2] * shank[1], thigh[1] * shank[1] + thigh[2] * shank[2])
        along = 0.5 * (wanted_m**2 - dot(thigh, thigh) - dot(shank, shank)) - thigh[0] * shank[0]
        bend = math.acos(min(max(along / across, -1.0), 1.0))
        further = min((abs(now) + bend) / SOFT_BEND_RAD, 1.0) * (bend - abs(now))
        further = MOST_BEND_RAD * math.tanh(further / MOST_BEND_RAD)
        return further if now > 0 else max(further, 0.0)


def _vector(a: Floats) -> Vector:
    return float(a[0]), float(a[1]), float(a[2])


def _quaternion(a: Sequence[float]) -> Quaternion:
    return a[0], a[1], a[2], a[3]
