"""The person as VRChat's OSC trackers.

Source: https://docs.vrchat.com/docs/osc-trackers: world space, Unity's axes, metres, Euler angles in degrees. VRChat
finds out at calibration which tracker is which body part, and lays the room onto its own by the head.

Axes: N trackers.
"""

from collections.abc import Sequence

import numpy as np

from pose_rig.streaming.avatar import EYE
from pose_rig.streaming.axes import UNITY
from pose_rig.streaming.humanoid import INDEX, PARENTS, Floats
from pose_rig.streaming.live_pose import LivePose
from pose_rig.streaming.osc import Line, Packets
from pose_rig.streaming.turning import Quaternion, Vector, plus, times, turn

# body part that the user names → bones at whose beginnings the trackers sit
PARTS: dict[str, tuple[str, ...]] = {
    "hip": ("Hips",),
    "chest": ("Chest",),
    "feet": ("LeftFoot", "RightFoot"),
    "knees": ("LeftLowerLeg", "RightLowerLeg"),
    "elbows": ("LeftLowerArm", "RightLowerArm"),
}
HEAD = INDEX["Head"]
GIMBAL = 0.9999999  # sine of a pitch at which yaw and roll are one


class TrackerEncoder:
    """Makes one datagram of a pose.

    Args:
        parts: Those of `PARTS` that are sent, beside the head. VRChat advises few where accuracy is limited.
    """

    def __init__(self, parts: Sequence[str]) -> None:
        self._bones = [INDEX[bone] for part in PARTS if part in parts for bone in PARTS[part]]
        names = ["head", *(str(number) for number in range(1, len(self._bones) + 1))]
        kinds = ("position", "rotation")
        lines = [Line(f"/tracking/trackers/{name}/{kind}", numbers=3) for name in names for kind in kinds]
        self._chain = _chain([HEAD, *self._bones])
        self._packets = Packets([lines])
        self._words = self._packets.first[:, None] + np.arange(3)

    def encode(self, pose: LivePose, now_ns: int) -> list[memoryview]:
        """Returns the datagram of a frame."""
        del now_ns
        place, turned = _in_room(pose, self._chain)
        skull = float(np.linalg.norm(pose.rest.tip[HEAD]))
        eyes = plus(place[HEAD], turn(turned[HEAD], (0.0, skull * EYE[1], skull * EYE[2])))
        places = np.array([eyes, *(place[bone] for bone in self._bones)])
        turns = np.array([turned[HEAD], *(turned[bone] for bone in self._bones)])
        angles = euler_deg(UNITY.rotations(turns))
        self._packets.floats[self._words] = np.stack([UNITY.points(places), angles], 1).reshape(-1, 3)
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


def euler_deg(q: Floats) -> Floats:
    """Returns Unity's Euler angles (N,3) x y z of quaternions (N,4), °: turned about z first, then x, then y."""
    x, y, z, w = q.T
    sine = np.clip(2 * (w * x - y * z), -1.0, 1.0)
    pitch = np.arcsin(sine)
    yaw = np.arctan2(2 * (x * z + w * y), 1 - 2 * (x * x + y * y))
    roll = np.arctan2(2 * (x * y + w * z), 1 - 2 * (x * x + z * z))
    steep = np.abs(sine) > GIMBAL
    yaw = np.where(steep, 2 * np.arctan2(y, w), yaw)
    roll = np.where(steep, 0.0, roll)
    return np.asarray(np.degrees(np.stack([pitch, yaw, roll], 1)))
