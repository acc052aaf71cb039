"""Memory of the fusion process over time: four simulated cameras, real processes.

python -m benchmarks.speed.memory_soak --minutes 10 --json soak.json
"""

import numpy as np

from benchmarks.contract import Report, parser, rss_mb
from benchmarks.live_run import run_live, simulated_cameras
from pose_rig.config import Config
from pose_rig.tools.terminal.status import RunStatus

WARM_UP_S = 10.0  # the first solves are over by then


class MemoryLog:
    """Samples the memory of the fusion process at regular intervals.

    Args:
        interval_s: Sampling interval.

    Attributes:
        at_s: Seconds since the first sample.
        rss_mb: Memory.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_ns = round(interval_s * 1e9)
        self._begin_ns = 0
        self.at_s: list[float] = []
        self.rss_mb: list[float] = []

    def __call__(self, now_ns: int, status: RunStatus) -> None:
        """Takes a sample if it is due."""
        running = status.states["fusion"].running
        if running is None or running.process.pid is None or running.process.exitcode is not None:
            return
        self._begin_ns = self._begin_ns or now_ns
        if now_ns - self._begin_ns >= len(self.at_s) * self._interval_ns:
            self.at_s.append((now_ns - self._begin_ns) / 1e9)
            self.rss_mb.append(rss_mb(running.process.pid))


def soak(seconds: float, interval_s: float, cameras: int = 4) -> MemoryLog:
    """Returns the memory of a fusion process with simulated cameras."""
    log = MemoryLog(interval_s)
    run_live(Config(camera=simulated_cameras(cameras), port=0, duration_s=seconds), log)
    return log


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--minutes", type=float, default=10.0)
    arguments.add_argument("--every", type=float, default=10.0, metavar="S", help="seconds between two samples")
    arguments.add_argument("--cameras", type=int, default=4)
    args = arguments.parse_args()
    report = Report.begin(args)
    seconds, interval_s = (6.0, 1.0) if args.quick else (60 * args.minutes, args.every)
    log = soak(seconds, interval_s, args.cameras)
    at_s, rss = np.array(log.at_s), np.array(log.rss_mb)
    warm = at_s >= min(WARM_UP_S, 0.5 * seconds)
    report.add("memory at the start", "MB", [rss[0]])
    report.add("memory after warm-up", "MB", [rss[warm][0]])
    report.add("memory at the end", "MB", [rss[-1]], "< 400")
    report.add("memory, all samples", "MB", rss.tolist())
    slope = float(np.polyfit(at_s[warm] / 60, rss[warm], 1)[0]) if warm.sum() > 1 else 0.0
    report.add("growth after warm-up", "MB/min", [slope], "flat")
    report.finish(args.json)


if __name__ == "__main__":
    main()
