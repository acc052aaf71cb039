import re
from pathlib import Path

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import BONES, PARENTS, B
from pose_rig.session.formats.bone_names import CONVENTIONS, EXTRA, EXTRAS, NAMES, BoneNaming, named_bones
from tests.session.motions import rest

COUNT = {"vrm": B, "mixamo": B + 1, "cmu": B + 4}


@pytest.mark.parametrize("names", CONVENTIONS)
def test_every_bone_is_there_once_parents_first_and_depth_first(names: BoneNaming) -> None:
    bones = named_bones(rest(), names)
    assert len({bone.name for bone in bones}) == len(bones) == COUNT[names]
    assert [bone.source for bone in bones if bone.source != EXTRA] == list(range(B))
    way: list[int] = []
    for index, bone in enumerate(bones):
        while way and way[-1] != bone.parent:
            way.pop()
        assert way or bone.parent == -1
        way.append(index)


@pytest.mark.parametrize("names", CONVENTIONS)
def test_extra_bones_do_not_move_the_others(names: BoneNaming) -> None:
    bones = named_bones(rest(), names)
    place: list[Floats] = []
    for bone in bones:
        place.append(bone.offset + (place[bone.parent] if bone.parent >= 0 else 0))
    ours: list[Floats] = []
    for offset, parent in zip(rest().offset, PARENTS, strict=True):
        ours.append(offset + (ours[parent] if parent >= 0 else 0))
    found = [place[index] for index, bone in enumerate(bones) if bone.source != EXTRA]
    np.testing.assert_allclose(found, ours, atol=1e-12)


def test_the_conventions_call_bones_by_their_names() -> None:
    assert NAMES["vrm"] == {bone: bone for bone in BONES}
    assert NAMES["mixamo"]["LeftUpperArm"] == "mixamorig:LeftArm"
    assert NAMES["cmu"]["RightUpperLeg"] == "RightUpLeg"
    assert [bone.name for bone in named_bones(rest(), "cmu")] == [
        "Hips", "LowerBack", "Spine", "Spine1", "Neck", "Neck1", "Head",
        "LeftShoulder", "LeftArm", "LeftForeArm", "LeftHand",
        "RightShoulder", "RightArm", "RightForeArm", "RightHand",
        "LHipJoint", "LeftUpLeg", "LeftLeg", "LeftFoot", "LeftToeBase",
        "RHipJoint", "RightUpLeg", "RightLeg", "RightFoot", "RightToeBase",
    ]  # fmt: skip
    assert [bone.name for bone in named_bones(rest(), "mixamo")][:6] == [
        f"mixamorig:{name}" for name in ("Hips", "Spine", "Spine1", "Spine2", "Neck", "Head")
    ]


def test_the_table_of_the_page_is_ours() -> None:
    page = (Path(__file__).parents[3] / "docs" / "blender.md").read_text("utf-8")
    for bone in BONES:
        if not bone.startswith("Right"):
            mixamo = NAMES["mixamo"][bone].removeprefix("mixamorig:")
            assert f"| {bone} | {mixamo} | {NAMES['cmu'][bone]} |" in page
    for names, extras in EXTRAS.items():
        for extra in extras.values():
            assert re.search(rf"^\|.*\b{extra.removeprefix('mixamorig:')}\b.* \*", page, re.MULTILINE), (names, extra)
