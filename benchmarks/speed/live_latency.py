"""Frames kept, pose rate and latency of a live rig of 30 fps cameras.

    python -m benchmarks.speed.live_latency --json live.json

Cameras are videos that play at 30 frames per second in real time: the demo clip in a loop, or --videos. The age of a
frame counts from the time at which it is due, which for a real camera is the grab.
"""

import tempfile
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.clips import videos_or_demo
from benchmarks.contract import Report, parser
from benchmarks.live_run import run_live
from pose_rig.config import CameraConfig, Config, DetectorConfig
from pose_rig.tools.terminal.status import RunStatus

FPS = 30.0
TARGET_FPS = {3: "≥ 29", 4: "≥ 25"}


@dataclass(slots=True)
class Log:
    """Telemetry of a rig after its start-up.

    Args:
        start_s: Duration of the start-up.

    Attributes:
        frames: Camera → (frames processed, ns) of each report.
        detect_ms: Recent medians of the detectors' times, all cameras.
        poses: (poses, ns) whenever their number changed.
        first_age: Index of the first age that counts.
        ages_ms: Ages of the poses.
        fuse_ms: Recent medians of the fusion's time.
    """

    start_s: float
    frames: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    detect_ms: list[float] = field(default_factory=list)
    poses: list[tuple[int, int]] = field(default_factory=list)
    first_age: int = 0
    ages_ms: list[float] = field(default_factory=list)
    fuse_ms: list[float] = field(default_factory=list)

    def __call__(self, now_ns: int, status: RunStatus) -> None:
        """Adds the status of a running rig."""
        telemetry = status.telemetry
        if now_ns - telemetry.start_ns < self.start_s * 1e9:
            self.first_age = len(telemetry.ages_ns)
            return
        if not self.poses or telemetry.poses > self.poses[-1][0]:
            self.poses.append((telemetry.poses, now_ns))
            self.ages_ms = (np.array(telemetry.ages_ns[self.first_age :]) / 1e6).tolist()
        for name, worker in telemetry.workers.items():
            reports = self.frames.setdefault(name, [])
            if reports and reports[-1][1] == worker.health.t_ns:
                continue
            reports.append((worker.frames.total, worker.health.t_ns))
            self.detect_ms += [ms for stage, ms in worker.health.stages_ms.items() if stage == "detect"]
            self.fuse_ms += [ms for stage, ms in worker.health.stages_ms.items() if stage == "fuse"]

    def rates(self, name: str) -> list[float]:
        """Returns a worker's frames per second, over about two seconds each."""
        reports = self.frames[name]
        span_ns = max(reports[-1][1] - reports[0][1], 1)
        points = reports[:: max(1, round(2.0 * len(reports) * 1e9 / span_ns))]
        return [(b - a) / (end - begin) * 1e9 for (a, begin), (b, end) in pairwise(points)]


def play(videos: list[Path], model: str, seconds: float, start_s: float) -> Log:
    """Returns the telemetry of a rig of these videos."""
    log = Log(start_s)
    cameras = tuple(CameraConfig(source=str(video), name=video.stem, fps=FPS) for video in videos)
    run_live(Config(camera=cameras, detector=DetectorConfig(model=model), port=0, duration_s=start_s + seconds), log)
    return log


def add_figures(report: Report, log: Log, count: int, videos: list[Path]) -> None:
    """Adds the figures of one rig to the report."""
    rig = f"{count} cameras: "
    for video in videos[:count]:
        report.add(f"{rig}{video.stem}", "frames/s", log.rates(video.stem), TARGET_FPS.get(count, ""))
    report.add(f"{rig}poses", "poses/s", log.rates("fusion"), "60" if count == min(TARGET_FPS) else "")
    detect = report.add(f"{rig}detector", "ms", log.detect_ms)
    report.add(f"{rig}fusion", "ms", log.fuse_ms)
    report.add(f"{rig}age of the poses", "ms", log.ages_ms, f"≤ {detect.median + 10:.0f}")
    report.add(f"{rig}age, 95th percentile", "ms", [float(np.percentile(log.ages_ms, 95))])


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--videos", metavar="A,B,…", help="instead of the demo clip in a loop")
    arguments.add_argument("--cameras", default="3,4", metavar="N,N", help="rigs to measure")
    arguments.add_argument("--seconds", type=float, default=25.0)
    arguments.add_argument("--after", type=float, default=6.0, metavar="S", help="start-up that is not counted")
    arguments.add_argument("--model", default="full")
    args = arguments.parse_args()
    report = Report.begin(args)
    seconds, start_s = (4.0, 2.0) if args.quick else (args.seconds, args.after)
    with tempfile.TemporaryDirectory() as folder:
        videos = videos_or_demo(args.videos, Path(folder), round(FPS * (seconds + start_s + 2)))
        for count in map(int, args.cameras.split(",")):
            add_figures(report, play(videos[:count], args.model, seconds, start_s), count, videos)
    report.finish(args.json)


if __name__ == "__main__":
    main()
