"""The humanoid that engines and animation files know: its bones, its rest pose, its motion.

Space: that of ``rig``, which is also that of BVH and glTF: right-handed, y up; in rest the person faces +z and has the
left hand at +x, arms stretched out sideways, palms down (T-pose). Quaternions are x, y, z, w.

Axes: T instants, B bones.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats

# bone → parent, parents first; the names are those of Unity's HumanBodyBones, which VRM and VMC use too
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
# joint of ours at which a bone begins; the others begin between joints
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


@dataclass(frozen=True, slots=True, eq=False)
class RestPose:
    """One person's humanoid at rest.

    Attributes:
        offset: (B,3) m from the beginning of the parent bone to that of this one, in T-pose; of the hips: their height
            above the floor, (0, y, 0).
        tip: (B,3) m from the beginning of a bone to its end; what an end site or a tail shows. The end of a bone that
            has a child straight on lies at that child.
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


def forward(rest: RestPose, root: Floats, rotation: Floats) -> tuple[Floats, Floats]:
    """Returns where the bones begin (...,B,3) m and how they are turned in the room (...,B,4).

    Args:
        rest: Whose humanoid.
        root: (...,3) m, the hips.
        rotation: (...,B,4) local quaternions.
    """
    place: list[Floats] = []
    turned: list[Floats] = []
    for bone, parent in enumerate(PARENTS):
        if parent < 0:
            place.append(root)
            turned.append(rotation[..., bone, :])
        else:
            place.append(place[parent] + rotate(turned[parent], rest.offset[bone]))
            turned.append(multiply(turned[parent], rotation[..., bone, :]))
    return np.stack(place, -2), np.stack(turned, -2)


def multiply(a: Floats, b: Floats) -> Floats:
    """Returns (...,4) the quaternion that turns by ``b`` first and then by ``a``."""
    av, aw, bv, bw = a[..., :3], a[..., 3:], b[..., :3], b[..., 3:]
    vector = aw * bv + bw * av + np.cross(av, bv)
    scalar = aw * bw - (av * bv).sum(-1, keepdims=True)
    return np.concatenate([vector, scalar], -1)


def inverse(q: Floats) -> Floats:
    """Returns (...,4) the conjugate of unit quaternions."""
    return np.asarray(q * np.array([-1.0, -1.0, -1.0, 1.0]))


def rotate(q: Floats, vector: Floats) -> Floats:
    """Returns (...,3) vectors turned by unit quaternions (...,4)."""
    axis, w = q[..., :3], q[..., 3:]
    t = 2 * np.cross(axis, vector)
    return np.asarray(vector + w * t + np.cross(axis, t))
