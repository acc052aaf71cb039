"""Does solving the rig delay poses? A live rig of simulated cameras, real processes.

    python -m benchmarks.speed.solve_hiccup --json hiccup.json

Intervals lie between the instants at which poses are published. The rig has been solved whenever it says something new
about where a camera is or how it sees; an interval counts as *solving* if it began within the seconds before that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchmarks.contract import Report, parser
from benchmarks.live_run import StatusDisplay
from pose_rig.config import CameraConfig, Config
from pose_rig.tools.terminal.run_loop import Run
from pose_rig.tools.workers.plan import plan
from pose_rig.wire.bus import Receiver
from pose_rig.wire.messages import CameraState, Message, Pose3D, RigState

SOLVING_S = 2.0  # a solve should not take longer, and
TOLD_S = 0.3  # the rig tells of it so much later at most
START_S = 3.0  # loading and first inferences do not count
MOST = 4096  # messages at a time: all
UNCHANGED = 1.1  # 99th percentile while solving over that of other times, at most

Knowledge = tuple[object, ...]


@dataclass(slots=True)
class Log:
    """What a rig published.

    Attributes:
        poses_ns: When each pose was.
        solves_ns: When the rig told something new about its cameras.
    """

    poses_ns: list[int] = field(default_factory=list)
    solves_ns: list[int] = field(default_factory=list)
    _known: tuple[Knowledge, ...] = ()

    def take(self, messages: Sequence[Message]) -> None:
        """Takes note of messages."""
        for message in messages:
            if isinstance(message, Pose3D):
                self.poses_ns.append(message.t_ns + message.age_ns)
            elif isinstance(message, RigState):
                known = tuple(_knowledge(state) for state in message.cameras)
                if known != self._known:
                    self.solves_ns.append(message.t_ns)
                self._known = known

    def intervals_ms(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Returns the intervals between poses while the rig was being solved, and those at other times."""
        begin = np.array(self.poses_ns[:-1])
        intervals = np.array([(b - a) / 1e6 for a, b in pairwise(self.poses_ns)])
        late = begin - self.poses_ns[0] > START_S * 1e9
        before = np.array(self.solves_ns)[:, None] - begin  # (solves, intervals)
        solving = ((before > 0) & (before < (SOLVING_S + TOLD_S) * 1e9)).any(0)
        return intervals[late & solving], intervals[late & ~solving]


def listen(cameras: int, seconds: float) -> Log:
    """Returns what a live rig of simulated cameras published."""
    members = tuple(CameraConfig(source="sim", name=f"sim{m}", member=m, members=cameras) for m in range(cameras))
    planned = plan(Config(camera=members, port=0, duration_s=seconds), "")
    log = Log()
    with Receiver(planned.output, topics=("pose", "rig")) as receiver:
        Run(planned, StatusDisplay(lambda _, __: log.take(receiver.receive(0, MOST)))).run()
    return log


def tell(report: Report, log: Log) -> None:
    """Adds the figures of a run to the report."""
    solving, other = log.intervals_ms()
    report.add("solves", "", [float(len(log.solves_ns))])
    for name, intervals in (("while solving", solving), ("at other times", other)):
        if len(intervals):
            report.add(f"interval {name}", "ms", intervals.tolist())
            report.add(f"interval {name}, 99th percentile", "ms", [_slow(intervals)])
            report.add(f"interval {name}, longest", "ms", [float(intervals.max())])
    if len(solving) and len(other):
        ratio = _slow(solving) / _slow(other)
        report.add("99th percentiles, solving / other", "", [ratio], f"≤ {UNCHANGED:g}")


def _slow(intervals: NDArray[np.float64]) -> float:
    return float(np.percentile(intervals, 99))


def _knowledge(state: CameraState) -> Knowledge:
    return (state.rotation, state.translation_m, state.focal_px, state.k1)


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--cameras", type=int, default=4)
    arguments.add_argument("--seconds", type=float, default=60.0)
    args = arguments.parse_args()
    report = Report.begin(args)
    tell(report, listen(args.cameras, 6.0 if args.quick else args.seconds))
    report.finish(args.json)


if __name__ == "__main__":
    main()
