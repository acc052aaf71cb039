"""The whole rig through real processes, started as a user starts it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pose_rig.capture.simulated import SimulatedCamera
from pose_rig.config import CameraConfig
from pose_rig.skeleton import JOINTS
from pose_rig.tools.board import Board
from pose_rig.tools.camera_list import config_of
from pose_rig.tools.workers import plan
from tests.tools.test_run_loop import Recorded, kill, run

COMMAND = [sys.executable, "-m", "pose_rig.tools.cli", "run", "--headless", "--port", "0"]


def keypoint_file(path: Path, seconds: float = 1.0) -> Path:
    """Writes what two simulated cameras see as a file of 2D keypoints."""
    cameras = [SimulatedCamera(CameraConfig(source="sim", member=i, members=2), endless=True) for i in range(2)]
    count = round(seconds * 30)
    xy, score = np.zeros((2, count, 17, 2)), np.zeros((2, count, 17))
    t_ns = np.zeros((2, count), np.int64)
    for view, camera in enumerate(cameras):
        for frame in range(count):
            instant = camera.advance()
            _, people = camera.content()
            assert instant is not None
            assert people is not None
            t_ns[view, frame], xy[view, frame], score[view, frame] = instant.own_ns, people.xy[0], people.score[0]
    np.savez(path, xy=xy, score=score, t_ns=t_ns, landmarks=",".join(JOINTS), size_px=np.full((2, 2), (1280, 720)))
    return path


def test_keypoints_from_a_file_become_the_same_poses_every_time(tmp_path: Path) -> None:
    keypoints = keypoint_file(tmp_path / "kp.npz")
    saved = [tmp_path / "first.npz", tmp_path / "second.npz"]
    for path in saved:
        command = [*COMMAND, "--cams", str(keypoints), "--pace", "all", "--save", str(path), "--height", "1.8"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert f"Poses saved to {path}." in done.stdout
        assert "  kp0: 30 frames" in done.stdout
    assert saved[0].read_bytes() == saved[1].read_bytes()
    with np.load(saved[0]) as poses:
        assert set(poses) >= {
            "t_ns", "joints", "xyz", "xyz_raw", "score", "mode", "cameras", "landmarks",
            "xy", "xy_score", "xy_refined", "lifted", "rotation", "K", "R", "t",
        }  # fmt: skip
        assert len(poses["t_ns"]) == 30
        assert poses["t_ns"][0] == 0
        assert np.isfinite(poses["xyz"]).all()


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_ctrl_c_gives_poses_and_a_summary(tmp_path: Path) -> None:
    save = tmp_path / "poses.npz"
    command = [*COMMAND, "--cams", "sim:2", "--save", str(save)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as rig:
        assert rig.stdout is not None
        for line in rig.stdout:
            if line.startswith("Mode"):
                break
        began = time.monotonic()
        os.killpg(rig.pid, signal.SIGINT)  # as a terminal does it: to every process
        output = rig.stdout.read()
        assert rig.wait(10) == 0
    assert time.monotonic() - began < 3
    assert "latency" in output
    assert "sim1: " in output
    assert "Scale: height 1.70 m assumed" in output
    assert f"Poses saved to {save}." in output
    assert save.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="kills with POSIX signals")
def test_killing_a_camera_leaves_a_live_pose_and_a_named_restarted_worker() -> None:
    config = msgspec.structs.replace(config_of("sim:3"), port=0, duration_s=5.0)
    poses_then: list[int] = []

    def strike(board: Board) -> None:
        kill(board, "sim0")
        poses_then.append(board.monitor.poses)

    display = Recorded(lambda board: board.monitor.poses > 60, strike)
    board = run(plan(config, ""), display)
    assert any(text.startswith("sim0: It was killed by signal 9 (SIGKILL).") for text in display.said)
    assert board.monitor.poses > poses_then[0] + 60
    assert board.monitor.pose is not None
    assert board.monitor.pose.tracking == 1
    assert board.lives["sim0"].restarts == 1
    assert board.monitor.workers["sim0"].health.state == "running"
