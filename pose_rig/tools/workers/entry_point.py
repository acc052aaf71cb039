"""The entry point of every worker process: signals, output, exit with its parent, and a report if it fails."""

import ctypes
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import current_process, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import msgspec

from pose_rig.errors import PoseRigError
from pose_rig.names import shown
from pose_rig.redaction import redacted

# The main function of a worker: its job, the stop event, and the monotonic time from which files and simulated cameras
# count theirs, 0 until it is known.
Main = Callable[[Any, Event, "Synchronized[int]"], None]
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
MAX_CHARACTERS = 2000  # of a sentence; longer ones contain printed arrays


class Failure(msgspec.Struct, frozen=True):
    """Why a worker failed: `PoseRigError.cause`, ``remedy`` and ``final``."""

    cause: str
    remedy: str
    final: bool = False


def serve(main: Main, job: Any, stop: Event, start_ns: "Synchronized[int]", report: Connection, debug: bool) -> None:
    """Runs ``main`` in this process and exits with 0, or with 1 or 2 after sending a `Failure` through ``report``.

    The process exits when its parent does. Without ``debug`` the output of libraries is discarded, because it would
    break up the table in the terminal.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal; only the parent acts
    threading.Thread(target=_exit_with_parent, name="parent monitor", daemon=True).start()
    _name_process(current_process().name)
    _kill_with_parent()
    if debug:
        logging.basicConfig(level=logging.INFO)
    else:
        _discard_output()
    try:
        main(job, stop, start_ns)
    except PoseRigError as error:
        _fail(report, Failure(error.cause, error.remedy, error.final), error.exit_code)
    except Exception as error:  # the top of a worker: any failure is reported, and the worker is restarted
        text = redacted(f"Internal error: {type(error).__name__}: {error}.")
        _fail(report, Failure(text, "Run again with --debug and report the traceback."), 1)


def _fail(report: Connection, failure: Failure, exit_code: int) -> None:
    sys.stderr.write(shown(redacted(traceback.format_exc())))
    short = Failure(failure.cause[:MAX_CHARACTERS], failure.remedy[:MAX_CHARACTERS], failure.final)
    report.send_bytes(msgspec.msgpack.encode(short))
    sys.exit(exit_code)


def _exit_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _name_process(name: str) -> None:
    """Gives this process the name of its worker in the tables of the system, where that is easy (Linux)."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text(name, "utf-8")


def _kill_with_parent() -> None:
    """Has the system kill this process with its parent, even while it is stopped or blocked in a driver (Linux)."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _discard_output() -> None:
    devnull = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(devnull, stream)
    os.close(devnull)
