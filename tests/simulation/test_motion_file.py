"""Errors in motion files are reported with a remedy."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose_rig.errors import UsageError
from pose_rig.simulation.clips import load_clips
from pose_rig.simulation.motion_file import read_motion_file
from pose_rig.skeleton import JOINTS, J
from tests.fusion.fakes import FPS, walk
from tests.training.fakes.motion_files import CLIPS, write_motion

REL = walk(CLIPS) - walk(CLIPS)[:, :1]
COCO = [
    9,
    10,
    10,
    10,
    10,
    11,
    14,
    12,
    15,
    13,
    16,
    4,
    1,
    5,
    2,
    6,
    3,
]  # our joints in the order of COCO; our head as eyes


def turned(joints: Any) -> Any:
    """Returns joints with z up."""
    return joints[..., [0, 2, 1]] * [1.0, -1.0, 1.0]


def with_nan(frame: int) -> Any:
    joints = REL.copy()
    joints[frame, 5, 1] = np.nan
    return joints


@pytest.mark.parametrize("key", ["joints17_rel", "clip_start", "clip_len", "clip_label", "fps"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    text = rf"m\.npz is not a motion file: key '{key}' is missing\. docs/training\.md has the format of motion files\."
    with pytest.raises(UsageError, match=text):
        read_motion_file(write_motion(tmp_path / "m.npz", **{key: None}))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"joints17_rel": np.zeros((240, 16, 3))}, r"of shape \(240, 16, 3\), expected floats of shape \(N,17,3\)"),
        ({"joints17_rel": np.zeros((240, 17, 3), int)}, r"is int64 of shape \(240, 17, 3\), expected floats"),
        ({"root": np.zeros((7, 3))}, r"key 'root' is float64 of shape \(7, 3\), expected floats of shape \(240,3\)\."),
        ({"clip_len": np.full(3, 30)}, r"'clip_len' is int64 of shape \(3,\), expected whole numbers of shape"),
        ({"clip_label": np.arange(8)}, r"key 'clip_label' is int64 of shape \(8,\), expected text of shape"),
        ({"clip_label": np.array(list("abcdefgh"), object)}, r"Object arrays cannot be loaded"),
        ({"clip_start": 30 * np.arange(8) + 1}, r"its clips do not lie within its 240 frames\. clip_start are first"),
        ({"clip_start": np.zeros(8)}, r"key 'clip_start' is float64 of shape \(8,\), expected whole numbers"),
        ({"fps": 0.0}, r"fps is 0\. Give frames per second"),
        ({"fps": [30.0, 30.0]}, r"key 'fps' is float64 of shape \(2,\), expected a number"),
        ({"joints17_rel": with_nan(77)}, r"'joints17_rel' has NaN or infinity in 1 frames, first in frame 77\. Cut"),
        ({"root": np.full((240, 3), np.nan)}, r"key 'root' has NaN or infinity in 240 frames, first in frame 0\."),
        ({"joints17_rel": 1000 * REL}, r"in millimetres, it seems: shins are \d{3} long\. Divide .* by 1000:"),
        ({"joints17_rel": 100 * REL}, r"lengths are in centimetres, it seems: shins are \d\d long\. Divide .* by 100:"),
        ({"joints17_rel": 3e-3 * REL}, r"shins are 0\.00\d+ m long"),
        ({"units": "mm"}, r"key 'units' is 'mm'\. joints17_rel and root are in metres"),
        ({"joints17_rel": walk(CLIPS)}, r"the pelvis, joint 0, is \d\.\d\d m off the origin.*Take joint 0 away"),
        ({"joints17_rel": turned(REL)}, r"people stand along z, not y: z is up\. Replace \(x, y, z\) by \(x, z, -y\)"),
        ({"joints17_rel": REL * [1, -1, -1]}, r"heads are below feet: y points down\. Negate y and z"),
        ({"joints17_rel": REL[..., [1, 0, 2]] * [1, -1, 1]}, r"people do not stand along y, which is up\. Turn"),
        ({"up_axis": "z"}, r"key 'up_axis' is 'z', not 'y'\. Replace"),
        ({"joints17_rel": REL * [-1, 1, 1]}, r"its people are mirror images: left and right are exchanged"),
        ({"joints17_rel": REL[:, COCO] - REL[:, [9]]}, r"bones change their length by \d+ %.*is the joint order"),
        ({"joint_names": [f"joint {j}" for j in range(J)]}, r"key 'joint_names': Unknown joint 'pelvis'\."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=rf"m\.npz is not a motion file: .*{text}"):
        read_motion_file(write_motion(tmp_path / "m.npz", **changes))


def test_a_file_of_jumps_alone_has_no_clip(tmp_path: Path) -> None:
    path = write_motion(tmp_path / "m.npz", fps=3000.0)
    with pytest.raises(
        UsageError, match=r"m\.npz has no clip of 0\.5 s in which no joint moves faster than 12 m/s\. Check"
    ):
        load_clips([path])


@pytest.mark.parametrize("spelling", [str.upper, lambda name: name, {"pelvis": "Hip"}.get])
def test_joint_names_define_the_order(tmp_path: Path, spelling: Callable[[str], str | None]) -> None:
    order = np.random.default_rng(0).permutation(J)
    names = [spelling(JOINTS[j]) or JOINTS[j] for j in order]
    file = read_motion_file(write_motion(tmp_path / "m.npz", joints17_rel=REL[:, order], joint_names=names))
    np.testing.assert_array_equal(file.joints, REL.astype(np.float32))


def test_people_on_the_floor_are_read_if_up_axis_is_y(tmp_path: Path) -> None:
    file = read_motion_file(write_motion(tmp_path / "m.npz", joints17_rel=turned(REL), up_axis="y", units="m"))
    assert file.fps == FPS
    assert file.joints.shape == (len(REL), J, 3)
