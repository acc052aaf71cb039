import multiprocessing
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pose_rig.config import Config
from pose_rig.errors import PoseRigError, UsageError
from pose_rig.tools.workers.supervisor import Supervisor, Worker, WorkerExit, backoff_s
from pose_rig.tools.workers.worker_process import WorkerProcess
from pose_rig.wire.jobs import FusionJob
from tests.tools.fakes import (
    camera_job,
    fails_during_stop,
    fails_with_password,
    final_failure,
    finish,
    idle,
    ignoring_sigterm,
    internal_failure,
    unplugged,
    usage_failure,
    write_start,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills with POSIX signals")


def exits_until(supervisor: Supervisor, count: int, within_s: float = 60) -> list[WorkerExit]:
    exits: list[WorkerExit] = []
    deadline = time.monotonic() + within_s
    while len(exits) < count and time.monotonic() < deadline:
        exits += supervisor.poll()
        time.sleep(0.01)
    return exits


def pid_of(supervisor: Supervisor, name: str) -> int:
    running = supervisor.states[name].running
    assert running is not None
    assert running.process.pid is not None
    return running.process.pid


def read_once_there(path: Path, start: str = "", within_s: float = 60) -> str:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if path.exists() and (text := path.read_text()) and text.startswith(start):
            return text
        time.sleep(0.01)
    raise AssertionError(f"{path} never began with {start!r}")


def test_a_killed_worker_is_reported_and_restarted_and_others_keep_running() -> None:
    with Supervisor([Worker("left", idle, camera_job()), Worker("right", idle, camera_job())]) as supervisor:
        victim, survivor = pid_of(supervisor, "left"), pid_of(supervisor, "right")
        os.kill(victim, signal.SIGKILL)
        assert exits_until(supervisor, 1) == [WorkerExit("left", "It was killed by signal 9 (SIGKILL).", 1, 0.5)]
        deadline = time.monotonic() + 60
        while supervisor.states["left"].running is None and time.monotonic() < deadline:
            assert supervisor.poll() == []
        assert pid_of(supervisor, "left") != victim
        assert pid_of(supervisor, "right") == survivor
        assert supervisor.states["left"].restarts == 1


def test_a_worker_killed_while_waiting_for_stop_does_not_block_stop() -> None:
    with Supervisor([Worker("left", idle, camera_job())]) as supervisor:
        time.sleep(1)  # it waits on its event by now
        os.kill(pid_of(supervisor, "left"), signal.SIGKILL)
        start = time.monotonic()
    assert time.monotonic() - start < 8


def test_a_failing_worker_is_restarted_with_backoff_and_its_cause() -> None:
    with Supervisor([Worker("left", unplugged, camera_job())]) as supervisor:
        exits = exits_until(supervisor, 3)
    assert [worker_exit.delay_s for worker_exit in exits] == [0.5, 1.0, 2.0]
    assert [worker_exit.restarts for worker_exit in exits] == [1, 2, 3]
    assert {worker_exit.cause for worker_exit in exits} == {"Camera 0 cannot be opened."}


def test_a_camera_that_was_away_for_long_is_back_within_five_seconds() -> None:
    assert [backoff_s(exits) for exits in (1, 2, 3, 4, 5, 100_000)] == [0.5, 1.0, 2.0, 3.0, 3.0, 3.0]


def test_an_internal_error_is_reported() -> None:
    with Supervisor([Worker("left", internal_failure, camera_job())]) as supervisor:
        (worker_exit,) = exits_until(supervisor, 1)
    assert worker_exit.cause == "Internal error: ZeroDivisionError: no views."


def test_a_file_that_cannot_be_opened_fails_the_run() -> None:
    with (
        pytest.raises(PoseRigError, match=r"^left: Camera 0 cannot be opened\. Plug it in\.$") as caught,
        Supervisor([Worker("left", unplugged, camera_job(), fail_on_error=True)]) as supervisor,
    ):
        exits_until(supervisor, 1)
    assert caught.value.exit_code == 1


def test_a_usage_error_is_not_retried() -> None:
    with (
        pytest.raises(UsageError, match=r"^left: That cannot be\. Ask"),
        Supervisor([Worker("left", usage_failure, camera_job())]) as supervisor,
    ):
        exits_until(supervisor, 1)


def test_a_final_error_is_not_retried_and_is_not_a_usage_error() -> None:
    with (
        pytest.raises(PoseRigError, match=r"^fusion: weights\.onnx is not a pose-rig graph\. Export one\.$") as caught,
        Supervisor([Worker("fusion", final_failure, camera_job(), required=True)]) as supervisor,
    ):
        exits_until(supervisor, 1)
    assert caught.value.exit_code == 1
    assert supervisor.states["fusion"].restarts == 0


def test_an_internal_error_during_stop_fails_the_run_except_in_a_camera() -> None:
    with Supervisor([Worker("left", fails_during_stop, camera_job())]) as supervisor:
        time.sleep(1.0)  # it waits for the end by now
    assert supervisor.error is None
    with (
        pytest.raises(PoseRigError, match=r"^fusion: Internal error: ZeroDivisionError: no rows\."),
        Supervisor([Worker("fusion", fails_during_stop, FusionJob(Config(), (), ""), stop_timeout_s=30.0)]),
    ):
        time.sleep(0.1)


def test_an_internal_error_shows_no_password(capfd: pytest.CaptureFixture[str]) -> None:
    with Supervisor([Worker("left", fails_with_password, camera_job())], debug=True) as supervisor:
        (worker_exit,) = exits_until(supervisor, 1)
    assert worker_exit.cause == "Internal error: ValueError: rtsp://cam.lan/live did not answer."
    traceback = capfd.readouterr().err
    assert "rtsp://cam.lan/live did not answer" in traceback
    assert "hunter2@" not in traceback.replace('raise ValueError("rtsp://joe:hunter2@', "")


def test_an_incomplete_report_falls_back_to_the_exit_code() -> None:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    os.write(theirs.fileno(), struct.pack("!i", 99) + b"x")  # of 99 bytes one
    theirs.close()
    running = WorkerProcess(spawn.Process(), spawn.Event(), spawn.Value("q", 0), ours, 0)
    assert running.exit_cause() == ("It ended with exit code 0.", None)
    ours.close()


def test_a_required_worker_that_fails_repeatedly_fails_the_run() -> None:
    with (
        pytest.raises(PoseRigError, match=r"^fusion failed 5 times within 30 s: Internal error") as caught,
        Supervisor([Worker("fusion", internal_failure, camera_job(), required=True)]) as supervisor,
    ):
        assert len(exits_until(supervisor, 5, within_s=25)) < 5
    assert "--debug" in caught.value.remedy


def test_a_worker_that_finishes_is_not_restarted() -> None:
    with Supervisor([Worker("left", finish, camera_job())]) as supervisor:
        deadline = time.monotonic() + 60
        while not supervisor.states["left"].ended and time.monotonic() < deadline:
            assert supervisor.poll() == []
            time.sleep(0.01)
        assert exits_until(supervisor, 1, within_s=0.7) == []
        assert supervisor.states["left"].ended
        assert supervisor.states["left"].restarts == 0


def test_a_killed_worker_reports_the_reason() -> None:
    with Supervisor([Worker("left", idle, camera_job())]) as supervisor:
        supervisor.kill("left", "It was silent for 10 s.")
        (worker_exit,) = exits_until(supervisor, 1)
    assert worker_exit.cause == "It was silent for 10 s."


def test_the_start_time_reaches_workers_and_their_replacements(tmp_path: Path) -> None:
    note = tmp_path / "note"
    with Supervisor([Worker("left", write_start, camera_job(str(note)))]) as supervisor:
        supervisor.start_clock(123_456)
        assert read_once_there(note) == "0 123456"
        exits_until(supervisor, 1)
        time.sleep(0.5)
        supervisor.poll()
        assert read_once_there(note, "1") == "1 123456"


def test_all_workers_exit_even_those_that_ignore_sigterm(tmp_path: Path) -> None:
    workers = [
        Worker("ignoring_sigterm", ignoring_sigterm, camera_job(str(tmp_path / "started"))),
        Worker("idle", idle, camera_job()),
    ]
    with Supervisor(workers) as supervisor:
        read_once_there(tmp_path / "started")
        pids = [pid_of(supervisor, name) for name in ("ignoring_sigterm", "idle")]
        start = time.monotonic()
    assert time.monotonic() - start < 8
    assert not any(alive(pid) for pid in pids)


@pytest.mark.parametrize("frozen", [False, True])
def test_no_worker_outlives_a_killed_supervisor(frozen: bool) -> None:
    if frozen and sys.platform != "linux":
        pytest.skip("only Linux kills a stopped process with its parent")
    code = (
        "import time; from tests.tools.fakes import camera_job, idle\n"
        "from pose_rig.tools.workers.supervisor import Supervisor, Worker\n"
        "if __name__ == '__main__':\n"
        "    with Supervisor([Worker('left', idle, camera_job())]) as supervisor:\n"
        "        print(supervisor.states['left'].running.process.pid, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None
        orphan = int(parent.stdout.readline())
        time.sleep(1)
        assert alive(orphan)
        if frozen:
            os.kill(orphan, signal.SIGSTOP)
        parent.kill()
    deadline = time.monotonic() + 60
    while alive(orphan) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(orphan)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:  # a zombie that nobody reaps is dead, too
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except OSError:
        return not Path("/proc").exists()
