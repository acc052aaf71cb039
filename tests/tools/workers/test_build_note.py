import os
import time
from pathlib import Path

import pytest

from pose_rig.tools.workers.build_note import build_note, engine_folder, write_build_note


def test_the_newest_note_is_read_and_an_old_one_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSE_RIG_CACHE", str(tmp_path / "cache"))
    assert build_note(60.0) == ""
    write_build_note("TensorRT: 25 %.")
    write_build_note("TensorRT: 50 %.")
    assert build_note(60.0) == "TensorRT: 50 %."
    (note,) = engine_folder().iterdir()
    hour_ago = time.time() - 3600
    os.utime(note, (hour_ago, hour_ago))
    assert build_note(60.0) == ""


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("POSE_RIG_CACHE", str(tmp_path / "file"))
    write_build_note("TensorRT: 25 %.")
    assert build_note(60.0) == ""
