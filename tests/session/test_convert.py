"""A session or a poses file becomes files of every kind."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest

from pose_rig.errors import PoseRigError, SessionError, UsageError
from pose_rig.session.convert import ENDINGS, FORMATS, OF_ONE_PERSON, Format, convert
from pose_rig.session.convert_source import ConvertOptions
from pose_rig.session.formats.poses import ROWS, Poses
from pose_rig.session.formats.poses_file import read_poses, write_poses
from tests.session.posed import made
from tests.session.recorded import frame, talk, write
from tests.session.two_people import PRESENT, poses_of_two, session_of_two
from tests.tools.sessions import imported, sample, unsolved, write_session

OF_POSES: tuple[Format, ...] = ("bvh", "gltf", "trc", "c3d", "csv", "parquet", "angles", "mot", "npz")
NEEDED = {"c3d": "ezc3d", "parquet": "pyarrow"}
EVERYTHING = ConvertOptions()
LANDMARKS_NOTE = "The json cannot name its landmarks: import it with --landmarks rig17."  # 17 would pass for COCO's


@pytest.fixture
def take(tmp_path: Path) -> Path:
    return write_session(tmp_path / "take.mcap", sample())


def available(formats: tuple[Format, ...]) -> tuple[Format, ...]:
    for name in NEEDED.values():
        pytest.importorskip(name, reason="needs pip install pose-rig[files]")
    return formats


def test_a_session_is_converted_to_every_format(take: Path, tmp_path: Path) -> None:
    formats = available((*OF_POSES, "json"))
    assert set(formats) == set(FORMATS) == set(ENDINGS)
    done = convert(take, formats, tmp_path / "out", EVERYTHING)
    names = {path.name for path in done.paths}
    assert {f"take{ENDINGS[name]}" for name in OF_POSES} <= names
    assert all(path.exists() for path in done.paths)
    assert all(path.is_dir() or path.stat().st_size > 500 for path in done.paths)
    assert sorted(os.listdir(tmp_path)) == ["out", "take.mcap"]
    assert [note for note in done.notes if "A person is tracked" not in note] == [
        "Interpolated in the mot, in gaps of at most 0.25 s: 56 values.",
        "The rig was not solved in 20 frames of the mot; angles are less accurate there.",
        LANDMARKS_NOTE,
        "The bvh is in centimetres; the format cannot say so.",
        "A height of 1.70 m was assumed: lengths are those of such a person.",
    ]


def test_a_poses_file_is_converted_to_every_format_of_poses(tmp_path: Path) -> None:
    formats = available(tuple(name for name in OF_POSES if name != "npz"))
    write_poses(tmp_path / "poses.npz", made(30))
    done = convert(tmp_path / "poses.npz", formats, tmp_path, EVERYTHING)
    assert {path.name for path in done.paths} == {f"poses{ENDINGS[name]}" for name in formats}
    assert done.notes[-1] == "A height of 1.82 m was given."
    with pytest.raises(SessionError, match=r"poses\.npz holds poses only\. 2D keypoints come from a session"):
        convert(tmp_path / "poses.npz", ["json"], tmp_path, EVERYTHING)


def test_npz_contains_the_detections_of_the_cameras(take: Path, tmp_path: Path) -> None:
    convert(take, ["npz"], tmp_path, EVERYTHING)
    poses = read_poses(tmp_path / "take.npz")
    assert len(poses) == 60
    assert poses.tracked.sum() == 54
    with np.load(tmp_path / "take.npz") as arrays:
        assert arrays["xy"].shape == (60, 2, 17, 2)
        assert arrays["cameras"].tolist() == ["cam0", "cam1"]
        assert np.isfinite(arrays["K"]).all()


def test_range_and_rate_are_applied(take: Path, tmp_path: Path) -> None:
    convert(take, ["npz"], tmp_path, ConvertOptions(from_s=0.5, to_s=1.0))
    part = read_poses(tmp_path / "take.npz")
    assert 15 <= len(part) <= 16
    convert(take, ["npz"], tmp_path / "slow", ConvertOptions(rate_hz=10.0))
    slow = read_poses(tmp_path / "slow" / "take.npz")
    assert set(np.diff(slow.t_ns).tolist()) == {100_000_000}
    convert(tmp_path / "take.npz", ["csv"], tmp_path / "from", ConvertOptions(from_s=0.25))
    lines = [line for line in (tmp_path / "from" / "take.csv").read_text().splitlines() if line[:1].isdigit()]
    assert 0 < len(lines) < len(part)


def test_notes_contain_the_unit_of_a_bvh(take: Path, tmp_path: Path) -> None:
    for scale, unit in ((1.0, "metres"), (1000.0, "millimetres"), (50.0, "1/50 m")):
        notes = convert(take, ["bvh"], tmp_path, ConvertOptions(bvh_scale=scale)).notes
        assert notes[0] == f"The bvh is in {unit}; the format cannot say so."
    assert convert(take, ["json", "angles"], tmp_path, EVERYTHING).notes == [LANDMARKS_NOTE]


def test_a_session_that_was_cut_off_is_converted_under_its_name(tmp_path: Path) -> None:
    partial = write(tmp_path / "jump.mcap", talk(30), finished=False)
    for source in (partial, tmp_path / "jump.mcap"):
        done = convert(source, ["csv"], tmp_path / "out", EVERYTHING)
        assert [path.name for path in done.paths] == ["jump.csv"]


@pytest.mark.parametrize("name", OF_POSES)
def test_keypoints_alone_have_no_poses(tmp_path: Path, name: Format) -> None:
    take = write_session(tmp_path / "take.mcap", imported(), "import")
    with pytest.raises(
        SessionError, match=r"The session has no poses in this part\. `pose-rig replay` makes them, and"
    ):
        convert(take, [name], tmp_path / "out", EVERYTHING)
    assert list((tmp_path / "out").iterdir()) == []


def test_keypoints_alone_are_converted_to_json(tmp_path: Path) -> None:
    take = write_session(tmp_path / "take.mcap", imported(), "import")
    notes = convert(take, ["json"], tmp_path, EVERYTHING).notes
    assert sorted(path.name for path in (tmp_path / "take_2d").iterdir()) == ["cam0_json", "cam1_json"]
    assert notes == [LANDMARKS_NOTE]


def test_a_session_without_a_person_cannot_be_converted(tmp_path: Path) -> None:
    take = write_session(tmp_path / "take.mcap", unsolved())
    with pytest.raises(SessionError, match=r"No person is tracked in this part of .*take\.mcap\. Choose"):
        convert(take, ["bvh"], tmp_path, EVERYTHING)


def test_a_source_is_not_written_over(tmp_path: Path) -> None:
    write_poses(tmp_path / "poses.npz", made(30))
    before = (tmp_path / "poses.npz").read_bytes()
    with pytest.raises(UsageError, match=r"poses\.npz is the source itself\. Choose another folder with --out\."):
        convert(tmp_path / "poses.npz", ["npz"], tmp_path, EVERYTHING)
    assert (tmp_path / "poses.npz").read_bytes() == before


@pytest.mark.parametrize("name", OF_POSES)
def test_a_file_in_the_way_is_a_clear_error(take: Path, tmp_path: Path, name: Format) -> None:
    available((name,))
    (tmp_path / "out" / f"take{ENDINGS[name]}").mkdir(parents=True)
    with pytest.raises(PoseRigError, match=rf"Cannot write .*take{ENDINGS[name]}: Is a directory\."):
        convert(take, [name], tmp_path / "out", EVERYTHING)
    assert os.listdir(tmp_path / "out") == [f"take{ENDINGS[name]}"]


def test_a_folder_that_cannot_be_made_is_a_clear_error(take: Path, tmp_path: Path) -> None:
    with pytest.raises(SessionError, match=r"Cannot make the folder .*take\.mcap.*: (File exists|Not a directory)"):
        convert(take, ["csv"], take / "sub", EVERYTHING)


def test_one_frame_has_no_rate_but_is_json(tmp_path: Path) -> None:
    take = write(tmp_path / "take.mcap", [frame(0), frame(0, "cam1")])
    with pytest.raises(SessionError, match="rate"):
        convert(take, ["json"], tmp_path, EVERYTHING)
    convert(take, ["json"], tmp_path, ConvertOptions(rate_hz=30.0))
    assert len(list((tmp_path / "take_2d" / "cam0_json").iterdir())) == 1


def test_a_camera_that_gave_nothing_is_left_out_of_json(tmp_path: Path) -> None:
    take = write(tmp_path / "take.mcap", [frame(i) for i in range(5)])
    convert(take, ["json"], tmp_path, EVERYTHING)
    assert [path.name for path in (tmp_path / "take_2d").iterdir()] == ["cam0_json"]


@pytest.fixture
def two(tmp_path: Path) -> Path:
    return session_of_two(tmp_path / "two.mcap")


def test_of_several_people_each_has_a_file_or_a_part_of_it(two: Path, tmp_path: Path) -> None:
    done = convert(two, available(OF_POSES), tmp_path / "out", EVERYTHING)
    further = {f"two.person2{ENDINGS[name]}" for name in OF_ONE_PERSON if name != "mot"}
    assert {path.name for path in done.paths} == {f"two{ENDINGS[name]}" for name in OF_POSES} | further
    assert sorted(os.listdir(tmp_path / "out")) == sorted(path.name for path in done.paths)
    assert [note for note in done.notes if "erson 2" in note] == [
        "Person 2 is tracked at 0.17–0.63 s, 1.00–1.97 s only; OpenSim's inverse kinematics takes one part.",
        "Person 2: There is no mot. No joint angle is known throughout; the longest part with any is 1.00 to 1.97 s "
        "after the first of these poses. A .mot cannot have gaps: take such a part with --start and --end, or --to "
        "angles for a table with gaps.",
        "A height of person 2 of 1.60 m was given.",
    ]


def test_files_of_people_begin_together_and_have_the_same_frames(two: Path, tmp_path: Path) -> None:
    convert(two, ["bvh", "angles"], tmp_path, EVERYTHING)
    frames = [line for name in ("two", "two.person2") for line in (tmp_path / f"{name}.bvh").read_text().splitlines()
              if line.startswith("Frames:")]  # fmt: skip
    assert frames == ["Frames: 60"] * 2
    first, second = (pandas.read_csv(tmp_path / f"{name}_angles.csv") for name in ("two", "two.person2"))
    assert second["t_ns"].tolist() == first["t_ns"].iloc[list(PRESENT)].tolist()
    assert second["t_s"].tolist() == first["t_s"].iloc[list(PRESENT)].tolist()


def test_a_person_can_be_chosen(two: Path, tmp_path: Path) -> None:
    second = ConvertOptions(person=1)
    done = convert(two, ["trc", "npz", "csv"], tmp_path, second)
    assert [path.name for path in done.paths] == ["two.person2.trc", "two.person2.npz", "two.person2.csv"]
    assert "\tRHip\t" in (tmp_path / "two.person2.trc").read_text()
    assert "person" not in (tmp_path / "two.person2.csv").read_text().splitlines()[0]
    assert done.notes[-1] == "A height of 1.60 m was given."
    back = read_poses(tmp_path / "two.person2.npz")
    assert (back.person, len(back)) == (1, 45)
    convert(two, ["bvh"], tmp_path, EVERYTHING)
    both = (tmp_path / "two.person2.bvh").read_bytes()
    convert(tmp_path / "two.person2.npz", ["bvh"], tmp_path / "alone", EVERYTHING)
    alone = (tmp_path / "alone" / "two.person2.bvh").read_bytes()
    assert alone.split(b"MOTION")[0] == both.split(b"MOTION")[0]  # the same bones
    with pytest.raises(UsageError, match=r"Person 3 is not tracked in this part of .*two\.mcap\. Choose from 1, 2\."):
        convert(two, ["csv"], tmp_path, ConvertOptions(person=2))


def test_a_poses_file_of_people_is_converted_as_their_session(two: Path, tmp_path: Path) -> None:
    formats: list[Format] = ["bvh", "trc", "csv", "angles"]
    convert(two, ["npz", *formats], tmp_path / "a", EVERYTHING)
    convert(tmp_path / "a" / "two.npz", formats, tmp_path / "b", EVERYTHING)
    names = sorted(os.listdir(tmp_path / "b"))
    assert len(names) == 6
    assert [(tmp_path / "b" / name).read_bytes() for name in names] == [
        (tmp_path / "a" / name).read_bytes() for name in names
    ]
    convert(tmp_path / "a" / "two.npz", ["csv"], tmp_path / "c", ConvertOptions(from_s=0.7, to_s=0.9))
    lines = (tmp_path / "c" / "two.csv").read_text().splitlines()
    assert len(lines) == 7  # the second person is away


def test_every_path_is_checked_before_it_is_written(two: Path, tmp_path: Path) -> None:
    (tmp_path / "two.person2.bvh").write_text("kept")

    def check(target: Path) -> None:
        if target.exists():
            raise UsageError(f"{target} exists already.", "")

    with pytest.raises(UsageError, match=r"two\.person2\.bvh exists already"):
        convert(two, ["bvh"], tmp_path, EVERYTHING, check)
    assert not (tmp_path / "two.bvh").exists()
    assert (tmp_path / "two.person2.bvh").read_text() == "kept"


def test_people_who_are_there_for_a_moment_only(tmp_path: Path) -> None:
    first, second = poses_of_two(60)

    def part(poses: Poses, rows: slice) -> Poses:
        return replace(poses, **{name: getattr(poses, name)[rows] for name in ROWS})

    formats: list[Format] = ["bvh", "gltf", "trc", "csv", "angles"]
    write_poses(tmp_path / "once.npz", [first, part(second, slice(7, 8))])
    names = {path.name for path in convert(tmp_path / "once.npz", formats, tmp_path, EVERYTHING).paths}
    assert {"once.person2.bvh", "once.person2_angles.csv"} <= names
    write_poses(tmp_path / "early.npz", [part(first, slice(0, 1)), part(second, slice(5, None))])
    assert len(convert(tmp_path / "early.npz", formats, tmp_path, EVERYTHING).paths) == 7
    write_poses(tmp_path / "one.npz", [part(first, slice(0, 1)), part(second, slice(0, 1))])
    with pytest.raises(SessionError, match=r"A file with a frame rate needs at least two poses; there is 1\."):
        convert(tmp_path / "one.npz", ["bvh"], tmp_path, EVERYTHING)
    assert convert(tmp_path / "one.npz", ["gltf", "csv"], tmp_path, EVERYTHING).paths
    gone = part(second, slice(0, 4))
    gone.xyz[:] = np.nan
    write_poses(tmp_path / "gone.npz", [first, gone])
    assert [path.name for path in convert(tmp_path / "gone.npz", ["bvh"], tmp_path, EVERYTHING).paths] == ["gone.bvh"]
