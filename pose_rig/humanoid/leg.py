"""Two-bone inverse kinematics of one leg of a humanoid."""

import math
from collections.abc import Sequence
from typing import Literal

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import INDEX, RestPose
from pose_rig.humanoid.quaternion import (
    IDENTITY,
    Quaternion,
    Vector,
    X,
    Y,
    add,
    dot,
    from_axis_angle,
    inverse,
    multiply,
    norm,
    normalize,
    rotate,
    same_sign,
    shortest_arc,
    subtract,
)

# Near-straight knees bend by 10° for 3 mm between hip and ankle. While the bends before and after add up to less than
# this, only a part of the correction is applied: the foot is off by millimetres instead of the knee by many degrees.
SOFT_BEND_RAD = math.radians(30.0)
# Joints that are 10 mm off bend a knee by 3 to 4°. The correction of the bend saturates at three times as much.
MAX_BEND_CHANGE_RAD = math.radians(10.0)
HEEL_FRACTION = 0.36  # sole behind the ankle relative to that in front (`rest_pose.BODY_PROPORTIONS`)
MIN_LENGTH_M = 1e-4


class Leg:
    """One leg of the pose of a frame.

    Args:
        rest: Rest pose.
        side: Left or right.

    Attributes:
        ankle: Position of the ankle, m.
        foot: Rotation of the foot in ``rig``.
        toes: From the ankle to the tip of the toes at rest, m.
        ankle_m: Height of the ankle above the floor at rest.
        toes_m: Height of the tip of the toes above the floor at rest.
    """

    def __init__(self, rest: RestPose, side: Literal["Left", "Right"]) -> None:
        bones = ("UpperLeg", "LowerLeg", "Foot")
        self._bones = tuple(INDEX[side + bone] for bone in bones)
        self._hip, self._thigh, self._shank = (_vector(rest.offset[bone]) for bone in self._bones)
        toes = INDEX[f"{side}Toes"]
        self.toes = _vector(rest.offset[toes] + rest.tip[toes])
        self.ankle_m = sum(offset[1] for offset in (_vector(rest.offset[0]), self._hip, self._thigh, self._shank))
        self.toes_m = self.ankle_m + self.toes[1]
        self._hips = self._upper = self.foot = IDENTITY
        self._lower = IDENTITY
        self._start = self.ankle = (0.0, 0.0, 0.0)

    def set_pose(self, root: Vector, rotation: Sequence[Sequence[float]]) -> None:
        """Computes the leg of a pose given as in `pose_rig.humanoid.bones.Motion`."""
        self._hips = _quaternion(rotation[0])
        upper, self._lower, foot = (_quaternion(rotation[bone]) for bone in self._bones)
        self._upper = multiply(self._hips, upper)
        shank = multiply(self._upper, self._lower)
        self._start = add(root, rotate(self._hips, self._hip))
        self.ankle = add(add(self._start, rotate(self._upper, self._thigh)), rotate(shank, self._shank))
        self.foot = multiply(shank, foot)

    def sole_depth_m(self, foot: Quaternion) -> float:
        """Returns the height of the ankle above the lower end of the sole of a foot with that rotation in ``rig``."""
        x, y, z = self.toes
        return -min(rotate(foot, self.toes)[1], rotate(foot, (x, y, -HEEL_FRACTION * z))[1])

    def place_foot(self, ankle: Vector, foot: Quaternion, rotation: Floats) -> None:
        """Moves the ankle to a target as far as the leg reaches; the knee stays in its plane.

        Args:
            ankle: Target of the ankle, m.
            foot: Target rotation of the foot in ``rig``.
            rotation: (B,4) of the pose that was set; the rows of this leg are changed.
        """
        target = subtract(ankle, self._start)
        lower = multiply(from_axis_angle(X, self._bend_change(norm(target))), self._lower)
        reached = rotate(self._upper, add(self._thigh, rotate(lower, self._shank)))
        upper = multiply(shortest_arc(normalize(reached, Y), normalize(target, Y)), self._upper)
        local = (multiply(inverse(self._hips), upper), lower, multiply(inverse(multiply(upper, lower)), foot))
        for bone, rotated in zip(self._bones, local, strict=True):
            rotation[bone] = same_sign(rotated, _quaternion(rotation[bone].tolist()))

    def _bend_change(self, distance_m: float) -> float:
        """Returns the change of the knee's bend, rad, that puts the ankle at that distance from the hip."""
        thigh, shank = self._thigh, rotate(self._lower, self._shank)
        across = math.hypot(thigh[1], thigh[2]) * math.hypot(shank[1], shank[2])
        if across < MIN_LENGTH_M**2:
            return 0.0
        # about X, y rotates to z; components along X stay
        now = math.atan2(thigh[1] * shank[2] - thigh[2] * shank[1], thigh[1] * shank[1] + thigh[2] * shank[2])
        along = 0.5 * (distance_m**2 - dot(thigh, thigh) - dot(shank, shank)) - thigh[0] * shank[0]
        bend = math.acos(min(max(along / across, -1.0), 1.0))
        change = min((abs(now) + bend) / SOFT_BEND_RAD, 1.0) * (bend - abs(now))
        change = MAX_BEND_CHANGE_RAD * math.tanh(change / MAX_BEND_CHANGE_RAD)
        return change if now > 0 else max(change, 0.0)


def _vector(a: Floats) -> Vector:
    return float(a[0]), float(a[1]), float(a[2])


def _quaternion(a: Sequence[float]) -> Quaternion:
    return a[0], a[1], a[2], a[3]
