"""The clock of a phone's browser, and the time of the rig that belongs to its times."""

import time
from collections import OrderedDict

from pose_rig.remote.clock_offset import ClockOffset, Exchange

MAX_PENDING = 32  # answers that the phone has not confirmed
MAX_ROUND_TRIP_MS = 2000.0
NS_PER_MS = 1_000_000


class PhoneClock:
    """Maps ``performance.now()`` of a phone to the monotonic clock of this machine."""

    def __init__(self) -> None:
        self._offset = ClockOffset()
        self._answered: OrderedDict[float, int] = OrderedDict()
        self._newest: Exchange | None = None

    def answer_ms(self, sent_ms: float) -> float:
        """Returns the time of the rig now, ms, as the answer to a request that the phone sent at ``sent_ms``."""
        now_ns = time.monotonic_ns()
        self._answered[sent_ms] = now_ns
        if len(self._answered) > MAX_PENDING:
            self._answered.popitem(last=False)
        return now_ns / NS_PER_MS

    def confirm(self, sent_ms: float, received_ms: float) -> bool:
        """Takes when the answer to a request arrived at the phone; returns whether it is used."""
        rig_ns = self._answered.pop(sent_ms, None)
        if rig_ns is None or not 0 <= received_ms - sent_ms <= MAX_ROUND_TRIP_MS:
            return False
        exchange = Exchange(round(sent_ms * NS_PER_MS), rig_ns, rig_ns, round(received_ms * NS_PER_MS))
        self._newest = exchange
        self._offset.add(exchange)
        return True

    @property
    def uncertainty_ms(self) -> float | None:
        """How far off it may be; None before the first exchange."""
        if self._offset.estimate is not None:
            return self._offset.estimate.uncertainty_s * 1e3
        return None if self._newest is None else self._newest.delay_ns / 2 / NS_PER_MS

    def rig_ns(self, phone_ms: float) -> int | None:
        """Returns the time of the rig at a time of the phone; None before the first exchange."""
        own_ns = round(phone_ms * NS_PER_MS)
        if self._offset.estimate is not None:
            return self._offset.estimate.other_ns(own_ns)
        return None if self._newest is None else own_ns + self._newest.offset_ns
