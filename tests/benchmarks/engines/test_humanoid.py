"""The benchmark of the humanoid. Nothing here measures time."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.engines import humanoid
from pose_rig.capture.simulated import pose
from pose_rig.humanoid.retarget import retarget
from pose_rig.skeleton import JOINTS


def test_steps_and_motion_files_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    joints = np.stack([pose(i / 30) for i in range(60)])
    root = joints[:, 0]
    clip = {"clip_start": [0], "clip_len": [60], "clip_label": ["walking"], "fps": 30.0}
    np.savez(tmp_path / "clips.npz", joints17_rel=joints - root[:, None], root=root, **clip)  # type: ignore[arg-type]
    arguments = ["humanoid", "--quick", "--json", str(tmp_path / "h.json"), "--motion", str(tmp_path / "clips.npz")]
    monkeypatch.setattr("sys.argv", arguments)
    humanoid.main()
    figures = {row["name"]: row for row in json.loads((tmp_path / "h.json").read_text("utf-8"))["figures"]}
    assert figures["step, with landmarks"]["repeats"] == 10
    assert 0 < figures["joint error"]["median"] < 15
    assert 0 < figures["largest step of a bone"]["median"] < 60


def test_an_error_is_the_distance_from_true_to_solved() -> None:
    xyz = np.stack([pose(i / 30) for i in range(30)])
    motion = retarget(JOINTS, np.arange(30) * 33_333_333, xyz, np.ones(xyz.shape[:2]))
    further = humanoid.errors_mm(xyz + np.array([0.0, 10.0, 0.0]), motion)
    assert np.median(humanoid.errors_mm(xyz, motion)) < 15
    assert np.median(further) == pytest.approx(10_000, abs=15)


def test_landmarks_are_near_their_joints() -> None:
    joints, xyz = humanoid.with_landmarks(pose(0.0)[None])
    assert len(joints) == xyz.shape[1] == 17 + 12
    wrist, index = (xyz[0, joints.index(name)] for name in ("r_wrist", "right_index"))
    assert np.linalg.norm(index - wrist) == pytest.approx(0.0825, abs=0.001)
