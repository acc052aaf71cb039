"""``pose-rig batch`` as a user meets it."""

import csv
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.session.recorded import talk, write
from tests.tools.cli.recordings.stopped import stopped
from tests.tools.cli.test_app import pose_rig
from tests.tools.sessions import unsolved, write_session
from tests.tools.test_end_to_end import keypoint_file


def said(*arguments: object) -> tuple[int, str]:
    """Returns exit code and output in one line."""
    code, output = pose_rig("batch", *map(str, arguments), "--headless")
    assert "Traceback" not in output
    return code, " ".join(output.split())


def rows(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "summary.csv").open(newline="") as file:
        return {row["take"]: row for row in csv.DictReader(file)}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_many_takes_are_processed_once_and_one_failure_stays_alone(here: Path) -> None:
    Path("takes/day").mkdir(parents=True)
    write(Path("takes/talk.mcap"), talk(10))
    write_session(Path("takes/day/empty.mcap"), unsolved())
    (here / "takes" / "notes.txt").touch()
    code, output = said("takes/**", "--out", "results", "--jobs", 2, "--height", 1.8, "--no-overlay")
    assert code == 1
    assert "2 takes into results. 1 other files are ignored." in output
    assert "failed day/empty: No person was detected in any camera. Check" in output
    assert "done talk: not solved, tracked 100 % of the time" in output
    assert "1 processed, 0 unchanged, 1 failed. Written: results/summary.csv." in output
    assert (
        "Error: 1 of 2 takes failed. results/summary.csv has the reasons; the same command tries them again." in output
    )
    found = rows(Path("results"))
    assert {name: row["state"] for name, row in found.items()} == {"talk": "done", "day/empty": "failed"}
    assert found["talk"]["height_m"] == "1.8"
    assert found["talk"]["warnings"].startswith("The cameras were never solved")
    assert Path("results/talk/poses.bvh").exists()
    assert "Written to " in Path("results/talk/process.log").read_text()
    Path("takes/day/empty.mcap").unlink()
    before = Path("results/talk/poses.npz").stat().st_mtime_ns
    code, output = said("takes/**", "--out", "results", "--jobs", 2, "--height", 1.8, "--no-overlay")
    assert (code, "0 processed, 1 unchanged, 0 failed." in output) == (0, True), output
    assert Path("results/talk/poses.npz").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["takes"], "Missing option '--out'"),
        (["none/**", "--out", "r"], "There is no take in none/**."),
        (["takes", "--out", "r", "--jobs", "0"], "Invalid value for '--jobs'"),
        (["takes", "--out", "r", "--height", "180"], "A height of 180 m is out of range."),
        (["takes", "--out", "file"], "Cannot write into file: File exists. Choose another folder"),
        (["takes", "--out", "r", "--cluster-option", "mem_gb=1"], "--cluster-option needs a cluster."),
        (["takes", "--out", "r", "--cluster", "local", "--cluster-option", "a"], "--cluster-option must be KEY=VALUE"),
        (["takes", "--out", "r", "--weights", "no.onnx"], "There are no weights at no.onnx."),
    ],
)
def test_wrong_use_ends_in_one_sentence_and_writes_nothing(here: Path, arguments: list[str], text: str) -> None:
    Path("takes").mkdir()
    write(Path("takes/talk.mcap"), talk(2))
    Path("file").touch()
    code, output = said(*arguments)
    assert (code, text in output) == (2, True), output
    assert sorted(os.listdir(here)) == ["file", "takes"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_leaves_a_summary_that_holds(here: Path) -> None:
    Path("takes").mkdir()
    keypoint_file(Path("takes/long.npz"), seconds=20.0, views=2)
    # one take only: that nothing waits any more must not look like the end
    command = ["batch", "takes", "--out", "out"]
    code, output = stopped(command, Path("out/long/session.mcap"), signal.SIGINT, 90)
    assert code == 130, output
    assert "Stopped. The same command continues." in output
    assert {name: row["state"] for name, row in rows(Path("out")).items()} == {"long": "interrupted"}
