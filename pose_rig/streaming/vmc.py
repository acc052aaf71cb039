"""VMC protocol: poses as OSC datagrams for any receiver (marionette).

Source: VMC protocol 3.1 (https://protocol.vmc.info/english), and the behaviour of receivers in their sources
(docs/engines.md). Every receiver gets: one socket for the whole run, datagrams of at most 1400 bytes, parents before
children, float32 throughout, OK and T last and once per frame, and the local positions of a real skeleton. EVMC4U,
VRM4U and Godot's tracker each break without some of that.

Axes: N bones of the avatar.
"""

from typing import Literal

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.humanoid.avatar import Avatar, person_avatar
from pose_rig.humanoid.bones import RestPose
from pose_rig.streaming.axes import UNITY
from pose_rig.streaming.live_pose import LivePose
from pose_rig.streaming.osc import DatagramBuffer, MessageLayout, split

Root = Literal["hips", "root"]
LOADED, CALIBRATED, NORMAL = 1, 3, 0  # arguments of /VMC/Ext/OK before tracking
TRANSFORM_FLOATS = 7  # position x y z and a quaternion
HORIZONTAL = np.array([1.0, 0.0, 1.0])


# Receiver → whether it needs all bones of Unity's humanoid, unmeasured ones at rest, because it takes a missing bone
# for a lost one. unity: EVMC4U; unreal: VRM4U; godot: Godot XR VMC tracker.
PROFILES: dict[str, bool] = {
    "unity": False,
    "unreal": False,
    "godot": False,
    "warudo": True,
    "vnyan": True,
    "vseeface": True,
}


class VmcEncoder:
    """Encodes poses as VMC datagrams. The next frame overwrites them.

    Args:
        avatar: The user's avatar; None = a humanoid with the person's bone lengths.
        all_bones: Whether that humanoid has all bones of Unity's, not only the measured ones.
        root: Bone that carries the root motion. Godot's tracker ignores the root.
        fit: Whether root motion is scaled to the legs of the avatar instead of being in metres.
    """

    def __init__(
        self, avatar: Avatar | None = None, *, all_bones: bool = False, root: Root = "hips", fit: bool = False
    ) -> None:
        self._user_avatar, self._all_bones, self._fit = avatar, all_bones, fit
        self._on_root = root == "root"
        self._rest: RestPose | None = None
        self._start_ns = 0
        self._avatar: Avatar | None = None
        self._previous: Floats = np.zeros(0)

    def encode(self, pose: LivePose, now_ns: int) -> list[memoryview]:
        """Returns the datagrams of a frame, in sending order."""
        avatar = self._avatar_for(pose.rest)
        root = pose.root * (avatar.hips_height_m / pose.rest.offset[0, 1]) if self._fit else pose.root
        floats = self._buffer.floats
        if self._on_root:
            horizontal = root * HORIZONTAL
            floats[self._positions[0]] = UNITY.points(horizontal)
            root = root - horizontal
        floats[self._positions[1]] = UNITY.points(avatar.hips_translation(root))
        floats[self._rotations] = self._sign_continuous(UNITY.rotations(avatar.local_rotations(pose.rotation)))
        self._start_ns = self._start_ns or now_ns
        floats[self._time] = (now_ns - self._start_ns) * 1e-9
        self._buffer.integers[self._tracking] = pose.tracking
        return self._buffer.datagrams

    def _avatar_for(self, rest: RestPose) -> Avatar:
        """Returns the avatar to send; bone lengths of the person are updated while they are being measured."""
        if self._avatar is None or (self._user_avatar is None and rest is not self._rest):
            self._rest = rest
            avatar = self._user_avatar or person_avatar(rest, all_bones=self._all_bones)
            if self._avatar is None:
                self._allocate(avatar)
            self._buffer.floats[self._positions[2:]] = UNITY.points(avatar.translation[1:])
            self._avatar = avatar
        return self._avatar

    def _allocate(self, avatar: Avatar) -> None:
        """Allocates the datagrams: root and bones, parents first; then a datagram with OK and T."""
        messages = [MessageLayout("/VMC/Ext/Root/Pos", ("root",), TRANSFORM_FLOATS)]
        messages += [MessageLayout("/VMC/Ext/Bone/Pos", (name,), TRANSFORM_FLOATS) for name in avatar.names]
        end = [MessageLayout("/VMC/Ext/OK", numbers=4, integers=True), MessageLayout("/VMC/Ext/T", numbers=1)]
        self._buffer = DatagramBuffer([*split(messages), end])
        *transforms, ok, self._time = self._buffer.first.tolist()
        words = np.array(transforms)[:, None] + np.arange(TRANSFORM_FLOATS)
        self._positions, self._rotations = words[:, :3], words[1:, 3:]
        self._buffer.floats[words[0]] = (*[0.0] * 6, 1.0)
        self._buffer.integers[ok : ok + 3] = (LOADED, CALIBRATED, NORMAL)
        self._tracking = ok + 3

    def _sign_continuous(self, q: Floats) -> Floats:
        """Returns quaternions (N,4) with the signs nearest to the previous frame: q and −q are the same rotation."""
        if len(self._previous):
            flipped = np.einsum("ni,ni->n", q, self._previous) < 0
            if flipped.any():
                q[flipped] *= -1
        self._previous = q
        return q
