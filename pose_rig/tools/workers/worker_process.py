"""One process of a worker, from start to exit code."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from typing import Self

import msgspec

from pose_rig.tools.workers.entry_point import Failure, Main, serve
from pose_rig.wire.jobs import CameraJob, FusionJob, GatewayJob, ImagesJob, RecordJob, ReplayJob, StreamJob, WebJob

Job = CameraJob | FusionJob | GatewayJob | ImagesJob | RecordJob | ReplayJob | StreamJob | WebJob

BLAS_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_spawn = multiprocessing.get_context("spawn")


@dataclass(slots=True)
class WorkerProcess:
    """One process of a worker.

    Every process has its own event and value: one killed while it holds their locks would block all that share them.
    """

    process: SpawnProcess
    stop: Event
    start_ns: "Synchronized[int]"
    report: Connection
    started_ns: int

    @classmethod
    def start(cls, name: str, main: Main, job: Job, start_ns: int, debug: bool) -> Self:
        """Returns a new process that runs ``main``."""
        stop, start = _spawn.Event(), _spawn.Value("q", start_ns)
        ours, theirs = _spawn.Pipe(duplex=False)
        process = _spawn.Process(target=serve, args=(main, job, stop, start, theirs, debug), name=name, daemon=True)
        with _sigint_blocked(), _single_threaded_blas():
            process.start()
        theirs.close()
        return cls(process, stop, start, ours, time.monotonic_ns())

    def exit_cause(self) -> tuple[str, Failure | None]:
        """Returns why the process exited: a sentence, and the failure that it reported, if any."""
        try:
            if self.report.poll():
                failure = msgspec.msgpack.decode(self.report.recv_bytes(), type=Failure)
                return failure.cause, failure
        except (EOFError, OSError):
            pass  # it exited before or while it reported; the exit code explains why
        code = self.process.exitcode or 0
        if code < 0:
            name = next((known.name for known in signal.Signals if known == -code), "unknown")
            return f"It was killed by signal {-code} ({name}).", None
        return f"It ended with exit code {code}.", None

    def close(self) -> None:
        """Releases the resources of the exited process."""
        self.process.close()
        self.report.close()


@contextmanager
def _single_threaded_blas() -> Iterator[None]:
    """Processes started in this context use one BLAS thread: the matrices are too small to gain from more."""
    added = {name: "1" for name in BLAS_THREADS if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


@contextmanager
def _sigint_blocked() -> Iterator[None]:
    """Processes started in this context ignore Ctrl-C from the first instruction; here it is delivered afterwards."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows: the worker ignores Ctrl-C as soon as it runs
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
