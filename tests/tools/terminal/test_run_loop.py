import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from pose_rig.config import CameraConfig, Config
from pose_rig.errors import PoseRigError
from pose_rig.tools.rig_files.rig_toml import RigFile
from pose_rig.tools.terminal import console as terminal
from pose_rig.tools.terminal.run_display import render_table, status_line
from pose_rig.tools.terminal.run_loop import FUSION_END_TIMEOUT_S, MAX_ERRORS, Run
from pose_rig.tools.terminal.runner import run_plan
from pose_rig.tools.terminal.status import RunStatus
from pose_rig.tools.terminal.summary import summary
from pose_rig.tools.workers.plan import Plan, plan
from pose_rig.tools.workers.worker_process import WorkerProcess
from pose_rig.wire.messages import Health
from tests.tools import fakes


class FakeDisplay:
    """A display that keeps the printed lines, and calls a function once, as soon as a condition holds."""

    def __init__(
        self, when: Callable[[RunStatus], bool] = lambda _: False, do: Callable[[RunStatus], None] = lambda _: None
    ) -> None:
        self.printed: list[str] = []
        self._when, self._do, self._done = when, do, False

    def print(self, text: str) -> None:
        self.printed.append(text)

    def update(self, status: RunStatus) -> None:
        if not self._done and self._when(status):
            self._done = True
            self._do(status)


def fake_plan(*frames: int, sources: tuple[str, ...] = (), **top: object) -> Plan:
    """Returns a rig of fake cameras with so many frames each (0: endless)."""
    cameras = tuple(
        CameraConfig(source=sources[i] if sources else "fake", name=f"cam{i}", member=count)
        for i, count in enumerate(frames)
    )
    config = msgspec.structs.replace(Config(camera=cameras, port=0), **top)
    real = plan(config, "")
    workers = tuple(
        replace(worker, main=fakes.fusion if worker.name == "fusion" else fakes.camera) for worker in real.workers
    )
    return replace(real, workers=workers)


def run(ready: Plan, display: FakeDisplay, stop_when: Callable[[RunStatus], bool] | None = None) -> RunStatus:
    rig = Run(ready, display, stop_when=stop_when)
    rig.run()
    return rig.status


def kill(status: RunStatus, name: str, number: int = signal.SIGKILL) -> None:
    running = status.states[name].running
    assert running is not None
    assert running.process.pid is not None
    os.kill(running.process.pid, number)


def test_a_run_of_files_ends_with_a_summary(tmp_path: Path) -> None:
    save = tmp_path / "poses.npz"
    display = FakeDisplay()
    status = run(fake_plan(40, 60, save=str(save)), display)
    assert save.exists()
    provider, cold, settled = display.printed
    assert provider == "fusion: CPU (no CUDA in this onnxruntime)"
    assert cold.startswith("Mode cold after 0.")
    assert settled.startswith("Mode settled after 0.")
    text = "\n".join(summary(status, save))
    assert f"{status.telemetry.poses} poses" in text
    assert "latency 30.0 ms median, 30.0 ms at the 95th percentile" in text
    assert "cam0: 40 frames" in text
    assert "cam1: 60 frames" in text
    assert "2 dropped, agreement 90%. bumped" in text
    assert "settled after" in text
    assert "fusion: CPU (no CUDA in this onnxruntime)" in text
    assert "Scale: height 1.70 m assumed" in text
    assert f"Poses saved to {save}." in text
    assert 25 < status.telemetry.pose_rate_hz < 120


def test_pace_all_drops_nothing_and_shows_its_progress() -> None:
    seen: list[str] = []
    display = FakeDisplay(lambda status: status.progress()[0] > 20, lambda status: seen.append(status_line(status)))
    status = run(fake_plan(50, 50, pace="all"), display)
    assert status.progress() == (100, 100)
    assert "of 100 frames" in seen[0]
    assert "latency" not in "\n".join(summary(status, None))


def test_a_killed_camera_is_named_and_restarted_while_poses_go_on() -> None:
    def is_back(status: RunStatus) -> bool:
        return status.telemetry.poses > 100 and status.telemetry.workers["cam0"].health.restarts == 1

    display = FakeDisplay(lambda status: status.telemetry.poses > 20, lambda status: kill(status, "cam0"))
    status = run(fake_plan(0, 0, duration_s=60.0), display, stop_when=is_back)
    assert "cam0: It was killed by signal 9 (SIGKILL). Restarting in 0.5 s (restart 1)." in display.printed
    assert status.states["cam0"].restarts == 1
    assert is_back(status)
    assert "restarted 1×" in "\n".join(summary(status, None))


def test_a_killed_fusion_is_restarted() -> None:
    display = FakeDisplay(lambda status: status.telemetry.poses > 20, lambda status: kill(status, "fusion"))
    status = run(fake_plan(0, duration_s=60.0), display, stop_when=lambda status: status.telemetry.poses > 150)
    assert "fusion: It was killed by signal 9 (SIGKILL). Restarting in 0.5 s (restart 1)." in display.printed
    assert status.telemetry.poses > 150  # more than can be on their way when it is killed


def test_a_camera_that_hangs_is_killed_and_restarted() -> None:
    display = FakeDisplay()
    status = run(fake_plan(0, 0, sources=("mute", "fake"), duration_s=12.0), display)
    assert "cam0: No report for 10 s. Restarting in 0.5 s (restart 1)." in display.printed
    assert status.states["cam1"].restarts == 0


def test_fusion_has_a_longer_timeout_while_it_saves(tmp_path: Path) -> None:
    rig = Run(fake_plan(0, save=str(tmp_path / "poses.npz")), FakeDisplay())
    running = WorkerProcess.start("fusion", fakes.idle, fakes.camera_job(), 0, debug=False)
    fusion = rig.status.states["fusion"]
    fusion.running, running.started_ns = running, 0
    rig.status.states["cam0"].ended = True
    rig.status.telemetry.update(fakes.fusion_health("running", 1))
    heard = rig.status.telemetry.workers["fusion"]
    heard.received_ns -= 12_000_000_000
    rig._kill_hanging()
    assert fusion.kill_reason == ""
    heard.received_ns -= 10_000_000_000
    rig._kill_hanging()
    assert fusion.kill_reason == "No report for 20 s."
    running.process.join()
    running.close()


@pytest.mark.parametrize(("pace", "is_over"), [("realtime", True), ("all", False)])
def test_it_ends_though_fusion_never_received_that_the_cameras_have(pace: str, is_over: bool) -> None:
    rig = Run(fake_plan(5, 5, pace=pace), FakeDisplay())
    rig.status.states["cam0"].ended = rig.status.states["cam1"].ended = True
    rig.status.telemetry.update(fakes.fusion_health("running", 1))
    assert not rig._is_over()
    rig._cameras_ended_ns -= round(1.1e9 * FUSION_END_TIMEOUT_S)
    assert rig._is_over() == is_over
    rig.status.telemetry.workers["fusion"].received_ns -= 12_000_000_000  # it is saving
    assert not rig._is_over()


def test_an_unreadable_file_ends_the_run_with_its_error() -> None:
    ready = fake_plan(0, sources=("broken",))
    ready = replace(ready, workers=tuple(replace(worker, fail_on_error=True) for worker in ready.workers))
    with pytest.raises(PoseRigError, match=r"^cam0: broken\.mp4 cannot be read as a video\."):
        run(ready, FakeDisplay())


def test_errors_of_frames_are_printed_once() -> None:
    display = FakeDisplay()
    run(fake_plan(60, 60, sources=("spotty.mp4", "fake")), display)
    assert [text for text in display.printed if "could be read" in text] == ["cam0: 45 of 100 frames could be read."]


def test_the_limit_of_printed_errors_does_not_concern_details() -> None:
    display = FakeDisplay()
    rig = Run(fake_plan(0), display)

    def report(worker: str, detail: str = "", error: str = "") -> None:
        rig.status.telemetry.update(Health(worker=worker, t_ns=0, state="running", detail=detail, error=error))
        rig._print_events()

    for number in range(100):
        report("cam0", detail=f"H.264, {number} images dropped")
    for number in range(100):
        report("cam0", error=f"Frame {number} is damaged.")
    report("fusion", detail="cpu")
    assert len(display.printed) == 100 + MAX_ERRORS + 1
    assert display.printed[-1] == "fusion: cpu"


def test_a_failed_run_also_reports_that_its_rig_could_not_be_saved(tmp_path: Path) -> None:
    path, out = tmp_path / "rig.toml", StringIO()
    rig_file = RigFile(path)
    path.write_text("[[camera\n")
    ready = fake_plan(0, sources=("broken",), rig=str(path))
    camera, fusion, *_ = ready.workers
    ready = replace(ready, workers=(camera, replace(fusion, main=fakes.solved_and_lost)))
    with pytest.raises(PoseRigError, match=r"^fusion: The graphics card is gone\."):
        run_plan(ready, terminal.Console(file=out), rig_file, headless=True, debug=False)
    assert "rig.toml is not TOML" in out.getvalue()


def test_an_unreadable_camera_does_not_block_the_others() -> None:
    status = run(fake_plan(0, 0, sources=("broken", "fake"), duration_s=1.5), FakeDisplay())
    assert status.telemetry.poses > 20
    assert status.cameras()[0].note == "broken.mp4 cannot be read as a video."


@pytest.mark.parametrize(("slow", "waits"), [("slow.mp4", True), ("slow webcam", False)])
def test_the_clock_of_files_starts_when_all_of_them_are_ready(slow: str, waits: bool) -> None:
    states: list[str] = []
    display = FakeDisplay(
        lambda status: status.telemetry.start_ns > 0,
        lambda status: states.extend(row.state for row in status.cameras()),
    )
    rig = Run(fake_plan(5, 5, sources=(slow, "fake")), display, start_wait_s=0.2)
    rig.run()
    assert (states[0] == "ready") is waits


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_within_two_seconds(tmp_path: Path, number: signal.Signals) -> None:
    asked: list[float] = []

    def interrupt(status: RunStatus) -> None:
        asked.append(time.monotonic())
        signal.raise_signal(number)

    save = tmp_path / "poses.npz"
    display = FakeDisplay(lambda status: status.telemetry.poses > 5, interrupt)
    status = run(fake_plan(0, 0, save=str(save)), display)
    assert time.monotonic() - asked[0] < 8
    assert save.exists()
    assert display.printed[-1] == "Stopping and saving the poses; Ctrl-C again does not save."
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert all(worker.running is None for worker in status.states.values())


def test_a_second_signal_stops_at_once() -> None:
    ready = fake_plan(0)
    stuck = tuple(replace(worker, main=fakes.ignoring_stop, stop_timeout_s=30.0) for worker in ready.workers)
    asked: list[float] = []

    def interrupt(status: RunStatus) -> None:
        asked.append(time.monotonic())
        signal.raise_signal(signal.SIGINT)
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()

    run(replace(ready, workers=stuck), FakeDisplay(lambda status: True, interrupt))
    assert time.monotonic() - asked[0] < 8


def test_the_table_shows_every_camera_and_fusion() -> None:
    drawn: list[str] = []

    def draw(status: RunStatus) -> None:
        console = Console(file=StringIO(), width=160, force_terminal=False)
        console.print(render_table(status))
        assert isinstance(console.file, StringIO)
        drawn.append(console.file.getvalue())

    run(fake_plan(0, 0, duration_s=1.0), FakeDisplay(lambda status: status.telemetry.poses > 15, draw))
    header, first, second, note, fusion, footer = [line.rstrip() for line in drawn[0].splitlines()]
    assert header.split() == [
        "camera", "state", "fps", "age", "ms", "dropped", "restarts", "agreement", "focal", "px", "pose",
    ]  # fmt: skip
    assert first.split() == ["cam0", "running", "50.0", "7", "2", "0", "90%", "900"]
    assert second.split() == ["cam1", "running", "50.0", "7", "2", "0", "90%", "900"]
    assert note == "cam1: bumped"
    assert fusion.startswith("fusion: settled   50.0 poses/s   age 30 ms   graph 1.2 ms, smooth 0.1 ms   CPU")
    assert "height 1.70 m assumed" in footer
    assert footer.endswith("q stops")
