"""How fast sessions are replayed.

    python -m benchmarks.speed.replay_speed --json replay.json
    python -m benchmarks.speed.replay_speed --session take.mcap

A live rig of four simulated cameras is recorded, then replayed instant by instant, as fast as it goes, with its poses
saved. Counted are seconds of the session per second: of the replay alone, and of the whole command with its start.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

from msgspec import structs

from benchmarks.contract import Report, parser
from benchmarks.live_run import run_live
from pose_rig.config import CameraConfig, Config
from pose_rig.lifting.engine import OrtEngine, warm_up
from pose_rig.session.reader import Session
from pose_rig.session.replay import main as replay_main
from pose_rig.tools.workers.worker_process import BLAS_THREADS
from pose_rig.wire.jobs import FusionJob, ReplayJob
from pose_rig.wire.messages import Pose3D

CAMERAS = 4
TARGET = "≥ 10"
ANYWHERE = "tcp://127.0.0.1:0"


def record(path: Path, seconds: float) -> Path:
    """Records a live rig."""
    members = tuple(CameraConfig(source="sim", name=f"sim{i}", member=i, members=CAMERAS) for i in range(CAMERAS))
    run_live(Config(camera=members, port=0, duration_s=seconds, record=str(path)), lambda *_: None)
    return path


def replay_s(path: Path, save: Path, *, exact: bool, passes: int = 1) -> float:
    """Returns how long a replay takes, without its start, in a process of its own as rigs have it."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_replay, args=(path, save, exact, passes, theirs))
    os.environ.update(dict.fromkeys(BLAS_THREADS, "1"))
    process.start()
    taken_s: float = ours.recv()
    process.join()
    return taken_s


def _replay(path: Path, save: Path, exact: bool, passes: int, report: Connection) -> None:
    with Session(path) as session:
        config = session.info.config
    config = structs.replace(config, pace="all", save=str(save), record="", rig="", passes=passes)
    engine = OrtEngine(provider=config.fusion.provider)
    warm_up(engine, len(config.camera))
    job = ReplayJob(FusionJob(config, (), ANYWHERE), str(path), exact, realtime=False)
    began = time.monotonic()
    replay_main(job, threading.Event(), engine, lambda: True)
    report.send(time.monotonic() - began)


def command_s(path: Path, save: Path) -> float:
    """Returns how long the whole command takes."""
    command = [sys.executable, "-m", "pose_rig.tools.cli.app", "replay", str(path), "--save", str(save), "--headless"]
    began = time.monotonic()
    subprocess.run([*command, "--port", "0", "--force"], check=True, capture_output=True)
    return time.monotonic() - began


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--session", type=Path, metavar="S.mcap", help="a live session; default: one made now")
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
        exact = [length_s / replay_s(path, save, exact=True) for _ in range(repeats)]
        report.add("instant by instant", "s/s", exact, TARGET)
        frames = [length_s / replay_s(path, save, exact=False) for _ in range(repeats)]
        report.add("frame by frame", "s/s", frames, TARGET)
        twice = [length_s / replay_s(path, save, exact=False, passes=2) for _ in range(repeats)]
        report.add("frame by frame, twice", "s/s", twice)
        report.add("the command", "s/s", [length_s / command_s(path, save) for _ in range(repeats)], TARGET)
    report.finish(args.json)


if __name__ == "__main__":
    main()
