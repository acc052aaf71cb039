"""BVH as `bvhio`, written by others, reads it. What Blender reads is in tests/foreign."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.errors import PoseRigError
from pose_rig.humanoid.bones import BONES, INDEX, B, Motion, forward_kinematics
from pose_rig.session.formats.bone_names import CONVENTIONS, EXTRA, NAMES, BoneNaming, named_bones
from pose_rig.session.formats.bvh import ROWS_PER_WRITE, write_bvh
from tests.session.motions import motion, rest, walk

with warnings.catch_warnings():  # of what it imports itself
    warnings.simplefilter("ignore", PendingDeprecationWarning)
    import bvhio


def made(count: int, seed: int = 7) -> Motion:
    """Returns a movement of all joints."""
    return motion(np.random.default_rng(seed), count)


def still(count: int) -> Motion:
    """Returns a person in T-pose."""
    rotation = np.tile([0.0, 0.0, 0.0, 1.0], (count, B, 1))
    return Motion(rest(), np.arange(count) * 16_666_667, np.tile(rest().offset[0], (count, 1)), rotation)


def places(path: Path, names: BoneNaming) -> Floats:
    """Returns (T,B,3) where the bones begin, as `bvhio` sees it."""
    root = bvhio.readAsHierarchy(str(path))
    first, last = root.getKeyframeRange()
    frames = []
    for frame in range(first, last + 1):
        root.loadPose(frame)
        begins = {joint.Name: list(joint.PositionWorld) for joint, _, _ in root.layout()}
        frames.append([begins[NAMES[names][bone]] for bone in BONES])
    return np.array(frames)


def rows(path: Path) -> Floats:
    """Returns (T,C) the numbers of the file."""
    _, _, text = path.read_text("ascii").partition("Frame Time: ")
    return np.array([line.split() for line in text.splitlines()[1:]], np.float64)


@pytest.mark.parametrize("names", CONVENTIONS)
def test_every_joint_is_where_it_was(tmp_path: Path, names: BoneNaming) -> None:
    moved = made(120)
    write_bvh(tmp_path / "walk.bvh", moved, rate_hz=60.0, names=names)
    expected, _ = forward_kinematics(moved.rest, moved.root, moved.rotation)
    error_m = np.linalg.norm(places(tmp_path / "walk.bvh", names) / 100 - expected, axis=-1)
    assert error_m.max() < 1e-4


def test_a_real_walk_has_its_measured_positions(tmp_path: Path) -> None:
    solved, rate_hz, seen = walk()
    write_bvh(tmp_path / "walk.bvh", solved, rate_hz=rate_hz)
    found = places(tmp_path / "walk.bvh", "vrm") / 100
    error_m = [np.linalg.norm(found[:, INDEX[bone]] - joint, axis=-1) for bone, joint in seen.items()]
    assert np.median(error_m) < 0.005
    assert np.max(error_m) < 0.015
    turns = rows(tmp_path / "walk.bvh")[:, 3:]
    assert np.abs(np.diff(turns, axis=0)).max() < 60


def test_the_unit_can_be_chosen(tmp_path: Path) -> None:
    moved = made(5)
    write_bvh(tmp_path / "walk.bvh", moved, rate_hz=60.0, scale=1.0)
    expected, _ = forward_kinematics(moved.rest, moved.root, moved.rotation)
    np.testing.assert_allclose(places(tmp_path / "walk.bvh", "vrm"), expected, atol=1e-4)


@pytest.mark.parametrize("names", CONVENTIONS)
def test_extra_bones_never_turn(tmp_path: Path, names: BoneNaming) -> None:
    write_bvh(tmp_path / "walk.bvh", made(20), rate_hz=60.0, names=names)
    turns = rows(tmp_path / "walk.bvh")[:, 3:].reshape(20, -1, 3)
    for index, bone in enumerate(named_bones(rest(), names)):
        assert (bone.source == EXTRA) == (not turns[:, index].any())


def test_t_pose_is_all_zeros_over_a_skeleton_of_the_persons_lengths(tmp_path: Path) -> None:
    write_bvh(tmp_path / "still.bvh", still(3), rate_hz=60.0)
    assert not rows(tmp_path / "still.bvh")[:, 3:].any()
    np.testing.assert_allclose(rows(tmp_path / "still.bvh")[:, :3], [[0, 93, 0]] * 3)
    joints = {joint.Name: joint for joint, _, _ in bvhio.readAsBvh(str(tmp_path / "still.bvh")).Root.layout()}
    assert joints["Hips"].Channels == ["Xposition", "Yposition", "Zposition", *joints["Head"].Channels]
    assert joints["Head"].Channels == ["Zrotation", "Xrotation", "Yrotation"]
    np.testing.assert_allclose(list(joints["Hips"].Offset), [0, 0, 0])
    np.testing.assert_allclose(list(joints["LeftLowerArm"].Offset), [28, 0, 0])
    np.testing.assert_allclose(list(joints["LeftHand"].EndSite), [17, 0, 0])


@pytest.mark.parametrize(
    ("rate_hz", "frame_time"), [(30.0, "0.033333333"), (59.94, "0.016683350"), (60.0, "0.016666667")]
)
def test_the_frame_time_is_exact_enough(tmp_path: Path, rate_hz: float, frame_time: str) -> None:
    write_bvh(tmp_path / "walk.bvh", made(2), rate_hz=rate_hz)
    assert f"\nMOTION\nFrames: 2\nFrame Time: {frame_time}\n" in (tmp_path / "walk.bvh").read_text("ascii")


@pytest.mark.parametrize("count", [1, ROWS_PER_WRITE, 2 * ROWS_PER_WRITE + 1])
def test_takes_of_any_length_are_written_completely(tmp_path: Path, count: int) -> None:
    moved = made(count)
    write_bvh(tmp_path / "walk.bvh", moved, rate_hz=60.0)
    written = rows(tmp_path / "walk.bvh")
    assert f"Frames: {count}\n" in (tmp_path / "walk.bvh").read_text("ascii")
    np.testing.assert_allclose(written[:, :3], 100 * moved.root, atol=1e-5)


def test_a_knee_bends_through_90_degrees_without_turning_over(tmp_path: Path) -> None:
    moved, knee = still(141), INDEX["LeftLowerLeg"]
    half = np.deg2rad(np.arange(141)) / 2
    moved.rotation[:, knee, 0], moved.rotation[:, knee, 3] = np.sin(half), np.cos(half)
    write_bvh(tmp_path / "squat.bvh", moved, rate_hz=60.0)
    turns = rows(tmp_path / "squat.bvh")[:, 3:].reshape(141, B, 3)[:, knee]
    np.testing.assert_allclose(turns, np.stack([np.zeros(141), np.arange(141), np.zeros(141)], -1), atol=1e-4)


def test_a_pose_held_over_a_gap_stays_held(tmp_path: Path) -> None:
    moved = made(60)
    moved.rotation[20:40], moved.root[20:40] = moved.rotation[19], moved.root[19]
    write_bvh(tmp_path / "walk.bvh", moved, rate_hz=60.0)
    written = rows(tmp_path / "walk.bvh")
    assert not np.ptp(written[19:40], axis=0).any()


def test_an_empty_motion_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(PoseRigError, match=r"no motion to write to .*Choose a part with a person."):
        write_bvh(tmp_path / "walk.bvh", still(0), rate_hz=60.0)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(PoseRigError, match=r"walk.bvh: No such file or directory. Choose a folder"):
        write_bvh(tmp_path / "absent" / "walk.bvh", still(1), rate_hz=60.0)
