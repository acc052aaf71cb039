"""The poses file: what architecture calls "Poses out"."""

import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pose_rig.atomic_file import partial_path
from pose_rig.errors import PoseRigError, SaveError
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.pose.smooth import OneEuro
from pose_rig.fusion.pose.sync import Sample
from pose_rig.intrinsics import Intrinsics
from pose_rig.session.formats.poses_file import read_people
from pose_rig.session.formats.poses_writer import PosesFileWriter, recover_poses
from pose_rig.skeleton import JOINTS, J, Landmarks, landmarks
from pose_rig.wire.messages import Mode

V = 3
MARKS = landmarks("coco17")


def estimate(
    index: int, views: int = V, *, tracking: bool = True, mode: Mode = "cold", extra: tuple[str, ...] = ()
) -> PoseEstimate:
    rng = np.random.default_rng(index)
    count = J + len(extra)
    return PoseEstimate(
        t_ns=index * 40_000_000,
        mode=mode,
        tracking=tracking,
        joints=JOINTS + extra,
        xyz=rng.normal(size=(count, 3)),
        xyz_raw=rng.normal(size=(count, 3)),
        smoothing_sd_m=np.full(len(JOINTS), np.nan),
        covariance=rng.normal(size=(count, 3, 3)) if mode == "solved" else np.full((count, 3, 3), np.nan),
        score=rng.uniform(size=count),
        residual_px=rng.uniform(size=count),
        person_index=np.array([0, 1, -1])[:views],
        refined_px=rng.normal(size=(views, J, 2)),
        inlier=rng.uniform(size=(views, J)),
        lifted=rng.normal(size=(views, J, 3)),
        camera_from_rig=rng.normal(size=(views, 3, 3)),
    )


def sample(people: int, offset: float, count: int = 17) -> Sample:
    xy = offset + np.arange(people * count * 2, dtype=float).reshape(people, count, 2)
    return Sample(0, xy, np.full((people, count), 0.5))


def write(path: Path, rows: int = 4, **changes: Any) -> dict[str, NDArray[Any]]:
    marks: list[Landmarks | None] = [MARKS, MARKS, None]
    file = PosesFileWriter(path, ["a", "b", "c"], 1.7, True)
    for index in range(rows):
        file.add(estimate(index, **changes), [sample(1, 0), sample(2, 100), None], marks)
    assert file.rows == rows
    assert file.close() == path
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def test_every_key_has_its_shape_and_type(tmp_path: Path) -> None:
    got = write(tmp_path / "poses.npz")
    shapes = {
        "t_ns": (4,), "joints": (J,), "xyz": (4, J, 3), "xyz_raw": (4, J, 3), "score": (4, J), "mode": (4,),
        "covariance": (4, J, 3, 3),
        "cameras": (V,), "landmarks": (17,), "xy": (4, V, 17, 2), "xy_score": (4, V, 17), "xy_refined": (4, V, J, 2),
        "lifted": (4, V, 17, 3), "rotation": (4, V, 3, 3), "K": (V, 3, 3), "R": (V, 3, 3), "t": (V, 3),
        "k1": (V,), "R_sd_deg": (V,), "t_sd_m": (V,), "focal_sd_px": (V,),
        "time_offset_s": (V,), "time_offset_sd_s": (V,),
    }  # fmt: skip
    assert {key: got[key].shape for key in shapes} == shapes
    assert got["t_ns"].dtype == np.int64
    for key in ("xyz", "xyz_raw", "covariance", "score", "xy", "xy_score", "xy_refined", "lifted", "rotation"):
        assert got[key].dtype == np.float32
    assert tuple(got["joints"]) == JOINTS
    assert got["cameras"].tolist() == ["a", "b", "c"]
    assert tuple(got["landmarks"]) == MARKS.names
    for key in ("K", "R", "t", "k1", "R_sd_deg", "t_sd_m", "focal_sd_px", "covariance"):
        assert np.isnan(got[key]).all(), key
    for key in ("time_offset_s", "time_offset_sd_s"):
        np.testing.assert_array_equal(got[key], [0.0, np.nan, np.nan])
    assert (float(got["height_m"]), bool(got["height_assumed"])) == (1.7, True)


@pytest.mark.parametrize("mode", ["cold", "settled", "solved"])
def test_rows_come_back_as_they_were_given(tmp_path: Path, mode: Mode) -> None:
    got = write(tmp_path / "poses.npz", mode=mode)
    for index in range(4):
        want = estimate(index, mode=mode)
        assert got["t_ns"][index] == want.t_ns
        assert got["mode"][index] == mode
        for key, value in (
            ("xyz", want.xyz), ("xyz_raw", want.xyz_raw), ("score", want.score), ("xy_refined", want.refined_px),
            ("lifted", want.lifted), ("rotation", want.camera_from_rig), ("covariance", want.covariance),
        ):  # fmt: skip
            assert np.array_equal(got[key][index], value.astype(np.float32), equal_nan=True)
        assert np.array_equal(got["xy"][index, 0], sample(1, 0).xy_px[0])
        assert np.array_equal(got["xy"][index, 1], sample(2, 100).xy_px[1])  # the second person is followed
        assert np.isnan(got["xy"][index, 2]).all()
        assert (got["xy_score"][index, 2] == 0).all()


def test_the_joints_beyond_the_17_are_named_and_kept(tmp_path: Path) -> None:
    got = write(tmp_path / "poses.npz", extra=("left_heel", "right_heel"), mode="solved")
    assert tuple(got["joints"]) == (*JOINTS, "left_heel", "right_heel")
    want = estimate(1, mode="solved", extra=("left_heel", "right_heel"))
    assert np.array_equal(got["xyz"][1], want.xyz.astype(np.float32))
    assert np.array_equal(got["covariance"][1], want.covariance.astype(np.float32))
    assert got["score"].shape == (4, J + 2)
    assert got["lifted"].shape == (4, V, J, 3)


def test_solved_cameras_are_in_the_file_and_the_others_are_nan(tmp_path: Path) -> None:
    cameras = Calibration(
        rotation=np.stack([np.diag([1.0, -1.0, -1.0]), np.eye(3), np.eye(3)]),
        translation=np.array([[0.1, 0.2, 3.0], [0.4, 0.5, 4.0], [9.0, 9.0, 9.0]]),
        intrinsics=Intrinsics(
            focal_px=np.array([800.0, 900.0, 1.0]),
            size_px=np.array([[1280.0, 720.0], [640.0, 480.0], [1.0, 1.0]]),
            principal_point_px=np.array([[640.0, 360.0], [317.0, 243.0], [0.5, 0.5]]),
            dist=np.array([[0.01, 0.002, 0.0, 0.0, -0.001], [-0.02, 0.003, 0.0, 0.0, 0.0], [9.0, 9.0, 9.0, 9.0, 9.0]]),
            fisheye=np.array([False, True, True]),
        ),
        known=np.array([True, True, False]),
        rotation_sd=np.radians([1.0, 2.0, np.inf]),
        translation_sd=np.array([0.03, 0.04, np.inf]),
        focal_sd=np.array([0.05, 0.1, np.inf]),
    )
    file = PosesFileWriter(tmp_path / "poses.npz", ["a", "b", "c"], 1.7, True)
    file.add(estimate(0, mode="solved"), [sample(1, 0), sample(2, 100), None], [MARKS, MARKS, None])
    with np.load(file.close(cameras)) as got:
        assert got["K"][:2].tolist() == [
            [[800.0, 0.0, 640.0], [0.0, 800.0, 360.0], [0.0, 0.0, 1.0]],
            [[900.0, 0.0, 317.0], [0.0, 900.0, 243.0], [0.0, 0.0, 1.0]],
        ]
        assert np.array_equal(got["R"][:2], cameras.rotation[:2])
        assert np.array_equal(got["t"][:2], cameras.translation[:2])
        assert got["k1"][:2].tolist() == [0.01, -0.02]
        assert got["R_sd_deg"][:2] == pytest.approx([1.0, 2.0])
        assert got["t_sd_m"][:2].tolist() == [0.03, 0.04]
        assert got["focal_sd_px"][:2] == pytest.approx([40.0, 90.0])
        for key in ("K", "R", "t", "k1", "R_sd_deg", "t_sd_m", "focal_sd_px"):
            assert np.isnan(got[key][2]).all(), key


def test_a_pose_without_a_person_is_nan(tmp_path: Path) -> None:
    got = write(tmp_path / "poses.npz", tracking=False)
    assert np.isnan(got["xyz"]).all()
    assert np.isnan(got["xyz_raw"]).all()


def test_an_unseen_landmark_is_nan_with_score_zero(tmp_path: Path) -> None:
    file = PosesFileWriter(tmp_path / "poses.npz", ["a"], 1.7, False)
    seen = sample(1, 0)
    seen.score[0, 3] = 0
    one = estimate(0, 1)
    file.add(one, [seen], [MARKS])
    with np.load(file.close()) as got:
        assert np.isnan(got["xy"][0, 0, 3]).all()
        assert np.isfinite(got["xy"][0, 0, 4]).all()
        assert got["xy_score"][0, 0, 3] == 0


def test_a_camera_with_other_landmarks_is_matched_by_name(tmp_path: Path) -> None:
    file = PosesFileWriter(tmp_path / "poses.npz", ["a", "b", "c"], 1.7, False)
    halpe = landmarks("body25")
    file.add(estimate(0), [sample(1, 0), None, sample(1, 0, 25)], [MARKS, None, halpe])
    with np.load(file.close()) as got:
        names = [str(name) for name in got["landmarks"]]
        for name in ("nose", "left_hip", "right_wrist"):
            want = sample(1, 0, 25).xy_px[0, halpe.names.index(name)]
            assert np.array_equal(got["xy"][0, 2, names.index(name)], want)


def test_two_runs_are_bit_identical(tmp_path: Path) -> None:
    write(tmp_path / "a.npz")
    write(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_run_without_poses_makes_an_empty_file(tmp_path: Path) -> None:
    got = write(tmp_path / "poses.npz", rows=0)
    assert got["xyz"].shape == (0, J, 3)
    assert got["mode"].shape == (0,)
    assert got["xy_refined"].shape == (0, V, J, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["poses.npz"]


def test_an_old_file_is_replaced_only_when_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "poses.npz"
    write(path, rows=2)
    before = path.read_bytes()
    file = PosesFileWriter(path, ["a"], 1.7, True)
    file.add(estimate(0, 1), [sample(1, 0)], [MARKS])
    assert path.read_bytes() == before
    file.close()
    assert path.read_bytes() != before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["poses.npz"]


KILLED = """
import os, signal, sys
from tests.session.formats.test_poses_writer import *
file = PosesFileWriter(Path(sys.argv[1]), ["a"], 1.7, True)
for index in range(100):
    file.add(estimate(index, 1), [sample(1, 0)], [MARKS])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills with a POSIX signal")
def test_a_killed_process_leaves_its_rows_and_no_half_file(tmp_path: Path) -> None:
    path = tmp_path / "poses.npz"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=Path(__file__).parents[3])
    assert done.returncode == -signal.SIGKILL
    assert not path.exists()
    kept = (tmp_path / "poses.npz.partial").stat().st_size
    assert kept > 95 * 17 * 4 * (3 + 3 + 1 + 3 + 2 + 3)  # what one row holds at the least


def test_an_unwritable_place_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(PoseRigError) as caught:
        PosesFileWriter(tmp_path / "nowhere" / "poses.npz", ["a"], 1.7, True)
    assert caught.value.cause == f"Cannot write {tmp_path / 'nowhere' / 'poses.npz'}: No such file or directory."
    assert caught.value.remedy == "Choose another place with --save."


FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")


def killed(path: Path, rows: int) -> None:
    """Leaves the rows of a run that was killed."""
    filled(path, rows)._rows.close()


def filled(path: Path, rows: int = 5, restarts: int = 0, first: int = 0) -> PosesFileWriter:
    """Returns a poses file with some rows."""
    file = PosesFileWriter(path, ["a"], 1.7, True, restarts)
    for index in range(first, first + rows):
        file.add(estimate(index, 1), [sample(1, 0)], [MARKS])
    return file


def place_in(error: PoseRigError) -> Path:
    """Returns the poses file that an error says it wrote instead."""
    found = re.search(r"poses are in (.*\.npz): move them", error.remedy)
    assert found is not None, error
    return Path(found[1])


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_a_place_that_is_taken_meanwhile_has_the_poses_elsewhere(tmp_path: Path, elsewhere: Path) -> None:
    file = filled(tmp_path / "poses.npz")
    (tmp_path / "poses.npz").mkdir()
    with pytest.raises(SaveError, match=r"Cannot write .*poses\.npz: Is a directory\. The 5 poses are in ") as caught:
        file.close()
    assert caught.value.final
    with np.load(place_in(caught.value)) as got:
        assert len(got["t_ns"]) == 5
    assert sorted(found.name for found in tmp_path.iterdir()) == ["elsewhere", "poses.npz"]


def test_a_folder_that_vanished_meanwhile_has_the_poses_elsewhere(tmp_path: Path, elsewhere: Path) -> None:
    folder = tmp_path / "take"
    folder.mkdir()
    file = filled(folder / "poses.npz")
    shutil.rmtree(folder)
    with pytest.raises(SaveError, match=r"Cannot write .*: No such file or directory\. The 5 poses are in") as caught:
        file.close()
    with np.load(place_in(caught.value)) as got, np.load(filled(tmp_path / "b.npz").close()) as wanted:
        for key in set(wanted.files) - {"exact"}:  # of a run that was killed it is unknown
            np.testing.assert_array_equal(got[key], wanted[key], err_msg=key)


@needs_full
def test_a_disk_that_is_full_at_the_end_keeps_the_old_file_and_the_poses(tmp_path: Path, elsewhere: Path) -> None:
    path = tmp_path / "poses.npz"
    path.write_bytes(b"an older take")
    file = filled(path)
    (tmp_path / "poses.partial.npz").symlink_to(FULL)
    with pytest.raises(SaveError, match=r"Cannot write .*poses\.npz: No space left on device\. The 5 poses") as caught:
        file.close()
    with np.load(place_in(caught.value)) as got:
        assert len(got["t_ns"]) == 5
    assert path.read_bytes() == b"an older take"
    assert sorted(found.name for found in tmp_path.iterdir()) == ["elsewhere", "poses.npz"]


@needs_full
def test_rows_go_on_elsewhere_when_the_disk_is_full(tmp_path: Path, elsewhere: Path) -> None:
    path = tmp_path / "poses.npz"
    (tmp_path / "poses.npz.partial").symlink_to(FULL)  # even the first row finds no room
    file = filled(path)
    assert file.rows == 5
    with np.load(file.close()) as got:  # meanwhile there is room again
        assert len(got["t_ns"]) == 5
    assert list(elsewhere.iterdir()) == []


@needs_full
def test_without_any_free_space_the_loss_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "poses.npz.partial").symlink_to(FULL)
    with pytest.raises(SaveError, match=r"poses\.npz lacks 5 of the 5 poses: No space left on device\. Make room"):
        filled(tmp_path / "poses.npz").close()


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as POSIX does")
def test_rows_before_a_size_limit_are_kept_and_the_rest_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import resource

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = tmp_path / "poses.npz"
    size = filled(path, 1).close().stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * size, hard))
    try:
        file = filled(path, 30)
        kept = file.rows
        assert 0 < kept < 30
        with pytest.raises(SaveError, match=rf"{kept} poses are in .*\.partial: make room.* {30 - kept} more"):
            file.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert recover_poses(partial_path(path), tmp_path / "kept.npz") == kept


def test_a_restarted_fusion_continues_the_rows_of_the_previous_one(tmp_path: Path) -> None:
    path = tmp_path / "poses.npz"
    killed(path, 3)
    with partial_path(path).open("ab") as file:
        file.write(b"half a row")
    assert filled(path, 4, restarts=1, first=3).close() == path
    with np.load(path) as got, np.load(filled(tmp_path / "b.npz", 7).close()) as wanted:
        for key in set(wanted.files) - {"exact"}:  # of a run that was killed it is unknown
            np.testing.assert_array_equal(got[key], wanted[key], err_msg=key)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["b.npz", "poses.npz"]


def test_rows_of_another_kind_are_left_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "poses.npz"
    killed(path, 3)
    other = PosesFileWriter(path, ["a", "b"], 1.7, True, 2)
    other.add(estimate(0, 2), [sample(1, 0), None], [MARKS, None])
    other.close()
    assert recover_poses(partial_path(path.with_name("poses.npz.2")), tmp_path / "before.npz") == 3


def test_the_rows_of_a_killed_run_are_recovered(tmp_path: Path) -> None:
    path = tmp_path / "poses.npz"
    killed(path, 3)
    assert recover_poses(partial_path(path), path) == 3
    with np.load(path) as got, np.load(filled(tmp_path / "b.npz", 3).close()) as wanted:
        for key in set(wanted.files) - {"exact"}:  # of a run that was killed it is unknown
            np.testing.assert_array_equal(got[key], wanted[key], err_msg=key)


@pytest.mark.parametrize("content", [b"", b"{}\n", b"\x93NUMPY", b'{"cameras":["../x"]', bytes(5000)])
def test_other_files_are_no_rows(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.npz.partial").write_bytes(content)
    with pytest.raises(PoseRigError, match=r"p\.npz\.partial holds no poses: .*\. The run ended before its first pose"):
        recover_poses(tmp_path / "p.npz.partial", tmp_path / "p.npz")
    assert not (tmp_path / "p.npz").exists()


def lag_of(way: NDArray[Any], true: NDArray[np.float64]) -> int:
    """Rows by which one comes after the other."""
    products = [float(np.dot(way[20:100], true[20 - k : 100 - k])) for k in range(-6, 7)]
    return int(np.argmax(products)) - 6


def test_smoothing_both_ways_does_not_lag(tmp_path: Path) -> None:
    period_ns = 16_666_667
    true = 0.3 * np.sin(2 * np.pi * 1.5 * np.arange(120) / 60)  # m
    ways = {}
    for name, backwards in (("streamed", None), ("both", OneEuro(2.5, 0.0))):
        forwards, file = OneEuro(2.5, 0.0), PosesFileWriter(tmp_path / f"{name}.npz", ["a"], 1.7, True)
        for i, x in enumerate(true):
            raw = np.full((J, 3), x)
            smooth = forwards(i * period_ns, raw)
            file.add(replace(estimate(i, 1), t_ns=i * period_ns, xyz_raw=raw, xyz=smooth), [None], [None])
        with np.load(file.close(None, backwards)) as got:
            ways[name] = got["xyz"][:, 0, 0]
    lag = {name: lag_of(way, true) for name, way in ways.items()}
    assert lag["streamed"] > 1
    assert lag["both"] == 0


def two(
    path: Path, rows: int = 40, backwards: OneEuro | None = None, only: int | None = None
) -> dict[str, NDArray[Any]]:
    """Returns the file of two people, the second of whom is away for five time steps."""
    file = PosesFileWriter(path, ["a", "b", "c"], 1.8, False, people=True, further_heights_m={1: 1.6})
    for index in range(40):
        for person in (0, 1):
            if only not in (None, person) or (person == 1 and 10 <= index < 15):
                continue
            pose = replace(estimate(index + 1000 * person), t_ns=index * 40_000_000, person=person)
            pose = replace(pose, person_index=np.array([person, 1 - person, -1]))
            file.add(pose, [sample(2, 0), sample(2, 100), sample(2, 200)], [MARKS] * 3)
    file.close(None, backwards)
    with np.load(path) as content:
        return dict(content)


def test_people_have_rows_of_their_own(tmp_path: Path) -> None:
    got = two(tmp_path / "two.npz")
    assert got["person"].dtype == np.int32
    pairs = list(zip(got["t_ns"].tolist(), got["person"].tolist(), strict=True))
    assert pairs == sorted(pairs)
    assert np.bincount(got["person"]).tolist() == [40, 35]
    assert (got["people"].tolist(), got["people_height_m"].tolist()) == ([0, 1], [1.8, 1.6])
    assert not got["people_height_assumed"].any()
    second = got["person"] == 1
    want = estimate(1000)
    for key, value in (("xyz", want.xyz), ("xy_refined", want.refined_px), ("rotation", want.camera_from_rig)):
        np.testing.assert_array_equal(got[key][second][0], value.astype(np.float32))
    np.testing.assert_array_equal(got["xy"][second][0, :2], [sample(2, 0).xy_px[1], sample(2, 100).xy_px[0]])
    assert np.isnan(got["xy"][:, 2]).all()  # whom that view detects are others
    assert [one.person for one in read_people(tmp_path / "two.npz")] == [0, 1]


def test_backwards_smoothing_is_that_of_each_person_alone(tmp_path: Path) -> None:
    both = two(tmp_path / "two.npz", backwards=OneEuro(2.5, 0.3))
    for person in (0, 1):
        alone = two(tmp_path / f"{person}.npz", backwards=OneEuro(2.5, 0.3), only=person)
        assert both["xyz"][both["person"] == person].tobytes() == alone["xyz"].tobytes()


def test_heights_that_were_not_given_are_that_of_the_scale(tmp_path: Path) -> None:
    file = PosesFileWriter(tmp_path / "two.npz", ["a"], 1.8, False, people=True)
    for person in (0, 1, 4):
        file.add(replace(estimate(1, 1), person=person), [None], [None])
    file.set_height(1.75)
    file.set_height(1.5, person=4)
    file.close()
    heights = {one.person: one.height_m for one in read_people(tmp_path / "two.npz")}
    assert heights == {0: 1.75, 1: 1.75, 4: 1.5}


def test_one_of_several_who_may_come_is_written_as_one_person(tmp_path: Path) -> None:
    got = two(tmp_path / "one.npz", only=0)
    assert not {"person", "people", "people_height_m", "people_height_assumed"} & set(got)


def test_the_rows_of_people_are_recovered(tmp_path: Path) -> None:
    file = PosesFileWriter(tmp_path / "two.npz", ["a"], 1.8, False, people=True, further_heights_m={1: 1.6})
    for index in range(3):
        for person in (0, 1):
            file.add(replace(estimate(index, 1), person=person), [sample(2, 0)], [MARKS])
    file._rows.close()
    assert recover_poses(partial_path(tmp_path / "two.npz"), tmp_path / "back.npz") == 6
    assert [(one.person, len(one), one.height_m) for one in read_people(tmp_path / "back.npz")] == [
        (0, 3, 1.8), (1, 3, 1.6),
    ]  # fmt: skip
