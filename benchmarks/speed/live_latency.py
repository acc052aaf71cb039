"""A live rig of 30 fps cameras: frames kept, pose rate, age of the poses.

    python -m benchmarks.speed.live_latency --json live.json

Cameras are videos that play at 30 frames per second in real time: the demo clip, again and again, or --videos. A
frame's age counts from the instant at which it is due, which for a real camera is the grab.
"""

import tempfile
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.clips import looped_clips
from benchmarks.contract import Report, parser
from benchmarks.live_run import run_live
from pose_rig.config import CameraConfig, Config, DetectorConfig
from pose_rig.tools.terminal.status import RunStatus

FPS = 30.0
WANTED_FPS = {3: "≥ 29", 4: "≥ 25"}


@dataclass(slots=True)
class Log:
    """What a rig did between the end of its start-up and its own end.

    Args:
        after_s: How long the start-up takes.

    Attributes:
        frames: Camera → (frames done, ns) whenever it told.
        detect_ms: What the detectors took, medians of late, all cameras.
        poses: (poses made, ns) whenever it changed.
        first_age: Place of the first age that counts.
        ages_ms: Of the poses.
        fuse_ms: What the fusion took, medians of late.
    """

    after_s: float
    frames: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    detect_ms: list[float] = field(default_factory=list)
    poses: list[tuple[int, int]] = field(default_factory=list)
    first_age: int = 0
    ages_ms: list[float] = field(default_factory=list)
    fuse_ms: list[float] = field(default_factory=list)

    def __call__(self, now_ns: int, status: RunStatus) -> None:
        """Takes note of a running rig."""
        telemetry = status.telemetry
        if now_ns - telemetry.start_ns < self.after_s * 1e9:
            self.first_age = len(telemetry.ages_ns)
            return
        if not self.poses or telemetry.poses > self.poses[-1][0]:
            self.poses.append((telemetry.poses, now_ns))
            self.ages_ms = (np.array(telemetry.ages_ns[self.first_age :]) / 1e6).tolist()
        for name, heard in telemetry.workers.items():
            told = self.frames.setdefault(name, [])
            if told and told[-1][1] == heard.health.t_ns:
                continue
            told.append((heard.frames.total, heard.health.t_ns))
            self.detect_ms += [ms for stage, ms in heard.health.stages_ms.items() if stage == "detect"]
            self.fuse_ms += [ms for stage, ms in heard.health.stages_ms.items() if stage == "fuse"]

    def rates(self, name: str) -> list[float]:
        """Returns a worker's frames per second, over about two seconds each."""
        points = self.frames[name][:: max(1, round(2.0 * len(self.frames[name]) * 1e9 / self._span_ns(name)))]
        return [(b - a) / (end - begin) * 1e9 for (a, begin), (b, end) in pairwise(points)]

    def _span_ns(self, name: str) -> int:
        return max(self.frames[name][-1][1] - self.frames[name][0][1], 1)


def play(videos: list[Path], model: str, seconds: float, after_s: float) -> Log:
    """Returns what a rig of these videos did."""
    log = Log(after_s)
    cameras = tuple(CameraConfig(source=str(video), name=video.stem, fps=FPS) for video in videos)
    run_live(Config(camera=cameras, detector=DetectorConfig(model=model), port=0, duration_s=after_s + seconds), log)
    return log


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--videos", metavar="A,B,…", help="instead of the demo clip, again and again")
    arguments.add_argument("--cameras", default="3,4", metavar="N,N", help="rigs to measure")
    arguments.add_argument("--seconds", type=float, default=25.0)
    arguments.add_argument("--after", type=float, default=6.0, metavar="S", help="start-up that does not count")
    arguments.add_argument("--model", default="full")
    args = arguments.parse_args()
    report = Report.begin(args)
    seconds, after_s = (4.0, 2.0) if args.quick else (args.seconds, args.after)
    with tempfile.TemporaryDirectory() as folder:
        given = [Path(video) for video in args.videos.split(",")] if args.videos else None
        videos = given or looped_clips(Path(folder), round(FPS * (seconds + after_s + 2)))
        for count in map(int, args.cameras.split(",")):
            tell(report, play(videos[:count], args.model, seconds, after_s), count, videos)
    report.finish(args.json)


def tell(report: Report, log: Log, count: int, videos: list[Path]) -> None:
    """Adds the figures of one rig to the report."""
    rig = f"{count} cameras: "
    for video in videos[:count]:
        report.add(f"{rig}{video.stem}", "frames/s", log.rates(video.stem), WANTED_FPS.get(count, ""))
    report.add(f"{rig}poses", "poses/s", log.rates("fusion"), "60" if count == min(WANTED_FPS) else "")
    detect = report.add(f"{rig}detector", "ms", log.detect_ms)
    report.add(f"{rig}fusion", "ms", log.fuse_ms)
    report.add(f"{rig}age of the poses", "ms", log.ages_ms, f"≤ {detect.median + 10:.0f}")
    report.add(f"{rig}age, 95th percentile", "ms", [float(np.percentile(log.ages_ms, 95))])


if __name__ == "__main__":
    main()
