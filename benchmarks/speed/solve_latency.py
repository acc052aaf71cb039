"""Effect of solving the rig on the interval between poses: a live rig of simulated cameras, real processes.

    python -m benchmarks.speed.solve_latency --json solve_latency.json

Intervals are between the publication times of poses. The end of a solve is a RigState with changed cameras; an interval
counts as *solving* if it started within the seconds before that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchmarks.contract import Report, parser
from benchmarks.live_run import StatusDisplay, simulated_cameras
from pose_rig.config import Config
from pose_rig.tools.terminal.run_loop import Run
from pose_rig.tools.workers.plan import plan
from pose_rig.wire.bus import Receiver
from pose_rig.wire.messages import Message, Pose3D, RigState

MAX_SOLVE_S = 2.0
MAX_REPORT_DELAY_S = 0.3  # of the RigState after a solve
START_S = 3.0  # loading and first inferences do not count
MAX_MESSAGES = 4096  # per receive: all
MAX_RATIO = 1.1  # of the 99th percentiles while solving and at other times


@dataclass(slots=True)
class Log:
    """What a rig published.

    Attributes:
        poses_ns: Publication time of each pose.
        solves_ns: Times at which the cameras changed.
    """

    poses_ns: list[int] = field(default_factory=list)
    solves_ns: list[int] = field(default_factory=list)
    _cameras: tuple[tuple[object, ...], ...] = ()

    def add(self, messages: Sequence[Message]) -> None:
        """Adds messages."""
        for message in messages:
            if isinstance(message, Pose3D):
                self.poses_ns.append(message.t_ns + message.age_ns)
            elif isinstance(message, RigState):
                cameras = tuple((c.rotation, c.translation_m, c.focal_px, c.k1) for c in message.cameras)
                if cameras != self._cameras:
                    self.solves_ns.append(message.t_ns)
                self._cameras = cameras

    def intervals_ms(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Returns the intervals between poses during solves, and those at other times."""
        begin = np.array(self.poses_ns[:-1])
        intervals = np.array([(b - a) / 1e6 for a, b in pairwise(self.poses_ns)])
        warm = begin - self.poses_ns[0] > START_S * 1e9
        before = np.array(self.solves_ns)[:, None] - begin  # (solves, intervals)
        solving = ((before > 0) & (before < (MAX_SOLVE_S + MAX_REPORT_DELAY_S) * 1e9)).any(0)
        return intervals[warm & solving], intervals[warm & ~solving]


def run_rig(cameras: int, seconds: float) -> Log:
    """Returns what a live rig of simulated cameras published."""
    planned = plan(Config(camera=simulated_cameras(cameras), port=0, duration_s=seconds), "")
    log = Log()
    with Receiver(planned.output, topics=("pose", "rig")) as receiver:
        Run(planned, StatusDisplay(lambda _, __: log.add(receiver.receive(0, MAX_MESSAGES)))).run()
    return log


def add_figures(report: Report, log: Log) -> None:
    """Adds the figures of a run to the report."""
    solving, other = log.intervals_ms()
    report.add("solves", "", [float(len(log.solves_ns))])
    for name, intervals in (("while solving", solving), ("at other times", other)):
        if len(intervals):
            report.add(f"interval {name}", "ms", intervals.tolist())
            report.add(f"interval {name}, 99th percentile", "ms", [float(np.percentile(intervals, 99))])
            report.add(f"interval {name}, longest", "ms", [float(intervals.max())])
    if len(solving) and len(other):
        ratio = float(np.percentile(solving, 99) / np.percentile(other, 99))
        report.add("99th percentiles, solving / other", "", [ratio], f"≤ {MAX_RATIO:g}")


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--cameras", type=int, default=4)
    arguments.add_argument("--seconds", type=float, default=60.0)
    args = arguments.parse_args()
    report = Report.begin(args)
    add_figures(report, run_rig(args.cameras, 6.0 if args.quick else args.seconds))
    report.finish(args.json)


if __name__ == "__main__":
    main()
