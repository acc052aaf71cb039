"""Where frames of the VMC protocol begin and end, and whether their parts come in an order that receivers can take.

A frame ends with its T; where there is none, it ends before a bone that it has already.
"""

from collections import deque
from dataclasses import dataclass

from pose_rig.humanoid.unity_bones import PARENTS
from pose_rig.streaming.inspect.vmc_faults import Faults

WINDOW_NS = 2_000_000_000
MOST_INSTANTS = 1024  # what is faster than 512 Hz is shown as that
LONG_WITHOUT = 100  # frames
# OK and T that come later than this after the bones before them, and sooner before those that follow, belong to these
APART_NS, SOONER = 4_000_000, 4
AGREEING = 3  # frames in a row; one alone may be a listener that was held up


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a message came (ns, monotonic), and in the how-manieth datagram."""

    t_ns: int
    datagram: int


class FrameWatch:
    """Follows frames.

    Args:
        faults: Where to note what is wrong with them.

    Attributes:
        count: Frames so far.
    """

    def __init__(self, faults: Faults) -> None:
        self.count = 0
        self._faults = faults
        self._now: dict[str, None] = {}
        self._before: frozenset[str] = frozenset()
        self._ends_ns: deque[int] = deque(maxlen=MOST_INSTANTS)
        self._last_bone: Arrival | None = None
        self._committed: Arrival | None = None  # when the first OK or T after the last bone came
        self._late_in_a_row = 0
        self._something = True  # since the last T
        self._without_ok = self._without_t = 0

    def rate_hz(self, now_ns: int) -> float:
        """Returns frames per second over the last two."""
        recent = [t_ns for t_ns in self._ends_ns if t_ns > now_ns - WINDOW_NS]
        return (len(recent) - 1) / (recent[-1] - recent[0]) * 1e9 if len(recent) > 1 and recent[-1] > recent[0] else 0.0

    def bone(self, name: str, at: Arrival) -> None:
        """Takes note of a bone."""
        if name in self._now:
            self._end(at)
        if self._committed and self._last_bone:
            self._check_late(self._last_bone, self._committed, at)
        self._last_bone, self._committed = at, None
        self._now[name] = None
        self._something = True

    def other(self) -> None:
        """Takes note of a message that is neither a bone nor OK nor T."""
        self._something = True

    def ok(self, at: Arrival) -> None:
        """Takes note of an OK."""
        self._without_ok = 0
        self._committed = self._committed or at

    def time(self, at: Arrival) -> None:
        """Takes note of a T, which ends the frame."""
        self._without_t = 0
        self._committed = self._committed or at
        if not self._something:
            self._faults.note("T too often")
        self._something = False
        self._end(at)

    def _end(self, at: Arrival) -> None:
        self.count += 1
        self._ends_ns.append(at.t_ns)
        if not self._now:
            return
        names = frozenset(self._now)
        if self._before and names.isdisjoint(self._before):
            self._faults.note("T too often")
        elif missing := self._before - names:
            self._faults.note("missing bones", min(missing))
        self._check_order()
        self._without_ok += 1
        self._without_t += 1
        if self._without_ok > LONG_WITHOUT:
            self._faults.note("no OK")
        if self._without_t > LONG_WITHOUT:
            self._faults.note("no T")
        self._before, self._now = names, {}

    def _check_order(self) -> None:
        """Looks for bones that come before the nearest of those above them."""
        come: set[str] = set()
        for name in self._now:
            above = PARENTS[name]
            while above and above not in self._now:
                above = PARENTS[above]
            if above and above not in come:
                self._faults.note("children first", f"{name} before {above}")
            come.add(name)

    def _check_late(self, before: Arrival, committed: Arrival, after: Arrival) -> None:
        """Looks whether bones come after the OK or T of their own frame, by what lies closer together."""
        if committed.datagram == after.datagram:
            self._faults.note("bones after OK")
            return
        waited_ns, followed_ns = committed.t_ns - before.t_ns, after.t_ns - committed.t_ns
        late = waited_ns > APART_NS and followed_ns * SOONER < waited_ns
        self._late_in_a_row = self._late_in_a_row + 1 if late else 0
        if self._late_in_a_row >= AGREEING:
            self._faults.note("bones after OK")
