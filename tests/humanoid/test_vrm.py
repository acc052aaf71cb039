import json
import os
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_rig.errors import UsageError
from pose_rig.humanoid.avatar import UNMEASURED, Avatar
from pose_rig.humanoid.bones import BONES, INDEX, RestPose, forward_kinematics
from pose_rig.humanoid.glb import MAX_FILE_BYTES
from pose_rig.humanoid.vrm import REQUIRED_BONES, load_vrm
from tests.streaming.live import posed
from tests.streaming.people import Person, person
from tests.streaming.vrm_files import Model, glb, model_of, write_vrm

SUBJECT = person(5, seconds=0.2)
UPPER = {"Chest": "UpperChest"}
# bones that an avatar may lack, which start at their parents in a person
SAME = {"Neck": "Head", "Chest": "Chest", "LeftShoulder": "LeftUpperArm", "RightShoulder": "RightUpperArm"}
LACKING = [
    ("Neck",),
    ("Chest",),
    ("LeftShoulder", "RightShoulder"),
    ("Chest", "Neck", "LeftShoulder", "RightShoulder", "LeftToes", "RightToes"),
]


def subject_without(subject: Person, bones: tuple[str, ...]) -> Person:
    offset = subject.rest.offset.copy()
    offset[[INDEX[SAME[bone]] for bone in bones if bone in SAME]] = 0.0
    return replace(subject, rest=RestPose(offset, subject.rest.tip))


def positions_of(avatar: Avatar, model: Model, subject: Person, i: int) -> dict[str, np.ndarray[Any, Any]]:
    translation, rotation = posed(avatar, subject.root[i], subject.rotation[i])
    return model.positions({name: (translation[n], rotation[n]) for n, name in enumerate(avatar.names)})


def assert_moves_as(
    subject: Person, avatar: Avatar, model: Model, i: int, renamed: dict[str, str] | None = None
) -> None:
    wanted, _ = forward_kinematics(subject.rest, subject.root[i], subject.rotation[i])
    found = positions_of(avatar, model, subject, i)
    for bone, row in INDEX.items():
        name = (renamed or {}).get(bone, bone)
        if name in found:
            np.testing.assert_allclose(found[name], wanted[row], atol=1e-6, err_msg=name)


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
@pytest.mark.parametrize("version", [0, 1])
def test_it_moves_like_the_person(tmp_path: Path, version: int, seed: int | None) -> None:
    model = model_of(SUBJECT.rest, version, seed=seed)
    avatar = load_vrm(write_vrm(tmp_path / "me.vrm", model))
    assert set(avatar.names) == set(model.bones)
    assert len(avatar.names) == 54
    assert avatar.hips_height_m == pytest.approx(SUBJECT.rest.offset[0, 1], abs=1e-9)
    assert all(parent < bone for bone, parent in enumerate(avatar.parents))
    for i in (3, 11):
        assert_moves_as(SUBJECT, avatar, model, i)


@pytest.mark.parametrize("version", [0, 1])
def test_the_rest_pose_is_that_of_the_file(tmp_path: Path, version: int) -> None:
    model = model_of(SUBJECT.rest, version, seed=4)
    avatar = load_vrm(write_vrm(tmp_path / "me.vrm", model))
    still = np.tile([0.0, 0.0, 0.0, 1.0], (len(BONES), 1))
    translation, rotation = posed(avatar, SUBJECT.rest.offset[0], still)
    np.testing.assert_allclose(translation, avatar.translation, atol=1e-9)
    np.testing.assert_allclose(rotation, avatar.rotation, atol=1e-9)
    positions, moved = (
        model.positions({}),
        model.positions({n: (translation[i], rotation[i]) for i, n in enumerate(avatar.names)}),
    )
    for name, place in positions.items():
        np.testing.assert_allclose(moved[name], place, atol=1e-9, err_msg=name)
    assert positions["LeftHand"][0] > 0.3
    assert positions["LeftToes"][2] > positions["LeftFoot"][2], "it faces +z"


def test_fingers_follow_the_hand(tmp_path: Path) -> None:
    avatar = load_vrm(write_vrm(tmp_path / "me.vrm", model_of(SUBJECT.rest, 1, seed=4)))
    for name, source in zip(avatar.names, avatar.source, strict=True):
        assert source[0] == INDEX.get(name, UNMEASURED)


@pytest.mark.parametrize("version", [0, 1])
def test_thumbs_have_the_names_of_unity(tmp_path: Path, version: int) -> None:
    avatar = load_vrm(write_vrm(tmp_path / "me.vrm", model_of(SUBJECT.rest, version)))
    chain = ["LeftThumbDistal"]
    while chain[-1] != "LeftHand":
        chain.append(avatar.names[avatar.parents[avatar.names.index(chain[-1])]])
    assert chain == ["LeftThumbDistal", "LeftThumbIntermediate", "LeftThumbProximal", "LeftHand"]


@pytest.mark.parametrize("seed", [None, 1])
@pytest.mark.parametrize("lacking", LACKING, ids="+".join)
def test_rotations_of_missing_bones_are_kept(tmp_path: Path, lacking: tuple[str, ...], seed: int | None) -> None:
    subject = subject_without(SUBJECT, lacking)
    model = model_of(subject.rest, 1, seed=seed, without=lacking)
    avatar = load_vrm(write_vrm(tmp_path / "me.vrm", model))
    assert not set(lacking) & set(avatar.names)
    assert_moves_as(subject, avatar, model, 7)


@pytest.mark.parametrize("seed", [None, 1])
def test_an_upper_chest_without_a_chest_is_the_chest(tmp_path: Path, seed: int | None) -> None:
    model = model_of(SUBJECT.rest, 1, seed=seed, renamed=UPPER)
    avatar = load_vrm(write_vrm(tmp_path / "me.vrm", model))
    assert "Chest" not in avatar.names
    assert_moves_as(SUBJECT, avatar, model, 7, UPPER)


def test_its_own_proportions_are_kept(tmp_path: Path) -> None:
    small = RestPose(0.5 * SUBJECT.rest.offset, SUBJECT.rest.tip)
    model = model_of(small, 0)
    avatar = load_vrm(write_vrm(tmp_path / "small.vrm", model))
    wanted, _ = forward_kinematics(small, SUBJECT.root[7], SUBJECT.rotation[7])
    found = positions_of(avatar, model, SUBJECT, 7)
    np.testing.assert_allclose(found["LeftHand"], wanted[INDEX["LeftHand"]], atol=1e-6)
    assert avatar.hips_height_m == pytest.approx(0.5 * SUBJECT.rest.offset[0, 1])


def test_a_model_with_its_origin_at_the_hips_is_put_on_its_feet(tmp_path: Path) -> None:
    model = model_of(SUBJECT.rest, 1)
    model.nodes[0]["translation"] = [0.0, -SUBJECT.rest.offset[0, 1], 0.0]
    avatar = load_vrm(write_vrm(tmp_path / "me.vrm", model))
    lowest = model.positions({})["LeftToes"][1]
    assert avatar.hips_height_m == pytest.approx(-lowest)
    assert_moves_as(SUBJECT, avatar, model, 7)


def test_bones_without_a_node_are_ignored(tmp_path: Path) -> None:
    model = model_of(SUBJECT.rest, 0)
    document = model.document()
    document["extensions"]["VRM"]["humanoid"]["humanBones"] += [
        {"bone": "upperChest", "node": -1},
        {"bone": "tail", "node": 3},
        {"bone": "hips", "node": 7},
        {"node": 9},
        {"bone": "jaw"},
    ]
    path = tmp_path / "me.vrm"
    path.write_bytes(glb(json.dumps(document).encode() + b"\0\0"))
    avatar = load_vrm(path)
    assert len(avatar.names) == 54
    assert_moves_as(SUBJECT, avatar, model, 7)


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "is not a VRM: it is not binary glTF (GLB)."),
        (b'{"asset": {"version": "2.0"}}', "is not a VRM: it is not binary glTF (GLB)."),
        (struct.pack("<4sIII4s", b"glTF", 1, 20, 0, b"JSON"), "is not binary glTF of version 2."),
        (struct.pack("<4sIII4s", b"glTF", 2, 20, 0, b"BIN\0"), "is not binary glTF of version 2."),
        (glb(b'{"nodes": []}')[:-2], "is truncated: it has 34 bytes of 36."),
        (struct.pack("<4sIII4s", b"glTF", 2, 20, 4, b"JSON"), "is truncated: it has 20 bytes of 20."),
        (struct.pack("<4sIII4s", b"glTF", 2, 20, 2**32 - 1, b"JSON"), "is too large."),
        (glb(b'{"nodes": 3}'), "is not a valid VRM: Expected `array`, got `int` - at `$.nodes`."),
        (glb(b'{"nodes": [{"translation": [1, NaN, 0]}]}'), "is not a valid VRM: JSON is malformed"),
        (glb(b'{"x": ' + b"[" * 9999), "is not a valid VRM: maximum recursion depth exceeded"),
        (glb(b"{}"), "is a glTF file, but not a VRM."),
        (glb(b'{"extensions": {"VRM": {}}}'), "has no humanoid."),
        (glb(b'{"extensions": {"VRMC_vrm": {}}}'), "has no humanoid."),
    ],
)
def test_files_that_are_not_vrm_are_rejected(tmp_path: Path, data: bytes, cause: str) -> None:
    path = tmp_path / "me.vrm"
    path.write_bytes(data)
    with pytest.raises(UsageError) as raised:
        load_vrm(path)
    assert cause in raised.value.cause
    assert str(path) in raised.value.cause
    assert raised.value.remedy


def spoilt(change: dict[str, Any]) -> dict[str, Any]:
    model = model_of(SUBJECT.rest, 1)
    model.nodes[model.bones["LeftFoot"]] |= change
    return model.document()


def without_bones(*names: str) -> dict[str, Any]:
    model = model_of(SUBJECT.rest, 1)
    for name in names:
        del model.bones[name]
    return model.document()


def with_bone_elsewhere(name: str) -> dict[str, Any]:
    model = model_of(SUBJECT.rest, 1)
    model.bones[name] = model.add("Elsewhere", np.eye(4), None)
    return model.document()


def tiny(*nodes: str) -> dict[str, Any]:
    model = model_of(SUBJECT.rest, 1)
    for node in nodes:
        model.nodes[model.bones[node]]["scale"] = [1e-4, 1e-4, 1e-4]
    return model.document()


def upside_down() -> dict[str, Any]:
    model = model_of(SUBJECT.rest, 1)
    model.nodes[model.bones["Hips"]] |= {"rotation": [1, 0, 0, 0], "translation": [0, 0, 0]}
    return model.document()


def with_bone(name: str, node: int) -> dict[str, Any]:
    model = model_of(SUBJECT.rest, 1)
    model.bones[name] = node
    return model.document()


@pytest.mark.parametrize(
    ("document", "cause"),
    [
        (without_bones("Spine", "LeftHand"), "lacks required bones: Spine, LeftHand."),
        (without_bones(*BONES), f"lacks required bones: {', '.join(REQUIRED_BONES)}."),
        (with_bone("LeftHand", 999), "has two bones in one node, or a bone without a node."),
        (with_bone("LeftHand", 2**70), "has two bones in one node, or a bone without a node."),
        (with_bone("LeftHand", 5), "has two bones in one node, or a bone without a node."),
        (with_bone_elsewhere("LeftHand"), "are not descendants of Hips: LeftHand."),
        (spoilt({"children": [10_000]}), "has a child 10000, which does not exist."),
        (spoilt({"children": [-1]}), "has a child -1, which does not exist."),
        (spoilt({"children": [0]}), "is its own ancestor, or has over 1000 ancestors."),
        (spoilt({"children": [3]}), "has two parents."),
        (spoilt({"scale": [0, 1, 1]}), "has an invalid transformation."),
        (spoilt({"rotation": [0, 0, 0, 0]}), "has an invalid transformation."),
        (spoilt({"matrix": [1, 2, 3]}), "has an invalid transformation."),
        (spoilt({"matrix": [0] * 16}), "has an invalid transformation."),
        (spoilt({"matrix": [1e308] * 16}), "has an invalid transformation."),
        (spoilt({"translation": [0, 1e308, 0]}), "has an invalid transformation."),
        (spoilt({"translation": [0, 1e6, 0]}), "has an invalid position or scale."),
        (tiny("Hips", "LeftHand"), "has an invalid position or scale."),
        (upside_down(), "are not above its feet."),
    ],
)
def test_invalid_skeletons_are_rejected(tmp_path: Path, document: dict[str, Any], cause: str) -> None:
    path = tmp_path / "me.vrm"
    path.write_bytes(glb(json.dumps(document).encode()))
    with pytest.raises(UsageError) as raised:
        load_vrm(path)
    assert cause in raised.value.cause
    assert str(path) in raised.value.cause


def test_a_hand_below_a_leg_is_rejected(tmp_path: Path) -> None:
    model = model_of(SUBJECT.rest, 0)
    hand, leg = model.bones["LeftHand"], model.bones["LeftUpperLeg"]
    model.nodes[model.bones["LeftLowerArm"]]["children"].remove(hand)
    model.nodes[leg]["children"].append(hand)
    with pytest.raises(UsageError, match=r"The parent of LeftHand in the VRM .* is LeftUpperLeg\."):
        load_vrm(write_vrm(tmp_path / "me.vrm", model))


def test_a_missing_file_is_rejected(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.vrm", Path("\0")):
        with pytest.raises(UsageError) as raised:
            load_vrm(path)
        assert str(raised.value) == f"The avatar {path} does not exist. Give the path of a VRM file."


def test_files_that_are_too_large_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "me.vrm"
    path.write_bytes(glb(b"{}"))
    os.truncate(path, MAX_FILE_BYTES + 1)
    with pytest.raises(UsageError, match=r"is too large\. Use an avatar of less than 512 MB\."):
        load_vrm(path)


DOCUMENTS = {
    (seed, version): json.dumps(model_of(SUBJECT.rest, version, seed=seed or None).document())
    for seed in (0, 1, 2)
    for version in (0, 1)
}
NUMBERS = st.one_of(
    st.integers(-2, 60),
    st.floats(),
    st.just(None),
    st.text(max_size=3),
    st.lists(st.floats(width=32) | st.integers(-9, 9), max_size=17),
)


def _loads(path: Path) -> None:
    try:
        avatar = load_vrm(path)
    except UsageError:
        return
    translation, rotation = posed(avatar, SUBJECT.root[0], SUBJECT.rotation[0])
    assert np.isfinite(translation).all()
    assert np.isfinite(rotation).all()
    assert avatar.hips_height_m > 0


@given(data=st.binary(max_size=200), wrapped=st.booleans())
def test_any_bytes_are_an_avatar_or_a_usage_error(tmp_path: Path, data: bytes, wrapped: bool) -> None:
    path = tmp_path / "me.vrm"
    path.write_bytes(glb(data) if wrapped else data)
    _loads(path)


@given(
    seed=st.integers(0, 2),
    version=st.sampled_from([0, 1]),
    changes=st.lists(
        st.tuples(
            st.integers(0, 60),
            st.sampled_from(["children", "translation", "rotation", "scale", "matrix"]),
            st.integers(0, 16),
            NUMBERS,
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_any_change_to_a_model_is_an_avatar_or_a_usage_error(
    tmp_path: Path, seed: int, version: int, changes: list[tuple[int, str, int, Any]]
) -> None:
    document = json.loads(DOCUMENTS[seed, version])
    for node, key, at, value in changes:
        changed = document["nodes"][node % len(document["nodes"])]
        if isinstance(value, list) or not isinstance(changed.get(key), list) or not changed[key]:
            changed[key] = value
        else:
            changed[key][at % len(changed[key])] = value
    path = tmp_path / "me.vrm"
    path.write_bytes(glb(json.dumps(document).encode()))
    _loads(path)


@given(
    version=st.sampled_from([0, 1]),
    flips=st.lists(st.tuples(st.integers(0, 1 << 14), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.integers(0, 99),
)
def test_any_damage_to_a_file_is_an_avatar_or_a_usage_error(
    tmp_path: Path, version: int, flips: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(glb(DOCUMENTS[0, version].encode()))
    for at, byte in flips:
        data[at % len(data)] = byte
    path = tmp_path / "me.vrm"
    path.write_bytes(data[: len(data) - max(0, cut - 90)])
    _loads(path)


def scaled(model: Model, factor: float) -> Model:
    """The same model as if it had been exported in another unit."""
    for node in model.nodes:
        node["translation"] = [factor * value for value in node["translation"]]
    return model


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize(
    ("factor", "said"),
    [
        (100.0, r"is \d+ m above its feet: it was probably exported in centimetres\. Export it in metres"),
        (1 / 0.0254, r"is \d+\.?\d* m above its feet: it was probably exported in another unit\."),
        (3.28, r"is \d\.\d+ m above its feet: it was probably exported in another unit\."),
        (0.01, r"is 0\.\d+ m above its feet: it was probably exported scaled down\."),
    ],
)
def test_an_avatar_in_another_unit_is_rejected(tmp_path: Path, version: int, factor: float, said: str) -> None:
    path = write_vrm(tmp_path / "me.vrm", scaled(model_of(SUBJECT.rest, version), factor))
    with pytest.raises(UsageError, match=said):
        load_vrm(path)


@pytest.mark.parametrize("factor", [0.2, 0.5, 1.9])
def test_small_and_large_avatars_are_accepted(tmp_path: Path, factor: float) -> None:
    avatar = load_vrm(write_vrm(tmp_path / "me.vrm", scaled(model_of(SUBJECT.rest, 1), factor)))
    assert avatar.hips_height_m == pytest.approx(factor * SUBJECT.rest.offset[0, 1])


@pytest.mark.parametrize("bone", ["LeftLowerArm", "RightHand", "LeftLowerLeg", "RightFoot"])
@pytest.mark.parametrize("factor", [0.0, 1e-3, 50.0])
def test_limbs_of_implausible_length_are_rejected(tmp_path: Path, bone: str, factor: float) -> None:
    model = model_of(SUBJECT.rest, 1)
    node = model.nodes[model.bones[bone]]
    sideways = [factor * value for value in node["translation"]]
    node["translation"] = sideways if factor < 1 else [sideways[0] or 40.0, 0.0, 40.0]
    with pytest.raises(UsageError, match=rf"^The {bone} of .*me\.vrm is \S+ m from the .*\. Export it again"):
        load_vrm(write_vrm(tmp_path / "me.vrm", model))
