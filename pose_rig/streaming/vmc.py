"""The person as datagrams of the VMC protocol, for every receiver there is.

Source: VMC protocol 3.1 (https://protocol.vmc.info/english), and what receivers do with it (`profiles`).

Axes: N bones of the avatar.
"""

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.humanoid.avatar import Avatar, of_person
from pose_rig.humanoid.bones import RestPose
from pose_rig.streaming.axes import UNITY
from pose_rig.streaming.live_pose import LivePose
from pose_rig.streaming.osc import Line, Packets, split
from pose_rig.streaming.profiles import Profile, Root

LOADED, CALIBRATED, NORMAL = 1, 3, 0  # what /VMC/Ext/OK says before tracking
TRANSFORM = 7  # x y z and a quaternion
LEVEL = np.array([1.0, 0.0, 1.0])


class VmcEncoder:
    """Makes datagrams of poses. They are written over for the next frame.

    Args:
        profile: Whose rules to keep.
        avatar: The user's own; None = a humanoid of the person's lengths.
        root: Which bone carries the way through the room; None = as the profile has it.
        fit: Whether the way through the room fits the legs of the avatar, rather than being in metres.
    """

    def __init__(self, profile: Profile, avatar: Avatar | None, root: Root | None = None, *, fit: bool = False) -> None:
        self._profile, self._own, self._fit = profile, avatar, fit
        self._on_root = (root or profile.root) == "root"
        self._rest: RestPose | None = None
        self._start_ns = 0
        self._avatar: Avatar | None = None
        self._before: Floats = np.zeros(0)

    def encode(self, pose: LivePose, now_ns: int) -> list[memoryview]:
        """Returns the datagrams of a frame, in the order in which they must be sent."""
        avatar = self._avatar_of(pose.rest)
        root = pose.root * (avatar.hips_height_m / pose.rest.offset[0, 1]) if self._fit else pose.root
        floats = self._packets.floats
        if self._on_root:
            way = root * LEVEL
            floats[self._places[0]] = UNITY.points(way)
            root = root - way
        floats[self._places[1]] = UNITY.points(avatar.hips(root))
        floats[self._turns] = self._continued(UNITY.rotations(avatar.turned(pose.rotation)))
        self._start_ns = self._start_ns or now_ns
        floats[self._time] = (now_ns - self._start_ns) * 1e-9
        self._packets.integers[self._tracking] = pose.tracking
        return self._packets.datagrams

    def _avatar_of(self, rest: RestPose) -> Avatar:
        """Returns what is sent; the person's own lengths get better known as time goes by."""
        if self._avatar is None or (self._own is None and rest is not self._rest):
            self._rest = rest
            avatar = self._own or of_person(rest, whole=self._profile.whole)
            if self._avatar is None:
                self._lay_out(avatar)
            self._packets.floats[self._places[2:]] = UNITY.points(avatar.translation[1:])
            self._avatar = avatar
        return self._avatar

    def _lay_out(self, avatar: Avatar) -> None:
        """Prepares the datagrams: the root, the bones, parents before children; at last, on their own, OK and T."""
        lines = [Line("/VMC/Ext/Root/Pos", ("root",), TRANSFORM)]
        lines += [Line("/VMC/Ext/Bone/Pos", (name,), TRANSFORM) for name in avatar.names]
        end = [Line("/VMC/Ext/OK", numbers=4, whole=True), Line("/VMC/Ext/T", numbers=1)]
        self._packets = Packets([*split(lines), end])
        *transforms, ok, self._time = self._packets.first.tolist()
        words = np.array(transforms)[:, None] + np.arange(TRANSFORM)
        self._places, self._turns = words[:, :3], words[1:, 3:]
        self._packets.floats[words[0]] = (*[0.0] * 6, 1.0)
        self._packets.integers[ok : ok + 3] = (LOADED, CALIBRATED, NORMAL)
        self._tracking = ok + 3

    def _continued(self, q: Floats) -> Floats:
        """Returns quaternions (N,4) with the signs that are nearest to those sent before: q and −q turn alike."""
        if len(self._before):
            away = np.einsum("ni,ni->n", q, self._before) < 0
            if away.any():
                q[away] *= -1
        self._before = q
        return q
