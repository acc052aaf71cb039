"""When a demo has shown what there is to see."""

import time

import pytest

from pose_rig.config import CameraConfig, Config
from pose_rig.tools.cli.demo import MAX_UNSOLVED_S, MIN_DEMO_S, UntilSolved, laps_of
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
    [
        (0.5 * MIN_DEMO_S, True, False),
        (MIN_DEMO_S, True, True),
        (MIN_DEMO_S, False, False),
        (0.9 * MAX_UNSOLVED_S, False, False),
    ],
)
def test_it_stops_after_the_rig_is_solved(elapsed_s: float, solved: bool, enough: bool) -> None:
    showing = UntilSolved()
    assert showing(board(elapsed_s, solved=solved)) == enough
    assert showing.error is None


def test_it_stops_with_an_error_if_the_rig_is_not_solved() -> None:
    showing = UntilSolved()
    assert showing(board(MAX_UNSOLVED_S, solved=False))
    assert str(showing.error) == (
        "The rig was not solved within 60 s: its cameras gave 0 to 0 frames per second. "
        "Close other programs on this machine, or give it more time: --duration 300."
    )


def test_with_a_page_it_plays_for_about_an_hour() -> None:
    assert laps_of(None) == 19
    assert laps_of(None, endless=True) == 1000
    assert laps_of(20.0, endless=True) == 7
