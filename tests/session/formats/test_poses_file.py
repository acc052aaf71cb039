from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pose_rig
import pose_rig.session
from pose_rig.errors import SourceError
from pose_rig.session.formats.markers import marker_names
from pose_rig.session.formats.poses_file import KEYS, REQUIRED, read_people, read_poses, write_poses
from pose_rig.skeleton import JOINTS
from tests.session.formats.test_poses_writer import write as write_as_run_does
from tests.session.posed import made, with_gaps
from tests.session.two_people import HEIGHT_M, poses_of_two

OF_PEOPLE = ("people", "people_height_m", "people_height_assumed", "person")  # only with several


def test_every_key_is_documented_and_no_other_is_written(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "frames.md").read_text("utf-8")
    assert [key for key in KEYS if f"`{key}`" not in text] == []
    saved = list(write_as_run_does(tmp_path / "saved.npz"))
    assert saved == [key for key in KEYS if key not in ("residual_px", "age_ns", "time_rate", *OF_PEOPLE)]
    with pytest.raises(ValueError, match="unknown"):
        write_poses(tmp_path / "poses.npz", made(), {"unknown": np.zeros(1)})


def test_what_was_written_is_read(tmp_path: Path) -> None:
    poses = with_gaps()
    write_poses(tmp_path / "poses.npz", poses, {"cameras": np.array(["left", "right"])})
    back = read_poses(tmp_path / "poses.npz")
    for path in (tmp_path / "poses.npz", str(tmp_path / "poses.npz")):
        assert repr(pose_rig.session.load(path)) == repr(poses)
    for field in fields(poses):
        np.testing.assert_array_equal(getattr(back, field.name), getattr(poses, field.name), field.name)
    with np.load(tmp_path / "poses.npz") as content:
        assert content["cameras"].tolist() == ["left", "right"]


def test_what_run_saves_is_read(tmp_path: Path) -> None:
    saved = write_as_run_does(tmp_path / "poses.npz", 4, mode="solved")
    poses = read_poses(tmp_path / "poses.npz")
    assert poses.joints == JOINTS
    assert (poses.height_m, poses.height_assumed) == (1.7, True)
    assert poses.mode.tolist() == ["solved"] * 4
    np.testing.assert_array_equal(poses.xyz, saved["xyz"])
    np.testing.assert_array_equal(poses.covariance_m2, saved["covariance"])
    assert np.isnan(poses.residual_px).all()
    assert not poses.age_ns.any()


def test_joints_of_others_are_read_in_our_spelling_and_order(tmp_path: Path) -> None:
    poses = made()
    write_poses(tmp_path / "poses.npz", poses)
    order = [16, 3, *range(3), *range(4, 16), *range(17, len(poses.joints))]
    with np.load(tmp_path / "poses.npz") as content:
        theirs = {key: content[key][:, order] for key in ("xyz", "score", "covariance", "residual_px")}
        named = np.array(marker_names(poses.joints, "opensim"))[order]
        np.savez(tmp_path / "theirs.npz", **{**content, **theirs, "joints": named})
    back = read_poses(tmp_path / "theirs.npz")
    assert back.joints == (*JOINTS, *named[17:].tolist())
    np.testing.assert_array_equal(back.xyz, poses.xyz)
    np.testing.assert_array_equal(back.covariance_m2, poses.covariance_m2)


def test_a_file_without_one_of_our_joints_is_refused(tmp_path: Path) -> None:
    write_poses(tmp_path / "poses.npz", made())
    with np.load(tmp_path / "poses.npz") as content:
        joints = np.where(content["joints"] == "l_hip", "tail", content["joints"])
        np.savez(tmp_path / "less.npz", **{**content, "joints": joints})
    with pytest.raises(SourceError, match=r"less\.npz: key 'joints' is not complete\. Unknown joint 'l_hip'\."):
        read_poses(tmp_path / "less.npz")


@pytest.mark.parametrize("key", REQUIRED)
def test_a_key_that_is_missing_is_named(tmp_path: Path, key: str) -> None:
    write_poses(tmp_path / "poses.npz", made())
    with np.load(tmp_path / "poses.npz") as content:
        np.savez(tmp_path / "less.npz", **{name: content[name] for name in content.files if name != key})
    with pytest.raises(SourceError, match=rf"less.npz: key '{key}' is missing\. docs/frames.md describes poses files"):
        read_poses(tmp_path / "less.npz")


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("xyz", np.zeros((5, 37, 2), np.float32), r"is float32 \(5, 37, 2\), expected \(5, 37, 3\)"),
        ("xyz", np.zeros((5, 37, 3), np.int32), r"is int32 \(5, 37, 3\), expected"),
        ("score", np.zeros((4, 37)), r"is float64 \(4, 37\), expected \(5, 37\)"),
        ("joints", np.arange(37), r"is int64 \(37,\), expected"),
        ("covariance", np.zeros((5, 37, 3)), r"is float64 \(5, 37, 3\), expected \(5, 37, 3, 3\)"),
        ("t_ns", np.array([0, 1, 2, 2, 3]), "must increase from row to row"),
    ],
)
def test_a_key_that_is_wrong_is_named(tmp_path: Path, key: str, value: Any, reason: str) -> None:
    write_poses(tmp_path / "poses.npz", made())
    with np.load(tmp_path / "poses.npz") as content:
        np.savez(tmp_path / "wrong.npz", **{**content, key: value})
    with pytest.raises(SourceError, match=f"wrong.npz: key '{key}' {reason}"):
        read_poses(tmp_path / "wrong.npz")


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("hello")
    np.save(tmp_path / "single.npy", np.zeros(3))
    for name, reason in (
        ("text.npz", "cannot be read as npz"), ("absent.npz", "No such file"), ("single.npy", "is a single array")
    ):  # fmt: skip
        with pytest.raises(SourceError, match=reason):
            read_poses(tmp_path / name)


def test_several_people_are_written_and_read(tmp_path: Path) -> None:
    people = poses_of_two()
    names = np.arange(42 * 2).reshape(42, 2, 1, 1) + np.zeros((1, 1, 1, 2))  # a number for each row and camera
    write_poses(tmp_path / "two.npz", people, {"cameras": np.array(["a", "b"]), "xy": names})
    with np.load(tmp_path / "two.npz") as content:
        assert content["person"].dtype == np.int32
        assert content["people"].tolist() == [0, 1]
        assert content["people_height_m"].tolist() == [1.82, HEIGHT_M]
        assert content["height_m"] == 1.82
        pairs = list(zip(content["t_ns"].tolist(), content["person"].tolist(), strict=True))
        assert pairs == sorted(pairs)
        assert content["xy"][:3, 0, 0, 0].tolist() == [0, 60, 2]  # the rows of the second follow the 30 of the first
    for one, wanted in zip(read_people(tmp_path / "two.npz"), people, strict=True):
        for field in fields(one):
            np.testing.assert_array_equal(getattr(one, field.name), getattr(wanted, field.name), field.name)
    assert read_poses(tmp_path / "two.npz").person == 0
    assert read_poses(tmp_path / "two.npz", 1).height_m == HEIGHT_M
    assert repr(pose_rig.load(tmp_path / "two.npz", 1)).startswith("Poses(person 1: 12 time steps")
    assert [one.person for one in pose_rig.load_people(tmp_path / "two.npz")] == [0, 1]
    with pytest.raises(SourceError, match=r"There is no person 2 in .*two\.npz\. It has 0, 1\."):
        read_poses(tmp_path / "two.npz", 2)


def test_the_second_person_alone_keeps_the_identity(tmp_path: Path) -> None:
    write_poses(tmp_path / "one.npz", poses_of_two()[1])
    assert (read_poses(tmp_path / "one.npz").person, read_poses(tmp_path / "one.npz").height_m) == (1, HEIGHT_M)


@pytest.mark.parametrize("person", [[0, 1, 1, 0, 1], [1, 0, 0, 1, 0], [0, 0, 0, 0, 0]])
def test_people_in_another_order_are_refused(tmp_path: Path, person: list[int]) -> None:
    write_poses(tmp_path / "poses.npz", made())
    with np.load(tmp_path / "poses.npz") as content:
        t_ns = np.array([0, 0, 1, 1, 2])
        np.savez(tmp_path / "wrong.npz", **{**content, "t_ns": t_ns, "person": np.array(person)})
    with pytest.raises(SourceError, match=r"wrong\.npz: keys 't_ns' and 'person' must increase from row to row\."):
        read_people(tmp_path / "wrong.npz")


def test_an_identity_of_any_size_is_kept(tmp_path: Path) -> None:
    first, second = poses_of_two()
    write_poses(tmp_path / "two.npz", [first, replace(second, person=1 << 40)])
    assert [one.person for one in read_people(tmp_path / "two.npz")] == [0, 1 << 40]
