"""Folders of 2D keypoints, read as Pose2Sim 0.10.49 reads them (triangulation.py, personAssociation.py)."""

import fnmatch
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pose_rig.errors import PoseRigError, UsageError
from pose_rig.session.formats.detections_json import write_keypoints_json
from pose_rig.session.formats.message_arrays import CameraKeypoints
from tests.session.posed import keypoints_of

RATE_HZ = 50.0


def as_pose2sim_reads(pose: Path, frame: int) -> dict[str, list[list[float]]]:
    """Returns what everybody's keypoints are in a frame, by the name of the camera's folder."""
    found = {}
    for folder in sorted(name for name in os.listdir(pose) if "json" in name):
        names = fnmatch.filter(os.listdir(pose / folder), "*.json")
        (name,) = [name for name in names if int(re.split(r"(\d+)", name)[-2]) == frame]
        people = json.loads((pose / folder / name).read_text())["people"]
        found[folder] = [person["pose_keypoints_2d"] for person in people]
    return found


def detections(camera: str, t_ms: list[int], people: int = 1) -> CameraKeypoints:
    """Returns three landmarks of each person; x is the row, y the person."""
    xy = np.zeros((len(t_ms), people, 3, 2))
    xy[..., 0] += 1 + np.arange(len(t_ms))[:, None, None]
    xy[..., 1] += np.arange(people)[:, None]
    return keypoints_of(camera, np.array(t_ms, np.int64) * 1_000_000, xy, np.full(xy.shape[:-1], 0.5))


def test_pose2sim_reads_what_was_written(tmp_path: Path) -> None:
    seen = detections("cam1", [0, 20, 40], people=2)
    assert write_keypoints_json(tmp_path / "pose", [seen], RATE_HZ) == [tmp_path / "pose" / "cam1_json"]
    names = sorted(path.name for path in (tmp_path / "pose" / "cam1_json").iterdir())
    assert names == ["cam1_000000.json", "cam1_000001.json", "cam1_000002.json"]
    people = as_pose2sim_reads(tmp_path / "pose", 2)["cam1_json"]
    assert people == [[3.0, 0.0, 0.5] * 3, [3.0, 1.0, 0.5] * 3]


def test_invisible_landmarks_are_zero_and_frames_may_have_no_person(tmp_path: Path) -> None:
    seen = detections("cam1", [0, 20])
    seen.score[0, 0, 1], seen.xy[0, 0, 1] = 0.0, np.nan
    seen.score[1] = 0.0
    write_keypoints_json(tmp_path, [seen], RATE_HZ)
    assert as_pose2sim_reads(tmp_path, 0)["cam1_json"] == [[1.0, 0.0, 0.5, 0.0, 0.0, 0.0, 1.0, 0.0, 0.5]]
    assert as_pose2sim_reads(tmp_path, 1)["cam1_json"] == []


def test_equal_numbers_are_equal_times(tmp_path: Path) -> None:
    late, slow = detections("late", [22, 39, 60]), detections("slow", [0, 41, 79])
    write_keypoints_json(tmp_path, [late, slow], RATE_HZ)
    rows: dict[str, list[NDArray[np.float64]]] = {"late_json": [], "slow_json": []}
    for frame in range(5):
        for camera, people in as_pose2sim_reads(tmp_path, frame).items():
            rows[camera].append(np.array([person[0] for person in people]))
    assert [row.tolist() for row in rows["late_json"]] == [[], [1.0], [2.0], [3.0], []]
    assert [row.tolist() for row in rows["slow_json"]] == [[1.0], [], [2.0], [], [3.0]]


def test_a_camera_without_frames_still_has_files(tmp_path: Path) -> None:
    write_keypoints_json(tmp_path, [detections("a", [0, 20]), detections("b", [])], RATE_HZ)
    assert len(list((tmp_path / "b_json").iterdir())) == 2


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "cam2_json").mkdir()
    with pytest.raises(UsageError, match=r"cam2_json exists already\. Move it away, or choose another folder"):
        write_keypoints_json(tmp_path, [detections("cam1", [0]), detections("cam2", [0])], RATE_HZ)
    assert not (tmp_path / "cam1_json").exists()


def test_a_folder_that_is_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "pose").write_text("")
    with pytest.raises(PoseRigError, match=r"Cannot write .*cam1_json"):
        write_keypoints_json(tmp_path / "pose", [detections("cam1", [0])], RATE_HZ)
