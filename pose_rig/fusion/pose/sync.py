"""Interpolation of asynchronous cameras to common time steps.

Every camera has its own frame times. Its detections at a time step are interpolated between the two samples around it,
or extrapolated by at most one frame period beyond the newest.

Axes: P people, K landmarks, A numbers of an appearance.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.synchronisation.camera_clock import RIG_CLOCK, CameraClock
from pose_rig.wire.messages import Keypoints2D

MAX_SAMPLES = 64  # per camera; two are needed, the others bridge a late burst
PERIOD_SAMPLES = 16  # of which the period of a camera is a median
DEFAULT_PERIOD_NS = 33_333_333
MAX_HOLD_PERIODS = 3.0  # the last sample is held for so long (one or two dropped frames)
MIN_STEP_PERIODS = 0.5  # between two samples that show how fast a person moves
MAX_PERSON_DISTANCE = 0.5  # between frames, as a share of the person's size; others are different people


@dataclass(frozen=True, slots=True)
class Sample:
    """Detections of one camera at one time.

    Attributes:
        t_ns: Time.
        xy_px: (P,K,2).
        score: (P,K) 0–1, 0 = not visible.
        depth_px: (P,K) as in `pose_rig.wire.messages.Keypoints2D`; empty if unknown.
        appearance: (P,A) as in `pose_rig.wire.messages.Keypoints2D`; empty if unknown.
    """

    t_ns: int
    xy_px: Floats
    score: Floats
    depth_px: Floats = field(default_factory=lambda: np.zeros(0))
    appearance: Floats = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def from_message(cls, message: Keypoints2D, t_ns: int | None = None) -> "Sample":
        """Returns the detections of a message, at its own or another time."""
        values = (array.astype(np.float64) for array in (message.xy, message.score, message.depth, message.appearance))
        return cls(message.t_ns if t_ns is None else t_ns, *values)


class SampleBuffer:
    """One camera's recent samples.

    Args:
        keep_ns: How far back they reach at least, if there are more than `MAX_SAMPLES`.

    Attributes:
        size_px: Image size, landmarks: landmark set; of the last message.
        clock: By which the last message was added.
        ended: Whether the camera will send nothing more.
    """

    def __init__(self, keep_ns: int = 0) -> None:
        self._samples: list[Sample] = []
        self._keep_ns = keep_ns
        self.size_px = (1, 1)
        self.landmarks = ""
        self.clock = RIG_CLOCK
        self.ended = False

    def add(self, message: Keypoints2D, clock: CameraClock = RIG_CLOCK) -> bool:
        """Adds a sample; returns False if it is not newer than the last one and was dropped.

        A camera that restarts with another image size or landmark set clears the buffer.

        Args:
            message: From the camera.
            clock: Of the camera.
        """
        t_ns = clock.rig_ns(message.t_ns)
        if (self.landmarks, self.size_px) != (message.landmarks, message.size_px):
            self._samples.clear()
        if self._samples and t_ns <= self._samples[-1].t_ns:
            return False
        self.size_px, self.landmarks, self.clock = message.size_px, message.landmarks, clock
        self._samples.append(Sample.from_message(message, t_ns))
        if len(self._samples) > MAX_SAMPLES and self._samples[1].t_ns < t_ns - self._keep_ns:
            del self._samples[0]
        return True

    def set_clock(self, clock: CameraClock, from_ns: int | None = None) -> None:
        """Moves the samples to the times that another clock of the camera gives them.

        Args:
            clock: The other one.
            from_ns: Earlier samples, by the clock so far, are dropped; None = none of them.
        """
        camera_ns = [round(self.clock.camera_ns(sample.t_ns)) for sample in self._samples]
        kept = zip(self._samples, camera_ns, strict=True)
        self._samples = [
            replace(sample, t_ns=clock.rig_ns(t_ns))
            for sample, t_ns in kept
            if from_ns is None or sample.t_ns >= from_ns
        ]
        self.clock = clock

    def since(self, t_ns: int) -> list[Sample]:
        """Returns the samples after a time."""
        return self._samples[bisect_right(self._samples, t_ns, key=_time) :]

    @property
    def newest_ns(self) -> int | None:
        """Time of the newest sample."""
        return self._samples[-1].t_ns if self._samples else None

    @property
    def times_ns(self) -> list[int]:
        """Times of all samples, oldest first."""
        return [sample.t_ns for sample in self._samples]

    def first_from(self, t_ns: int) -> int | None:
        """Returns the time of the first sample at or after a time."""
        index = bisect_left(self._samples, t_ns, key=_time)
        return self._samples[index].t_ns if index < len(self._samples) else None

    def count_after(self, t_ns: int) -> int:
        """Returns how many samples are after a time."""
        return len(self._samples) - bisect_right(self._samples, t_ns, key=_time)

    @property
    def period_ns(self) -> float:
        """Median time between the newest samples."""
        return median_period([sample.t_ns for sample in self._samples[-PERIOD_SAMPLES:]])

    def at(self, t_ns: int) -> Sample | None:
        """Returns the detections at a time, None without a sample near it."""
        index = bisect_right(self._samples, t_ns, key=_time)
        before = self._samples[index - 1] if index else None
        after = self._samples[index] if index < len(self._samples) else None
        # samples after that have no effect, so that runs are repeatable
        near = self._samples[max(index + 1 - PERIOD_SAMPLES, 0) : index + 1]
        period = median_period([sample.t_ns for sample in near])
        hold = MAX_HOLD_PERIODS * period
        if before is None:
            return after if after is not None and after.t_ns - t_ns <= 0.5 * period else None
        if before.t_ns == t_ns:
            return before
        if after is None:
            return self._extrapolate(before, t_ns, period) if t_ns - before.t_ns <= hold else None
        if after.t_ns - before.t_ns > 2 * hold:  # too long a gap to interpolate
            nearest = before if t_ns - before.t_ns < after.t_ns - t_ns else after
            return nearest if abs(nearest.t_ns - t_ns) <= hold else None
        return interpolate(before, after, t_ns)

    def _extrapolate(self, newest: Sample, t_ns: int, period_ns: float) -> Sample:
        latest_ns = newest.t_ns - MIN_STEP_PERIODS * period_ns
        previous = next((sample for sample in reversed(self._samples) if sample.t_ns <= latest_ns), None)
        if previous is None or newest.t_ns - previous.t_ns > 2 * period_ns:
            return newest
        return interpolate(previous, newest, min(t_ns, round(newest.t_ns + period_ns)))


def median_period(times_ns: Sequence[int]) -> float:
    """Returns the median time between the last `PERIOD_SAMPLES`."""
    steps = [b - a for a, b in pairwise(times_ns[-PERIOD_SAMPLES:])]
    return float(median(steps)) if steps else DEFAULT_PERIOD_NS


def _time(sample: Sample) -> int:
    return sample.t_ns


def interpolate(a: Sample, b: Sample, t_ns: int) -> Sample:
    """Returns the people of the sample nearer in time, moved linearly between the two samples or beyond ``b``.

    People without a match in the other sample do not move, nor do depths that only one of the samples has.
    """
    part = (t_ns - a.t_ns) / (b.t_ns - a.t_ns)
    near, far = (a, b) if part < 0.5 else (b, a)
    xy, score, depth = near.xy_px.copy(), near.score.copy(), near.depth_px.copy()
    with_depth = a.depth_px.size > 0 and b.depth_px.size > 0
    for person, other in enumerate(match_people(near, far)):
        if other is None:
            continue
        start, end = (person, other) if near is a else (other, person)
        both = (a.score[start] > 0) & (b.score[end] > 0)
        moved = (1 - part) * a.xy_px[start] + part * b.xy_px[end]
        xy[person] = np.where(both[:, None], moved, xy[person])
        mixed = (1 - part) * a.score[start] + part * b.score[end]
        score[person] = np.where(both, np.clip(mixed, 0.0, 1.0), score[person])
        if with_depth:
            mixed = (1 - part) * a.depth_px[start] + part * b.depth_px[end]
            depth[person] = np.where(both, mixed, depth[person])
    return Sample(t_ns, xy, score, depth, near.appearance)


def match_people(near: Sample, far: Sample) -> list[int | None]:
    """Returns for every person of ``near`` the index of the same person in ``far``, nearest first, None if absent."""
    found: list[int | None] = [None] * len(near.xy_px)
    if not len(near.xy_px) or not len(far.xy_px):
        return found
    distance = np.array([[pose_distance(p, s, q, r) for q, r in zip(far.xy_px, far.score, strict=True)]
                         for p, s in zip(near.xy_px, near.score, strict=True)])  # fmt: skip
    while np.isfinite(distance).any():
        i, j = np.unravel_index(np.argmin(distance), distance.shape)
        if distance[i, j] > MAX_PERSON_DISTANCE:
            break
        found[int(i)] = int(j)
        distance[i, :], distance[:, j] = np.inf, np.inf
    return found


def pose_distance(xy_a: Floats, score_a: Floats, xy_b: Floats, score_b: Floats) -> float:
    """Returns the median distance of two 2D poses (K,2), as a share of the person's size; inf if unknown."""
    both = (score_a > 0) & (score_b > 0)
    if both.sum() < 3:
        return float("inf")
    here = xy_a[both]
    size = max(float((here.max(0) - here.min(0)).max()), 1.0)
    x, y = (here - xy_b[both]).T
    return float(median(np.sqrt(x * x + y * y).tolist())) / size
