"""When a time step is due: at an even rate when live, at the frames of the fastest file with pace ``all``."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.pose.sync import MAX_HOLD_PERIODS, SampleBuffer, median_period
from pose_rig.wire.messages import Keypoints2D

LATENCY_SAMPLES = 32  # over which a camera's latency is a median; older ones than LATENCY_WINDOW_NS are left out:
LATENCY_WINDOW_NS = 1_500_000_000  # the latency of a slow camera may change by much within 32 samples
MAX_OVERDUE_PERIODS = 2.0  # a camera whose next sample is later than this has stopped sending
MAX_EXTRAPOLATION_PERIODS = MAX_HOLD_PERIODS - 0.5  # past the newest sample of a camera, before it counts as gone
MAX_LATE_NS = 100_000_000  # time steps that are later than this are skipped instead of caught up with
RANKING_FRAMES = 16  # of every file, which decide which one is the fastest
MAX_AHEAD_FRAMES = 32  # by which a file may be read ahead of the time steps
MESSAGES_PER_READ = 8
IDLE_MS = 20  # wait for more of a file
# Frames of detectors that are slower than the fusion are left to collect this long: time steps in a row take less time
# than single ones, for which the memory caches are full of the detectors' data. A queue holds more than that.
COLLECTING_S = 0.2


class LiveClock:
    """Ticks evenly; the time step is the time for which most cameras have just delivered a frame.

    It trails the tick by the cameras' latency, from exposure to arrival, so that the views have a sample near it and
    the pose is about one detector time old. It waits for cameras whose latency is within a budget; where none is, for
    those that are at most one period later than the fastest. Where the latency of all of them grows, the time step
    stays near enough to the newest sample.

    Args:
        rate_hz: Ticks per second.
        cameras: How many there are.
        max_delay_ms: The budget.
    """

    def __init__(self, rate_hz: float, cameras: int, max_delay_ms: float) -> None:
        self._period_ns, self._max_delay_ns = round(1e9 / rate_hz), max_delay_ms * 1e6
        self._latency: list[list[tuple[int, int]]] = [[] for _ in range(cameras)]  # (arrival, age by its own clock)
        self._next_ns = 0
        self._last_ns = -1
        self.skipped = 0
        self.over = False

    def read(self, cameras: CameraInputs) -> None:
        """Receives messages until the next tick."""
        for source in cameras.sources:
            for message in source.receive(self.wait_ms(time.monotonic_ns())):
                view = cameras.take(message)
                if view is not None and isinstance(message, Keypoints2D):
                    now_ns = time.monotonic_ns()
                    self.arrived(view, now_ns - message.t_ns, now_ns)
        self.over = cameras.ended

    def arrived(self, camera: int, age_ns: int, now_ns: int) -> None:
        """Adds the age of a sample that arrives now to the camera's latencies."""
        window = self._latency[camera][1 - LATENCY_SAMPLES :]
        recent = [(arrival, age) for arrival, age in window if now_ns - arrival < LATENCY_WINDOW_NS]
        self._latency[camera] = [*recent, (now_ns, max(age_ns, 0))]

    def wait_ms(self, now_ns: int) -> int:
        """Returns the time left until the next tick."""
        if self._next_ns == 0:
            self._next_ns = now_ns + self._period_ns
        return max(0, (self._next_ns - now_ns) // 1_000_000)

    def tick(self, buffers: Sequence[SampleBuffer], now_ns: int | None = None) -> int | None:
        """Returns the time step that is due now (None = by the monotonic clock), None if none is."""
        now_ns = time.monotonic_ns() if now_ns is None else now_ns
        if now_ns < self._next_ns:
            return None
        late = now_ns - self._next_ns
        skipped = late // self._period_ns if late > MAX_LATE_NS else 0
        self.skipped += skipped
        self._next_ns += (1 + skipped) * self._period_ns
        latency = self._delay_ns(buffers)
        if latency is None:
            return None
        t_ns = self._within_reach(now_ns - latency, now_ns, buffers)
        self._last_ns = max(round(t_ns), self._last_ns + 1)
        return self._last_ns

    def _delay_ns(self, buffers: Sequence[SampleBuffer]) -> float | None:
        """Returns the largest latency, arrival minus time on the rig's clock, within the budget; None without any."""
        latencies = [
            float(np.median([age for _, age in ages])) - buffer.clock.offset_ns
            for buffer, ages in zip(buffers, self._latency, strict=True)
            if ages
        ]
        if not latencies:
            return None
        period = min(buffer.period_ns for buffer in buffers)
        budget = max(self._max_delay_ns - exposure_lead_ns(buffers), min(latencies) + period)
        return max(latency for latency in latencies if latency <= budget)

    def _within_reach(self, t_ns: float, now_ns: int, buffers: Sequence[SampleBuffer]) -> float:
        """Returns the time step, or an earlier one if no camera has a sample near it although some still send."""
        sending = [
            (buffer.newest_ns, buffer.period_ns)
            for buffer, ages in zip(buffers, self._latency, strict=True)
            if buffer.newest_ns is not None and _is_sending([arrival for arrival, _ in ages], now_ns)
        ]
        if any(newest + MAX_EXTRAPOLATION_PERIODS * usual >= t_ns for newest, usual in sending):
            return t_ns
        return max((newest + usual for newest, usual in sending), default=t_ns)


def exposure_lead_ns(buffers: Sequence[SampleBuffer]) -> int:
    """Returns by how much the rig's clock is ahead of the earliest clock of a camera, which exposed no later."""
    return max([0, *(buffer.clock.offset_ns for buffer in buffers)])


def _is_sending(arrivals_ns: list[int], now_ns: int) -> bool:
    """Returns whether another sample after these is to be expected."""
    return len(arrivals_ns) > 1 and now_ns - arrivals_ns[-1] < MAX_OVERDUE_PERIODS * median_period(arrivals_ns)


class FileClock:
    """Makes every frame of the fastest file a time step; when that ends, of the fastest of the others.

    Args:
        interval_ns: Least time between two time steps; frames in between are left out.
        collecting_s: As `COLLECTING_S`; 0 = every time step is due as soon as it can be.
        sleep: Waits so many seconds.
    """

    skipped = 0

    def __init__(
        self, interval_ns: int = 1, collecting_s: float = 0.0, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._interval_ns, self._collecting_s, self._sleep = interval_ns, collecting_s, sleep
        self._last_ns = self._awaited_ns = -1
        self._leader: SampleBuffer | None = None
        self._periods_ns: list[float] = []  # of the files, by their first frames
        self._idle = self._emptied = False
        self.over = False

    def read(self, cameras: CameraInputs) -> None:
        """Reads more of every file that is not far ahead; waits if no time step was due last time."""
        wait_ms = IDLE_MS if self._idle else 0
        if self._collecting_s and self._idle and self._emptied and self._all_running(cameras.buffers):
            self._sleep(self._collecting_s)
            wait_ms = 0
        self._emptied = True
        for source, buffer in zip(cameras.sources, cameras.buffers, strict=True):
            if self.ahead(buffer) >= MAX_AHEAD_FRAMES and (buffer.newest_ns or -1) >= self._awaited_ns:
                continue  # a file that began much earlier than the others is read on
            messages = source.receive(0 if buffer.ended else wait_ms, max_messages=MESSAGES_PER_READ)
            for message in messages:
                cameras.take(message)
            self._emptied = self._emptied and len(messages) < MESSAGES_PER_READ
            wait_ms = wait_ms if buffer.ended else 0

    def _all_running(self, buffers: Sequence[SampleBuffer]) -> bool:
        """Whether there was a time step, and no file has ended: neither the first nor the last one is to wait."""
        return self._last_ns >= 0 and not any(buffer.ended for buffer in buffers)

    def tick(self, buffers: Sequence[SampleBuffer]) -> int | None:
        """Returns the next time step that every file that has not ended has reached, None if more must be read."""
        t_ns = self._next_ns(buffers)
        self._last_ns = self._last_ns if t_ns is None else t_ns
        self._idle = t_ns is None
        self.over = t_ns is None and all(buffer.ended for buffer in buffers)
        return t_ns

    def ahead(self, buffer: SampleBuffer) -> int:
        """Returns how many samples of a file are after the last time step."""
        return buffer.count_after(self._last_ns)

    def _next_ns(self, buffers: Sequence[SampleBuffer]) -> int | None:
        if not self._periods_ns:
            if any(not buffer.ended and len(buffer.times_ns) < RANKING_FRAMES for buffer in buffers):
                return None
            self._periods_ns = [median_period(buffer.times_ns[:RANKING_FRAMES]) for buffer in buffers]
        if self._leader is None or (self._leader.ended and self._next_of(self._leader) is None):
            left = [v for v, buffer in enumerate(buffers) if self._next_of(buffer) is not None or not buffer.ended]
            self._leader = buffers[min(left, key=self._periods_ns.__getitem__)] if left else None
        t_ns = self._next_of(self._leader) if self._leader else None
        self._awaited_ns = -1 if t_ns is None else t_ns
        if t_ns is None or any(not buffer.ended and (buffer.newest_ns or -1) < t_ns for buffer in buffers):
            return None
        return t_ns

    def _next_of(self, buffer: SampleBuffer) -> int | None:
        return buffer.first_from(self._last_ns + (self._interval_ns if self._last_ns >= 0 else 1))
