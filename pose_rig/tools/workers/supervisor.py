"""The table of workers: started with spawn, watched, restarted with back-off, stopped in time."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from pose_rig.errors import PoseRigError, UsageError
from pose_rig.tools.workers.main import Failure, Main
from pose_rig.tools.workers.worker_process import Incarnation, Job
from pose_rig.wire.jobs import CameraJob

BACKOFF_S = 0.5  # before the first restart, doubled each time
BACKOFF_MOST_S = 8.0
HEALTHY_S = 10.0  # a worker that lived this long starts again from BACKOFF_S
VITAL_DEATHS = 5  # so many deaths of a vital worker ...
VITAL_WINDOW_S = 30.0  # ... within this time end the run
GRACE_S = 1.2  # from the stop event to SIGTERM
LAST_WORDS_S = 0.3  # from SIGTERM to SIGKILL
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Worker:
    """One line of the table.

    Attributes:
        name: Name for people; a camera worker is called like its camera.
        main: Module-level function that runs in the process.
        job: Its first argument.
        vital: The run fails if it keeps dying; otherwise it is restarted for ever.
        final_errors: If it gives up by itself the run fails: a file does not mend, a webcam may.
        grace_s: Time it gets to finish once asked to stop.
    """

    name: str
    main: Main
    job: Job
    vital: bool = False
    final_errors: bool = False
    grace_s: float = GRACE_S


@dataclass(frozen=True, slots=True)
class Death:
    """A worker that ended otherwise than by finishing.

    Attributes:
        name: Name of the worker.
        cause: One sentence.
        restarts: Number of the restart to come.
        delay_s: Until then.
    """

    name: str
    cause: str
    restarts: int
    delay_s: float


@dataclass(slots=True)
class Life:
    """How a worker is doing.

    Attributes:
        worker: Its line of the table.
        incarnation: Its process, None between two of them and after the last.
        restarts: How often it was restarted.
        in_a_row: Deaths since it was last healthy.
        deaths_ns: When it died of late.
        due_ns: When it is restarted; None if it is not waiting for that.
        ended: It finished by itself.
        cause: Why it died last, empty if it never did.
        blame: Why it was killed by us, until that death has been seen.
    """

    worker: Worker
    incarnation: Incarnation | None = None
    restarts: int = 0
    in_a_row: int = 0
    deaths_ns: list[int] = field(default_factory=list)
    due_ns: int | None = None
    ended: bool = False
    cause: str = ""
    blame: str = ""


class Supervisor:
    """Starts the workers on entering, and leaves none behind on leaving.

    Args:
        workers: The table.
        debug: Let the workers write to the terminal.

    Attributes:
        fault: What a worker that was asked to stop could not do; None if all could, but for cameras.
    """

    def __init__(self, workers: Sequence[Worker], *, debug: bool = False) -> None:
        self.fault: PoseRigError | None = None
        self.lives = {worker.name: Life(worker) for worker in workers}
        self._debug = debug
        self._start_ns = 0
        self._hurry = False

    def __enter__(self) -> Self:
        try:
            for life in self.lives.values():
                self._spawn(life)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if kind is None and self.fault is not None:
            raise self.fault

    def release(self, start_ns: int) -> None:
        """Tells every worker, and those to come, the monotonic instant from which files count their time."""
        self._start_ns = start_ns
        for life in self.lives.values():
            if life.incarnation:
                life.incarnation.start_ns.get_obj().value = start_ns

    def poll(self) -> list[Death]:
        """Restarts what is due and returns the deaths since the last call.

        Raises:
            PoseRigError: A worker failed for good; names it.
        """
        deaths = []
        for life in self.lives.values():
            if life.incarnation and life.incarnation.process.exitcode is not None:
                if death := self._bury(life, life.incarnation):
                    deaths.append(death)
            elif life.due_ns is not None and time.monotonic_ns() >= life.due_ns:
                life.restarts += 1
                self._spawn(life)
        return deaths

    def kill(self, name: str, cause: str) -> None:
        """Kills a worker that hangs; `poll` restarts it, giving ``cause`` as the reason."""
        life = self.lives[name]
        if life.incarnation:
            life.blame = cause
            life.incarnation.process.kill()

    def hurry(self) -> None:
        """Makes a `stop` under way, or the next one, not wait for anybody."""
        self._hurry = True

    def stop(self) -> None:
        """Ends all workers: asks, then terminates, then kills."""
        living = [(life.worker, life.incarnation) for life in self.lives.values() if life.incarnation]
        for _, incarnation in living:
            # In a thread: setting an event can block for ever if a process was killed while waiting for it.
            threading.Thread(target=incarnation.stop.set, daemon=True).start()
        asked = time.monotonic()
        self._await(living, lambda worker: asked + worker.grace_s)
        for worker, incarnation in living:
            failure = incarnation.cause()[1] if (incarnation.process.exitcode or 0) > 0 else None
            if failure and (failure.final or not isinstance(worker.job, CameraJob)):  # a camera has nothing to finish
                self.fault = PoseRigError(f"{worker.name}: {failure.cause}", failure.remedy)
        for _, incarnation in living:
            incarnation.process.terminate()
        terminated = time.monotonic()
        self._await(living, lambda _: terminated + LAST_WORDS_S)
        for _, incarnation in living:
            incarnation.process.kill()
            incarnation.process.join()
            incarnation.close()
        for life in self.lives.values():
            life.incarnation, life.due_ns = None, None

    def _await(self, living: list[tuple[Worker, Incarnation]], deadline: Callable[[Worker], float]) -> None:
        while not self._hurry and any(
            incarnation.process.exitcode is None and time.monotonic() < deadline(worker)
            for worker, incarnation in living
        ):
            time.sleep(0.01)

    def _spawn(self, life: Life) -> None:
        worker = life.worker
        job = replace(worker.job, restarts=life.restarts)
        life.incarnation = Incarnation.start(worker.name, worker.main, job, self._start_ns, self._debug)
        life.due_ns = None

    def _bury(self, life: Life, incarnation: Incarnation) -> Death | None:
        now = time.monotonic_ns()
        code = incarnation.process.exitcode
        cause, failure = incarnation.cause()
        lived_ns = now - incarnation.born_ns
        incarnation.close()
        life.incarnation = None
        if code == 0:
            life.ended = True
            return None
        life.cause, life.blame = life.blame or (failure.cause if failure else cause), ""
        life.in_a_row = 1 if lived_ns >= HEALTHY_S * _NS else life.in_a_row + 1
        life.deaths_ns = [then for then in life.deaths_ns if now - then < VITAL_WINDOW_S * _NS] + [now]
        _raise_if_final(life, code or 0, failure)
        delay_s = min(BACKOFF_S * 2 ** (life.in_a_row - 1), BACKOFF_MOST_S)
        life.due_ns = now + round(delay_s * _NS)
        return Death(life.worker.name, life.cause, life.restarts + 1, delay_s)


def _raise_if_final(life: Life, code: int, failure: Failure | None) -> None:
    worker = life.worker
    usage = code == UsageError.exit_code
    final = worker.final_errors or (failure is not None and failure.final)
    if usage or (final and code > 0):  # a worker killed by a signal has code < 0
        kind = UsageError if usage else PoseRigError
        raise kind(f"{worker.name}: {life.cause}", failure.remedy if failure else "Mend that source or leave it out.")
    if worker.vital and len(life.deaths_ns) >= VITAL_DEATHS:
        raise PoseRigError(
            f"{worker.name} died {len(life.deaths_ns)} times within {VITAL_WINDOW_S:.0f} s: {life.cause}",
            failure.remedy if failure else "Run again with --debug to see what it says.",
        )
