import subprocess
import sys
from pathlib import Path

import pytest

from pose_rig.capture.source_factory import expand, open_source, source_kind
from pose_rig.config import CameraConfig
from pose_rig.errors import SourceError, UsageError
from tests.capture.fakes import web_server


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("0", "webcam"),
        ("/dev/video0", "webcam"),
        ("HD Webcam C920 v1.2", "webcam"),
        ("sim", "sim"),
        ("a.npz", "keypoints"),
        ("clip.MP4", "video"),
        ("folder/clip", "video"),
        ("rtsp://camera/1", "url"),
        ("https://camera/clip.mp4", "url"),
    ],
)
def test_kinds(source: str, kind: str) -> None:
    assert source_kind(source) == kind


def test_a_file_without_suffix_is_a_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("take").touch()
    assert source_kind("take") == "video"


def test_a_video_is_unchanged() -> None:
    assert expand(CameraConfig(source="a.mp4")) == (CameraConfig(source="a.mp4"),)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere numbers are taken as they are")
def test_a_missing_webcam() -> None:
    with pytest.raises(SourceError, match="no file or camera '97'"):
        expand(CameraConfig(source="97"))


def test_a_stream_cannot_be_read_frame_by_frame(tmp_path: Path) -> None:
    with web_server(tmp_path) as url, pytest.raises(UsageError, match="is live and cannot be read with pace all"):
        open_source(CameraConfig(source=f"{url}/live.mjpg"), "all", lambda: 0)


def test_an_unreachable_url(tmp_path: Path) -> None:
    with web_server(tmp_path) as url, pytest.raises(SourceError, match="cannot be read as a video"):
        open_source(CameraConfig(source=f"{url}/none.mp4"), "realtime", lambda: 0)


def test_opening_sources_does_not_import_the_detector() -> None:
    code = "import sys, pose_rig.capture.source_factory, pose_rig.capture.process; print('mediapipe' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
