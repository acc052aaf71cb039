from pathlib import Path

import pytest

from pose_rig.video.mp4_duration import video_duration_s
from tests.capture.fakes import FPS, FRAMES, hide_first, write_clip, write_matroska


def test_the_duration_of_an_mp4(tmp_path: Path) -> None:
    assert video_duration_s(write_clip(tmp_path / "a.mp4")) == pytest.approx(FRAMES / FPS, abs=2e-3)


def test_the_duration_excludes_frames_hidden_by_an_edit_list(tmp_path: Path) -> None:
    trimmed = hide_first(write_clip(tmp_path / "a.mp4"), tmp_path / "b.mp4", 6)
    assert video_duration_s(trimmed) == pytest.approx((FRAMES - 6) / FPS, abs=2e-3)


def test_other_files_have_no_duration(tmp_path: Path) -> None:
    assert video_duration_s(tmp_path / "none.mp4") is None
    assert video_duration_s(write_matroska(tmp_path / "a.mkv", [0, 40, 80])) is None


def test_every_truncation_is_handled(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "a.mp4").read_bytes()
    moov = whole.index(b"moov") - 4
    part = tmp_path / "part.mp4"
    for length in range(0, len(whole) - moov, 7):
        part.write_bytes(whole[:24] + whole[moov : moov + length])
        assert video_duration_s(part) in (None, pytest.approx(FRAMES / FPS, abs=2e-3))
