"""How fast sessions are replayed.

    python -m benchmarks.speed.replay_speed --json replay.json
    python -m benchmarks.speed.replay_speed --session take.mcap

A live rig of four simulated cameras is recorded, then replayed as fast as possible, with its poses saved: with the
recorded cameras, which is the default, and time step by time step (``--exact``). Figures are seconds of the session per
second: of the replay alone, and of the whole command. Two passes
are measured in poses per second, for cameras of any frame rate, one pose after the other (``--exact``) and many at
once; at 60 a second, ten times as fast as the recording is 600.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from msgspec import structs

from benchmarks.contract import Report, parser
from benchmarks.live_run import run_live, simulated_cameras
from pose_rig.config import Config
from pose_rig.fusion.stretches.recorded_steps import RecordedSteps
from pose_rig.lifting.providers import open_engine
from pose_rig.session.reader import Session
from pose_rig.session.replay import main as replay_main
from pose_rig.tools.workers.worker_process import BLAS_THREADS
from pose_rig.wire.jobs import FusionJob, ReplayJob
from pose_rig.wire.messages import Pose3D

CAMERAS = 4
TARGET = "≥ 10"
TWO_PASSES_TARGET = "≥ 600"
FREE_PORT = "tcp://127.0.0.1:0"


def record(path: Path, seconds: float) -> Path:
    """Records a live rig."""
    run_live(Config(camera=simulated_cameras(CAMERAS), port=0, duration_s=seconds, record=str(path)), lambda *_: None)
    return path


def replay_s(
    path: Path, save: Path, *, exact: bool, passes: int = 1, one_by_one: bool = False, follows: bool = False
) -> float:
    """Returns the duration of a replay without its start, in its own process as in a rig."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_replay, args=(path, save, exact, passes, one_by_one, follows, theirs))
    os.environ.update(dict.fromkeys(BLAS_THREADS, "1"))
    process.start()
    duration_s: float = ours.recv()
    process.join()
    return duration_s


def _replay(
    path: Path, save: Path, exact: bool, passes: int, one_by_one: bool, follows: bool, report: Connection
) -> None:
    with Session(path) as session:
        config = session.info.config
    config = structs.replace(config, pace="all", save=str(save), record="", rig="", passes=passes, exact=one_by_one)
    opener = partial(open_engine, provider=config.fusion.provider, views=len(config.camera))
    engine = opener()
    job = ReplayJob(FusionJob(config, (), FREE_PORT), str(path), exact, realtime=False, follows=follows)
    with RecordedSteps(engine, opener) as recorded:
        began = time.monotonic()
        replay_main(job, threading.Event(), engine, lambda: True, recorded)
        report.send(time.monotonic() - began)


def command_s(path: Path, save: Path) -> float:
    """Returns the duration of the whole command."""
    command = [sys.executable, "-m", "pose_rig.tools.cli.app", "replay", str(path), "--save", str(save), "--headless"]
    began = time.monotonic()
    subprocess.run([*command, "--port", "0", "--force"], check=True, capture_output=True)
    return time.monotonic() - began


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--session", type=Path, metavar="S.mcap", help="a live session; default: a new one")
    arguments.add_argument("--seconds", type=float, default=60.0)
    arguments.add_argument("--repeats", type=int, default=3)
    args = arguments.parse_args()
    report = Report.begin(args)
    seconds, repeats = (6.0, 1) if args.quick else (args.seconds, args.repeats)
    with tempfile.TemporaryDirectory() as folder:
        path = args.session or record(Path(folder) / "take.mcap", seconds)
        save = Path(folder) / "poses.npz"
        with Session(path) as session:
            length_s, poses = session.duration_s, session.topics[Pose3D.TOPIC]
            began = time.monotonic()
            read = sum(1 for _ in session.messages())
            read_s = time.monotonic() - began
        report.add("the session", "s", [length_s])
        report.add("poses in it", "poses/s", [poses / length_s])
        report.add("reading its messages", "messages/s", [read / read_s])
        followed = [length_s / replay_s(path, save, exact=True, follows=True) for _ in range(repeats)]
        report.add("with the recorded cameras", "s/s", followed, TARGET)
        exact = [length_s / replay_s(path, save, exact=True) for _ in range(repeats)]
        report.add("time step by time step", "s/s", exact)
        frames = [length_s / replay_s(path, save, exact=False) for _ in range(repeats)]
        report.add("frame by frame", "s/s", frames)
        for name, one_by_one in (("two passes, one pose after the other", True), ("two passes", False)):
            spent_s = [replay_s(path, save, exact=False, passes=2, one_by_one=one_by_one) for _ in range(repeats)]
            with np.load(save) as file:
                count = len(file["t_ns"])
            report.add(name, "poses/s", [count / spent for spent in spent_s], "" if one_by_one else TWO_PASSES_TARGET)
        report.add("the command", "s/s", [length_s / command_s(path, save) for _ in range(repeats)], TARGET)
    report.finish(args.json)


if __name__ == "__main__":
    main()
