"""The supervisor with the real camera process; fusion is a fake, so that no graph is needed."""

import signal
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pose_rig.tools.board import Board
from pose_rig.tools.camera_list import config_of
from pose_rig.tools.workers import Plan, plan
from tests.tools import fakes
from tests.tools.test_run_loop import Recorded, kill, run


def real_cameras(cams: str, model: str = "", **top: object) -> Plan:
    config = msgspec.structs.replace(config_of(cams), port=0, **top)
    ready = plan(config, model)
    *cameras, fusion = ready.workers
    return replace(ready, workers=(*cameras, replace(fusion, main=fakes.fusion)))


def test_simulated_cameras_run_live() -> None:
    board = run(real_cameras("sim:2", duration_s=2.0), Recorded())
    for row in board.cameras():
        assert row.frames > 20
        assert row.restarts == 0


def test_a_keypoint_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "kp.npz"
    np.savez(
        path,
        xy=np.full((2, 90, 17, 2), 50.0),
        score=np.ones((2, 90, 17)),
        t_ns=np.tile(np.arange(90) * 40_000_000, (2, 1)),
        landmarks="coco17",
        size_px=np.full((2, 2), 100),
        cameras=np.array(["north", "south"]),
    )
    board = run(real_cameras(str(path), pace="all"), Recorded())
    assert board.progress() == (180, 180)
    assert [row.name for row in board.cameras()] == ["north", "south"]


@pytest.mark.skipif(sys.platform == "win32", reason="kills with POSIX signals")
def test_a_killed_camera_process_comes_back() -> None:
    def strike(board: Board) -> None:
        kill(board, "sim0", signal.SIGKILL)

    display = Recorded(lambda board: board.cameras()[0].frames > 5, strike)
    board = run(real_cameras("sim:2", duration_s=4.0), display)
    assert any(text.startswith("sim0: It was killed by signal 9 (SIGKILL).") for text in display.said)
    assert board.lives["sim0"].restarts == 1
    assert board.monitor.workers["sim0"].health.state == "running"
