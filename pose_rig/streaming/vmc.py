"""The person as datagrams of the VMC protocol, for every receiver there is.

Source: VMC protocol 3.1 (https://protocol.vmc.info/english), and what receivers do with it (`profiles`).

Axes: N bones of the avatar.
"""

import numpy as np

from pose_rig.streaming.avatar import Avatar, of_person
from pose_rig.streaming.axes import UNITY
from pose_rig.streaming.humanoid import Floats, RestPose
from pose_rig.streaming.live_pose import LivePose
from pose_rig.streaming.osc import Datagram, Line, split
from pose_rig.streaming.profiles import Profile, Root

LOADED, CALIBRATED, NORMAL = 1, 3, 0  # what /VMC/Ext/OK says before tracking
NO_TURN = np.array([0.0, 0.0, 0.0, 1.0])
TRANSFORM = 7  # x y z and a quaternion


class VmcEncoder:
    """Makes datagrams of poses; keeps them, so those of a frame are good until the next one.

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
        self._avatar = avatar
        self._start_ns = 0
        self._before: Floats | None = None
        self._bones: list[tuple[Datagram, slice, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]] = []
        self._last = Datagram([Line("/VMC/Ext/OK", numbers=4, whole=True), Line("/VMC/Ext/T", numbers=1)])
        ok, t = self._last.first
        self._last.integers[ok : ok + 4] = (LOADED, CALIBRATED, NORMAL, 0)
        self._tracking_at, self._t_at = ok + 3, t

    def encode(self, pose: LivePose, now_ns: int) -> list[bytearray]:
        """Returns the datagrams of a frame, in the order in which they must be sent."""
        avatar = self._avatar_of(pose.rest)
        root = pose.root * (avatar.hips_height_m / pose.rest.offset[0, 1]) if self._fit else pose.root
        way = np.array([root[0], 0.0, root[2]]) if self._on_root else np.zeros(3)
        translation, rotation = avatar.posed(root - way, pose.rotation)
        numbers = np.concatenate([UNITY.points(translation), self._continued(UNITY.rotations(rotation))], 1)
        numbers = np.concatenate([np.concatenate([UNITY.points(way), NO_TURN])[None], numbers])
        for datagram, lines, words in self._bones:
            datagram.floats[words] = numbers[lines]
        self._start_ns = self._start_ns or now_ns
        self._last.integers[self._tracking_at] = pose.tracking
        self._last.floats[self._t_at] = (now_ns - self._start_ns) * 1e-9
        return [*(datagram.data for datagram, _, _ in self._bones), self._last.data]

    def _avatar_of(self, rest: RestPose) -> Avatar:
        """Returns what is sent; the person's own lengths get better known as time goes by."""
        if self._own is None and rest is not self._rest:
            self._avatar, self._rest = of_person(rest, whole=self._profile.whole), rest
        if self._avatar is None:
            raise AssertionError("a person has bones")
        if not self._bones:
            self._lay_out(self._avatar)
        return self._avatar

    def _lay_out(self, avatar: Avatar) -> None:
        """Prepares the datagrams: the root, then the bones, parents before children."""
        lines = [Line("/VMC/Ext/Root/Pos", ("root",), TRANSFORM)]
        lines += [Line("/VMC/Ext/Bone/Pos", (name,), TRANSFORM) for name in avatar.names]
        done = 0
        for group in split(lines):
            datagram = Datagram(group)
            words = datagram.first[:, None] + np.arange(TRANSFORM)
            self._bones.append((datagram, slice(done, done + len(group)), words))
            done += len(group)

    def _continued(self, q: Floats) -> Floats:
        """Returns quaternions (N,4) with the signs that are nearest to those sent before: q and −q turn alike."""
        q = q / np.linalg.norm(q, axis=-1, keepdims=True)
        if self._before is not None:
            q = np.where((q * self._before).sum(-1, keepdims=True) < 0, -q, q)
        self._before = q
        return q
