"""The supervisor with the real camera process; fusion is a fake, so that no graph is needed."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from pose_rig.tools.arguments.camera_list import config_of
from pose_rig.tools.workers.plan import Plan, plan
from tests.tools import fakes
from tests.tools.terminal.test_run_loop import FakeDisplay, run


def real_cameras(cams: str, model: str = "", **top: object) -> Plan:
    config = msgspec.structs.replace(config_of(cams), port=0, **top)
    ready = plan(config, model)
    *cameras, fusion = ready.workers
    return replace(ready, workers=(*cameras, replace(fusion, main=fakes.fusion)))


def test_simulated_cameras_run_live() -> None:
    board = run(real_cameras("sim:2", duration_s=2.0), FakeDisplay())
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
    board = run(real_cameras(str(path), pace="all"), FakeDisplay())
    assert board.progress() == (180, 180)
    assert [row.name for row in board.cameras()] == ["north", "south"]
