"""The skeleton that is sent: the user's avatar, or a humanoid with the person's bone lengths.

Space: that of `pose_rig.humanoid.bones`: right-handed, y up, facing +z at rest with the left hand at +x.

Axes: N bones of the avatar, B bones of our humanoid, M at most of those per bone of the avatar.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import BONES, FINGERS, INDEX, PARENTS, PHALANGES, UNITY_PARENT, RestPose, inverse, multiply

UNMEASURED = -1  # source of a bone that stays in its rest pose
IDENTITY_ROW = np.array([[0.0, 0.0, 0.0, 1.0]])
# Start of each finger (outward, forward) and length of its bones as fractions of the hand length, in T-pose with palm
# down; means of adults, Buryanov and Kotiuk (2010).
FINGER_START = {
    "Thumb": (0.20, 0.22), "Index": (0.50, 0.16), "Middle": (0.52, 0.04), "Ring": (0.49, -0.07),
    "Little": (0.44, -0.17),
}  # fmt: skip
FINGER_LENGTH = {"Thumb": 0.18, "Index": 0.22, "Middle": 0.24, "Ring": 0.22, "Little": 0.17}
PHALANX_RATIO = (1.0, 0.62)  # lengths of the first two phalanges, relative to the first
EYE = (0.16, 0.32, 0.38)  # fractions of the head height, from the start of Head: sideways, up, forward
JAW = (0.0, 0.05, 0.2)


@dataclass(frozen=True, eq=False)
class Avatar:
    """A skeleton at rest, parents before children, hips first.

    The parent node of a bone need not be a bone; ``translation`` and ``rotation`` are relative to that node, as in
    engines.

    Attributes:
        names: (N) as in Unity's HumanBodyBones.
        parents: (N) nearest bone among the ancestors, −1 for the hips.
        source: (N,M) rows of `BONES` whose rotations a bone takes: several, from the hips outward, where the avatar
            lacks bones; the rest is `UNMEASURED`.
        translation: (N,3) m, unless the parent node is scaled.
        rotation: (N,4) quaternions.
        parent_rotation: (N,4) rotation of the parent node in the model.
        hips_from_model: (4,4) from the model, m, to the parent node of the hips.
        hips_height_m: Height of the hips above the floor.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    source: NDArray[np.int64]
    translation: Floats
    rotation: Floats
    parent_rotation: Floats
    hips_from_model: Floats
    hips_height_m: float

    def hips_translation(self, root: Floats) -> Floats:
        """Returns the local translation (3,) of the hips at ``root`` (3,) m."""
        return np.asarray(self.hips_from_model[:3, :3] @ root + self.hips_from_model[:3, 3])

    def local_rotations(self, rotation: Floats) -> Floats:
        """Returns the local rotation (N,4) of every bone.

        Args:
            rotation: (B,4) as in `pose_rig.humanoid.bones.Motion`.
        """
        rotation = np.concatenate([rotation, IDENTITY_ROW])  # the last row is that of `UNMEASURED`
        applied = rotation[self.source[:, 0]]
        for column in self.source.T[1:]:
            applied = multiply(applied, rotation[column])
        if not self.has_rest_rotations:
            return applied
        return multiply(inverse(self.parent_rotation), multiply(applied, multiply(self.parent_rotation, self.rotation)))

    @cached_property
    def has_rest_rotations(self) -> bool:
        """Whether any node is rotated at rest; those of VRM 0 and of our own humanoid are not."""
        return bool((np.abs(self.parent_rotation[:, :3]) > 1e-6).any() or (np.abs(self.rotation[:, :3]) > 1e-6).any())


def person_avatar(rest: RestPose, *, all_bones: bool = False) -> Avatar:
    """Returns a humanoid with a person's bone lengths.

    Args:
        rest: Rest pose of the person.
        all_bones: All bones of Unity's humanoid except UpperChest, which our Chest includes; otherwise measured ones.
    """
    names, parents, source, offsets = list(BONES), list(PARENTS), list(range(len(BONES))), list(rest.offset)
    if all_bones:
        for name, offset in _unmeasured_bones(rest):
            parents.append(names.index(UNITY_PARENT[name]))
            names.append(name)
            source.append(UNMEASURED)
            offsets.append(np.asarray(offset))
    identities = np.tile(IDENTITY_ROW, (len(names), 1))
    return Avatar(
        names=tuple(names),
        parents=tuple(parents),
        source=np.array(source, np.int64)[:, None],
        translation=np.array(offsets, np.float64),
        rotation=identities,
        parent_rotation=identities,
        hips_from_model=np.eye(4),
        hips_height_m=float(rest.offset[0, 1]),
    )


def _unmeasured_bones(rest: RestPose) -> list[tuple[str, Floats]]:
    """Returns name and offset of the bones of face and fingers, parents before children."""
    head = float(np.linalg.norm(rest.tip[INDEX["Head"]]))
    bones = [("Jaw", head * np.array(JAW))]
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        mirror = np.array([sign, 1.0, 1.0])
        bones.append((f"{side}Eye", head * np.array(EYE) * mirror))
        hand = float(np.linalg.norm(rest.tip[INDEX[f"{side}Hand"]]))
        for finger in FINGERS:
            direction = np.array([0.7, 0.0, 0.7]) if finger == "Thumb" else np.array([1.0, 0.0, 0.0])
            offset = hand * np.array([FINGER_START[finger][0], 0.0, FINGER_START[finger][1]])
            for phalanx, ratio in zip(PHALANGES, (*PHALANX_RATIO, 0.0), strict=True):
                bones.append((f"{side}{finger}{phalanx}", offset * mirror))
                offset = hand * FINGER_LENGTH[finger] * ratio * direction
    return bones
