"""Frames per second of the whole pipeline, compared with decoding and the same detectors alone.

    python -m benchmarks.speed.pipeline_speed --json pipeline.json
    python -m benchmarks.speed.pipeline_speed --videos a.mp4,b.mp4,c.mp4,d.mp4

A: `pose-rig run --pace all` on all videos. B: one process per video that only decodes and detects. Both read the same
files with the same decoder settings and the same detector; runs alternate, A B A B. Time is measured from the end of
the warm-up frames of the slowest camera to the end of its last frame; for A also that of the whole command, from its
start to its exit. Processor time is that of all processes, of A with its start and end, of B without its start.
Where the detectors keep all cores busy, A / B cannot be above B / A of that, which other work hardly changes.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NamedTuple

from benchmarks.clips import CLIP_FPS, videos_or_demo
from benchmarks.contract import Report, parser
from benchmarks.live_run import run_live
from pose_rig.assets.catalog import detector_model
from pose_rig.config import CameraConfig, Config, DetectorConfig
from pose_rig.errors import PoseRigError
from pose_rig.tools.terminal.status import RunStatus

WARM_UP_FRAMES = 60  # per camera
TARGET = "≥ 0.9"


class Bare(NamedTuple):
    """Detectors alone: frames per second of all, frames of the shortest video, processor time of a frame."""

    fps: float
    frames: int
    cpu_ms: float


class Command(NamedTuple):
    """How long the whole command took, and the processor time of all its processes."""

    seconds: float
    cpu_s: float


def pipeline_fps(videos: list[Path], model: str, warm_up: int, record: str = "") -> float:
    """Returns the frames per second of all cameras together that end in a pose; ``record``: session to write."""
    done: list[tuple[int, int]] = []  # (poses, ns): pose i needs frame i of every camera

    def on_status(now_ns: int, status: RunStatus) -> None:
        if not done or status.telemetry.poses > done[-1][0]:
            done.append((status.telemetry.poses, now_ns))

    cameras = tuple(CameraConfig(source=str(video), name=video.stem) for video in videos)
    run_live(Config(camera=cameras, detector=DetectorConfig(model=model), pace="all", port=0, record=record), on_status)
    begin = next((point for point in done if point[0] >= warm_up), done[-1])
    if done[-1][0] <= begin[0]:
        raise PoseRigError(f"There were only {done[-1][0]} poses.", "Use longer videos, or more --frames.")
    return len(videos) * (done[-1][0] - begin[0]) / (done[-1][1] - begin[1]) * 1e9


def whole_command(videos: list[Path], model: str) -> Command:
    """Runs `pose-rig run --pace all`; POSIX."""
    options = ["--pace", "all", "--model", model, "--port", "0", "--headless"]
    command = [sys.executable, "-m", "pose_rig", "run", "--cams", ",".join(map(str, videos)), *options]
    begin_s = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)  # with its workers, for which it has waited
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise PoseRigError(f"The run failed with exit code {process.returncode}.", "Run it by itself.")
    return Command(time.monotonic() - begin_s, used.ru_utime + used.ru_stime)


def detectors_alone(videos: list[Path], model: str, warm_up: int) -> Bare:
    """Returns the speed of all processes together that decode and detect."""
    spawn = multiprocessing.get_context("spawn")
    pipes = [spawn.Pipe(duplex=False) for _ in videos]
    go = spawn.Event()
    workers = [
        spawn.Process(target=detect_all, args=(str(video), model, go, pipe[1]), daemon=True)
        for video, pipe in zip(videos, pipes, strict=True)
    ]
    for worker in workers:
        worker.start()
    for ours, _ in pipes:
        ours.recv()  # loaded
    go.set()
    reports: list[tuple[list[int], float]] = [ours.recv() for ours, _ in pipes]
    for worker in workers:
        worker.join()
    ends_ns = [ends for ends, _ in reports]
    frames = min(map(len, ends_ns))
    begin_ns, end_ns = max(ends[warm_up - 1] for ends in ends_ns), max(ends[frames - 1] for ends in ends_ns)
    fps = len(videos) * (frames - warm_up) / (end_ns - begin_ns) * 1e9
    cpu_s = sum(seconds for _, seconds in reports)
    return Bare(fps, frames, 1e3 * cpu_s / sum(map(len, ends_ns)))


def detect_all(video: str, model: str, go: Event, report: Connection) -> None:
    """Decodes and detects every frame of a video; reports when it is ready, then the ends of frames and CPU seconds."""
    from pose_rig.capture.mediapipe_detector import MediaPipeDetector
    from pose_rig.capture.video_capture import open_device, open_ffmpeg

    device = open_ffmpeg(video, open_device)
    detector = MediaPipeDetector(DetectorConfig(model=model))
    ends_ns: list[int] = []
    report.send("ready")
    go.wait()
    begin_s = time.process_time()
    while device.grab():
        t_ns = round(len(ends_ns) * 1e9 / CLIP_FPS)
        detector.detect(device.retrieve()[1], t_ns)
        ends_ns.append(time.monotonic_ns())
    report.send((ends_ns, time.process_time() - begin_s))
    detector.close()
    device.release()


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--videos", metavar="A,B,…", help="instead of the demo clip in a loop")
    arguments.add_argument("--frames", type=int, default=600, help="of the demo clip, per camera and repeat")
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--model", default="full")
    args = arguments.parse_args()
    report = Report.begin(args)
    model = str(detector_model(args.model, print))
    frames, repeats, warm_up = (100, 1, 20) if args.quick else (args.frames, args.repeats, WARM_UP_FRAMES)
    steady: list[float] = []
    commands: list[Command] = []
    bare: list[Bare] = []
    with tempfile.TemporaryDirectory() as folder:
        videos = videos_or_demo(args.videos, Path(folder), frames)
        for _ in range(repeats):
            commands.append(whole_command(videos, model))
            bare.append(detectors_alone(videos, model, warm_up))
            steady.append(pipeline_fps(videos, model, warm_up))
    frames = bare[0].frames * len(videos)
    whole = [frames / command.seconds for command in commands]
    cpu_ms = [1e3 * command.cpu_s / frames for command in commands]
    alone = [one.fps for one in bare]
    report.add("A: whole command", "frames/s", whole)
    report.add("A: whole pipeline after the warm-up", "frames/s", steady)
    report.add("B: decoding and detectors alone", "frames/s", alone)
    report.add("A / B, whole command", "", [a / b for a, b in zip(whole, alone, strict=True)], TARGET)
    report.add("A / B, after the warm-up", "", [a / b for a, b in zip(steady, alone, strict=True)], TARGET)
    report.add("A: processor time of a frame, whole command", "ms", cpu_ms)
    report.add("B: processor time of a frame", "ms", [one.cpu_ms for one in bare])
    report.add("B / A, processor time", "", [one.cpu_ms / ms for one, ms in zip(bare, cpu_ms, strict=True)])
    report.finish(args.json)


if __name__ == "__main__":
    main()
