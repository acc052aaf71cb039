"""What every worker process runs around its `main`: quiet signals, a watch on its parent, a sentence when it fails."""

import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from typing import Any

import msgspec

from pose_rig.errors import PoseRigError
from pose_rig.names import shown
from pose_rig.redaction import redacted

# A worker's main: its job (a CameraJob or FusionJob), the event that asks it to stop, and the monotonic instant from
# which files and simulated cameras count their time, 0 until it is known.
Main = Callable[[Any, Event, "Synchronized[int]"], None]
MOST_CHARACTERS = 2000  # of a sentence; a longer one is an array somebody printed


class Failure(msgspec.Struct, frozen=True):
    """Why a worker gave up, in its own words; ``final`` as in `PoseRigError`."""

    cause: str
    remedy: str
    final: bool = False


def serve(main: Main, job: Any, stop: Event, start_ns: "Synchronized[int]", report: Connection, debug: bool) -> None:
    """Runs ``main`` in this process, and exits with 0, or 1 or 2 after sending a `Failure` through ``report``.

    The process ends by itself when its parent is gone. Without ``debug`` what libraries print goes nowhere, because it
    would tear the table in the terminal.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal; only the parent acts
    threading.Thread(target=_exit_with_parent, name="parent watch", daemon=True).start()
    if debug:
        logging.basicConfig(level=logging.INFO)
    else:
        _silence()
    try:
        main(job, stop, start_ns)
    except PoseRigError as error:
        _fail(report, Failure(error.cause, error.remedy, error.final), error.exit_code)
    except Exception as error:  # the top of a worker: whatever happened becomes a sentence and a restart
        text = redacted(f"It hit a defect: {type(error).__name__}: {error}.")
        _fail(report, Failure(text, "Run again with --debug and report the traceback."), 1)


def _fail(report: Connection, failure: Failure, exit_code: int) -> None:
    sys.stderr.write(shown(redacted(traceback.format_exc())))
    short = Failure(failure.cause[:MOST_CHARACTERS], failure.remedy[:MOST_CHARACTERS], failure.final)
    report.send_bytes(msgspec.msgpack.encode(short))
    sys.exit(exit_code)


def _exit_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
