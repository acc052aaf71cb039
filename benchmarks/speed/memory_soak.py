"""Memory of the fusion process over time: four simulated cameras, real processes.

python -m benchmarks.speed.memory_soak --minutes 10 --json soak.json
"""

import numpy as np

from benchmarks.contract import Report, parser, rss_mb
from benchmarks.live_run import run_live
from pose_rig.config import CameraConfig, Config
from pose_rig.tools.terminal.status import RunStatus

SETTLED_S = 10.0  # the solver's first rounds are over by then


class MemoryLog:
    """Notes the memory of the fusion process at even intervals.

    Args:
        every_s: Interval.

    Attributes:
        at_s: Seconds from the first note.
        rss_mb: Memory then.
    """

    def __init__(self, every_s: float) -> None:
        self._every_ns = round(every_s * 1e9)
        self._begin_ns = 0
        self.at_s: list[float] = []
        self.rss_mb: list[float] = []

    def __call__(self, now_ns: int, status: RunStatus) -> None:
        """Notes the memory if it is time to."""
        running = status.states["fusion"].running
        if running is None or running.process.pid is None or running.process.exitcode is not None:
            return
        self._begin_ns = self._begin_ns or now_ns
        if now_ns - self._begin_ns >= len(self.at_s) * self._every_ns:
            self.at_s.append((now_ns - self._begin_ns) / 1e9)
            self.rss_mb.append(rss_mb(running.process.pid))


def soak(seconds: float, every_s: float, cameras: int = 4) -> MemoryLog:
    """Returns the memory of a fusion process that ran for so long on simulated cameras."""
    log = MemoryLog(every_s)
    members = tuple(
        CameraConfig(source="sim", name=f"sim{member}", member=member, members=cameras) for member in range(cameras)
    )
    run_live(Config(camera=members, port=0, duration_s=seconds), log)
    return log


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--minutes", type=float, default=10.0)
    arguments.add_argument("--every", type=float, default=10.0, metavar="S", help="seconds between two looks")
    arguments.add_argument("--cameras", type=int, default=4)
    args = arguments.parse_args()
    report = Report.begin(args)
    seconds, every_s = (6.0, 1.0) if args.quick else (60 * args.minutes, args.every)
    log = soak(seconds, every_s, args.cameras)
    at_s, rss = np.array(log.at_s), np.array(log.rss_mb)
    late = at_s >= min(SETTLED_S, 0.5 * seconds)
    report.add("memory at the start", "MB", [rss[0]])
    report.add("memory once settled", "MB", [rss[late][0]])
    report.add("memory at the end", "MB", [rss[-1]], "< 400")
    report.add("memory, all looks", "MB", rss.tolist())
    slope = float(np.polyfit(at_s[late] / 60, rss[late], 1)[0]) if late.sum() > 1 else 0.0
    report.add("growth once settled", "MB/min", [slope], "flat")
    report.finish(args.json)


if __name__ == "__main__":
    main()
