"""Workers that keep our protocol without cameras or networks: module-level, so that spawn finds them."""

import os
import signal
import time
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

from pose_rig.config import CameraConfig, CameraJob, DetectorConfig
from pose_rig.errors import SourceError, UsageError


def camera_job(source: str = "0", name: str = "cam0") -> CameraJob:
    return CameraJob(CameraConfig(source=source, name=name), DetectorConfig(), "realtime", "tcp://127.0.0.1:9")


def idle(job: CameraJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    stop.wait()


def finish(job: CameraJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    return


def unplugged(job: CameraJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    raise SourceError(f"Camera {job.camera.source} cannot be opened.", "Plug it in.")


def misused(job: CameraJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    raise UsageError("That cannot be.", "Ask for something else.")


def defective(job: CameraJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    raise ZeroDivisionError("no views")


def deaf(job: CameraJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(job.camera.source).write_text("up")
    time.sleep(60)


def write_start(job: CameraJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    """Writes its restart count and the start instant to the path that is its source."""
    while not start_ns.value:
        time.sleep(0.005)
    Path(job.camera.source).write_text(f"{job.restarts} {start_ns.value}")
    if job.restarts == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    stop.wait()
