"""TRC, read as strictly as OpenSim does. OpenSim itself reads it in tests/foreign."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pose_rig.errors import PoseRigError
from pose_rig.session.formats.trc import KEYS, write_trc
from tests.session.posed import NAMES, made, with_gaps
from tests.session.two_people import poses_of_two


def parse(path: Path) -> tuple[dict[str, str], list[str], NDArray[np.float64]]:
    """Returns the fields of the header, the marker names and the rows, if all is as OpenSim's TRCFileAdapter wants."""
    lines = path.read_text("utf-8").split("\n")
    assert lines[0].split("\t")[:3] == ["PathFileType", "4", "(X/Y/Z)"]
    assert lines[1].split() == KEYS.split()
    fields = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=True))
    labels = lines[3].split("\t")
    assert labels[:2] == ["Frame#", "Time"]
    names = labels[2::3]
    assert not any(labels[3::3] + labels[4::3])
    assert lines[4] == "\t\t" + "\t".join(f"{axis}{m + 1}" for m in range(len(names)) for axis in "XYZ")
    assert lines[5] == ""
    assert lines[-1] == ""
    rows = [line.split("\t") for line in lines[6:-1]]
    assert {len(row) for row in rows} == {2 + 3 * len(names)}
    assert all(cell for row in rows for cell in row)
    assert (int(fields["NumFrames"]), int(fields["NumMarkers"])) == (len(rows), len(names))
    return fields, names, np.array(rows, np.float64)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    poses = made(90)
    write_trc(tmp_path / "take.trc", poses)
    fields, names, rows = parse(tmp_path / "take.trc")
    assert (fields["DataRate"], fields["CameraRate"], fields["Units"]) == ("60", "60", "m")
    assert (names[0], names[1], names[-1]) == ("Hip", "RHip", "RBigToe")
    np.testing.assert_array_equal(rows[:, 0], np.arange(1, 91))
    np.testing.assert_allclose(rows[:, 1], np.arange(90) / 60, atol=1e-6)
    np.testing.assert_allclose(rows[:, 2:].reshape(poses.xyz.shape), poses.xyz, atol=1e-6)


def test_gaps_are_nan_and_never_empty(tmp_path: Path) -> None:
    write_trc(tmp_path / "take.trc", with_gaps())
    _, _, rows = parse(tmp_path / "take.trc")
    gap = np.isnan(rows[:, 2:])
    assert gap[1].all()
    assert gap[2].sum() == 3
    assert gap[2, -3:].all()
    assert gap.sum() == gap[1].size + 3


def test_rate_and_names_can_be_chosen(tmp_path: Path) -> None:
    write_trc(tmp_path / "take.trc", made(61), 29.97, "rig")
    fields, names, rows = parse(tmp_path / "take.trc")
    assert fields["DataRate"] == "29.97"
    assert names == list(NAMES)
    np.testing.assert_allclose(np.diff(rows[:, 1]), 1 / 29.97, atol=2e-6)


def test_the_first_line_states_the_origin_of_the_scale(tmp_path: Path) -> None:
    path = tmp_path / "take.trc"
    write_trc(path, made())
    assert path.read_text("utf-8").split("\n")[0].endswith("\ttake.trc (height 1.82 m as given)")
    write_trc(path, replace(made(), height_m=1.7, height_assumed=True))
    assert (
        path.read_text("utf-8")
        .split("\n")[0]
        .endswith("\ttake.trc (height of 1.70 m ASSUMED, lengths are not true metres)")
    )


def test_a_folder_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(PoseRigError, match=r"Cannot write .*take.trc: No such file"):
        write_trc(tmp_path / "absent" / "take.trc", made())


def test_markers_of_several_people_have_a_prefix(tmp_path: Path) -> None:
    people = poses_of_two()
    write_trc(tmp_path / "take.trc", people)
    _, names, rows = parse(tmp_path / "take.trc")
    assert len(names) == len(set(names)) == 2 * len(NAMES)
    assert (names[:2], names[len(NAMES) : len(NAMES) + 2]) == (["P1_Hip", "P1_RHip"], ["P2_Hip", "P2_RHip"])
    xyz = rows[:, 2:].reshape(30, 2, len(NAMES), 3)
    np.testing.assert_allclose(xyz[:, 0], people[0].xyz, atol=1e-6)
    assert np.isnan(xyz[5:23, 1]).all()
    np.testing.assert_allclose(xyz[[0, 4, 23, 29], 1], people[1].xyz[[0, 4, 5, 11]], atol=1e-5)
    first = (tmp_path / "take.trc").read_text().split("\n")[0]
    assert "(P1: height 1.82 m as given; P2: height 1.60 m as given)" in first
