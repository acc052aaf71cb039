"""Files in step: recordings played on the wall clock, or frame by frame as fast as they are wanted."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pose_rig.arrays import Image
from pose_rig.capture.source import Detections, Frame
from pose_rig.config import Pace

# A source that joins late seeks rather than decoding its way there: grabbing is only about 5 × real time. Later on it
# seldom pays, because decoding begins at the last keyframe, which may be hundreds of frames away.
JOIN_BEHIND_S = 2.0
SEEK_BEHIND_S = 30.0
SEEK_COST_FACTOR = 2.0  # and the further behind the longer the last seek took
CATCH_UP_SHARE = 0.25  # of the time that it is late, for skipping that does make it less late
START_CHECK_S = 0.02


@dataclass(frozen=True, slots=True)
class RecordedFrame:
    """A frame's place in its recording: number from 0, and own time in ns."""

    index: int
    own_ns: int


class Recording(Protocol):
    """A finite row of frames with times of their own. The facts are those of `Source`."""

    identity: str
    detail: str
    size_px: tuple[int, int]
    fps: float
    total_frames: int | None
    landmarks: str

    @property
    def fault(self) -> str:
        """As in `Source`."""

    def advance(self) -> RecordedFrame | None:
        """Moves on to the next frame, without decoding where that can be helped; None at the end."""

    def seek(self, own_ns: int) -> None:
        """Goes to about ``own_ns``, so that the next `advance` arrives at or before it."""

    def content(self) -> tuple[Image | None, Detections | None]:
        """Returns the image, or the people, of the frame it is at."""

    def close(self) -> None:
        """Closes the file."""


class Clock(Protocol):
    """What we use of ``time``."""

    def monotonic_ns(self) -> int:
        """The monotonic clock."""

    def sleep(self, seconds: float, /) -> None:
        """Waits."""


class PacedSource:
    """A recording as a `Source`.

    Args:
        recording: Closed together with the source.
        pace: ``all``: every frame, stamped with its own time. ``realtime``: frame k is due at start + its own time.
            Frames that are overdue are skipped, but for no longer than the reader took with the last frame, unless
            that catches up: a late frame is better than none. It keeps the instant at which it was due.
        start: Returns the common start of all recordings (monotonic ns); 0 = not started yet.
        offset_ms: Added to the own time. With pace ``all``, frames that it puts before 0 are left out.
        clock: The wall clock.
    """

    def __init__(
        self,
        recording: Recording,
        pace: Pace,
        start: Callable[[], int],
        offset_ms: float = 0.0,
        clock: Clock = time,
    ) -> None:
        self._recording, self._clock = recording, clock
        self._realtime = pace == "realtime"
        self._start = start
        self._offset_ns = round(offset_ms * 1e6)
        self._period_ns = round(1e9 / recording.fps)
        self._next: RecordedFrame | None = None
        self._own_ns = 0  # of the frame it is at
        self._sought_ns = self._seek_cost_ns = 0  # when a seek ended last, and how long it took
        self._read_ns = 0  # when the last frame was handed out, 0 once the skipping after it has begun
        self._skip_until_ns = self._behind_ns = 0  # how late it was when that began
        self._joined = False
        self._ended = False
        self.identity, self.detail, self.size_px = recording.identity, recording.detail, recording.size_px
        self.fps, self.total_frames, self.landmarks = recording.fps, recording.total_frames, recording.landmarks

    @property
    def fault(self) -> str:
        """As in `Source`."""
        return self._recording.fault

    def poll(self, timeout_s: float) -> bool:
        """Waits up to ``timeout_s`` for the next frame to be due; True at the end as well."""
        deadline = self._clock.monotonic_ns() + round(timeout_s * 1e9)
        if not self._realtime:
            return self._reach_zero(deadline)
        if not self._start() and self._next is None:
            self._advance()  # the first frame takes longest to decode
        while not self._start():
            if self._clock.monotonic_ns() >= deadline:
                return False
            self._clock.sleep(min(START_CHECK_S, timeout_s))
        if not self._catch_up(deadline):
            return False
        self._clock.sleep(max(0, min(self._due_ns(), deadline) - self._clock.monotonic_ns()) / 1e9)
        return self._ended or self._due_ns() <= deadline

    def read(self) -> Frame | None:
        """Returns the next frame that is due, None at the end."""
        while not self.poll(START_CHECK_S):
            pass
        if self._next is None:
            return None
        frame, self._next = self._next, None
        self._read_ns, self._joined = self._clock.monotonic_ns(), True
        image, detections = self._recording.content()
        start_ns = self._start() if self._realtime else 0
        return Frame(frame.index, start_ns + frame.own_ns + self._offset_ns, self.size_px, image, detections)

    def close(self) -> None:
        """Closes the recording."""
        self._recording.close()

    def _advance(self) -> None:
        self._next = None if self._ended else self._recording.advance()
        if self._next is None:
            self._ended = True
        else:
            self._own_ns = self._next.own_ns

    def _due_ns(self) -> int:
        return self._start() + self._own_ns + self._offset_ns

    def _reach_zero(self, deadline: int) -> bool:
        """Goes to the next frame whose time is not before 0; False if that takes past the deadline."""
        while not self._ended and (self._next is None or self._own_ns + self._offset_ns < 0):
            self._advance()
            if self._clock.monotonic_ns() > deadline:
                break
        return self._ended or self._own_ns + self._offset_ns >= 0

    def _catch_up(self, deadline: int) -> bool:
        """Goes to the newest frame that can be had; False if that takes past the deadline."""
        now = self._clock.monotonic_ns()
        if self._read_ns:
            self._behind_ns = now - self._due_ns()
            self._skip_until_ns = now + max(now - self._read_ns, self._period_ns)
            self._read_ns = 0
        while not self._ended:
            now = self._clock.monotonic_ns()
            if self._next is not None and (self._due_ns() + self._period_ns > now or now > self._skips_until(now)):
                return True
            self._seek_if_far_behind(now)
            self._advance()
            if self._clock.monotonic_ns() > deadline:
                return False
        return True

    def _skips_until(self, now: int) -> int:
        catches_up = now - self._due_ns() < self._behind_ns
        return self._skip_until_ns + (round(CATCH_UP_SHARE * self._behind_ns) if catches_up else 0)

    def _seek_if_far_behind(self, now: int) -> None:
        behind_ns = min(now - self._due_ns(), now - self._sought_ns)
        most_s = SEEK_BEHIND_S if self._joined else JOIN_BEHIND_S
        if behind_ns > most_s * 1e9 + SEEK_COST_FACTOR * self._seek_cost_ns:
            self._recording.seek(now - self._start() - self._offset_ns + self._seek_cost_ns)
            self._sought_ns = self._clock.monotonic_ns()
            self._seek_cost_ns = self._sought_ns - now
