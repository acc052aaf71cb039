"""A rig with a camera of another machine: a process whose clock is 3.7 s ahead and 50 ppm too fast."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import closing
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from pose_rig.config import CameraConfig, Config
from pose_rig.remote.key import curve_keys, machine_key, new_key
from pose_rig.session.reader import Session
from pose_rig.tools.terminal.remote_camera import send_camera
from pose_rig.tools.terminal.run_loop import Run
from pose_rig.tools.terminal.status import CameraStatus, RunStatus
from pose_rig.tools.terminal.summary import summary
from pose_rig.tools.workers.plan import plan
from pose_rig.wire.messages import Keypoints2D
from pose_rig.wire.services import GATEWAY
from tests.remote.rigs import SHIFT_NS, OtherClock
from tests.tools.terminal.test_run_loop import FakeDisplay

SIMULATED = [CameraConfig(source="sim", name=f"sim{i}", member=i, members=3) for i in range(2)]
TIMEOUT_S = 60.0


@pytest.fixture(autouse=True)
def config_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def send(rig: str, key: str) -> None:
    """What `pose-rig camera` does on another machine."""
    os.setpgrp()  # so that the test can stop the whole command
    camera = CameraConfig(source="sim", name="hall", member=2, members=3)
    send_camera(Config(camera=(camera,)), rig, curve_keys(key), headless=True, debug=False, clock=OtherClock())


class OtherMachine:
    """Starts, stops and kills the command."""

    def __init__(self, rig: str) -> None:
        self._rig = rig
        self._processes: list[BaseProcess] = []

    def start(self, key: str) -> None:
        process = multiprocessing.get_context("spawn").Process(target=send, args=(self._rig, key))
        process.start()
        self._processes.append(process)

    def signal(self, number: int) -> None:
        pid = self._processes[-1].pid
        assert pid is not None
        os.killpg(pid, number)

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.join()


class Script:
    """Ends a run when all steps are done: each waits for the remote camera, then does something to its machine.

    Attributes:
        joined: The camera when it had sent some frames.
    """

    def __init__(self, machine: OtherMachine) -> None:
        self._steps: list[tuple[Callable[[RunStatus], bool], Callable[[], None]]] = [
            (_is_waiting, lambda: machine.start(new_key())),
            (lambda status: status.telemetry.refused > 0, lambda: machine.start(machine_key())),
            (self._sends, lambda: machine.signal(signal.SIGKILL)),
            (_is_waiting, lambda: machine.start(machine_key())),
            (self._sends, lambda: machine.signal(signal.SIGSTOP)),
            (_is_waiting, lambda: machine.signal(signal.SIGCONT)),
            (self._sends, lambda: None),
        ]
        self._since_s, self._frames = time.monotonic(), 0
        self.joined: CameraStatus | None = None

    def __call__(self, status: RunStatus) -> bool:
        assert time.monotonic() - self._since_s < TIMEOUT_S, f"{len(self._steps)} steps left: {_hall(status)}"
        is_done, act = self._steps[0]
        if is_done(status):
            act()
            del self._steps[0]
            self._since_s, self._frames = time.monotonic(), _hall(status).frames
        return not self._steps

    def _sends(self, status: RunStatus) -> bool:
        hall = _hall(status)
        sends = hall.state == "running" and hall.frames > self._frames + 20
        self.joined = self.joined or (hall if sends else None)
        return sends


def _hall(status: RunStatus) -> CameraStatus:
    return status.cameras()[2]


def _is_waiting(status: RunStatus) -> bool:
    return _hall(status).state == "waiting"


def test_a_camera_of_another_machine_joins_and_comes_back(tmp_path: Path) -> None:
    hall = CameraConfig(source="remote:hall", name="hall")
    ready = plan(Config(camera=(*SIMULATED, hall), port=0, record=str(tmp_path / "take.mcap")), "")
    assert ready.gateway is not None
    display = FakeDisplay()
    with closing(OtherMachine(ready.gateway.endpoint)) as machine:
        script = Script(machine)
        run = Run(ready, display, start_wait_s=1.0, stop_when=script)
        run.run()
    joined = script.joined
    assert joined is not None
    assert joined.health.clock_offset_s == pytest.approx(-SHIFT_NS * 1e-9, abs=0.05)
    assert joined.health.clock_uncertainty_s is not None
    assert joined.health.clock_uncertainty_s < 0.05
    assert run.status.telemetry.workers[GATEWAY].refused.total > 0
    assert any("without the key of this machine" in line for line in display.printed)
    assert any("waiting for its machine" in line for line in display.printed)
    assert any("clock is 3.7" in line for line in summary(run.status, None))
    assert not any(machine_key() in line for line in display.printed)
    assert_rig_times(tmp_path / "take.mcap")


def assert_rig_times(path: Path) -> None:
    """The recorded keypoints of all cameras have times of one clock."""
    with Session(path) as session:
        messages = [one for one in session.messages((Keypoints2D.TOPIC,)) if isinstance(one, Keypoints2D)]
    here, there = ([one.t_ns for one in messages if one.camera == name] for name in ("sim0", "hall"))
    assert len(there) > 60
    assert min(there) > min(here) - 5e7  # the first frames are of the same moment, to within the error of the clock
    assert max(there) < max(here) + 1e9
