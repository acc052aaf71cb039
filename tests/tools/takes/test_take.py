from pathlib import Path

import pytest

from pose_rig.errors import SourceError, UsageError
from pose_rig.tools.takes.fingerprint import fingerprint
from pose_rig.tools.takes.take import name_of, take_of
from tests.session.recorded import talk, write
from tests.tools import sample_files


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "studio"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (["jump_cam01.mp4", "jump_cam02.mp4"], "jump"),
        (["a/jump-1.mp4", "b/jump-2.mp4"], "jump"),
        (["single_cam01.mp4", "single_cam02.mp4"], "single"),
        (["jump_*.mp4"], "jump"),
        (["cam1.mp4", "cam2.mp4"], "studio"),
        (["a.mp4", "b.mp4"], "studio"),
        (["take 7/left.mp4", "take 7/right.mp4"], "take 7"),
        (["take7/*.mp4"], "take7"),
        (["walk.mcap"], "walk"),
        (["walk.mcap.partial"], "walk"),
        (["keypoints.npz"], "keypoints"),
        (["."], "studio"),
        (["sim:4"], "sim4"),
    ],
)
def test_a_take_is_called_like_what_its_files_have_in_common(here: Path, given: list[str], name: str) -> None:
    assert name_of(given) == name


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("walk.mcap", "session"),
        ("fall.mcap.partial", "session"),
        ("clip.mp4", "cameras"),
        ("keypoints.npz", "cameras"),
        ("rig.toml", "cameras"),
        ("alphapose.json", "keypoints"),
        ("dlc.csv", "keypoints"),
        ("one.npy", "keypoints"),
        ("folder", "cameras"),
    ],
)
def test_the_kind_of_a_take_is_that_of_its_content(here: Path, file: str, kind: str) -> None:
    sample_files.make(here, file)
    assert take_of([file]).kind == kind


def test_a_session_that_was_cut_off_is_found_by_its_name(here: Path) -> None:
    write(here / "fall.mcap", talk(2), finished=False)
    take = take_of(["fall.mcap"])
    assert (take.kind, take.name) == ("session", "fall")
    assert take.files() == [Path("fall.mcap.partial")]


def test_a_folder_with_videos_is_their_take(here: Path) -> None:
    for name in ("cam10.mp4", "cam2.mp4", "notes.txt", ".hidden.mp4"):
        (here / name).write_bytes(b"x")
    take = take_of(["."])
    assert (take.kind, take.name) == ("cameras", "studio")
    assert [path.name for path in take.files()] == ["cam2.mp4", "cam10.mp4"]


def test_a_rig_toml_is_a_take_with_the_files_that_it_names(here: Path) -> None:
    (here / "a.mp4").write_bytes(b"x")
    (here / "rig.toml").write_text('[[camera]]\nsource = "a.mp4"\n')
    assert [path.name for path in take_of(["rig.toml"]).files()] == ["rig.toml", "a.mp4"]


def test_a_folder_of_keypoints_has_its_results_left_out(here: Path) -> None:
    for name in ("pose/cam01_json/f_000.json", "Config.toml", "videos/cam01.mp4", "studio-poses/quality.json"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text("{}")
    (here / "studio-poses/poses_angles.csv").write_text("t_ns\n")
    assert [path.as_posix() for path in take_of(["."]).files()] == ["Config.toml", "pose/cam01_json/f_000.json"]


def test_several_sessions_are_not_one_take(here: Path) -> None:
    for name in ("walk.mcap", "clip.mp4"):
        sample_files.make(here, name)
    with pytest.raises(
        UsageError, match=r"walk\.mcap is a take by itself; got 2 of them\..*`pose-rig batch` takes many"
    ):
        take_of(["clip.mp4", "walk.mcap"])


def test_a_fingerprint_is_of_names_contents_and_order(here: Path) -> None:
    one, other = here / "a", here / "b"
    one.write_bytes(b"1")
    other.write_bytes(b"22")
    first = fingerprint([one, other])
    assert (first.files, first.bytes) == (2, 3)
    assert fingerprint([other, one]).sha256 != first.sha256
    other.write_bytes(b"23")
    assert fingerprint([one, other]).sha256 != first.sha256
    other.write_bytes(b"22")
    again = fingerprint([one, other])
    assert again.sha256 == first.sha256
    one.rename(here / "c")
    assert fingerprint([here / "c", other]).sha256 != first.sha256


def test_files_that_were_not_modified_are_not_read_again(here: Path) -> None:
    path = here / "a"
    path.write_bytes(b"1")
    known = fingerprint([path])
    marked = type(known)(files=1, bytes=1, stat_sha256=known.stat_sha256, sha256="as known")
    assert fingerprint([path], marked).sha256 == "as known"
    path.write_bytes(b"12")
    assert fingerprint([path], marked).sha256 != "as known"


def test_a_file_that_cannot_be_read_is_an_error(here: Path) -> None:

    with pytest.raises(SourceError, match=r"gone cannot be read: No such file or directory\."):
        fingerprint([here / "gone"])
