"""The humanoid under the bone names of other programs.

Bones of a convention that are not measured are added as extra bones: each is halfway to the next bone and has no
rotation. Fingers, eyes and jaw, which are optional in all conventions, are left out.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import BONES, INDEX, PARENT, RestPose

BoneNaming = Literal["vrm", "mixamo", "cmu"]
CONVENTIONS: tuple[BoneNaming, ...] = ("vrm", "mixamo", "cmu")
EXTRA = -1

# names of MotionBuilder, which Mixamo and the BVH release of the CMU database share; prefixed with Left and Right
LIMBS = {
    "Shoulder": "Shoulder",
    "UpperArm": "Arm",
    "LowerArm": "ForeArm",
    "Hand": "Hand",
    "UpperLeg": "UpLeg",
    "LowerLeg": "Leg",
    "Foot": "Foot",
    "Toes": "ToeBase",
}
SIDED = {side + bone: side + name for side in ("Left", "Right") for bone, name in LIMBS.items()}
TRUNK = {"Hips": "Hips", "Spine": "Spine", "Neck": "Neck", "Head": "Head"}
NAMES: dict[BoneNaming, dict[str, str]] = {
    "vrm": {bone: bone for bone in BONES},
    "mixamo": {bone: f"mixamorig:{name}" for bone, name in {**TRUNK, "Chest": "Spine2", **SIDED}.items()},
    "cmu": {**TRUNK, "Chest": "Spine1", **SIDED},
}
# bone → the extra bone before it
EXTRAS: dict[BoneNaming, dict[str, str]] = {
    "vrm": {},
    "mixamo": {"Chest": "mixamorig:Spine1"},
    "cmu": {
        "Spine": "LowerBack",
        "Head": "Neck1",
        "LeftUpperLeg": "LHipJoint",
        "RightUpperLeg": "RHipJoint",
    },
}


@dataclass(frozen=True, slots=True, eq=False)
class NamedBone:
    """One bone of a file.

    Attributes:
        name: In the convention of the file.
        parent: Index of its parent; -1 = none.
        source: Row of `BONES` whose rotation it has, or `EXTRA`.
        offset: (3,) m from the parent in T-pose; of the root, its height above the floor.
        tip: (3,) m from its beginning to its end.
    """

    name: str
    parent: int
    source: int
    offset: Floats
    tip: Floats


def named_bones(rest: RestPose, names: BoneNaming) -> list[NamedBone]:
    """Returns the bones in the order of `BONES`, which is depth-first, with extra bones."""
    bones: list[NamedBone] = []
    index: dict[str, int] = {}
    for bone, parent in PARENT.items():
        above, offset = index.get(parent, -1), np.asarray(rest.offset[INDEX[bone]], np.float64)
        if bone in EXTRAS[names]:
            offset = offset / 2
            bones.append(NamedBone(EXTRAS[names][bone], above, EXTRA, offset, offset))
            above = len(bones) - 1
        index[bone] = len(bones)
        tip = np.asarray(rest.tip[INDEX[bone]], np.float64)
        bones.append(NamedBone(NAMES[names][bone], above, INDEX[bone], offset, tip))
    return bones
