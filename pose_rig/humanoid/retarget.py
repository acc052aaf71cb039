"""Retargeting: joint positions to joint rotations of a humanoid, frame by frame while streaming, and for whole takes.

Axes: T time steps, J joints, B bones.
"""

import math

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.config import ASSUMED_HEIGHT_M
from pose_rig.humanoid.bones import B, Motion, RestPose
from pose_rig.humanoid.humanoid_pose import HumanoidPose, JointFrame
from pose_rig.humanoid.limbs import limb, retarget_arm, retarget_leg
from pose_rig.humanoid.rest_pose import rest_pose
from pose_rig.humanoid.trunk import retarget_trunk
from pose_rig.skeleton import J

MAX_COORDINATE_M = 1e4  # larger coordinates are invalid
# Limbs of sprinters and kickers rotate by about 1300° per second. Faster rotations come from joints that jumped: the
# humanoid follows over a few frames. The second limit allows for slow cameras, and excludes flips.
MAX_SPEED_DEG_S = 1300.0
MAX_STEP_DEG = 55.0  # between two frames
MAX_GAP_S = 1.0  # without a tracked person, the previous frame is dropped


class Retargeter:
    """Rotates the bones of a humanoid to the measured joints of a person.

    The previous frame matters only where the joints leave a rotation open: the twist of straight limbs, and hands and
    feet that are not visible.

    Args:
        rest: Rest pose of the person.
        joints: (J) names of the joints; the first 17 are `pose_rig.skeleton.JOINTS`. Of the others, the landmarks of
            feet, hands and face of mediapipe33 are used, under its names.

    Attributes:
        root: (3,) m, position of the hips in the last frame; before the first, that of the rest pose.
        rotation: (B,4) as in `pose_rig.humanoid.bones.Motion`, likewise.
    """

    def __init__(self, rest: RestPose, joints: tuple[str, ...]) -> None:
        self._column = {name: i for i, name in enumerate(joints)}
        self._pose = HumanoidPose(rest)
        self._arms = (limb("Left", "Arm"), limb("Right", "Arm"))
        self._legs = (limb("Left", "Leg"), limb("Right", "Leg"))
        self._t_ns = 0
        self.root: Floats = np.array(self._pose.root)
        self.rotation: Floats = np.array(self._pose.rotations)

    def set_rest_pose(self, rest: RestPose) -> None:
        """Changes bone lengths."""
        self._pose.set_rest_pose(rest)

    def step(self, t_ns: int, xyz: NDArray[np.floating], score: NDArray[np.floating]) -> tuple[Floats, Floats]:
        """Returns ``root`` and ``rotation`` of a frame; those of the previous one if no person is tracked.

        Args:
            t_ns: Timestamp; one that is not later than the previous one starts over.
            xyz: (J,3) m, ``rig``; if one of the first 17 is NaN, no person is tracked.
            score: (J,) 0–1; landmarks beyond the 17 with score 0 are not used.
        """
        valid = (np.abs(xyz) < MAX_COORDINATE_M).all(-1)
        if not valid[:J].all():
            return self.root, self.rotation
        dt_s = (t_ns - self._t_ns) * 1e-9
        pose = self._pose
        pose.restart = pose.restart or not 0.0 <= dt_s <= MAX_GAP_S
        pose.max_step_rad = min(math.radians(max(MAX_SPEED_DEG_S * dt_s, MAX_STEP_DEG)), math.pi)
        visible = np.where(valid & np.isfinite(score), score, 0.0)
        joints = JointFrame(self._column, xyz.tolist(), visible.tolist(), dt_s)
        retarget_trunk(pose, joints)
        for arm in self._arms:
            retarget_arm(pose, joints, arm)
        for leg in self._legs:
            retarget_leg(pose, joints, leg)
        pose.restart = False
        self._t_ns = t_ns
        self.root, self.rotation = np.array(pose.root), np.array(pose.rotations)
        return self.root, self.rotation


def retarget(
    joints: tuple[str, ...],
    t_ns: NDArray[np.int64],
    xyz: NDArray[np.floating],
    score: NDArray[np.floating],
    *,
    height_m: float = ASSUMED_HEIGHT_M,
    rest: RestPose | None = None,
) -> Motion:
    """Returns the joint rotations of a humanoid that follows a sequence of poses.

    Frames without a person repeat the frame before them; frames before the first person repeat the first one.

    Args:
        joints: (J) names, as for `Retargeter`.
        t_ns: (T,) timestamps, increasing.
        xyz: (T,J,3) m, ``rig``: right-handed, y up; NaN where no person is tracked.
        score: (T,J) 0–1; 0 = guessed.
        height_m: Body height; sets the bone lengths that cannot be measured.
        rest: Rest pose; None = measured from the sequence by `rest_pose`.
    """
    if rest is None:
        rest = rest_pose(joints, xyz, score, height_m)
    retargeter = Retargeter(rest, joints)
    root, rotation = np.empty((len(t_ns), 3)), np.empty((len(t_ns), B, 4))
    for i, t in enumerate(t_ns.tolist()):
        root[i], rotation[i] = retargeter.step(t, xyz[i], score[i])
    tracked = np.flatnonzero((np.abs(xyz[:, :J]) < MAX_COORDINATE_M).all((1, 2)))
    if len(tracked):
        root[: tracked[0]], rotation[: tracked[0]] = root[tracked[0]], rotation[tracked[0]]
    return Motion(rest, t_ns, root, rotation)
