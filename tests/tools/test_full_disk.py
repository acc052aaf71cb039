"""A full disk: the command fails with an error and leaves existing files unchanged."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pose_rig.session.reader import Session
from pose_rig.tools.cli.recover import POSES
from tests.tools.cli.test_app import pose_rig, pose_rig_process
from tests.tools.sessions import sample, write_session
from tests.tools.test_end_to_end import COMMAND, keypoint_file

FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes runs save poses here that they cannot save elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "elsewhere"))


def poses_in(output: str) -> Path:
    """Returns the poses file that a run wrote instead, according to its message."""
    words = output.split()
    return Path(words[words.index("poses", words.index("The", words.index("Error:"))) + 3].rstrip(":"))


def test_poses_that_cannot_be_saved_fail_the_run_and_are_saved_elsewhere(tmp_path: Path) -> None:
    save = tmp_path / "poses.npz"
    save.write_bytes(b"an older take")
    (tmp_path / "poses.partial.npz").symlink_to(FULL)
    keypoints = keypoint_file(tmp_path / "kp.npz")
    code, output = pose_rig_process(
        "run", "--cams", str(keypoints), "--pace", "all", "--headless", "--port", "0", "--save", str(save),
        "--force",
    )  # fmt: skip
    assert code == 1, output
    assert f"Error: fusion: Cannot write {save}: No space left on device." in output
    assert "Restarting" not in output
    assert "Poses saved" not in output
    assert save.read_bytes() == b"an older take"
    with np.load(poses_in(output)) as poses:
        assert len(poses["t_ns"]) == 30


def test_poses_of_a_stopped_run_are_not_lost_silently(tmp_path: Path) -> None:
    save = tmp_path / "poses.npz"
    (tmp_path / "poses.partial.npz").symlink_to(FULL)
    code, output = pose_rig_process(
        "run", "--cams", "sim:2", "--duration", "2", "--headless", "--port", "0", "--save", str(save)
    )
    assert code == 1, output
    assert f"Error: fusion: Cannot write {save}: No space left on device." in output
    with np.load(poses_in(output)) as poses:
        assert len(poses["t_ns"]) > 30


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as POSIX does")
@pytest.mark.parametrize("kind", ["bvh", "gltf", "trc", "c3d", "csv", "parquet", "npz", "json", "png", "html"])
def test_a_full_disk_is_an_error_and_leaves_no_partial_file(kind: str, tmp_path: Path) -> None:
    import resource

    take, out = write_session(tmp_path / "take.mcap", sample()), tmp_path / "out"
    out.mkdir()
    command = ["plot", str(take), "--out", str(out / f"r.{kind}")]
    if kind not in ("png", "html"):
        command = ["convert", str(take), "--to", kind, "--out", str(out)]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        code, output = pose_rig(*command)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == 1, output
    assert "Error: Cannot write " in output
    assert "Make room" in output
    assert not any(found.is_file() for found in out.rglob("*"))


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as POSIX does")
def test_a_full_disk_is_an_error_for_rerun_and_leaves_no_partial_file(tmp_path: Path) -> None:
    """Rerun writes in its own thread."""
    pytest.importorskip("rerun")
    import resource

    take, out = write_session(tmp_path / "take.mcap", sample()), tmp_path / "out"
    out.mkdir()
    done = subprocess.run(
        [*COMMAND[:3], "view", str(take), "--save", str(out / "r.rrd")],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000)),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    assert f"Error: Cannot write {out / 'r.rrd'}: Rerun could not write the whole recording." in done.stdout
    assert list(out.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as POSIX does")
def test_a_recording_on_a_full_disk_fails_the_run_and_is_kept_until_then(tmp_path: Path) -> None:
    import resource

    take = tmp_path / "take.mcap"
    done = subprocess.run(
        [*COMMAND, "--cams", "sim:2", "--duration", "4", "--record", str(take)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, 120_000)),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    assert "Error: The recording ended: Writing failed: File too large." in done.stdout
    assert not take.exists()
    with Session(take) as session:
        assert len(session.poses()) > 20


def test_the_rows_of_a_killed_run_become_a_poses_file(tmp_path: Path) -> None:
    save = tmp_path / "poses.npz"
    partial = tmp_path / "poses.npz.partial"
    with subprocess.Popen([*COMMAND, "--cams", "sim:2", "--save", str(save)], start_new_session=True) as rig:
        deadline = time.monotonic() + 60
        while not (partial.exists() and partial.stat().st_size > 50_000) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(rig.pid, 9)
    code, output = pose_rig("recover", str(partial))
    assert code == 0, output
    assert output.startswith(f"Recovered: {save}, ")
    assert "poses" in output
    code, output = pose_rig("convert", str(save), "--to", "csv")
    assert code == 0, output
    assert POSES.search("poses.npz.2.partial")
    assert not POSES.search("take.mcap.partial")
