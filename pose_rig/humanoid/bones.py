"""The bones of a humanoid, its rest pose, its joint rotations over time, and forward kinematics.

Space: ``rig``, which BVH and glTF share: right-handed, y up. The rest pose is a T-pose: facing +z, left hand at +x,
arms stretched out sideways, palms down. Quaternions are x, y, z, w.

Axes: T time steps, B bones.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats

# bone → parent, parents first; names of Unity's HumanBodyBones, which VRM and VMC share
PARENT: dict[str, str] = {
    "Hips": "",
    "Spine": "Hips",
    "Chest": "Spine",
    "Neck": "Chest",
    "Head": "Neck",
    "LeftShoulder": "Chest",
    "LeftUpperArm": "LeftShoulder",
    "LeftLowerArm": "LeftUpperArm",
    "LeftHand": "LeftLowerArm",
    "RightShoulder": "Chest",
    "RightUpperArm": "RightShoulder",
    "RightLowerArm": "RightUpperArm",
    "RightHand": "RightLowerArm",
    "LeftUpperLeg": "Hips",
    "LeftLowerLeg": "LeftUpperLeg",
    "LeftFoot": "LeftLowerLeg",
    "LeftToes": "LeftFoot",
    "RightUpperLeg": "Hips",
    "RightLowerLeg": "RightUpperLeg",
    "RightFoot": "RightLowerLeg",
    "RightToes": "RightFoot",
}
BONES = tuple(PARENT)
B = len(BONES)
INDEX = {name: i for i, name in enumerate(BONES)}
PARENTS = tuple(INDEX[parent] if parent else -1 for parent in PARENT.values())
# rig17 joint at the start of a bone; the other bones start between joints
JOINT_OF: dict[str, str] = {
    "Hips": "pelvis",
    "LeftUpperArm": "l_shoulder",
    "LeftLowerArm": "l_elbow",
    "LeftHand": "l_wrist",
    "RightUpperArm": "r_shoulder",
    "RightLowerArm": "r_elbow",
    "RightHand": "r_wrist",
    "LeftUpperLeg": "l_hip",
    "LeftLowerLeg": "l_knee",
    "LeftFoot": "l_ankle",
    "RightUpperLeg": "r_hip",
    "RightLowerLeg": "r_knee",
    "RightFoot": "r_ankle",
}
FINGERS = ("Thumb", "Index", "Middle", "Ring", "Little")
PHALANGES = ("Proximal", "Intermediate", "Distal")


def _unity_parents() -> dict[str, str]:
    parents = {**PARENT, "UpperChest": "Chest", "Jaw": "Head"}
    parents |= dict.fromkeys(("Neck", "LeftShoulder", "RightShoulder"), "UpperChest")
    for side in ("Left", "Right"):
        parents[f"{side}Eye"] = "Head"
        for finger in FINGERS:
            parent = f"{side}Hand"
            for phalanx in PHALANGES:
                parents[f"{side}{finger}{phalanx}"] = parent
                parent = f"{side}{finger}{phalanx}"
    return parents


UNITY_PARENT: dict[str, str] = _unity_parents()  # bone → parent in a humanoid that has all 55 bones of Unity


@dataclass(frozen=True, slots=True, eq=False)
class RestPose:
    """Rest pose (T-pose) of a humanoid with one person's bone lengths.

    Attributes:
        offset: (B,3) m from the start of the parent bone to the start of the bone; of the hips: their height above the
            floor, (0, y, 0).
        tip: (B,3) m from the start of a bone to its end (an end site in BVH, a tail in Blender). The end of a bone with
            a child in line is the start of that child.
    """

    offset: Floats
    tip: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Joint rotations of a humanoid over time.

    Attributes:
        rest: Rest pose that the rotations start from.
        t_ns: (T,) int64 timestamps.
        root: (T,3) m, position of the hips in ``rig``.
        rotation: (T,B,4) unit quaternions x, y, z, w of each bone relative to its parent; identity is the T-pose. Those
            of the hips are relative to ``rig``. Signs are continuous over time.
    """

    rest: RestPose
    t_ns: NDArray[np.int64]
    root: Floats
    rotation: Floats

    @property
    def bones(self) -> tuple[str, ...]:
        """Names (B) of the bones, parents first, as in Unity's HumanBodyBones."""
        return BONES

    def __getitem__(self, bone: str) -> Floats:
        """Returns (T,4) the rotations of a bone, ``RightLowerArm``.

        Raises:
            KeyError: There is no such bone.
        """
        return np.asarray(self.rotation[:, INDEX[bone]])


def forward_kinematics(rest: RestPose, root: Floats, rotation: Floats) -> tuple[Floats, Floats]:
    """Returns the start (...,B,3) m and the rotation (...,B,4) of every bone in ``rig``.

    Args:
        rest: Rest pose.
        root: (...,3) m, position of the hips.
        rotation: (...,B,4) local quaternions, as in `Motion`.
    """
    position: list[Floats] = []
    world: list[Floats] = []
    for bone, parent in enumerate(PARENTS):
        if parent < 0:
            position.append(root)
            world.append(rotation[..., bone, :])
        else:
            position.append(position[parent] + rotate(world[parent], rest.offset[bone]))
            world.append(multiply(world[parent], rotation[..., bone, :]))
    return np.stack(position, -2), np.stack(world, -2)


def multiply(a: Floats, b: Floats) -> Floats:
    """Returns the product (...,4) of quaternions: the rotation by ``b`` followed by that by ``a``."""
    av, aw, bv, bw = a[..., :3], a[..., 3:], b[..., :3], b[..., 3:]
    vector = aw * bv + bw * av + np.cross(av, bv)
    scalar = aw * bw - (av * bv).sum(-1, keepdims=True)
    return np.concatenate([vector, scalar], -1)


def inverse(q: Floats) -> Floats:
    """Returns the inverse (...,4) of unit quaternions."""
    return np.asarray(q * np.array([-1.0, -1.0, -1.0, 1.0]))


def rotate(q: Floats, vector: Floats) -> Floats:
    """Returns vectors (...,3) rotated by unit quaternions (...,4)."""
    axis, w = q[..., :3], q[..., 3:]
    t = 2 * np.cross(axis, vector)
    return np.asarray(vector + w * t + np.cross(axis, t))
