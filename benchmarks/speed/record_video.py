"""Cost of recording video for the detection.

    python -m benchmarks.speed.record_video --json video.json
    python -m benchmarks.speed.record_video --videos a.mp4,b.mp4 --cameras 1,2

Camera processes on videos that play at 30 frames per second in real time: the demo clip (1080×1920) in a loop, or
--videos. A: keypoints only. B: encoded video as well, to a receiver that discards it. Runs alternate, A B A B. The age
of a frame counts from the time at which it is due to the arrival of its keypoints.
"""

import multiprocessing
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.clips import videos_or_demo
from benchmarks.contract import MB, Report, parser
from pose_rig.assets.catalog import detector_model
from pose_rig.capture.process import main as camera_main
from pose_rig.config import CameraConfig, DetectorConfig
from pose_rig.wire.bus import Receiver
from pose_rig.wire.encoding import MAX_VIDEO_BYTES
from pose_rig.wire.jobs import CameraJob
from pose_rig.wire.messages import Health, Keypoints2D, Message
from pose_rig.wire.records import Gap, VideoFrame

FPS = 30.0
START_S = 60.0  # for all cameras to be ready
SPAWN = multiprocessing.get_context("spawn")


@dataclass(slots=True)
class Log:
    """Messages after the start-up.

    Attributes:
        detect_ms: Detector time of each frame.
        ages_ms: Age of each frame.
        images: Number of recorded images.
        missing: Number of images that were dropped.
        bytes: Size of the recorded images.
        ready: Cameras that are ready.
    """

    detect_ms: list[float] = field(default_factory=list)
    ages_ms: list[float] = field(default_factory=list)
    images: int = 0
    missing: int = 0
    bytes: int = 0
    ready: set[str] = field(default_factory=set)

    def add(self, message: Message) -> None:
        """Adds a message."""
        if isinstance(message, Keypoints2D):
            self.detect_ms.append(message.stages_ms["detect"])
            self.ages_ms.append((time.monotonic_ns() - message.t_ns) / 1e6)
        elif isinstance(message, VideoFrame):
            self.images += 1
            self.bytes += len(message.data)
        elif isinstance(message, Gap):
            self.missing += message.missing
        elif isinstance(message, Health) and message.state == "ready":
            self.ready.add(message.worker)


def play(videos: list[Path], model: str, seconds: float, start_s: float, *, video: bool) -> Log:
    """Returns the messages of the cameras during ``seconds``, after ``start_s`` of start-up."""
    stop, start_ns = SPAWN.Event(), SPAWN.Value("q", 0)
    with (
        Receiver("tcp://127.0.0.1:0", bind=True) as keypoints,
        Receiver("tcp://127.0.0.1:0", "lossless", bind=True, max_bytes=MAX_VIDEO_BYTES) as video_receiver,
    ):
        workers = [
            SPAWN.Process(
                daemon=True,
                target=camera_main,
                args=(
                    CameraJob(
                        CameraConfig(source=str(path), name=path.stem, fps=FPS), DetectorConfig(model=model),
                        "realtime", keypoints.endpoint, video_receiver.endpoint if video else "",
                    ),
                    stop, start_ns,
                ),
            )
            for path in videos
        ]  # fmt: skip
        for worker in workers:
            worker.start()
        starting = Log()
        deadline = time.monotonic() + START_S
        while len(starting.ready) < len(videos) and time.monotonic() < deadline:
            _receive(starting, keypoints, video_receiver)
        start_ns.value = time.monotonic_ns()
        log = Log()
        begin, end = time.monotonic() + start_s, time.monotonic() + start_s + seconds
        while time.monotonic() < end:
            _receive(log if time.monotonic() > begin else starting, keypoints, video_receiver)
        stop.set()
        for worker in workers:
            worker.join()
    return log


def _receive(log: Log, keypoints: Receiver, video_receiver: Receiver) -> None:
    for message in (*keypoints.receive(2), *video_receiver.receive(2)):
        log.add(message)


def compare(report: Report, videos: list[Path], model: str, repeats: int, seconds: float, start_s: float) -> None:
    """Adds the figures of one number of cameras to the report."""
    without, recording = [], []
    for _ in range(repeats):
        without.append(play(videos, model, seconds, start_s, video=False))
        recording.append(play(videos, model, seconds, start_s, video=True))
    rig = f"{len(videos)} cameras: "
    per_s = seconds * len(videos)
    pairs = list(zip(without, recording, strict=True))
    for name, logs in (("A, keypoints only", without), ("B, with video", recording)):
        report.add(f"{rig}{name}: detected", "frames/s each", [len(log.detect_ms) / per_s for log in logs])
        report.add(f"{rig}{name}: detector", "ms", [ms for log in logs for ms in log.detect_ms])
        report.add(f"{rig}{name}: age", "ms", [ms for log in logs for ms in log.ages_ms])
    report.add(f"{rig}B / A: detected", "", [len(b.detect_ms) / len(a.detect_ms) for a, b in pairs], "1")
    report.add(f"{rig}B / A: detector", "", [_ratio(b.detect_ms, a.detect_ms) for a, b in pairs], "1")
    report.add(f"{rig}B / A: age", "", [_ratio(b.ages_ms, a.ages_ms) for a, b in pairs], "1")
    kept = [100 * log.images / max(log.images + log.missing, 1) for log in recording]
    report.add(f"{rig}B: recorded of the detected frames", "%", kept)
    report.add(f"{rig}B: recorded", "MB/s each", [log.bytes / MB / per_s for log in recording])


def _ratio(values: list[float], others: list[float]) -> float:
    return float(np.median(values) / np.median(others))


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--videos", metavar="A,B,…", help="instead of the demo clip in a loop")
    arguments.add_argument("--cameras", default="1,4", metavar="N,N", help="rigs to measure")
    arguments.add_argument("--seconds", type=float, default=10.0)
    arguments.add_argument("--after", type=float, default=2.0, metavar="S", help="start-up that is not counted")
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--model", default="full")
    args = arguments.parse_args()
    report = Report.begin(args)
    repeats, seconds, start_s = (1, 3.0, 1.0) if args.quick else (args.repeats, args.seconds, args.after)
    with tempfile.TemporaryDirectory() as folder:
        videos = videos_or_demo(args.videos, Path(folder), round(FPS * (seconds + start_s + 2)))
        model = str(detector_model(args.model, print))
        for count in map(int, args.cameras.split(",")):
            compare(report, videos[:count], model, repeats, seconds, start_s)
    report.finish(args.json)


if __name__ == "__main__":
    main()
