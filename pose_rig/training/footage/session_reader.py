"""Reads sessions in other processes, ahead of their use, because the fusion of one takes seconds to minutes."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path
from typing import Self

from pose_rig.errors import PoseRigError
from pose_rig.fusion.rig.solver_process import SINGLE_THREADED
from pose_rig.training.footage.footage import Footage
from pose_rig.training.footage.stored import StoredFootage

ReadSession = Callable[[Path], Footage]


class SessionReader:
    """Reads sessions into files, in other processes, and returns their footage.

    Args:
        stored: The files.
        processes: How many read at the same time.
        read: Returns the footage of a session; a function of a module.
    """

    def __init__(self, stored: StoredFootage, processes: int, read: ReadSession) -> None:
        self.processes = processes
        self._stored, self._read = stored, read
        self._begun: dict[Path, Future[None]] = {}
        self._executor = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _begin_process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._executor.shutdown(wait=not any(error), cancel_futures=True)

    def request(self, session: Path) -> None:
        """Begins to read a session, unless that was done."""
        if session not in self._begun and not self._stored.has(session):
            with _single_threaded():  # this may start a process
                self._begun[session] = self._executor.submit(_store, session, self._stored, self._read)

    def footage(self, session: Path) -> Footage:
        """Returns the footage of a session; waits until it is read.

        Raises:
            SessionError: It cannot be used.
            PoseRigError: A process that reads has exited.
        """
        self.request(session)
        if (begun := self._begun.pop(session, None)) is not None:
            try:
                begun.result()
            except BrokenProcessPool as error:
                raise PoseRigError(
                    "A process that reads sessions has exited; it may have run out of memory.",
                    "Continue with --resume, with fewer --readers.",
                ) from error
        return self._stored.load(session)


def _store(session: Path, stored: StoredFootage, read: ReadSession) -> None:
    """Reads a session into its file."""
    try:
        footage = read(session)
    except PoseRigError as error:
        stored.refuse(session, f"{session}: {error.cause}")
    except Exception as error:  # the top of a process: one damaged session does not end the training
        stored.refuse(session, f"{session}: {type(error).__name__}: {error}.")
    else:
        stored.store(session, footage)


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Processes started in this block use one thread for linear algebra."""
    before = {name: os.environ.get(name) for name in SINGLE_THREADED}
    os.environ.update(SINGLE_THREADED)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _begin_process() -> None:
    """Leaves Ctrl-C to the parent, and exits with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, name="parent monitor", daemon=True).start()


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
