"""Joint angles as OpenSim's .mot. OpenSim itself reads it in tests/foreign."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest
from numpy.typing import NDArray

from pose_rig.errors import PoseRigError, SessionError, UsageError
from pose_rig.session.formats.mot import write_mot
from pose_rig.session.formats.poses import Poses
from pose_rig.session.formats.table import write_angles_csv
from pose_rig.skeleton import INDEX
from tests.session.posed import made

RATE_HZ = 60.0
COLUMNS = [
    "time", "knee_angle_l", "hip_flexion_l", "elbow_flex_l", "shoulder_elv_l", "knee_angle_r", "hip_flexion_r",
    "elbow_flex_r", "shoulder_elv_r",
]  # fmt: skip


def bending(count: int = 61, **more: NDArray[np.generic]) -> Poses:
    """Returns a person facing +z who stands on the left leg and flexes right hip and knee by 1° a frame."""
    poses = made(count, RATE_HZ, **more)
    xyz = np.array(poses.xyz)
    places = {
        "pelvis": (0, 1, 0), "thorax": (0, 1.5, 0), "l_hip": (0.1, 1, 0), "l_knee": (0.1, 0.6, 0),
        "l_ankle": (0.1, 0.2, 0), "r_hip": (-0.1, 1, 0),
        "l_shoulder": (0.2, 1.5, 0), "l_elbow": (0.2, 1.2, 0), "l_wrist": (0.2, 1.2, 0.25),
        "r_shoulder": (-0.2, 1.5, 0), "r_elbow": (-0.5, 1.5, 0), "r_wrist": (-0.75, 1.5, 0),
    }  # fmt: skip
    for name, place in places.items():
        xyz[:, INDEX[name]] = place
    hip = np.radians(np.arange(count))
    forward, down = np.array([0.0, 0, 1]), np.array([0.0, -1, 0])
    thigh = 0.4 * (np.sin(hip)[:, None] * forward + np.cos(hip)[:, None] * down)
    xyz[:, INDEX["r_knee"]] = xyz[:, INDEX["r_hip"]] + thigh
    xyz[:, INDEX["r_ankle"]] = xyz[:, INDEX["r_knee"]] + 0.4 * down  # the shank hangs: the knee flexes as the hip does
    return replace(poses, xyz=xyz, mode=np.full(count, "solved"))


def parse(path: Path) -> tuple[dict[str, str], pandas.DataFrame]:
    """Returns the fields of the header, and the table as pandas reads it."""
    header, _, rest = path.read_text("utf-8").partition("endheader\n")
    assert header.splitlines()[:2] == [path.stem, "version=1"]
    fields = dict(line.split("=", 1) for line in header.splitlines() if "=" in line)
    skipped = len(header.splitlines()) + 1
    table = pandas.read_csv(path, sep="\t", skiprows=skipped)
    assert rest.count("\n") == len(table) + 1
    assert (int(fields["nRows"]), int(fields["nColumns"])) == table.shape
    assert "nan" not in rest
    assert table.notna().all(axis=None)
    return fields, table


def without(poses: Poses, joint: str, part: slice) -> Poses:
    """Returns the poses with a joint guessed for some frames, far from where it is."""
    xyz, score = np.array(poses.xyz), np.array(poses.score)
    xyz[part, INDEX[joint]], score[part, INDEX[joint]] = 9.0, 0.0
    return replace(poses, xyz=xyz, score=score)


def test_columns_are_coordinates_in_degrees_at_even_times(tmp_path: Path) -> None:
    assert write_mot(tmp_path / "take.mot", bending()) == []
    fields, table = parse(tmp_path / "take.mot")
    assert fields["inDegrees"] == "yes"
    assert list(table) == COLUMNS
    np.testing.assert_allclose(table["time"], np.arange(61) / RATE_HZ, atol=1e-9)
    for name in ("hip_flexion_r", "knee_angle_r"):
        np.testing.assert_allclose(table[name], np.arange(61), atol=1e-3)
    for name, angle_deg in {
        "hip_flexion_l": 0, "knee_angle_l": 0, "elbow_flex_l": 90, "shoulder_elv_l": 0, "elbow_flex_r": 0,
        "shoulder_elv_r": 90,
    }.items():  # fmt: skip
        np.testing.assert_allclose(table[name], angle_deg, atol=1e-3)


def test_poses_are_resampled_to_a_rate(tmp_path: Path) -> None:
    t_ns = np.round(np.cumsum(np.tile([1, 3], 31)[:61]) * 1e9 / 120).astype(np.int64)
    write_mot(tmp_path / "take.mot", bending(t_ns=t_ns), 100.0)
    _, table = parse(tmp_path / "take.mot")
    np.testing.assert_allclose(np.diff(table["time"]), 0.01, atol=1e-9)
    expected = np.interp(table["time"], (t_ns - t_ns[0]) * 1e-9, np.arange(61))
    np.testing.assert_allclose(table["knee_angle_r"], expected, atol=0.01)


def test_short_gaps_are_interpolated_and_reported(tmp_path: Path) -> None:
    poses = without(bending(), "r_ankle", slice(20, 35))  # 0.25 s
    (note,) = write_mot(tmp_path / "take.mot", poses)
    assert note == "Interpolated in the mot, in gaps of at most 0.25 s: 15 values."
    assert note in (tmp_path / "take.mot").read_text("utf-8").partition("endheader")[0]
    _, table = parse(tmp_path / "take.mot")
    np.testing.assert_allclose(table["knee_angle_r"], np.arange(61), atol=1e-3)


def test_an_angle_with_a_longer_gap_is_left_out_and_reported(tmp_path: Path) -> None:
    poses = without(bending(), "r_ankle", slice(20, 36))
    notes = write_mot(tmp_path / "take.mot", poses)
    assert notes == ["Not in the mot, since they have a gap longer than 0.25 s: knee_angle_r."]
    _, table = parse(tmp_path / "take.mot")
    assert list(table) == [name for name in COLUMNS if name != "knee_angle_r"]


def test_the_file_begins_and_ends_where_angles_are_known(tmp_path: Path) -> None:
    poses = without(bending(), "l_wrist", slice(55, None))
    poses.xyz[:10] = np.nan
    assert write_mot(tmp_path / "take.mot", poses) == ["The mot covers 0.17 to 0.90 s, where angles are known."]
    _, table = parse(tmp_path / "take.mot")
    assert list(table) == COLUMNS
    np.testing.assert_allclose(table["time"], np.arange(10, 55) / RATE_HZ, atol=1e-9)
    np.testing.assert_allclose(table["hip_flexion_r"], np.arange(10, 55), atol=1e-3)


def test_a_long_absence_is_refused_with_a_usable_range(tmp_path: Path) -> None:
    poses = bending(121)
    poses.xyz[30:60] = np.nan
    with pytest.raises(SessionError, match=r"the longest part with any is 1\.00 to 2\.00 s .* --start and --end"):
        write_mot(tmp_path / "take.mot", poses)
    assert not (tmp_path / "take.mot").exists()


def test_frames_before_the_rig_was_solved_are_counted(tmp_path: Path) -> None:
    mode = np.array(["cold"] * 10 + ["settled"] * 5 + ["solved"] * 46)
    (note,) = write_mot(tmp_path / "take.mot", replace(bending(), mode=mode))
    assert note == "The rig was not solved in 15 frames of the mot; angles are less accurate there."


def test_slow_recordings_are_written_too(tmp_path: Path) -> None:
    write_mot(tmp_path / "take.mot", bending(), 2.0)
    _, table = parse(tmp_path / "take.mot")
    np.testing.assert_allclose(table["time"], [0.0, 0.5, 1.0])


def test_unwritable_input_is_an_error(tmp_path: Path) -> None:
    guessed = replace(bending(), score=np.zeros_like(bending().score))
    with pytest.raises(SessionError, match=r"No joint angle is known in this part\. Choose another part\."):
        write_mot(tmp_path / "take.mot", guessed)
    with pytest.raises(PoseRigError, match="needs at least two poses; there are 1"):
        write_mot(tmp_path / "take.mot", bending(1))
    with pytest.raises(UsageError, match="The rate must be a positive number; got -1"):
        write_mot(tmp_path / "take.mot", bending(), -1.0)


def test_the_table_of_angles_has_the_same_and_keeps_gaps(tmp_path: Path) -> None:
    poses = without(bending(), "r_ankle", slice(20, 35))
    write_angles_csv(tmp_path / "take_angles.csv", poses)
    table = pandas.read_csv(tmp_path / "take_angles.csv")
    assert list(table)[:4] == ["t_ns", "t_s", "mode", "l_knee_flexion_deg"]
    assert table.shape == (61, 11)
    np.testing.assert_allclose(table["r_hip_flexion_deg"], np.arange(61), atol=1e-3)
    np.testing.assert_allclose(table["r_shoulder_elevation_deg"], 90, atol=1e-3)
    gap = table["r_knee_flexion_deg"].isna()
    assert gap.to_numpy().nonzero()[0].tolist() == list(range(20, 35))
    write_angles_csv(tmp_path / "slow.csv", poses, 10.0)
    slow = pandas.read_csv(tmp_path / "slow.csv")
    np.testing.assert_allclose(slow["t_s"], np.arange(11) / 10, atol=1e-9)
    assert slow["r_knee_flexion_deg"].isna().to_numpy().nonzero()[0].tolist() == [4, 5]


def test_angles_that_are_never_known_together_are_refused(tmp_path: Path) -> None:
    poses = bending(8)
    poses.score[4:, poses.joints.index("r_ankle")] = 0.0  # the knee is known first, the elbow after it
    poses.score[:4, poses.joints.index("r_wrist")] = 0.0
    poses.score[:, [j for j, name in enumerate(poses.joints) if name in ("l_hip", "l_shoulder", "thorax")]] = 0.0
    with pytest.raises(SessionError, match=r"No joint angle is known for long enough in this part\. Choose a longer"):
        write_mot(tmp_path / "take.mot", poses)


def test_a_short_part_has_the_angles_that_are_known_in_it(tmp_path: Path) -> None:
    poses = bending(4)
    poses.score[:, poses.joints.index("r_wrist")] = 0.0
    write_mot(tmp_path / "take.mot", poses)
    _, table = parse(tmp_path / "take.mot")
    assert list(table) == [name for name in COLUMNS if name != "elbow_flex_r"]
