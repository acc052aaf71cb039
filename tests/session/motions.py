"""Movements to write: a person of known bones who turns every joint, and a real walk."""

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import BONES, INDEX, JOINT_OF, B, Motion, RestPose, multiply
from pose_rig.humanoid.retarget import retarget
from pose_rig.simulation.walk import captured_walk
from pose_rig.skeleton import JOINTS

OFFSETS = {
    "Hips": (0.0, 0.93, 0.0),
    "Spine": (0.0, 0.09, -0.01),
    "Chest": (0.0, 0.16, -0.015),
    "Neck": (0.0, 0.24, -0.02),
    "Head": (0.0, 0.09, 0.02),
    "LeftShoulder": (0.03, 0.19, 0.0),
    "LeftUpperArm": (0.14, 0.01, -0.02),
    "LeftLowerArm": (0.28, 0.0, 0.0),
    "LeftHand": (0.25, 0.0, 0.0),
    "LeftUpperLeg": (0.09, -0.03, 0.0),
    "LeftLowerLeg": (0.0, -0.41, 0.0),
    "LeftFoot": (0.0, -0.41, 0.0),
    "LeftToes": (0.0, -0.06, 0.14),
}
TIPS = {"Head": (0.0, 0.2, 0.0), "LeftHand": (0.17, 0.0, 0.0), "LeftToes": (0.0, 0.0, 0.06)}
STRAIGHT_ON = {"Hips": "Spine", "Spine": "Chest", "Chest": "Neck", "Neck": "Head"} | {
    f"{side}{bone}": f"{side}{after}"
    for side in ("Left", "Right")
    for bone, after in [
        ("Shoulder", "UpperArm"), ("UpperArm", "LowerArm"), ("LowerArm", "Hand"),
        ("UpperLeg", "LowerLeg"), ("LowerLeg", "Foot"), ("Foot", "Toes"),
    ]
}  # fmt: skip


def rest() -> RestPose:
    """Returns a person of about 1.75 m."""
    offset = np.array([_mirrored(bone, OFFSETS) for bone in BONES])
    ends = [offset[INDEX[STRAIGHT_ON[bone]]] if bone in STRAIGHT_ON else _mirrored(bone, TIPS) for bone in BONES]
    return RestPose(offset, np.array(ends))


def _mirrored(bone: str, table: dict[str, tuple[float, float, float]]) -> Floats:
    if bone.startswith("Right"):
        return np.array(table["Left" + bone.removeprefix("Right")]) * [-1.0, 1.0, 1.0]
    return np.array(table[bone])


def about(axis: Floats, angle: Floats) -> Floats:
    """Returns (...,4) quaternions that turn by radians (...) about unit vectors (...,3)."""
    return np.concatenate([axis * np.sin(angle / 2)[..., None], np.cos(angle / 2)[..., None]], -1)


def motion(rng: np.random.Generator, count: int, *, rate_hz: float = 60.0, reach_rad: float = 6.0) -> Motion:
    """Returns smooth random turns of all bones, each within ``reach_rad`` of T-pose, while the hips wander."""
    t_s = np.arange(count) / rate_hz
    rotation = np.zeros((count, B, 4))
    rotation[..., 3] = 1.0
    for axis in np.eye(3):
        speed, phase = rng.uniform(0.1, 1.0, B), rng.uniform(0, 2 * np.pi, B)
        angle = reach_rad / 3 * np.sin(2 * np.pi * speed * t_s[:, None] + phase)
        rotation = multiply(rotation, about(np.broadcast_to(axis, (count, B, 3)), angle))
    root = np.stack([np.sin(t_s), 0.93 + 0.1 * np.sin(3 * t_s), 0.5 * t_s], -1)
    t_ns = 5_000_000_000 + np.round(t_s * 1e9).astype(np.int64)
    return Motion(rest(), t_ns, root, rotation)


def walk() -> tuple[Motion, float, dict[str, Floats]]:
    """Returns a real walk as solved, its rate in Hz, and (T,3) m where joints were, by the bones that begin there."""
    xyz, rate_hz = captured_walk()
    t_ns = np.round(np.arange(len(xyz)) * 1e9 / rate_hz).astype(np.int64)
    score = np.ones(xyz.shape[:2])
    solved = retarget(JOINTS, t_ns, xyz, score, height_m=1.7)
    return solved, rate_hz, {bone: xyz[:, JOINTS.index(joint)] for bone, joint in JOINT_OF.items()}
