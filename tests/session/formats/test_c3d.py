"""C3D as `ezc3d` reads it."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import ezc3d
import numpy as np
import pytest

from pose_rig.errors import PoseRigError, UsageError
from pose_rig.session.formats.c3d import MAX_FRAMES, write_c3d
from tests.session.posed import NAMES, START_NS, made, with_gaps
from tests.session.two_people import poses_of_two


def parameters(content: Any, group: str) -> dict[str, Any]:
    """Returns the parameters of a group by name."""
    return {name: one["value"] for name, one in content["parameters"][group].items() if name != "__METADATA__"}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    poses = made(90)
    write_c3d(tmp_path / "take.c3d", poses)
    content = ezc3d.c3d(str(tmp_path / "take.c3d"))
    point = parameters(content, "POINT")
    assert point["UNITS"] == ["mm"]
    assert (point["RATE"][0], point["FRAMES"][0]) == (60.0, 90)
    assert (point["X_SCREEN"], point["Y_SCREEN"]) == (["+X"], ["+Y"])
    assert point["LABELS"][:2] == ["Hip", "RHip"]
    assert len(point["LABELS"]) == len(NAMES)
    xyz_mm = content["data"]["points"][:3].transpose(2, 1, 0)
    np.testing.assert_allclose(xyz_mm, poses.xyz * 1000, atol=1e-3)
    assert (content["data"]["meta_points"]["residuals"] == 0).all()
    assert list(tmp_path.iterdir()) == [tmp_path / "take.c3d"]


def test_gaps_are_nan_with_residual_minus_one(tmp_path: Path) -> None:
    write_c3d(tmp_path / "take.c3d", with_gaps())
    data = ezc3d.c3d(str(tmp_path / "take.c3d"))["data"]
    gap = np.isnan(data["points"][:3]).all(0).T
    assert gap[1].all()
    assert gap.sum() == len(NAMES) + 1
    assert gap[2, -1]
    np.testing.assert_array_equal(data["meta_points"]["residuals"][0].T, np.where(gap, -1.0, 0.0))


def test_rate_and_names_can_be_chosen(tmp_path: Path) -> None:
    write_c3d(tmp_path / "take.c3d", made(61), 29.97, "rig")
    point = parameters(ezc3d.c3d(str(tmp_path / "take.c3d")), "POINT")
    assert point["RATE"][0] == pytest.approx(29.97)
    assert point["LABELS"] == list(NAMES)


@pytest.mark.parametrize("assumed", [False, True])
def test_it_states_the_origin_of_the_scale(tmp_path: Path, assumed: bool) -> None:
    write_c3d(tmp_path / "take.c3d", replace(made(), height_assumed=assumed))
    content = ezc3d.c3d(str(tmp_path / "take.c3d"))
    (text,) = set(parameters(content, "POINT")["DESCRIPTIONS"])
    assert ("ASSUMED" in text) == assumed
    subject = parameters(content, "SUBJECTS")
    assert (subject["HEIGHT_M"][0], subject["HEIGHT_ASSUMED"][0]) == (pytest.approx(1.82), int(assumed))


def test_more_frames_than_the_format_counts_are_refused(tmp_path: Path) -> None:
    poses = made(2)
    long = replace(poses, t_ns=START_NS + np.array([0, MAX_FRAMES * 16_666_667]))
    with pytest.raises(UsageError, match=r"65535 frames, 18\.2 min at 60 Hz; there are 65536\. .*or as TRC"):
        write_c3d(tmp_path / "take.c3d", long, 60.0)


def test_a_folder_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(PoseRigError, match=r"Cannot write .*take.c3d: No such file"):
        write_c3d(tmp_path / "absent" / "take.c3d", made())


def test_without_ezc3d_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ezc3d", None)
    with pytest.raises(PoseRigError, match=r"C3D needs ezc3d, .*pip install 'pose-rig\[files\]'\."):
        write_c3d(tmp_path / "take.c3d", made())


def test_points_of_several_people_have_a_prefix_that_subjects_names(tmp_path: Path) -> None:
    people = poses_of_two()
    write_c3d(tmp_path / "take.c3d", [people[0], replace(people[1], height_assumed=True)])
    content = ezc3d.c3d(str(tmp_path / "take.c3d"))
    subjects, labels = parameters(content, "SUBJECTS"), parameters(content, "POINT")["LABELS"]
    assert (subjects["USED"], subjects["USES_PREFIXES"]) == ([2], [1])
    assert (subjects["NAMES"], subjects["LABEL_PREFIXES"]) == (["P1", "P2"], ["P1_", "P2_"])
    np.testing.assert_allclose(subjects["HEIGHT_M"], [1.82, 1.6])
    assert list(subjects["HEIGHT_ASSUMED"]) == [0, 1]
    assert [sum(label.startswith(prefix) for label in labels) for prefix in ("P1_", "P2_")] == [len(NAMES)] * 2
    assert labels[len(NAMES)] == "P2_Hip"
    texts = parameters(content, "POINT")["DESCRIPTIONS"]
    assert ["ASSUMED" in text for text in texts] == [False] * len(NAMES) + [True] * len(NAMES)
    xyz_mm = content["data"]["points"][:3].transpose(2, 1, 0)
    np.testing.assert_allclose(xyz_mm[:, : len(NAMES)], people[0].xyz * 1000, atol=1e-3)
    second = xyz_mm[:, len(NAMES) :]
    assert np.isnan(second[5:23]).all()
    np.testing.assert_allclose(second[[0, 4, 23, 29]], people[1].xyz[[0, 4, 5, 11]] * 1000, atol=0.01)
