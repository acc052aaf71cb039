"""BVH and glTF as Blender itself imports them."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import BONES, PARENTS, Motion, forward_kinematics
from pose_rig.session.formats.bone_names import CONVENTIONS, NAMES, BoneNaming
from pose_rig.session.formats.bvh import write_bvh
from pose_rig.session.formats.gltf import MovingPerson, write_people_gltf
from tests.foreign.conftest import Judge
from tests.session.formats.test_gltf import two_people
from tests.session.motions import motion, walk

pytestmark = pytest.mark.foreign

CLOSE_M = 1e-4
RATE_HZ = 60
VRM: BoneNaming = "vrm"


def made(count: int, seed: int = 7) -> Motion:
    """Returns a movement of all joints at `RATE_HZ`."""
    return motion(np.random.default_rng(seed), count, rate_hz=RATE_HZ)


def held(count: int) -> Motion:
    """Returns a movement that stands still for its middle third, as over a gap."""
    moved, third = made(count), count // 3
    moved.rotation[third : 2 * third], moved.root[third : 2 * third] = moved.rotation[third], moved.root[third]
    return moved


def in_blender(moved: Motion, frames: NDArray[np.int64]) -> Floats:
    """Returns (T,B,3) m where the bones begin, in Blender's axes: x, −z, y."""
    x, y, z = np.moveaxis(forward_kinematics(moved.rest, moved.root[frames], moved.rotation[frames])[0], -1, 0)
    return np.stack([x, -z, y], -1)


def heads(path: Path, said: dict[str, list[str]], names: BoneNaming) -> Floats:
    """Returns (T,B,3) where Blender has the heads of our bones."""
    found: Floats = np.load(path)["heads"]
    return found[:, [said["names"].index(NAMES[names][bone]) for bone in BONES]]


def numbered(frames: NDArray[Any], first: int) -> str:
    """Returns the frames of a scene as JSON."""
    return json.dumps([float(frame) + first for frame in frames])


@pytest.mark.parametrize("names", CONVENTIONS)
def test_bvh_with_default_settings(tmp_path: Path, judge: Judge, names: BoneNaming) -> None:
    moved, frames = made(240), np.arange(240)
    write_bvh(tmp_path / "a.bvh", moved, rate_hz=RATE_HZ, names=names)
    said = judge("read_in_blender.py", tmp_path / "a.bvh", tmp_path / "a.npz", 24, numbered(frames, 1))
    assert set(NAMES[names].values()) <= set(said["names"])
    assert said["fps"] == 24
    assert said["frames"] == [1, 240]
    found = heads(tmp_path / "a.npz", said, names) / 100
    assert np.linalg.norm(found - in_blender(moved, frames), axis=-1).max() < CLOSE_M


def test_bvh_as_the_page_says(tmp_path: Path, judge: Judge) -> None:
    moved, frames = made(240), np.arange(240)
    write_bvh(tmp_path / "a.bvh", moved, rate_hz=RATE_HZ)
    settings = ("global_scale=0.01", "update_scene_fps=true", "update_scene_duration=true")
    said = judge("read_in_blender.py", tmp_path / "a.bvh", tmp_path / "a.npz", 24, numbered(frames, 1), *settings)
    assert said["fps"] == RATE_HZ
    assert dict(zip(said["names"], said["parents"], strict=True)) == {
        bone: BONES[parent] if parent >= 0 else "" for bone, parent in zip(BONES, PARENTS, strict=True)
    }
    assert np.linalg.norm(heads(tmp_path / "a.npz", said, VRM) - in_blender(moved, frames), axis=-1).max() < CLOSE_M


def test_bvh_in_metres_needs_no_scale(tmp_path: Path, judge: Judge) -> None:
    moved, frames = made(10), np.arange(10)
    write_bvh(tmp_path / "a.bvh", moved, rate_hz=RATE_HZ, scale=1.0)
    said = judge("read_in_blender.py", tmp_path / "a.bvh", tmp_path / "a.npz", 24, numbered(frames, 1))
    assert np.linalg.norm(heads(tmp_path / "a.npz", said, VRM) - in_blender(moved, frames), axis=-1).max() < CLOSE_M


def test_a_real_walk_is_where_it_was_seen(tmp_path: Path, judge: Judge) -> None:
    solved, rate_hz, seen = walk()
    write_bvh(tmp_path / "a.bvh", solved, rate_hz=rate_hz)
    every = numbered(np.arange(len(solved.t_ns)), 1)
    said = judge("read_in_blender.py", tmp_path / "a.bvh", tmp_path / "a.npz", 24, every, "global_scale=0.01")
    found = heads(tmp_path / "a.npz", said, VRM)
    x, y, z = np.moveaxis(np.array(list(seen.values())), -1, 0)
    error_m = np.linalg.norm(
        found[:, [BONES.index(bone) for bone in seen]] - np.stack([x, -z, y], -1).swapaxes(0, 1), axis=-1
    )
    assert np.median(error_m) < 0.005
    assert error_m.max() < 0.015


@pytest.mark.parametrize("moved", [made(1), made(2), held(90)], ids=["one frame", "two frames", "held over a gap"])
@pytest.mark.parametrize("suffix", ["bvh", "glb"])
def test_short_and_gappy_takes(tmp_path: Path, judge: Judge, moved: Motion, suffix: str) -> None:
    path, frames, first = tmp_path / f"a.{suffix}", np.arange(len(moved.t_ns)), 1 if suffix == "bvh" else 0
    if suffix == "bvh":
        write_bvh(path, moved, rate_hz=RATE_HZ, scale=1.0)
    else:
        write_people_gltf(path, [MovingPerson(moved, 1.75, False)])
    said = judge("read_in_blender.py", path, tmp_path / "a.npz", RATE_HZ, numbered(frames, first))
    assert np.linalg.norm(heads(tmp_path / "a.npz", said, VRM) - in_blender(moved, frames), axis=-1).max() < CLOSE_M


@pytest.mark.parametrize("suffix", ["bvh", "glb"])
def test_a_take_of_five_minutes(tmp_path: Path, judge: Judge, suffix: str) -> None:
    path, moved, frames = tmp_path / f"a.{suffix}", made(300 * RATE_HZ), np.arange(0, 300 * RATE_HZ, 997)
    if suffix == "bvh":
        write_bvh(path, moved, rate_hz=RATE_HZ, scale=1.0)
    else:
        write_people_gltf(path, [MovingPerson(moved, 1.75, False)])
    first = 1 if suffix == "bvh" else 0
    said = judge("read_in_blender.py", path, tmp_path / "a.npz", RATE_HZ, numbered(frames, first))
    assert np.ptp(said["frames"]) == pytest.approx(300 * RATE_HZ - 1, abs=0.01)
    error_m = np.linalg.norm(heads(tmp_path / "a.npz", said, VRM) - in_blender(moved, frames), axis=-1)
    assert error_m.max() < 5 * CLOSE_M


@pytest.mark.parametrize("suffix", ["glb", "gltf"])
@pytest.mark.parametrize("names", CONVENTIONS)
def test_gltf(tmp_path: Path, judge: Judge, names: BoneNaming, suffix: str) -> None:
    path, moved, frames = tmp_path / f"a.{suffix}", made(120), np.arange(120)
    write_people_gltf(path, [MovingPerson(moved, 1.75, False)], names=names)
    said = judge("read_in_blender.py", path, tmp_path / "a.npz", RATE_HZ, numbered(frames, 0))
    assert said["frames"] == pytest.approx([0, 119], abs=1e-3)
    expected = in_blender(moved, frames)
    assert np.linalg.norm(heads(tmp_path / "a.npz", said, names) - expected, axis=-1).max() < CLOSE_M
    lowest, highest = np.moveaxis(np.load(tmp_path / "a.npz")["bounds"][:, 0], 1, 0)
    assert (lowest < expected.min(1) + CLOSE_M).all()
    assert (highest > expected.max(1) - CLOSE_M).all()
    assert np.ptp(highest - lowest, axis=0).min() > 0.05


def test_what_the_page_says_moves_a_character(tmp_path: Path, judge: Judge) -> None:
    """The character has other axes in its bones, and is turned and scaled as an object."""
    solved, rate_hz, _ = walk()
    write_bvh(tmp_path / "walk.bvh", solved, rate_hz=rate_hz)
    write_people_gltf(tmp_path / "character.glb", [MovingPerson(solved, 1.7, True)])
    page = (Path(__file__).parents[2] / "docs" / "blender.md").read_text("utf-8")
    importing, retargeting = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "import.py").write_text(importing.replace("takes/walk.bvh", str(tmp_path / "walk.bvh")), "utf-8")
    (tmp_path / "retarget.py").write_text(retargeting, "utf-8")
    scripts = (tmp_path / "character.glb", tmp_path / "import.py", tmp_path / "retarget.py")
    said = judge("retarget_in_blender.py", *scripts, str(len(solved.t_ns)))
    assert said["scene"] == [round(rate_hz), 250]
    assert said["constrained_m"] < CLOSE_M
    assert said["baked_m"] < CLOSE_M
    assert said["constraints"] == 0


@pytest.mark.parametrize("suffix", ["glb", "gltf"])
def test_two_people_are_two_armatures_that_move_together(tmp_path: Path, judge: Judge, suffix: str) -> None:
    path, frames = tmp_path / f"two.{suffix}", np.arange(90)
    first, second = two_people(path)
    said = judge("read_in_blender.py", path, tmp_path / "a.npz", RATE_HZ, numbered(frames, 0))
    assert len(said["armatures"]) == 2
    found = np.load(tmp_path / "a.npz")["heads"].reshape(90, 2, -1, 3)
    names = said["names"][: found.shape[2]]
    assert said["names"] == names * 2
    for n, (moved, at) in enumerate(((first, frames), (second, np.maximum(frames - 30, 0)))):  # it comes 0.5 s later
        order = [names.index(NAMES[VRM][bone]) for bone in BONES]
        error_m = np.linalg.norm(found[:, n, order] - in_blender(moved, at), axis=-1)
        assert error_m.max() < CLOSE_M
