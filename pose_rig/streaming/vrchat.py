"""The person as VRChat's OSC trackers.

Source: https://docs.vrchat.com/docs/osc-trackers: world space, Unity's axes, metres, Euler angles in degrees. VRChat
finds out at calibration which tracker is which body part, and lays the room onto its own by the root of the head bone.

In plain numbers, for a handful of them numpy takes longer.
"""

import math
from collections.abc import Sequence

import numpy as np

from pose_rig.humanoid.bones import INDEX, PARENTS
from pose_rig.humanoid.quaternion import Quaternion, Vector, plus, times, turn
from pose_rig.streaming.live_pose import LivePose
from pose_rig.streaming.osc import Line, Packets

# body part that the user names → bones at whose beginnings the trackers sit
PARTS: dict[str, tuple[str, ...]] = {
    "hip": ("Hips",),
    "chest": ("Chest",),
    "feet": ("LeftFoot", "RightFoot"),
    "knees": ("LeftLowerLeg", "RightLowerLeg"),
    "elbows": ("LeftLowerArm", "RightLowerArm"),
}
GIMBAL = 0.9999999  # sine of a pitch at which yaw and roll are one


class TrackerEncoder:
    """Makes one datagram of a pose.

    Args:
        parts: Those of `PARTS` that are sent, beside the head. VRChat advises few where accuracy is limited.
    """

    def __init__(self, parts: Sequence[str]) -> None:
        self._bones = [INDEX["Head"], *(INDEX[bone] for part in PARTS if part in parts for bone in PARTS[part])]
        names = ["head", *(str(number) for number in range(1, len(self._bones)))]
        kinds = ("position", "rotation")
        lines = [Line(f"/tracking/trackers/{name}/{kind}", numbers=3) for name in names for kind in kinds]
        self._chain = _chain(self._bones)
        self._packets = Packets([lines])
        self._words = self._packets.first[:, None] + np.arange(3)

    def encode(self, pose: LivePose, now_ns: int) -> list[memoryview]:
        """Returns the datagram of a frame."""
        del now_ns
        place, turned = _in_room(pose, self._chain)
        numbers = []
        for bone in self._bones:
            numbers += [_point(place[bone]), euler_deg(*_turn(turned[bone]))]
        self._packets.floats[self._words] = numbers
        return self._packets.datagrams


def _chain(bones: Sequence[int]) -> list[int]:
    """Returns bones and all that they hang on, parents first."""
    chain: set[int] = set()
    for bone in bones:
        above = bone
        while above >= 0:
            chain.add(above)
            above = PARENTS[above]
    return sorted(chain)


def _in_room(pose: LivePose, chain: Sequence[int]) -> tuple[dict[int, Vector], dict[int, Quaternion]]:
    """Returns where bones begin, m, and how they are turned; as `humanoid.forward`, ten times as fast for one pose."""
    offset, local = pose.rest.offset.tolist(), pose.rotation.tolist()
    place: dict[int, Vector] = {0: tuple(pose.root.tolist())}
    turned: dict[int, Quaternion] = {0: tuple(local[0])}
    for bone in chain[1:]:
        parent = PARENTS[bone]
        place[bone] = plus(place[parent], turn(turned[parent], offset[bone]))
        turned[bone] = times(turned[parent], local[bone])
    return place, turned


def _point(place: Vector) -> Vector:
    """Returns a place in Unity's axes, as `axes.UNITY` does."""
    return -place[0], place[1], place[2]


def _turn(q: Quaternion) -> Quaternion:
    """Returns a turn in Unity's axes, likewise."""
    return q[0], -q[1], -q[2], q[3]


def euler_deg(x: float, y: float, z: float, w: float) -> Vector:
    """Returns Unity's Euler angles x y z, °, of a quaternion: turned about z first, then x, then y."""
    sine = max(-1.0, min(1.0, 2 * (w * x - y * z)))
    if abs(sine) > GIMBAL:
        yaw, roll = 2 * math.atan2(y, w), 0.0
    else:
        yaw = math.atan2(2 * (x * z + w * y), 1 - 2 * (x * x + y * y))
        roll = math.atan2(2 * (x * y + w * z), 1 - 2 * (x * x + z * z))
    return math.degrees(math.asin(sine)), math.degrees(yaw), math.degrees(roll)
