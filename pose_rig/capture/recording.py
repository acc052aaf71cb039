"""Recordings with timestamps of their own, played back in real time or as fast as possible."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pose_rig.arrays import Image
from pose_rig.capture.source import Detections, Frame, SourceInfo
from pose_rig.config import Pace
from pose_rig.wire.jobs import SYSTEM_CLOCK, WallClock

# A source that starts late seeks instead of grabbing every frame: grabbing is only about 5 × real time. Later, seeking
# seldom helps, because decoding restarts at the last keyframe, which may be hundreds of frames away.
START_SEEK_BEHIND_S = 2.0
SEEK_BEHIND_S = 30.0
SEEK_COST_FACTOR = 2.0  # a seek needs a delay that is longer by this × the duration of the last seek
CATCH_UP_FRACTION = 0.25  # of the delay: time for skipping further frames while that reduces the delay
START_POLL_INTERVAL_S = 0.02


@dataclass(frozen=True, slots=True)
class RecordedFrame:
    """The number of a frame in its recording, from 0, and its presentation timestamp, ns."""

    index: int
    pts_ns: int


class Recording(Protocol):
    """Frames with presentation timestamps."""

    info: SourceInfo

    @property
    def fault(self) -> str:
        """As in `Source`."""

    def grab(self) -> RecordedFrame | None:
        """Grabs the next frame, if possible without decoding it; None at the end."""

    def seek(self, pts_ns: int) -> None:
        """Seeks so that the next `grab` returns a frame at or before ``pts_ns``."""

    def retrieve(self) -> tuple[Image | None, Detections | None]:
        """Returns the image, or the detections, of the grabbed frame."""

    def close(self) -> None:
        """Closes the file."""


class PacedSource:
    """A recording as a `Source`.

    Args:
        recording: Closed together with the source.
        pace: ``all``: every frame, with its presentation timestamp. ``realtime``: a frame is due at start + that
            timestamp, and has that time. Late frames are skipped, but for no longer than the reader took for the last
            frame, unless skipping reduces the delay: a late frame is better than none.
        start: Returns the common start of all recordings (monotonic ns); 0 = not started yet.
        offset_ms: Added to the timestamps. With pace ``all``, frames before 0 are dropped.
        clock: The wall clock.
    """

    def __init__(
        self,
        recording: Recording,
        pace: Pace,
        start: Callable[[], int],
        offset_ms: float = 0.0,
        clock: WallClock = SYSTEM_CLOCK,
    ) -> None:
        self._recording, self._clock = recording, clock
        self._realtime = pace == "realtime"
        self._start = start
        self._offset_ns = round(offset_ms * 1e6)
        self._period_ns = round(1e9 / recording.info.fps)
        self._next: RecordedFrame | None = None
        self._pts_ns = 0  # of the grabbed frame
        self._seek_end_ns = self._seek_cost_ns = 0  # end and duration of the last seek
        self._read_ns = 0  # when the last frame was returned, 0 once skipping after it has started
        self._skip_until_ns = self._behind_ns = 0  # the delay when skipping started
        self._started = False
        self._ended = False
        self.info = recording.info

    @property
    def fault(self) -> str:
        """As in `Source`."""
        return self._recording.fault

    def poll(self, timeout_s: float) -> bool:
        """Waits up to ``timeout_s`` until the next frame is due; True at the end, too."""
        deadline = self._clock.monotonic_ns() + round(timeout_s * 1e9)
        if not self._realtime:
            return self._reach_zero(deadline)
        if not self._start() and self._next is None:
            self._grab()  # the first frame takes longest to decode
        while not self._start():
            if self._clock.monotonic_ns() >= deadline:
                return False
            self._clock.sleep(min(START_POLL_INTERVAL_S, timeout_s))
        if not self._catch_up(deadline):
            return False
        self._clock.sleep(max(0, min(self._due_ns(), deadline) - self._clock.monotonic_ns()) / 1e9)
        return self._ended or self._due_ns() <= deadline

    def read(self) -> Frame | None:
        """Returns the next frame that is due, None at the end."""
        while not self.poll(START_POLL_INTERVAL_S):
            pass
        if self._next is None:
            return None
        frame, self._next = self._next, None
        self._read_ns, self._started = self._clock.monotonic_ns(), True
        image, detections = self._recording.retrieve()
        start_ns = self._start() if self._realtime else 0
        return Frame(frame.index, start_ns + frame.pts_ns + self._offset_ns, self.info.size_px, image, detections)

    def close(self) -> None:
        """Closes the recording."""
        self._recording.close()

    def _grab(self) -> None:
        self._next = None if self._ended else self._recording.grab()
        if self._next is None:
            self._ended = True
        else:
            self._pts_ns = self._next.pts_ns

    def _due_ns(self) -> int:
        return self._start() + self._pts_ns + self._offset_ns

    def _reach_zero(self, deadline: int) -> bool:
        """Grabs up to the first frame at or after time 0; False if the deadline passes."""
        while not self._ended and (self._next is None or self._pts_ns + self._offset_ns < 0):
            self._grab()
            if self._clock.monotonic_ns() > deadline:
                break
        return self._ended or self._pts_ns + self._offset_ns >= 0

    def _catch_up(self, deadline: int) -> bool:
        """Grabs up to the newest frame that is due; False if the deadline passes."""
        now = self._clock.monotonic_ns()
        if self._read_ns:
            self._behind_ns = now - self._due_ns()
            self._skip_until_ns = now + max(now - self._read_ns, self._period_ns)
            self._read_ns = 0
        while not self._ended:
            now = self._clock.monotonic_ns()
            if self._next is not None and (self._due_ns() + self._period_ns > now or now > self._skip_deadline_ns(now)):
                return True
            self._seek_if_far_behind(now)
            self._grab()
            if self._clock.monotonic_ns() > deadline:
                return False
        return True

    def _skip_deadline_ns(self, now: int) -> int:
        catches_up = now - self._due_ns() < self._behind_ns
        return self._skip_until_ns + (round(CATCH_UP_FRACTION * self._behind_ns) if catches_up else 0)

    def _seek_if_far_behind(self, now: int) -> None:
        behind_ns = min(now - self._due_ns(), now - self._seek_end_ns)
        max_behind_s = SEEK_BEHIND_S if self._started else START_SEEK_BEHIND_S
        if behind_ns > max_behind_s * 1e9 + SEEK_COST_FACTOR * self._seek_cost_ns:
            self._recording.seek(now - self._start() - self._offset_ns + self._seek_cost_ns)
            self._seek_end_ns = self._clock.monotonic_ns()
            self._seek_cost_ns = self._seek_end_ns - now
