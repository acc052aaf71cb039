from pathlib import Path

import pytest

from pose_rig.errors import UsageError
from pose_rig.tools.arguments.camera_list import config_of
from pose_rig.tools.arguments.camera_sources import sources


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with videos and other things, and we in the folder above it."""
    monkeypatch.chdir(tmp_path)
    folder = Path("clips")
    folder.mkdir()
    for name in ("cam10.mp4", "cam2.mp4", "cam1.MOV", "notes.txt", "._cam1.MOV", "left,right.mkv"):
        (folder / name).write_bytes(b"\x1aE\xdf\xa3 a video as far as one looks")
    Path("empty").mkdir()
    Path("csv").mkdir()
    Path("csv/cam1.csv").touch()
    Path("json/cam1").mkdir(parents=True)
    Path("json/cam1/0.json").touch()
    return folder


def test_a_folder_is_replaced_by_its_videos_in_natural_order(clips: Path) -> None:
    videos = ["clips/cam1.MOV", "clips/cam2.mp4", "clips/cam10.mp4", "clips/left,right.mkv"]
    assert sources(["clips"]) == sources(["clips/"]) == videos
    assert sources(["0,clips", "sim:2"]) == ["0", *videos, "sim:2"]
    assert [camera.source for camera in config_of("clips").camera] == videos


def test_a_pattern_is_replaced_by_its_files(clips: Path) -> None:
    assert sources(["clips/*.mp4"]) == ["clips/cam2.mp4", "clips/cam10.mp4"]
    assert sources(["clips/cam?.*, clips/*.mkv"]) == ["clips/cam1.MOV", "clips/cam2.mp4", "clips/left,right.mkv"]


@pytest.mark.parametrize(
    "source",
    ["0", "sim", "sim:4", "/dev/video*", "rtsp://host/a?b=*", "C920 [front]", r"C:\clips\a.mp4", r"D:\b c\*.mp4"[:7]],
)
def test_other_sources_are_unchanged(clips: Path, source: str) -> None:
    assert sources([source]) == [source]


@pytest.mark.parametrize(
    ("cams", "text"),
    [
        ("*.mp4", r"No file matches \*\.mp4\. Check the pattern and the folder\."),
        ("empty", r"There is no video in the folder empty\. Give the folder with the videos"),
        ("json", r"json is a folder of JSON\. Did you mean `pose-rig import json`\?"),
        ("csv", r"csv is a folder of CSV\. Did you mean `pose-rig import csv`\?"),
        ("clips,", r"--cams has an empty item\. Quote names with spaces"),
        ("clips,rig.toml", r"rig\.toml cannot be combined with other cameras\."),
        ("clips/notes.txt,nowhere.mp4", r"There is no file nowhere\.mp4\."),
    ],
)
def test_invalid_sources_are_named(clips: Path, cams: str, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        config_of(cams)


def test_a_rig_toml_is_detected_by_its_content(clips: Path) -> None:
    Path("walk.toml").write_bytes(b"\x89MCAP0\r\n")
    Path("studio.cfg").write_text('[[camera]]\nsource = "sim"\n')
    for cams, text in (
        ("walk.toml", r"walk\.toml is a session that was cut off: --cams takes a video,"),
        ("./studio.cfg", r"studio\.cfg is a rig\.toml, but its name does not end in \.toml\. Rename it\."),
    ):
        with pytest.raises(UsageError, match=text):
            config_of(cams)


def test_cameras_are_given_by_commas_or_one_by_one(clips: Path) -> None:
    a, b = "clips/cam1.MOV", "clips/cam2.mp4"
    assert config_of(a, b).camera == config_of(f"{a},{b}").camera == config_of(f"{a} , {b}").camera


def test_a_folder_in_a_suggestion_can_be_copied(clips: Path) -> None:
    Path("my json").mkdir()
    Path("my json/cam_0.json").write_text("{}")
    with pytest.raises(UsageError, match=r"Did you mean `pose-rig import 'my json'`\?"):
        config_of("my json")
