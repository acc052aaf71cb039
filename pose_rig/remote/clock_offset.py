"""The offset between the monotonic clocks of two machines, from request and reply (RFC 5905, section 8).

A machine asks another for its time and measures how long the reply takes. Where both ways take equally long, the other
clock was read in the middle; in any case the offset is known within half the delay. Samples with a small delay count
most, as in NTP's clock filter, and a line through the samples of the last minutes gives offset and rate.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

MIN_EXCHANGES = 4  # until the offset counts as known
WINDOW_S = 300.0
MAX_EXCHANGES = 2400
DELAY_FLOOR_S = 20e-6  # how exact a sample of the smallest delay is: wake-up of a process
WANDER = 2e-7  # by which a crystal's rate changes within minutes, with temperature
DRIFT_SD = 100e-6  # of crystals, prior
STEP_MARGIN_S = 1e-3  # by which an exchange contradicts the estimate only if a clock was set


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its reply.

    Attributes:
        sent_ns: When the request was sent, by this machine's clock.
        received_ns: When it was received, by the other clock.
        answered_ns: When the reply was sent, by the other clock.
        returned_ns: When the reply was received, by this machine's clock.
    """

    sent_ns: int
    received_ns: int
    answered_ns: int
    returned_ns: int

    @property
    def delay_ns(self) -> int:
        """Time that both messages took together, at least 0."""
        return max((self.returned_ns - self.sent_ns) - (self.answered_ns - self.received_ns), 0)

    @property
    def middle_ns(self) -> int:
        """Time by this machine's clock to which `offset_ns` belongs."""
        return (self.sent_ns + self.returned_ns) // 2

    @property
    def offset_ns(self) -> int:
        """Other clock minus this one, exact if both messages took equally long; else off by half the delay at most."""
        return (self.received_ns + self.answered_ns) // 2 - self.middle_ns


@dataclass(frozen=True, slots=True)
class ClockEstimate:
    """What is known of the other clock: other time = own time + offset + drift · (own time − reference).

    Attributes:
        reference_ns: Own time.
        offset_ns: Other clock minus own, at the reference.
        drift: Rate of the other clock relative to this one, minus 1.
        uncertainty_s: Bound of the error of the offset at the reference: half the smallest delay, plus two standard
            deviations of the line.
    """

    reference_ns: int
    offset_ns: int
    drift: float
    uncertainty_s: float

    def other_ns(self, own_ns: int) -> int:
        """Returns the other clock's time at a time of this one."""
        return own_ns + self.offset_ns + round(self.drift * (own_ns - self.reference_ns))

    def own_ns(self, other_ns: int) -> int:
        """Returns this clock's time at a time of the other one."""
        since_ns = other_ns - self.offset_ns - self.reference_ns
        return self.reference_ns + round(since_ns / (1.0 + self.drift))


class ClockOffset:
    """Estimates the other clock from exchanges.

    Attributes:
        estimate: The newest one; None until `MIN_EXCHANGES`.
        steps: How often a clock was found to have been set, or to have stood still while its machine slept.
    """

    def __init__(self) -> None:
        self._exchanges: deque[Exchange] = deque(maxlen=MAX_EXCHANGES)
        self.estimate: ClockEstimate | None = None
        self.steps = 0

    def add(self, exchange: Exchange) -> None:
        """Takes an exchange; one that contradicts the earlier ones discards them."""
        if self._contradicts(exchange):
            self.steps += 1
            self.restart()
        self._exchanges.append(exchange)
        while self._exchanges[0].middle_ns < exchange.middle_ns - WINDOW_S * 1e9:
            self._exchanges.popleft()
        if len(self._exchanges) >= MIN_EXCHANGES:
            self.estimate = _fitted(list(self._exchanges))

    def restart(self) -> None:
        """Discards everything."""
        self._exchanges.clear()
        self.estimate = None

    def _contradicts(self, exchange: Exchange) -> bool:
        """Returns whether the estimate lies outside the bounds of an exchange, which hold for any delays."""
        if self.estimate is None:
            return False
        predicted_ns = self.estimate.other_ns(exchange.middle_ns) - exchange.middle_ns
        since_s = (exchange.middle_ns - self.estimate.reference_ns) * 1e-9
        tolerance_s = self.estimate.uncertainty_s + STEP_MARGIN_S + DRIFT_SD * max(since_s, 0.0)
        return abs(predicted_ns - exchange.offset_ns) > exchange.delay_ns / 2 + tolerance_s * 1e9


def _fitted(exchanges: list[Exchange]) -> ClockEstimate:
    """Returns the line through the offsets of exchanges, at the newest one: weighted least squares, with a prior."""
    last = exchanges[-1]
    age_s = np.array([last.middle_ns - one.middle_ns for one in exchanges]) * 1e-9
    offset_s = np.array([one.offset_ns - last.offset_ns for one in exchanges]) * 1e-9
    delay_s = np.array([one.delay_ns for one in exchanges]) * 1e-9
    min_delay_s = float(delay_s.min())
    sd_s = DELAY_FLOOR_S + (delay_s - min_delay_s) / 2 + WANDER * age_s
    design = np.stack([np.ones_like(age_s), -age_s], axis=1) / sd_s[:, None]
    information = design.T @ design + np.diag([0.0, DRIFT_SD**-2])
    covariance = np.linalg.inv(information)
    level_s, drift = covariance @ design.T @ (offset_s / sd_s)
    return ClockEstimate(
        reference_ns=last.middle_ns,
        offset_ns=last.offset_ns + round(level_s * 1e9),
        drift=float(drift),
        uncertainty_s=min_delay_s / 2 + 2 * float(np.sqrt(covariance[0, 0])),
    )
