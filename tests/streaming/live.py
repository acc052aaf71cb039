"""Poses to send, and what fusion would say of them."""

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


def live(somebody: Person, i: int = 0, **more: object) -> LivePose:
    """Returns somebody at an instant as they are sent, their own humanoid included."""
    pose = LivePose(
        index=i,
        t_ns=int(somebody.t_ns[i]),
        age_ms=20.0,
        lead_ms=0.0,
        mode="solved",
        tracking=1,
        joints=ALL,
        xyz=somebody.xyz[i],
        score=np.ones(len(ALL)),
        rest=somebody.rest,
        root=somebody.root[i],
        rotation=somebody.rotation[i],
        height_m=somebody.height_m,
        height_assumed=False,
    )
    return replace(pose, **more)  # type: ignore[arg-type]


def pose3d(somebody: Person, i: int, *, t_ns: int | None = None, tracking: int = 1, mode: Mode = "solved") -> Pose3D:
    """Returns what fusion says of somebody at an instant."""
    return Pose3D(
        index=i,
        t_ns=int(somebody.t_ns[i]) if t_ns is None else t_ns,
        age_ns=20_000_000,
        person=0,
        joints=f"rig17,{EXTRA}",
        xyz=somebody.xyz[i].astype(np.float32),
        score=np.ones(len(ALL), np.float32),
        residual_px=np.zeros(len(ALL), np.float32),
        mode=mode,
        tracking=tracking,
        height_m=somebody.height_m,
        height_assumed=False,
    )


def posed(avatar: Avatar, root: Floats, rotation: Floats) -> tuple[Floats, Floats]:
    """Returns translation (N,3) and rotation (N,4) of every bone of an avatar, relative to what it hangs on."""
    translation = avatar.translation.copy()
    translation[0] = avatar.hips_translation(root)
    return translation, avatar.local_rotations(rotation)
