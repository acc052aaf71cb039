"""When a demo has shown what there is to see."""

import time

import pytest

from pose_rig.config import CameraConfig, Config
from pose_rig.tools.cli.demo import PATIENCE_S, SHOWN_S, Showing
from pose_rig.tools.terminal.status import RunStatus
from pose_rig.tools.terminal.telemetry import Telemetry
from pose_rig.tools.workers.supervisor import Supervisor, Worker
from pose_rig.wire.messages import RigState
from tests.tools.fakes import camera_job, idle


def board(elapsed_s: float, *, solved: bool) -> RunStatus:
    telemetry = Telemetry()
    telemetry.end_ns = time.monotonic_ns()
    telemetry.start_ns = telemetry.end_ns - round(elapsed_s * 1e9)
    if solved:
        telemetry.update(RigState(t_ns=0, mode="solved", cameras=()))
    states = Supervisor((Worker("cam01", idle, camera_job()), Worker("fusion", idle, camera_job()))).states
    return RunStatus(Config(camera=(CameraConfig(source="a.mp4", name="cam01"),)), telemetry, states)


@pytest.mark.parametrize(
    ("elapsed_s", "solved", "enough"),
    [(0.5 * SHOWN_S, True, False), (SHOWN_S, True, True), (SHOWN_S, False, False), (0.9 * PATIENCE_S, False, False)],
)
def test_it_shows_a_solved_rig_and_waits_for_one(elapsed_s: float, solved: bool, enough: bool) -> None:
    showing = Showing()
    assert showing(board(elapsed_s, solved=solved)) == enough
    assert showing.in_vain is None


def test_it_ends_with_the_reason_where_the_machine_is_too_slow() -> None:
    showing = Showing()
    assert showing(board(PATIENCE_S, solved=False))
    assert str(showing.in_vain) == (
        "The rig was not solved within 60 s: its cameras gave 0 to 0 frames per second. "
        "Close what keeps this machine busy, or give it more time: --duration 300."
    )
