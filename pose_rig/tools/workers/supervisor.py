"""Starts worker processes with spawn, monitors them, restarts them with back-off, and stops them in time."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from pose_rig.errors import PoseRigError, UsageError
from pose_rig.tools.workers.entry_point import Failure, Main
from pose_rig.tools.workers.worker_process import Job, WorkerProcess
from pose_rig.wire.jobs import CameraJob

BACKOFF_S = 0.5  # before the first restart, doubled each time
MAX_BACKOFF_S = 3.0  # a camera that was away is back within 5 s; each attempt costs 0.5 s of a core
BACKOFF_RESET_S = 10.0  # a worker that ran this long restarts after BACKOFF_S again
MAX_EXITS = 5  # so many exits of a required worker ...
EXIT_WINDOW_S = 30.0  # ... within this time end the run
STOP_TIMEOUT_S = 1.2  # from the stop event to SIGTERM
KILL_TIMEOUT_S = 0.3  # from SIGTERM to SIGKILL
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Worker:
    """What one worker runs.

    Attributes:
        name: Shown to the user; a camera worker has the name of its camera.
        main: Module-level function that runs in the process.
        job: Its first argument.
        required: The run fails after `MAX_EXITS` exits; other workers are restarted without limit.
        fail_on_error: The run fails at the first error: a damaged file stays damaged, a webcam may recover.
        stop_timeout_s: From the stop event to SIGTERM.
    """

    name: str
    main: Main
    job: Job
    required: bool = False
    fail_on_error: bool = False
    stop_timeout_s: float = STOP_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class WorkerExit:
    """An unexpected exit of a worker.

    Attributes:
        name: Name of the worker.
        cause: One sentence.
        restarts: Number of the coming restart.
        delay_s: Until the restart.
    """

    name: str
    cause: str
    restarts: int
    delay_s: float


@dataclass(slots=True)
class WorkerState:
    """The state of a worker over all its processes.

    Attributes:
        spec: What it runs.
        running: Its process; None between two processes and after the last.
        restarts: How often it was restarted.
        consecutive_exits: Unexpected exits since it last ran for `BACKOFF_RESET_S`.
        exits_ns: Times of the unexpected exits within `EXIT_WINDOW_S`.
        restart_at_ns: When it is restarted; None if no restart is due.
        ended: It finished without error.
        cause: Cause of its last unexpected exit; empty if there was none.
        kill_reason: Why the supervisor killed its process, until the exit is handled.
    """

    spec: Worker
    running: WorkerProcess | None = None
    restarts: int = 0
    consecutive_exits: int = 0
    exits_ns: list[int] = field(default_factory=list)
    restart_at_ns: int | None = None
    ended: bool = False
    cause: str = ""
    kill_reason: str = ""


class Supervisor:
    """Starts the workers on entering its context and ends all of them on leaving.

    Args:
        workers: What to run.
        debug: Let the workers write to the terminal.

    Attributes:
        states: By name.
        error: Of a worker other than a camera that failed while it stopped; None if all succeeded.
    """

    def __init__(self, workers: Sequence[Worker], *, debug: bool = False) -> None:
        self.error: PoseRigError | None = None
        self.states = {worker.name: WorkerState(worker) for worker in workers}
        self._debug = debug
        self._start_ns = 0
        self._skip_wait = False

    def __enter__(self) -> Self:
        try:
            for state in self.states.values():
                self._spawn(state)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if kind is None and self.error is not None:
            raise self.error

    def add(self, worker: Worker) -> None:
        """Starts one more worker; one of the same name must have ended."""
        state = self.states[worker.name] = WorkerState(worker)
        self._spawn(state)

    def start_clock(self, start_ns: int) -> None:
        """Sends all present and future workers the monotonic time from which files count theirs."""
        self._start_ns = start_ns
        for state in self.states.values():
            if state.running:
                state.running.start_ns.get_obj().value = start_ns

    def poll(self) -> list[WorkerExit]:
        """Restarts the workers that are due and returns the unexpected exits since the last call.

        Raises:
            PoseRigError: A worker that is not restarted failed; names it.
        """
        exits = []
        for state in self.states.values():
            if state.running and state.running.process.exitcode is not None:
                if worker_exit := self._on_exit(state, state.running):
                    exits.append(worker_exit)
            elif state.restart_at_ns is not None and time.monotonic_ns() >= state.restart_at_ns:
                state.restarts += 1
                self._spawn(state)
        return exits

    def kill(self, name: str, reason: str) -> None:
        """Kills a worker that hangs; `poll` restarts it and returns ``reason`` as the cause."""
        state = self.states[name]
        if state.running:
            state.kill_reason = reason
            state.running.process.kill()

    def skip_wait(self) -> None:
        """Makes the current or next `stop` terminate the workers without waiting for them."""
        self._skip_wait = True

    def stop(self) -> None:
        """Ends all workers: sets their stop events, then terminates, then kills them."""
        running = [(state.spec, state.running) for state in self.states.values() if state.running]
        for _, process in running:
            # In a thread: setting an event can block for ever if a process was killed while waiting for it.
            threading.Thread(target=process.stop.set, daemon=True).start()
        stopped_s = time.monotonic()
        self._wait(running, lambda worker: stopped_s + worker.stop_timeout_s)
        for worker, process in running:
            failure = process.exit_cause()[1] if (process.process.exitcode or 0) > 0 else None
            if failure and (failure.final or not isinstance(worker.job, CameraJob)):  # a camera has nothing to finish
                self.error = PoseRigError(f"{worker.name}: {failure.cause}", failure.remedy)
        for _, process in running:
            process.process.terminate()
        terminated_s = time.monotonic()
        self._wait(running, lambda _: terminated_s + KILL_TIMEOUT_S)
        for _, process in running:
            process.process.kill()
            process.process.join()
            process.close()
        for state in self.states.values():
            state.running, state.restart_at_ns = None, None

    def _wait(self, running: list[tuple[Worker, WorkerProcess]], deadline_s: Callable[[Worker], float]) -> None:
        while not self._skip_wait and any(
            process.process.exitcode is None and time.monotonic() < deadline_s(worker) for worker, process in running
        ):
            time.sleep(0.01)

    def _spawn(self, state: WorkerState) -> None:
        job = replace(state.spec.job, restarts=state.restarts)
        state.running = WorkerProcess.start(state.spec.name, state.spec.main, job, self._start_ns, self._debug)
        state.restart_at_ns = None

    def _on_exit(self, state: WorkerState, running: WorkerProcess) -> WorkerExit | None:
        now_ns = time.monotonic_ns()
        code = running.process.exitcode
        cause, failure = running.exit_cause()
        ran_ns = now_ns - running.started_ns
        running.close()
        state.running = None
        if code == 0:
            state.ended = True
            return None
        state.cause, state.kill_reason = state.kill_reason or cause, ""
        state.consecutive_exits = 1 if ran_ns >= BACKOFF_RESET_S * _NS else state.consecutive_exits + 1
        state.exits_ns = [t_ns for t_ns in state.exits_ns if now_ns - t_ns < EXIT_WINDOW_S * _NS] + [now_ns]
        _raise_if_final(state, code or 0, failure)
        delay_s = backoff_s(state.consecutive_exits)
        state.restart_at_ns = now_ns + round(delay_s * _NS)
        return WorkerExit(state.spec.name, state.cause, state.restarts + 1, delay_s)


def backoff_s(consecutive_exits: int) -> float:
    """Returns the time from an exit to the restart."""
    return float(min(BACKOFF_S * 2 ** min(consecutive_exits - 1, 8), MAX_BACKOFF_S))


def _raise_if_final(state: WorkerState, code: int, failure: Failure | None) -> None:
    worker = state.spec
    usage = code == UsageError.exit_code
    final = worker.fail_on_error or (failure is not None and failure.final)
    if usage or (final and code > 0):  # a worker killed by a signal has code < 0
        kind = UsageError if usage else PoseRigError
        remedy = failure.remedy if failure else "Repair that source, or remove it from --cams."
        raise kind(f"{worker.name}: {state.cause}", remedy)
    if worker.required and len(state.exits_ns) >= MAX_EXITS:
        raise PoseRigError(
            f"{worker.name} failed {len(state.exits_ns)} times within {EXIT_WINDOW_S:.0f} s: {state.cause}",
            failure.remedy if failure else "Run again with --debug to see its output.",
        )
