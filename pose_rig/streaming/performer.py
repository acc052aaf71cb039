"""From the poses of the rig to what an avatar shall do now.

A pose becomes joints a little ahead of their picture (`Lead`), joints become turns of bones (`Retargeter`), feet
that stand are held (`FootLock`). When nobody is seen the avatar holds its pose for a while and then goes to rest, so
that no receiver is ever left without an answer.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.config import ASSUMED_HEIGHT_M
from pose_rig.humanoid.avatar import NO_TURN
from pose_rig.humanoid.foot_lock import FootLock
from pose_rig.humanoid.live_rest import LiveRest
from pose_rig.humanoid.predict import MOST_MS, Lead
from pose_rig.humanoid.retarget import Retargeter
from pose_rig.skeleton import JOINTS, joint_names
from pose_rig.streaming.live_pose import LivePose
from pose_rig.wire.messages import Pose3D
from pose_rig.wire.services import POSE_STALE_S

HOLD_S = 1.0  # the last pose is held, as when somebody walks behind a pillar
TO_REST_S, FROM_REST_S = 1.0, 0.25
_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest pose, and when it came (ns, monotonic)."""

    pose: Pose3D
    at_ns: int

    def age_ns(self, now_ns: int) -> int:
        """Returns how old its picture is; right whatever clock the picture was stamped with."""
        return self.pose.age_ns + max(0, now_ns - self.at_ns)


class Performer:
    """Plays the person.

    Args:
        lead: Milliseconds to look ahead, or ``auto``: as much as the picture is old.
        foot_lock: Whether feet that stand are held.
    """

    def __init__(self, lead: float | Literal["auto"] = 0.0, *, foot_lock: bool = False) -> None:
        self._wanted_lead, self._lead = lead, Lead()
        self._foot_lock = foot_lock
        self._newest: Newest | None = None
        self._seen_ns = 0
        self._away = 1.0  # how far from the pose towards rest, 0–1
        self._now_ns = 0
        self._t_ns = 0
        self._solved_index = self._sent_index = -1
        self._xyz: Floats
        self._score: Floats
        self._begin((), ASSUMED_HEIGHT_M)

    def take(self, pose: Pose3D, now_ns: int) -> None:
        """Takes a pose that has just come."""
        joints = joint_names(pose.joints)
        before = self._newest
        self._newest = Newest(pose, now_ns)
        if joints != self._joints or pose.height_m != self._height_m:
            self._begin(joints, pose.height_m)
        if not pose.tracking:
            return
        self._seen_ns = now_ns
        anew = before is None or not before.pose.tracking or before.pose.mode != pose.mode
        self._lead.take(pose.t_ns, np.asarray(pose.xyz, np.float64), anew=anew)
        if self._bones.take(joints, pose):
            self._solver.wear(self._bones.rest)
            self._feet.wear(self._bones.rest)

    @property
    def has_new(self) -> bool:
        """Whether a pose came after the last one that was sent."""
        return self._newest is not None and self._newest.pose.index != self._sent_index

    def at(self, now_ns: int) -> LivePose:
        """Returns what to send now; before the first pose, a person at rest."""
        lead_s, tracking = 0.0, 0
        if self._newest is not None:
            self._sent_index = self._newest.pose.index
            tracking = int(self._newest.pose.tracking and now_ns - self._newest.at_ns < POSE_STALE_S * _S)
            lead_s = self._lead_s(self._newest, now_ns)
            if tracking:
                self._play(self._newest, lead_s)
        self._blend(now_ns)
        return self._live(now_ns, lead_s, tracking)

    def _lead_s(self, newest: Newest, now_ns: int) -> float:
        lead_ms = newest.age_ns(now_ns) * 1e-6 if self._wanted_lead == "auto" else self._wanted_lead
        return min(lead_ms, MOST_MS) * 1e-3

    def _play(self, newest: Newest, lead_s: float) -> None:
        """Bends the humanoid to the newest pose, unless it is bent to it already."""
        pose = newest.pose
        if pose.index == self._solved_index and self._wanted_lead != "auto":
            return
        self._solved_index = pose.index
        self._xyz, self._score = self._lead.ahead(lead_s), np.asarray(pose.score, np.float64)
        t_ns = max(pose.t_ns + round(lead_s * _S), self._t_ns + 1) if self._follows(pose) else pose.t_ns
        self._t_ns = t_ns
        self._root, self._rotation = self._solver.step(t_ns, self._xyz, self._score)
        if self._foot_lock:
            self._root, self._rotation = self._feet.step(
                t_ns, self._root, self._rotation, self._xyz, self._score, self._column, pose.mode == "solved"
            )

    def _follows(self, pose: Pose3D) -> bool:
        """Returns whether a pose is of the same run as the one before; a replay may begin anew."""
        return abs(pose.t_ns - self._t_ns) < _S

    def _blend(self, now_ns: int) -> None:
        """Moves towards rest while nobody is seen, and back."""
        passed_s = (now_ns - self._now_ns) / _S if self._now_ns else 0.0
        self._now_ns = now_ns
        lost = now_ns - self._seen_ns > HOLD_S * _S
        self._away += passed_s / TO_REST_S if lost else -passed_s / FROM_REST_S
        self._away = min(max(self._away, 0.0), 1.0)

    def _live(self, now_ns: int, lead_s: float, tracking: int) -> LivePose:
        rest, share = self._bones.rest, self._away**2 * (3 - 2 * self._away)
        newest = self._newest
        pose = newest.pose if newest else None
        return LivePose(
            index=pose.index if pose else -1,
            t_ns=pose.t_ns if pose else 0,
            age_ms=newest.age_ns(now_ns) * 1e-6 if newest else 0.0,
            lead_ms=lead_s * 1e3,
            mode=pose.mode if pose else "cold",
            tracking=tracking,
            joints=self._joints or JOINTS,
            xyz=self._xyz,
            score=self._score,
            rest=rest,
            root=_standing(self._root, rest.offset[0, 1], share),
            rotation=_at_rest(self._rotation, share),
            height_m=self._height_m,
            height_assumed=pose.height_assumed if pose else True,
        )

    def _begin(self, joints: tuple[str, ...], height_m: float) -> None:
        """Begins with somebody else, or with other joints."""
        self._joints, self._height_m = joints, height_m
        self._column = {name: i for i, name in enumerate(joints)}
        self._bones = LiveRest(height_m)
        self._solver = Retargeter(self._bones.rest, joints or JOINTS)
        self._feet = FootLock(self._bones.rest)
        self._root, self._rotation = self._solver.root, self._solver.rotation
        self._xyz = np.zeros((len(joints or JOINTS), 3))
        self._score = np.zeros(len(joints or JOINTS))
        self._t_ns = 0
        self._solved_index = self._sent_index = -1


def _standing(root: Floats, height_m: float, share: float) -> Floats:
    """Returns the hips (3,) m that far on the way to the height at which they are at rest."""
    return np.asarray(root + np.array([0.0, share * (height_m - root[1]), 0.0]))


def _at_rest(rotation: Floats, share: float) -> Floats:
    """Returns rotations (B,4) that far on the way to none at all, the short way round."""
    if share <= 0.0:
        return rotation
    rest = NO_TURN * np.where(rotation[:, 3:] < 0, -1.0, 1.0)
    mixed = (1 - share) * rotation + share * rest
    return np.asarray(mixed / np.linalg.norm(mixed, axis=-1, keepdims=True))
