"""glTF as `pygltflib`, written by others, reads it. The Khronos validator and Blender judge in tests/foreign."""

from pathlib import Path

import numpy as np
import pygltflib
import pytest
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.errors import PoseRigError, UsageError
from pose_rig.humanoid.bones import BONES, Motion, forward_kinematics, multiply, rotate
from pose_rig.session.formats.bone_names import CONVENTIONS, NAMES, BoneNaming
from pose_rig.session.formats.gltf import MovingPerson, write_people_gltf
from tests.session.motions import motion

WIDTH = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}
KIND = {5126: "<f4", 5123: "<u2"}


def made(count: int) -> Motion:
    """Returns a movement of all joints."""
    return motion(np.random.default_rng(7), count)


def numbers(document: pygltflib.GLTF2, index: int) -> Floats:
    """Returns (N,W) what an accessor holds, after checking it against its limits."""
    accessor = document.accessors[index]
    view = document.bufferViews[accessor.bufferView]
    blob = (
        document.get_data_from_buffer_uri(document.buffers[0].uri)
        if document.buffers[0].uri
        else document.binary_blob()
    )
    flat: NDArray[np.float64] = np.frombuffer(
        blob, KIND[accessor.componentType], accessor.count * WIDTH[accessor.type], view.byteOffset
    ).astype(np.float64)
    array = flat.reshape(accessor.count, -1)
    if accessor.min:
        np.testing.assert_array_equal(array.min(0), accessor.min)
        np.testing.assert_array_equal(array.max(0), accessor.max)
    return array


def places(document: pygltflib.GLTF2, count: int) -> dict[str, Floats]:
    """Returns (T,3) m of every node, by its name, played as glTF says."""
    turn = {index: np.tile([0.0, 0.0, 0.0, 1.0], (count, 1)) for index in range(len(document.nodes))}
    move = {i: np.tile(node.translation or [0.0, 0.0, 0.0], (count, 1)) for i, node in enumerate(document.nodes)}
    (animation,) = document.animations
    for channel in animation.channels:
        sampler = animation.samplers[channel.sampler]
        assert sampler.interpolation == "LINEAR"
        {"rotation": turn, "translation": move}[channel.target.path][channel.target.node] = numbers(
            document, sampler.output
        )
    found: dict[str, Floats] = {}

    def visit(index: int, place: Floats, turned: Floats) -> None:
        place, turned = place + rotate(turned, move[index]), multiply(turned, turn[index])
        found[document.nodes[index].name] = place
        for child in document.nodes[index].children:
            visit(child, place, turned)

    for index in document.scenes[document.scene].nodes:
        visit(index, np.zeros((count, 3)), np.tile([0.0, 0.0, 0.0, 1.0], (count, 1)))
    return found


@pytest.mark.parametrize("suffix", [".glb", ".gltf"])
@pytest.mark.parametrize("names", CONVENTIONS)
def test_every_joint_is_where_it_was(tmp_path: Path, names: BoneNaming, suffix: str) -> None:
    moved, path = made(90), tmp_path / f"walk{suffix}"
    write_people_gltf(path, [MovingPerson(moved, 1.8, False)], names=names)
    found = places(pygltflib.GLTF2().load(str(path)), 90)
    expected, _ = forward_kinematics(moved.rest, moved.root, moved.rotation)
    for index, bone in enumerate(BONES):
        np.testing.assert_allclose(found[NAMES[names][bone]], expected[:, index], atol=1e-5)


def test_uneven_timestamps_are_kept(tmp_path: Path) -> None:
    moved = made(4)
    moved.t_ns[:] = moved.t_ns[0] + np.array([0, 16_000_000, 900_000_000, 3_600_000_000_000])
    write_people_gltf(tmp_path / "walk.glb", [MovingPerson(moved, 1.8, False)])
    document = pygltflib.GLTF2().load(str(tmp_path / "walk.glb"))
    times = {sampler.input for sampler in document.animations[0].samplers}
    assert len(times) == 1
    assert document.accessors[min(times)].min == [0.0]
    np.testing.assert_allclose(numbers(document, times.pop())[:, 0], [0.0, 0.016, 0.9, 3600.0], rtol=1e-6)


@pytest.mark.parametrize("assumed", [True, False])
def test_the_file_states_the_origin_of_the_scale(tmp_path: Path, assumed: bool) -> None:
    write_people_gltf(tmp_path / "walk.glb", [MovingPerson(made(1), 1.7, assumed)], title="walk")
    document = pygltflib.GLTF2().load(str(tmp_path / "walk.glb"))
    assert document.asset.extras == {"unit": "m", "height_m": 1.7, "height_assumed": assumed}
    assert document.asset.generator.startswith("pose-rig ")
    assert document.animations[0].name == "walk"


def test_the_figure_surrounds_the_bones_and_follows_them(tmp_path: Path) -> None:
    write_people_gltf(tmp_path / "walk.glb", [MovingPerson(made(1), 1.7, True)])
    document = pygltflib.GLTF2().load(str(tmp_path / "walk.glb"))
    (primitive,) = document.meshes[0].primitives
    assert document.accessors[primitive.attributes.POSITION].min
    position = numbers(document, primitive.attributes.POSITION)
    joint = numbers(document, primitive.attributes.JOINTS_0)[:, 0].astype(int)
    begin = -numbers(document, document.skins[0].inverseBindMatrices).reshape(-1, 4, 4)[:, 3, :3]
    assert len(set(joint)) == len(BONES)
    for index in range(len(BONES)):
        corners = position[joint == index]
        assert np.linalg.norm(corners - begin[index], axis=-1).min() < 1e-6
    normal = numbers(document, primitive.attributes.NORMAL)
    np.testing.assert_allclose(np.linalg.norm(normal, axis=-1), 1.0, atol=1e-6)
    middle = np.array([position[joint == index].mean(0) for index in joint])
    outward = ((position - middle) * normal).sum(-1)
    assert (outward > 0).all()


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"walk.fbx has no suffix of a glTF file. Use .glb or .gltf."):
        write_people_gltf(tmp_path / "walk.fbx", [MovingPerson(made(1), 1.7, True)])


def test_an_empty_motion_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(PoseRigError, match=r"no motion to write to .*Choose a part with a person."):
        write_people_gltf(tmp_path / "walk.glb", [MovingPerson(made(0), 1.7, True)])
    assert list(tmp_path.iterdir()) == []


def two_people(path: Path) -> list[Motion]:
    """Writes the motions of two people, the second of whom comes later, and returns them."""
    motions = [made(90), made(60)]
    motions[1].t_ns[:] += motions[0].t_ns[30] - motions[1].t_ns[0]
    motions[1].root[:] += [1.0, 0.0, 0.0]
    people = [MovingPerson(motion, 1.8 - n / 10, bool(n), f"P{n + 1}") for n, motion in enumerate(motions)]
    write_people_gltf(path, people, title="dance")
    return motions


@pytest.mark.parametrize("suffix", [".glb", ".gltf"])
def test_several_people_are_figures_of_one_file(tmp_path: Path, suffix: str) -> None:
    motions = two_people(tmp_path / f"two{suffix}")
    document = pygltflib.GLTF2().load(str(tmp_path / f"two{suffix}"))
    assert [document.nodes[root].name for root in document.scenes[0].nodes] == ["P1", "P1_Figure", "P2", "P2_Figure"]
    assert [skin.name for skin in document.skins] == ["P1_Armature", "P2_Armature"]
    assert len(document.animations) == 1
    assert document.asset.extras["people"] == [
        {"name": "P1", "height_m": 1.8, "height_assumed": False},
        {"name": "P2", "height_m": 1.7, "height_assumed": True},
    ]
    for n, moved in enumerate(motions):
        skin = document.skins[n]
        assert document.nodes[document.scenes[0].nodes[2 * n]].children == [skin.joints[0]] == [skin.skeleton]
        channels = [one for one in document.animations[0].channels if one.target.node in skin.joints]
        samplers = [document.animations[0].samplers[one.sampler] for one in channels]
        times_s = numbers(document, samplers[0].input)[:, 0]
        np.testing.assert_allclose(times_s, (moved.t_ns - motions[0].t_ns[0]) * 1e-9, atol=1e-6)
        outputs = {(one.target.node, one.target.path): numbers(document, sampler.output)
                   for one, sampler in zip(channels, samplers, strict=True)}  # fmt: skip
        np.testing.assert_allclose(outputs[skin.skeleton, "translation"], moved.root, atol=1e-6)
        np.testing.assert_allclose(outputs[skin.skeleton, "rotation"], moved.rotation[:, 0], atol=1e-6)
