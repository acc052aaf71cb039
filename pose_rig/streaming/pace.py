"""When to send: as new poses come, never faster than asked, and on time even if none comes."""

EARLY = 0.25  # of a period: poses do not come like clockwork, and waiting for the next tick would cost most of one
LATE = 0.5  # of a period that a pose may be overdue before the last one is sent again
INTO_STEP = 0.02  # of a period by which it comes earlier as long as poses wait for it: in step within a second
_S = 1_000_000_000


class Pace:
    """A timer that falls into step with the poses.

    On average it ticks at most at its rate, and a fiftieth faster while poses wait for it. A pose that comes a little
    early is sent at once; if none has come half a period after it was due, the last one is sent again.

    Args:
        rate_hz: Ticks per second at most.
    """

    def __init__(self, rate_hz: float) -> None:
        self._period_ns = round(_S / rate_hz)
        self._due_ns = 0
        self._repeated = False
        self._kept = False

    def ready(self, now_ns: int, *, new: bool) -> bool:
        """Returns whether to send now.

        Args:
            now_ns: Monotonic clock.
            new: Whether there is a pose that has not been sent.
        """
        is_open = now_ns >= self._opens_ns(new=new)
        self._kept = self._kept or (new and not is_open)
        return is_open

    def wait_s(self, now_ns: int, *, new: bool) -> float:
        """Returns seconds until there is something to send even if nothing comes."""
        return max(0.0, (self._opens_ns(new=new) - now_ns) / _S)

    def sent(self, now_ns: int, *, new: bool) -> None:
        """Notes that it was sent."""
        step_ns = round(INTO_STEP * self._period_ns) if self._kept else 0
        self._due_ns = max(self._due_ns, now_ns - round(EARLY * self._period_ns)) + self._period_ns - step_ns
        self._kept = False
        self._repeated = not new

    def _opens_ns(self, *, new: bool) -> int:
        if new:
            return self._due_ns - round(EARLY * self._period_ns)
        return self._due_ns + (0 if self._repeated else round(LATE * self._period_ns))
