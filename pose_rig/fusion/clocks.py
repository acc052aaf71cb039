"""Which instants are fused: the fusion's own ticks when live, the frames of the fastest file with pace ``all``."""

from collections.abc import Sequence

import numpy as np

from pose_rig.fusion.pose.sync import MAX_HOLD_PERIODS, SampleBuffer, median_period

LATENCIES = 32  # samples over which a camera's latency is a median; older ones than RECENT_NS count no longer:
RECENT_NS = 1_500_000_000  # the latency of a slow camera may change by much within 32 samples
HEARD_INTERVALS = 2.0  # a camera whose next sample is not overdue by more than this many usual intervals still sends
REACH_PERIODS = MAX_HOLD_PERIODS - 0.5  # how far past its newest sample a camera is asked, safely before it is gone
BEHIND_NS = 100_000_000  # ticks are left out, not caught up with, when this late
LOOK = 16  # samples of every file that decide which is the fastest


class LiveClock:
    """Ticks evenly; fuses the instant that most cameras have just delivered.

    The instant trails the tick by the cameras' latency, from grab to arrival: the views then have a sample near it, and
    the pose is about one detector time old. A slow camera is waited for at most one period of the others. Where all of
    them come later and later, the instant stays within reach of the newest sample.

    Args:
        rate_hz: Ticks per second.
        cameras: How many there are.
    """

    def __init__(self, rate_hz: float, cameras: int) -> None:
        self._period_ns = round(1e9 / rate_hz)
        self._latency: list[list[tuple[int, int]]] = [[] for _ in range(cameras)]  # (arrival, age)
        self._next_ns = 0
        self._last_ns = -1
        self.left_out = 0

    def arrived(self, camera: int, age_ns: int, now_ns: int) -> None:
        """Takes note of the age of a sample that arrives now."""
        recent = [(then, age) for then, age in self._latency[camera][1 - LATENCIES :] if now_ns - then < RECENT_NS]
        self._latency[camera] = [*recent, (now_ns, max(age_ns, 0))]

    def wait_ms(self, now_ns: int) -> int:
        """Returns how long to wait for the next tick."""
        if self._next_ns == 0:
            self._next_ns = now_ns + self._period_ns
        return max(0, (self._next_ns - now_ns) // 1_000_000)

    def tick(self, now_ns: int, tracks: Sequence[SampleBuffer]) -> int | None:
        """Returns the instant to fuse now, None if it is not time or no camera has spoken yet."""
        if now_ns < self._next_ns:
            return None
        late = now_ns - self._next_ns
        skipped = late // self._period_ns if late > BEHIND_NS else 0
        self.left_out += skipped
        self._next_ns += (1 + skipped) * self._period_ns
        medians = [float(np.median([age for _, age in ages])) for ages in self._latency if ages]
        if not medians:
            return None
        fastest = min(track.period_ns for track in tracks)
        latency = min(max(medians), float(np.median(medians)) + fastest)
        instant_ns = self._within_reach(now_ns - latency, now_ns, tracks)
        self._last_ns = max(round(instant_ns), self._last_ns + 1)
        return self._last_ns

    def _within_reach(self, instant_ns: float, now_ns: int, tracks: Sequence[SampleBuffer]) -> float:
        """Returns the instant, or an earlier one if no camera has anything near it although some still send."""
        sending = [
            (track.newest_ns, track.period_ns)
            for track, ages in zip(tracks, self._latency, strict=True)
            if track.newest_ns is not None and _still_sends([then for then, _ in ages], now_ns)
        ]
        if any(newest + REACH_PERIODS * usual >= instant_ns for newest, usual in sending):
            return instant_ns
        return max((newest + usual for newest, usual in sending), default=instant_ns)


def _still_sends(arrivals_ns: list[int], now_ns: int) -> bool:
    """Returns whether the next sample after these is to be expected."""
    return len(arrivals_ns) > 1 and now_ns - arrivals_ns[-1] < HEARD_INTERVALS * median_period(arrivals_ns)


class FileClock:
    """Walks through the frames of the fastest file, then of whichever goes on after it."""

    def __init__(self) -> None:
        self._last_ns = -1
        self._leader: SampleBuffer | None = None
        self._ranks: list[float] = []  # the files' periods, by their first frames

    def tick(self, tracks: Sequence[SampleBuffer]) -> int | None:
        """Returns the next instant that every file that has not ended has reached, None if more must come first."""
        if not self._ranks:
            if any(not track.ended and len(track.times_ns) < LOOK for track in tracks):
                return None
            self._ranks = [median_period(track.times_ns[:LOOK]) for track in tracks]
        if self._leader is None or (self._leader.ended and self._next_of(self._leader) is None):
            going = [v for v, track in enumerate(tracks) if self._next_of(track) is not None or not track.ended]
            self._leader = tracks[min(going, key=self._ranks.__getitem__)] if going else None
        t_ns = self._next_of(self._leader) if self._leader else None
        if t_ns is None or any(not track.ended and (track.newest_ns or -1) < t_ns for track in tracks):
            return None
        self._last_ns = t_ns
        return t_ns

    def ahead(self, track: SampleBuffer) -> int:
        """Returns how many samples of a file are not fused yet."""
        return sum(t > self._last_ns for t in track.times_ns)

    def _next_of(self, track: SampleBuffer) -> int | None:
        return next((t for t in track.times_ns if t > self._last_ns), None)
