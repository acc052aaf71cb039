"""Which cameras deliver too late for the pose; the rig learns from them afterwards.

Axes: V views.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from pose_rig.fusion.calibration.keyframes import KEYFRAME_INTERVAL_NS
from pose_rig.fusion.pose.sync import Sample, SampleBuffer

KEEP_NS = 8_000_000_000  # of the samples of a live camera
TIMES_PER_STEP = 2  # of these, until the past is caught up with
MAX_LATE_NS = 4_000_000_000  # nothing is learned from a camera that delivers later than this
WINDOW_NS = 2_000_000_000  # over which the age of the newest sample is a median
LATE_PERIODS, IN_TIME_PERIODS = 1.5, 1.2  # of that age; 0.5 is usual, and above 1 detections are extrapolated
MIN_LATE_NS = 50_000_000
STOPPED_PERIODS = 6.0  # a camera without a new sample for so long is not late but gone


@dataclass(frozen=True, slots=True)
class CompleteSamples:
    """The detections (V) of all cameras, also of the late ones, at a time for which these have delivered."""

    t_ns: int
    samples: Sequence[Sample | None]


def times_behind(next_ns: int, until_ns: int) -> tuple[list[int], int | None]:
    """Returns the next times, and the one after them, from which the rig learns; None once it has caught up."""
    times_ns = list(range(next_ns, until_ns, KEYFRAME_INTERVAL_NS))
    return times_ns[:TIMES_PER_STEP], next_ns + TIMES_PER_STEP * KEYFRAME_INTERVAL_NS if times_ns else None


class LateCameras:
    """Compares time steps with the newest sample of each camera.

    It depends on samples and time steps only, not on when they arrived, so that a replay finds the same.

    Args:
        views: How many cameras there are.

    Attributes:
        age_ns: (V) how old the newest sample of each camera usually is, of those that are late; else 0.
    """

    def __init__(self, views: int) -> None:
        self._ages_ns: list[deque[tuple[int, int]]] = [deque() for _ in range(views)]  # (time step, age)
        self._newest: list[tuple[int | None, int]] = [(None, 0)] * views  # and the time step at which it was new
        self.age_ns = [0.0] * views

    @property
    def late(self) -> list[bool]:
        """(V) which cameras are too late for the pose."""
        return [age_ns > 0 for age_ns in self.age_ns]

    def update(self, t_ns: int, buffers: Sequence[SampleBuffer]) -> None:
        """Adds a time step."""
        for view, buffer in enumerate(buffers):
            age_ns = self._median_age_ns(view, t_ns, buffer.newest_ns)
            periods = IN_TIME_PERIODS if self.age_ns[view] else LATE_PERIODS
            late = age_ns > max(periods * buffer.period_ns, MIN_LATE_NS) and self._sends(view, t_ns, buffer)
            self.age_ns[view] = age_ns if late else 0.0

    def common_ns(self, t_ns: int) -> int:
        """Returns the last time, not after a time step, up to which the late cameras have delivered."""
        newest = [newest for (newest, _), late in zip(self._newest, self.late, strict=True) if late]
        return min([t_ns, *(one for one in newest if one is not None and t_ns - one < MAX_LATE_NS)])

    def _median_age_ns(self, view: int, t_ns: int, newest_ns: int | None) -> float:
        ages = self._ages_ns[view]
        while ages and not 0 <= t_ns - ages[0][0] < WINDOW_NS:
            ages.popleft()
        if newest_ns is not None:
            ages.append((t_ns, t_ns - newest_ns))
        return median(age for _, age in ages) if ages else 0.0

    def _sends(self, view: int, t_ns: int, buffer: SampleBuffer) -> bool:
        if buffer.newest_ns != self._newest[view][0]:
            self._newest[view] = (buffer.newest_ns, t_ns)
        return t_ns - self._newest[view][1] < STOPPED_PERIODS * buffer.period_ns
