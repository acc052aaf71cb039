import pytest

from pose_rig.config import CameraConfig, Config
from pose_rig.tools.terminal.status import RunStatus
from pose_rig.tools.terminal.telemetry import Telemetry
from pose_rig.tools.terminal.time_left import duration, time_left
from pose_rig.tools.workers.plan import plan
from pose_rig.tools.workers.supervisor import Supervisor
from pose_rig.wire.messages import Health, State


def status(cameras: dict[str, tuple[int, int | None, float]], fusion: tuple[int, float], passes: int = 1) -> RunStatus:
    """Returns the status of a run; by camera its frames, total frames and rate, then poses and rate of the fusion."""
    configs = tuple(CameraConfig(source="sim", name=name) for name in cameras)
    config = Config(camera=configs, pace="all", port=0, passes=2 if passes == 2 else 1)
    telemetry, states = Telemetry(), Supervisor(plan(config, "").workers).states
    for name, (frames, total, rate_hz) in cameras.items():
        state: State = "running" if rate_hz else "ended"
        telemetry.update(
            Health(worker=name, t_ns=1, state=state, frames=frames, total_frames=total, rate_hz=rate_hz)
        )  # fmt: skip
    telemetry.update(Health(worker="fusion", t_ns=1, state="running", frames=fusion[0], rate_hz=fusion[1]))
    return RunStatus(config, telemetry, states)


@pytest.mark.parametrize(
    ("cameras", "fusion", "passes", "text"),
    [
        ({"a": (100, 400, 10.0), "b": (200, 400, 10.0)}, (90, 10.0), 1, "30 s left"),
        ({"a": (100, 400, 10.0), "b": (200, 400, 10.0)}, (0, 0.0), 2, "30 s left of the first pass"),
        ({"a": (400, 400, 0.0), "b": (400, 400, 0.0)}, (100, 20.0), 2, "15 s left"),
        ({"a": (400, 400, 0.0), "b": (400, 400, 0.0)}, (0, 0.0), 2, ""),
        ({"a": (100, None, 10.0)}, (0, 0.0), 1, ""),
        ({"a": (100, 400, 0.0)}, (0, 0.0), 1, ""),
    ],
)
def test_the_slowest_camera_and_then_the_fusion_decide(
    cameras: dict[str, tuple[int, int | None, float]], fusion: tuple[int, float], passes: int, text: str
) -> None:
    assert time_left(status(cameras, fusion, passes)) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (3599.7, "1 h 0 min")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text
