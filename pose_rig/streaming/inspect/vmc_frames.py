"""Frames in a VMC stream: their boundaries, rate, and the order of their messages.

A frame ends with its T; without a T, it ends before a bone that it contains already.
"""

from collections import deque
from dataclasses import dataclass

from pose_rig.humanoid.bones import UNITY_PARENT
from pose_rig.streaming.inspect.vmc_faults import Faults

RATE_WINDOW_NS = 2_000_000_000
MAX_TIMESTAMPS = 1024  # rates above 512 Hz are shown as that
MAX_FRAMES_WITHOUT = 100  # an OK or a T
# An OK or T belongs to the bones after it if it arrives later than this after the bones before it, and the bones after
# it follow this many times sooner.
LATE_NS, LATE_RATIO = 4_000_000, 4
MIN_LATE_FRAMES = 3  # in a row; a single one may be a delayed listener


@dataclass(frozen=True, slots=True)
class Arrival:
    """Arrival of a message: timestamp (ns, monotonic) and number of the datagram."""

    t_ns: int
    datagram: int


class FrameChecker:
    """Splits a stream into frames and checks them.

    Args:
        faults: Counter of faults.

    Attributes:
        count: Number of frames.
    """

    def __init__(self, faults: Faults) -> None:
        self.count = 0
        self._faults = faults
        self._bones: dict[str, None] = {}  # of the current frame, in order of arrival
        self._previous_bones: frozenset[str] = frozenset()
        self._ends_ns: deque[int] = deque(maxlen=MAX_TIMESTAMPS)
        self._last_bone: Arrival | None = None
        self._commit: Arrival | None = None  # first OK or T after the last bone
        self._late_in_a_row = 0
        self._content_since_t = True
        self._frames_without_ok = self._frames_without_t = 0

    def rate_hz(self, now_ns: int) -> float:
        """Returns frames per second over the last two seconds."""
        recent = [t_ns for t_ns in self._ends_ns if t_ns > now_ns - RATE_WINDOW_NS]
        return (len(recent) - 1) / (recent[-1] - recent[0]) * 1e9 if len(recent) > 1 and recent[-1] > recent[0] else 0.0

    def add_bone(self, name: str, at: Arrival) -> None:
        """Adds a bone."""
        if name in self._bones:
            self._end_frame(at)
        if self._commit and self._last_bone:
            self._check_late(self._last_bone, self._commit, at)
        self._last_bone, self._commit = at, None
        self._bones[name] = None
        self._content_since_t = True

    def add_other(self) -> None:
        """Adds a message that is neither a bone nor OK nor T."""
        self._content_since_t = True

    def add_ok(self, at: Arrival) -> None:
        """Adds an OK."""
        self._frames_without_ok = 0
        self._commit = self._commit or at

    def add_time(self, at: Arrival) -> None:
        """Adds a T, which ends the frame."""
        self._frames_without_t = 0
        self._commit = self._commit or at
        if not self._content_since_t:
            self._faults.count("T too often")
        self._content_since_t = False
        self._end_frame(at)

    def _end_frame(self, at: Arrival) -> None:
        self.count += 1
        self._ends_ns.append(at.t_ns)
        if not self._bones:
            return
        bones = frozenset(self._bones)
        if self._previous_bones and bones.isdisjoint(self._previous_bones):
            self._faults.count("T too often")
        elif missing := self._previous_bones - bones:
            self._faults.count("missing bones", min(missing))
        self._check_order()
        self._frames_without_ok += 1
        self._frames_without_t += 1
        if self._frames_without_ok > MAX_FRAMES_WITHOUT:
            self._faults.count("no OK")
        if self._frames_without_t > MAX_FRAMES_WITHOUT:
            self._faults.count("no T")
        self._previous_bones, self._bones = bones, {}

    def _check_order(self) -> None:
        """Checks that every bone comes after its nearest ancestor in the frame."""
        arrived: set[str] = set()
        for name in self._bones:
            ancestor = UNITY_PARENT[name]
            while ancestor and ancestor not in self._bones:
                ancestor = UNITY_PARENT[ancestor]
            if ancestor and ancestor not in arrived:
                self._faults.count("children first", f"{name} before {ancestor}")
            arrived.add(name)

    def _check_late(self, before: Arrival, commit: Arrival, after: Arrival) -> None:
        """Checks whether bones come after the OK or T of their own frame, by what is closer in time."""
        if commit.datagram == after.datagram:
            self._faults.count("bones after OK")
            return
        before_ns, after_ns = commit.t_ns - before.t_ns, after.t_ns - commit.t_ns
        late = before_ns > LATE_NS and after_ns * LATE_RATIO < before_ns
        self._late_in_a_row = self._late_in_a_row + 1 if late else 0
        if self._late_in_a_row >= MIN_LATE_FRAMES:
            self._faults.count("bones after OK")
