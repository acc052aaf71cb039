"""When to send a frame: as poses arrive, never faster than a maximum rate, and at that rate if none arrives."""

EARLY_FRACTION = 0.25  # of a period: poses are not perfectly periodic, and the next tick would cost most of a period
LATE_FRACTION = 0.5  # of a period that a pose may be overdue before the last one is repeated
CATCH_UP_FRACTION = 0.02  # of a period by which ticks come earlier while poses wait: in phase within a second
_S = 1_000_000_000


class SendTimer:
    """A timer that locks its phase to the arriving poses.

    Its mean rate is at most the given one, and 2 % faster while poses wait for it. A pose that arrives a little early
    is sent at once; if none has arrived half a period after it was due, the last one is repeated.

    Args:
        rate_hz: Maximum rate.
    """

    def __init__(self, rate_hz: float) -> None:
        self._period_ns = round(_S / rate_hz)
        self._due_ns = 0
        self._repeated = False
        self._delayed = False

    def ready(self, now_ns: int, *, new: bool) -> bool:
        """Returns whether to send now.

        Args:
            now_ns: Monotonic clock.
            new: Whether there is a pose that was not sent yet.
        """
        ready = now_ns >= self._next_ns(new=new)
        self._delayed = self._delayed or (new and not ready)
        return ready

    def wait_s(self, now_ns: int, *, new: bool) -> float:
        """Returns seconds until the next frame is sent if no further pose arrives."""
        return max(0.0, (self._next_ns(new=new) - now_ns) / _S)

    def sent(self, now_ns: int, *, new: bool) -> None:
        """Schedules the next frame after one was sent."""
        catch_up_ns = round(CATCH_UP_FRACTION * self._period_ns) if self._delayed else 0
        earliest_ns = now_ns - round(EARLY_FRACTION * self._period_ns)
        self._due_ns = max(self._due_ns, earliest_ns) + self._period_ns - catch_up_ns
        self._delayed = False
        self._repeated = not new

    def _next_ns(self, *, new: bool) -> int:
        if new:
            return self._due_ns - round(EARLY_FRACTION * self._period_ns)
        return self._due_ns + (0 if self._repeated else round(LATE_FRACTION * self._period_ns))
