"""Complete runs in real processes, started like a user starts them."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from pose_rig.capture.simulated import SimulatedCamera, matrices, pose
from pose_rig.config import CameraConfig
from pose_rig.skeleton import INDEX, JOINTS
from pose_rig.tools.arguments.camera_list import config_of
from pose_rig.tools.terminal.status import RunStatus
from pose_rig.tools.workers.plan import plan
from pose_rig.training.evaluation.metrics import pmpjpe
from tests.tools.terminal.test_run_loop import FakeDisplay, kill, run

COMMAND = [sys.executable, "-m", "pose_rig.tools.cli.app", "run", "--headless", "--port", "0"]


HEELS = ("left_heel", "right_heel")
BEHIND_ANKLES = np.array([0.0, -0.05, -0.03])  # m, in the room: a foot that does not turn with the person


def heels(own_ns: int) -> NDArray[np.float64]:
    """Returns (2,3) m, the heels of the simulated person."""
    return np.asarray(pose(own_ns * 1e-9)[[INDEX["l_ankle"], INDEX["r_ankle"]]] + BEHIND_ANKLES)


def keypoint_file(path: Path, seconds: float = 1.0, views: int = 2) -> Path:
    """Writes the detections of simulated cameras as a file of 2D keypoints: joints and heels."""
    cameras = [SimulatedCamera(CameraConfig(source="sim", member=i, members=views), endless=True) for i in range(views)]
    count = round(seconds * 30)
    xy, score = np.zeros((views, count, 19, 2)), np.zeros((views, count, 19))
    t_ns = np.zeros((views, count), np.int64)
    for view, camera in enumerate(cameras):
        for frame in range(count):
            instant = camera.grab()
            _, people = camera.retrieve()
            assert instant is not None
            assert people is not None
            t_ns[view, frame], xy[view, frame, :17], score[view, frame, :17] = (
                instant.pts_ns, people.xy[0], people.score[0],
            )  # fmt: skip
            intrinsics, rotation, translation = matrices(view)
            seen = (heels(instant.pts_ns) @ rotation.T + translation) @ intrinsics.T
            xy[view, frame, 17:], score[view, frame, 17:] = seen[:, :2] / seen[:, 2:], 0.9
    names = ",".join((*JOINTS, *HEELS))
    np.savez(path, xy=xy, score=score, t_ns=t_ns, landmarks=names, size_px=np.full((views, 2), (1280, 720)))
    return path


def test_keypoints_from_a_file_become_the_same_poses_every_time(tmp_path: Path) -> None:
    keypoints = keypoint_file(tmp_path / "kp.npz")
    saved = [tmp_path / "first.npz", tmp_path / "second.npz"]
    for path in saved:
        command = [*COMMAND, "--cams", str(keypoints), "--pace", "all", "--save", str(path), "--height", "1.8"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert f"Poses saved to {path}." in done.stdout
        assert re.search(r"^  kp0: 30 frames, .*agreement \d+%", done.stdout, re.MULTILINE)
    assert saved[0].read_bytes() == saved[1].read_bytes()
    with np.load(saved[0]) as poses:
        assert set(poses) >= {
            "t_ns", "joints", "xyz", "xyz_raw", "score", "mode", "cameras", "landmarks",
            "xy", "xy_score", "xy_refined", "lifted", "rotation", "K", "R", "t",
        }  # fmt: skip
        assert len(poses["t_ns"]) == 30
        assert poses["t_ns"][0] == 0
        assert np.isfinite(poses["xyz"]).all()


def test_a_run_without_a_person_fails_with_an_error(tmp_path: Path) -> None:
    count = 40
    path = tmp_path / "kp.npz"
    score = np.zeros((2, count, 17))
    score[..., 0] = 0.9  # a nose alone is nobody
    np.savez(
        path, xy=np.full((2, count, 17, 2), 100.0), score=score, landmarks="coco17",
        t_ns=np.tile(np.arange(count) * 33_000_000, (2, 1)), size_px=np.full((2, 2), (1280, 720)),
    )  # fmt: skip
    command = [*COMMAND, "--cams", str(path), "--pace", "all"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    summary = done.stdout.splitlines()
    first_line = next(
        place for place, text in enumerate(summary) if text.startswith("No person was detected in any camera. Check ")
    )
    assert summary[first_line + 1].startswith("Ran ")
    assert re.fullmatch(r"  kp0: 40 frames, .* 0 dropped, no person detected\.", summary[first_line + 2])
    assert "Error: No person was detected in any camera." in done.stderr


def test_two_passes_are_solved_from_the_first_pose_to_the_last(tmp_path: Path) -> None:
    keypoints = keypoint_file(tmp_path / "kp.npz", seconds=4.0, views=3)
    saved = [tmp_path / "first.npz", tmp_path / "second.npz"]
    for path in saved:
        command = [*COMMAND, "--cams", str(keypoints), "--pace", "all", "--passes", "2", "--save", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90)
        assert done.returncode == 0, done.stderr
    assert saved[0].read_bytes() == saved[1].read_bytes()
    with np.load(saved[0]) as poses:
        assert len(poses["t_ns"]) == 120
        assert set(poses["mode"]) == {"solved"}
        assert tuple(poses["joints"]) == (*JOINTS, *HEELS)
        for key in ("xyz", "xyz_raw", "covariance", "K", "R", "t", "k1", "R_sd_deg", "t_sd_m", "focal_sd_px"):
            assert np.isfinite(poses[key]).all(), key
        seen = poses["xyz_raw"][:, None] @ poses["R"].swapaxes(-1, -2) + poses["t"][:, None]
        pixels = seen @ poses["K"].swapaxes(-1, -2)
        off_px = np.linalg.norm(pixels[..., :17, :2] / pixels[..., :17, 2:] - poses["xy"][:, :, :17], axis=-1)
        assert np.nanmedian(off_px) < 6
        truth = np.stack([np.concatenate([pose(t_ns * 1e-9), heels(t_ns)]) for t_ns in poses["t_ns"].tolist()])
        assert 1e3 * pmpjpe(poses["xyz_raw"].astype(float), truth).mean() < 15
        assert (poses["score"][:, 17:] > 0).mean() > 0.9


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_ctrl_c_saves_poses_and_prints_a_summary(tmp_path: Path) -> None:
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
    assert time.monotonic() - began < 8
    assert "latency" in output
    assert "  sim1" in output
    assert "Scale: height 1.70 m assumed" in output
    assert f"Poses saved to {save}." in output
    assert save.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="kills with POSIX signals")
def test_a_killed_camera_is_restarted_and_poses_continue() -> None:
    config = msgspec.structs.replace(config_of("sim:3"), port=0, duration_s=5.0)
    poses_then: list[int] = []

    def strike(status: RunStatus) -> None:
        kill(status, "sim0")
        poses_then.append(status.telemetry.poses)

    display = FakeDisplay(lambda status: status.telemetry.poses > 60, strike)
    status = run(plan(config, ""), display)
    assert any(text.startswith("sim0: It was killed by signal 9 (SIGKILL).") for text in display.printed)
    assert status.telemetry.poses > poses_then[0] + 60
    assert status.telemetry.pose is not None
    assert status.telemetry.pose.tracking == 1
    assert status.states["sim0"].restarts == 1
    assert status.telemetry.workers["sim0"].health.state == "running"
