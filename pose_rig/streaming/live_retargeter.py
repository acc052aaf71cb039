"""Retargets the poses of the rig to a humanoid, live.

Joints are predicted ahead (`PosePredictor`), retargeted (`Retargeter`), and feet on the floor are locked (`FootLock`).
While no person is tracked the last pose is held, then blended to the rest pose, so receivers get a frame at all times.
"""

from typing import Literal

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.config import ASSUMED_HEIGHT_M
from pose_rig.humanoid.avatar import IDENTITY_ROW
from pose_rig.humanoid.foot_lock import FootLock
from pose_rig.humanoid.predict import MAX_LEAD_MS, PosePredictor
from pose_rig.humanoid.rest_pose import RestPoseEstimator
from pose_rig.humanoid.retarget import Retargeter
from pose_rig.skeleton import JOINTS, joint_names
from pose_rig.streaming.live_pose import LivePose
from pose_rig.wire.messages import Pose3D
from pose_rig.wire.services import POSE_STALE_S

HOLD_S = 1.0  # the last pose is held, for instance while the person is occluded
TO_REST_S, FROM_REST_S = 1.0, 0.25  # duration of the blends
_S = 1_000_000_000


class LiveRetargeter:
    """Turns the poses of the rig into the pose to send.

    Args:
        lead: Milliseconds to predict ahead, or ``auto``: the age of the pose.
        foot_lock: Whether feet on the floor are locked.
    """

    def __init__(self, lead: float | Literal["auto"] = 0.0, *, foot_lock: bool = False) -> None:
        self._lead, self._predictor = lead, PosePredictor()
        self._foot_lock = foot_lock
        self._newest: Pose3D | None = None
        self._received_ns = self._tracked_ns = 0
        self._rest_share = 1.0  # of the blend from the pose (0) to the rest pose (1)
        self._now_ns = 0
        self._t_ns = 0
        self._retargeted_index = self._sent_index = -1
        self._xyz: Floats
        self._score: Floats
        self._reset((), ASSUMED_HEIGHT_M)

    def add(self, pose: Pose3D, now_ns: int) -> None:
        """Adds a received pose."""
        joints = joint_names(pose.joints)
        previous = self._newest
        self._newest, self._received_ns = pose, now_ns
        if joints != self._joints or pose.height_m != self._height_m:
            self._reset(joints, pose.height_m)
        if not pose.tracking:
            return
        self._tracked_ns = now_ns
        restart = previous is None or not previous.tracking or previous.mode != pose.mode
        self._predictor.add(pose.t_ns, np.asarray(pose.xyz, np.float64), restart=restart)
        if self._rest_estimator.update(joints, pose):
            self._retargeter.set_rest_pose(self._rest_estimator.rest)
            self._feet.set_rest_pose(self._rest_estimator.rest)

    @property
    def has_new(self) -> bool:
        """Whether a pose arrived after the last one that was sent."""
        return self._newest is not None and self._newest.index != self._sent_index

    def pose_at(self, now_ns: int) -> LivePose:
        """Returns the pose to send now; before the first pose, a person in the rest pose."""
        lead_s, tracking, pose = 0.0, 0, self._newest
        if pose is not None:
            self._sent_index = pose.index
            tracking = int(pose.tracking and now_ns - self._received_ns < POSE_STALE_S * _S)
            lead_ms = self._age_ns(pose, now_ns) * 1e-6 if self._lead == "auto" else self._lead
            lead_s = min(lead_ms, MAX_LEAD_MS) * 1e-3
            if tracking:
                self._retarget(pose, lead_s)
        self._blend(now_ns)
        return self._live_pose(now_ns, lead_s, tracking)

    def _age_ns(self, pose: Pose3D, now_ns: int) -> int:
        """Returns the time since capture, whatever clock the capture timestamp is from."""
        return pose.age_ns + max(0, now_ns - self._received_ns)

    def _retarget(self, pose: Pose3D, lead_s: float) -> None:
        """Retargets the newest pose, unless that was done already."""
        if pose.index == self._retargeted_index and self._lead != "auto":
            return
        self._retargeted_index = pose.index
        self._xyz, self._score = self._predictor.predict(lead_s), np.asarray(pose.score, np.float64)
        continues = abs(pose.t_ns - self._t_ns) < _S  # a replay may start over
        t_ns = max(pose.t_ns + round(lead_s * _S), self._t_ns + 1) if continues else pose.t_ns
        self._t_ns = t_ns
        self._root, self._rotation = self._retargeter.step(t_ns, self._xyz, self._score)
        if self._foot_lock:
            self._root, self._rotation = self._feet.step(
                t_ns, self._root, self._rotation, self._xyz, self._score, self._column, pose.mode == "solved"
            )

    def _blend(self, now_ns: int) -> None:
        """Advances the blend to the rest pose while no person is tracked, and back."""
        elapsed_s = (now_ns - self._now_ns) / _S if self._now_ns else 0.0
        self._now_ns = now_ns
        lost = now_ns - self._tracked_ns > HOLD_S * _S
        self._rest_share += elapsed_s / TO_REST_S if lost else -elapsed_s / FROM_REST_S
        self._rest_share = min(max(self._rest_share, 0.0), 1.0)

    def _live_pose(self, now_ns: int, lead_s: float, tracking: int) -> LivePose:
        rest, share, pose = self._rest_estimator.rest, self._rest_share**2 * (3 - 2 * self._rest_share), self._newest
        to_rest_height = np.array([0.0, share * (rest.offset[0, 1] - self._root[1]), 0.0])
        return LivePose(
            index=pose.index if pose else -1,
            t_ns=pose.t_ns if pose else 0,
            age_ms=self._age_ns(pose, now_ns) * 1e-6 if pose else 0.0,
            lead_ms=lead_s * 1e3,
            mode=pose.mode if pose else "cold",
            tracking=tracking,
            joints=self._joints or JOINTS,
            xyz=self._xyz,
            score=self._score,
            rest=rest,
            root=self._root + to_rest_height,
            rotation=_blended_to_rest(self._rotation, share),
            height_m=self._height_m,
            height_assumed=pose.height_assumed if pose else True,
        )

    def _reset(self, joints: tuple[str, ...], height_m: float) -> None:
        """Starts over with another person, or with other joints."""
        self._joints, self._height_m = joints, height_m
        self._column = {name: i for i, name in enumerate(joints)}
        self._rest_estimator = RestPoseEstimator(height_m)
        self._retargeter = Retargeter(self._rest_estimator.rest, joints or JOINTS)
        self._feet = FootLock(self._rest_estimator.rest)
        self._root, self._rotation = self._retargeter.root, self._retargeter.rotation
        self._xyz = np.zeros((len(joints or JOINTS), 3))
        self._score = np.zeros(len(joints or JOINTS))
        self._t_ns = 0
        self._retargeted_index = self._sent_index = -1


def _blended_to_rest(rotation: Floats, share: float) -> Floats:
    """Returns rotations (B,4) blended to identity, along the shorter path."""
    if share <= 0.0:
        return rotation
    rest = IDENTITY_ROW * np.where(rotation[:, 3:] < 0, -1.0, 1.0)
    mixed = (1 - share) * rotation + share * rest
    return np.asarray(mixed / np.linalg.norm(mixed, axis=-1, keepdims=True))
