"""TRC and MOT as OpenSim reads them, and the TRC as its inverse kinematics follows it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pose_rig.session.formats.markers import marker_names
from pose_rig.session.formats.mot import write_mot
from pose_rig.session.formats.poses import Poses
from pose_rig.session.formats.trc import write_trc
from pose_rig.skeleton import INDEX
from tests.foreign.conftest import Judge
from tests.session.posed import NAMES, made, with_gaps
from tests.session.two_people import poses_of_two

pytestmark = pytest.mark.foreign

HIP_DEG, KNEE_DEG = np.linspace(0, 80, 60), np.linspace(0, -110, 60)
SEGMENT_M = 0.4


def in_opensim(
    judge: Judge, folder: Path, poses: Poses, rate_hz: float | None = None
) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
    """Returns what OpenSim says of the file, and its numbers."""
    markers = write_trc(folder / "take.trc", poses, rate_hz)
    said = judge("read_in_opensim.py", folder / "take.trc", folder / "out.npz", json.dumps(markers.parts_s))
    with np.load(folder / "out.npz") as content:
        return said, dict(content)


def bending() -> Poses:
    """Returns a person who walks along x and bends the right leg."""
    poses = made(len(HIP_DEG))
    xyz = np.array(poses.xyz)
    root = np.stack([np.linspace(0, 1, len(xyz)), np.full(len(xyz), 0.9), np.zeros(len(xyz))], axis=1)
    for name, offset in (("r_hip", (0, 0, 0.1)), ("l_hip", (0, 0, -0.1)), ("thorax", (0, 0.5, 0))):
        xyz[:, INDEX[name]] = root + offset
    xyz[:, INDEX["r_knee"]] = xyz[:, INDEX["r_hip"]] + segment(HIP_DEG)
    xyz[:, INDEX["r_ankle"]] = xyz[:, INDEX["r_knee"]] + segment(HIP_DEG + KNEE_DEG)
    return replace(poses, xyz=xyz)


def segment(angle_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    angle = np.deg2rad(angle_deg)
    return SEGMENT_M * np.stack([np.sin(angle), -np.cos(angle), np.zeros_like(angle)], axis=1)


def test_opensim_reads_what_was_written(judge: Judge, tmp_path: Path) -> None:
    poses = made(90, height_assumed=True, height_m=1.7)
    said, numbers = in_opensim(judge, tmp_path, poses)
    assert (said["Units"], said["DataRate"], said["NumFrames"]) == ("m", "60", "90")
    assert "ASSUMED" in said["header"]
    assert tuple(said["labels"]) == marker_names(NAMES, "opensim")
    np.testing.assert_allclose(numbers["xyz"], poses.xyz, atol=1e-6)
    np.testing.assert_allclose(numbers["time"], np.arange(90) / 60, atol=1e-6)


def test_opensim_reads_another_rate(judge: Judge, tmp_path: Path) -> None:
    said, numbers = in_opensim(judge, tmp_path, made(61), 29.97)
    assert said["DataRate"] == "29.97"
    np.testing.assert_allclose(np.diff(numbers["time"]), 1 / 29.97, atol=2e-6)


def test_opensim_reads_gaps_in_the_last_marker_too(judge: Judge, tmp_path: Path) -> None:
    _, numbers = in_opensim(judge, tmp_path, with_gaps())
    gap = np.asarray(np.isnan(numbers["xyz"]).all(-1))
    assert gap[1].all()
    assert gap.sum() == len(NAMES) + 1
    assert gap[2, -1]


def test_inverse_kinematics_finds_the_angles(judge: Judge, tmp_path: Path) -> None:
    _, numbers = in_opensim(judge, tmp_path, bending())
    np.testing.assert_allclose(numbers["hip_angle"], HIP_DEG, atol=0.05)
    np.testing.assert_allclose(numbers["knee_angle"], KNEE_DEG, atol=0.05)


def test_inverse_kinematics_goes_through_missing_markers_and_from_part_to_part(judge: Judge, tmp_path: Path) -> None:
    poses = bending()
    poses.score[10:15, INDEX["l_hip"]] = 0.0
    poses.xyz[:3], poses.xyz[30:35] = np.nan, np.nan
    _, numbers = in_opensim(judge, tmp_path, poses)
    seen = np.r_[3:30, 35:60]
    np.testing.assert_allclose(numbers["angle_time"], seen / 60, atol=1e-6)
    np.testing.assert_allclose(numbers["hip_angle"], HIP_DEG[seen], atol=0.05)
    np.testing.assert_allclose(numbers["knee_angle"], KNEE_DEG[seen], atol=0.05)


def test_opensim_reads_every_row_of_a_mot(judge: Judge, tmp_path: Path) -> None:
    poses = bending()
    poses.score[10:15, INDEX["r_ankle"]] = 0.0
    notes = write_mot(tmp_path / "take.mot", poses)
    assert "Interpolated in the mot, in gaps of at most 0.25 s: 5 values." in notes
    said = judge("read_mot_in_opensim.py", tmp_path / "take.mot", tmp_path / "out.npz")
    assert said["degrees"] is True
    with np.load(tmp_path / "out.npz") as numbers:
        knee = numbers["stored"][:, said["labels"].index("knee_angle_r")]
        np.testing.assert_allclose(numbers["stored"], numbers["columns"], atol=1e-6)
        np.testing.assert_allclose(numbers["stored_time"], np.arange(60) / 60, atol=1e-6)
    np.testing.assert_allclose(knee, -KNEE_DEG, atol=0.05)


def test_opensim_reads_the_markers_of_two_people(judge: Judge, tmp_path: Path) -> None:
    people = poses_of_two()
    write_trc(tmp_path / "take.trc", people)
    said = judge("read_in_opensim.py", tmp_path / "take.trc", tmp_path / "out.npz", "[]")  # no model has such markers
    assert said["labels"] == [f"P{n}_{name}" for n in (1, 2) for name in marker_names(NAMES, "opensim")]
    with np.load(tmp_path / "out.npz") as content:
        xyz = content["xyz"].reshape(30, 2, len(NAMES), 3)
    np.testing.assert_allclose(xyz[:, 0], people[0].xyz, atol=1e-6)
    assert np.isnan(xyz[5:23, 1]).all()
    np.testing.assert_allclose(xyz[[0, 4, 23, 29], 1], people[1].xyz[[0, 4, 5, 11]], atol=1e-5)
