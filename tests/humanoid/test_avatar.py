import numpy as np
import pytest
from vmcp.typing import Bone

from pose_rig.humanoid.avatar import person_avatar
from pose_rig.humanoid.bones import BONES, INDEX
from tests.streaming.people import person


def test_a_person_avatar_has_the_bones_of_the_person() -> None:
    subject = person(1, seconds=0.2)
    avatar = person_avatar(subject.rest)
    assert avatar.names == BONES
    np.testing.assert_array_equal(avatar.hips_translation(subject.root[3]), subject.root[3])
    np.testing.assert_array_equal(avatar.translation, subject.rest.offset)
    np.testing.assert_array_equal(avatar.local_rotations(subject.rotation[3]), subject.rotation[3])
    assert avatar.hips_height_m == subject.rest.offset[0, 1]


def test_all_bones_are_those_of_unity_except_upper_chest() -> None:
    subject = person(1, seconds=0.2)
    avatar = person_avatar(subject.rest, all_bones=True)
    assert set(avatar.names) == {bone.value for bone in Bone} - {"UpperChest"}
    assert all(parent < bone for bone, parent in enumerate(avatar.parents))
    rotation = avatar.local_rotations(subject.rotation[3])
    np.testing.assert_array_equal(rotation[len(BONES) :], np.tile([0.0, 0.0, 0.0, 1.0], (len(rotation) - 21, 1)))


@pytest.mark.parametrize(("side", "out"), [("Left", 1.0), ("Right", -1.0)])
def test_fingers_have_plausible_positions(side: str, out: float) -> None:
    rest = person(1, seconds=0.2).rest
    tip = rest.tip.copy()
    tip[INDEX[f"{side}Hand"]] = [out * 0.19, 0.0, 0.0]
    tip[INDEX["Head"]] = [0.0, 0.2, 0.0]
    avatar = person_avatar(type(rest)(rest.offset, tip), all_bones=True)
    place = avatar.translation.copy()
    for bone, parent in enumerate(avatar.parents):
        place[bone] += place[parent] if parent >= 0 else 0
    at = {
        name: (place[i] - place[avatar.names.index(f"{side}Hand")]) * [out, 1, 1] for i, name in enumerate(avatar.names)
    }
    ends = [at[f"{side}{finger}Distal"] for finger in ("Index", "Middle", "Ring", "Little")]
    assert all(0.11 < end[0] < 0.19 for end in ends), "palm and two phalanges"
    assert [end[2] for end in ends] == sorted((end[2] for end in ends), reverse=True), "index finger foremost"
    assert at[f"{side}ThumbDistal"][2] > ends[0][2]
    for eye in ("LeftEye", "RightEye"):
        assert place[avatar.names.index(eye)][2] > place[avatar.names.index("Head")][2]
