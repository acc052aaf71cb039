"""Retargeted poses, and poses as the fusion publishes them."""

from dataclasses import replace

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.humanoid.avatar import Avatar
from pose_rig.skeleton import JOINTS
from pose_rig.streaming.live_pose import LivePose
from pose_rig.wire.messages import Mode, Pose3D
from tests.streaming.people import ALL, Person

HZ = 60.0
EXTRA = ",".join(ALL[len(JOINTS) :])


def live(subject: Person, i: int = 0, **more: object) -> LivePose:
    """Returns the pose of a subject in frame ``i``, with the subject's own humanoid."""
    pose = LivePose(
        index=i,
        t_ns=int(subject.t_ns[i]),
        age_ms=20.0,
        lead_ms=0.0,
        mode="solved",
        tracking=1,
        joints=ALL,
        xyz=subject.xyz[i],
        score=np.ones(len(ALL)),
        rest=subject.rest,
        root=subject.root[i],
        rotation=subject.rotation[i],
        height_m=subject.height_m,
        height_assumed=False,
    )
    return replace(pose, **more)  # type: ignore[arg-type]


def pose3d(
    subject: Person, i: int, *, t_ns: int | None = None, tracking: int = 1, mode: Mode = "solved", person: int = 0
) -> Pose3D:
    """Returns the message of the fusion for frame ``i``."""
    return Pose3D(
        index=i,
        t_ns=int(subject.t_ns[i]) if t_ns is None else t_ns,
        age_ns=20_000_000,
        person=person,
        joints=f"rig17,{EXTRA}",
        xyz=subject.xyz[i].astype(np.float32),
        score=np.ones(len(ALL), np.float32),
        residual_px=np.zeros(len(ALL), np.float32),
        mode=mode,
        tracking=tracking,
        height_m=subject.height_m,
        height_assumed=False,
    )


def posed(avatar: Avatar, root: Floats, rotation: Floats) -> tuple[Floats, Floats]:
    """Returns translation (N,3) and rotation (N,4) of every bone of an avatar, relative to its parent node."""
    translation = avatar.translation.copy()
    translation[0] = avatar.hips_translation(root)
    return translation, avatar.local_rotations(rotation)
