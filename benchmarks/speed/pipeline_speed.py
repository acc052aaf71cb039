"""Frames per second of the whole pipeline, compared with decoding and the same detectors alone.

    python -m benchmarks.speed.pipeline_speed --json pipeline.json
    python -m benchmarks.speed.pipeline_speed --videos a.mp4,b.mp4,c.mp4,d.mp4

A: `pose-rig run --pace all` on all videos. B: one process per video that only decodes and detects. Both read the same
files with the same decoder settings and the same detector; runs alternate, A B A B. Time is measured from the end of
the warm-up frames of the slowest camera to the end of its last frame.
"""

import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

from benchmarks.clips import CLIP_FPS, videos_or_demo
from benchmarks.contract import Report, parser
from benchmarks.live_run import run_live
from pose_rig.assets.catalog import detector_model
from pose_rig.config import CameraConfig, Config, DetectorConfig
from pose_rig.errors import PoseRigError
from pose_rig.tools.terminal.status import RunStatus

WARM_UP_FRAMES = 60  # per camera
TARGET = "≥ 0.9"


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


def detector_fps(videos: list[Path], model: str, warm_up: int) -> float:
    """Returns the frames per second of all processes together that are decoded and detected."""
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
    ends_ns: list[list[int]] = [ours.recv() for ours, _ in pipes]
    for worker in workers:
        worker.join()
    frames = min(map(len, ends_ns))
    begin_ns, end_ns = max(ends[warm_up - 1] for ends in ends_ns), max(ends[frames - 1] for ends in ends_ns)
    return len(videos) * (frames - warm_up) / (end_ns - begin_ns) * 1e9


def detect_all(video: str, model: str, go: Event, report: Connection) -> None:
    """Decodes and detects every frame of a video; reports when it is ready, then the end of each frame."""
    from pose_rig.capture.mediapipe_detector import MediaPipeDetector
    from pose_rig.capture.video_capture import open_device, open_ffmpeg

    device = open_ffmpeg(video, open_device)
    detector = MediaPipeDetector(DetectorConfig(model=model))
    ends_ns: list[int] = []
    report.send("ready")
    go.wait()
    while device.grab():
        t_ns = round(len(ends_ns) * 1e9 / CLIP_FPS)
        detector.detect(device.retrieve()[1], t_ns)
        ends_ns.append(time.monotonic_ns())
    report.send(ends_ns)
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
    pipeline: list[float] = []
    detectors: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        videos = videos_or_demo(args.videos, Path(folder), frames)
        for _ in range(repeats):
            pipeline.append(pipeline_fps(videos, model, warm_up))
            detectors.append(detector_fps(videos, model, warm_up))
    a = report.add("A: whole pipeline", "frames/s", pipeline)
    b = report.add("B: decoding and detectors alone", "frames/s", detectors)
    report.add("A / B, consecutive runs", "", [a / b for a, b in zip(pipeline, detectors, strict=True)])
    report.add("A / B, of the medians", "", [a.median / b.median], TARGET)
    report.finish(args.json)


if __name__ == "__main__":
    main()
