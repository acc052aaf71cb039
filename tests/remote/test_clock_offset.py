import numpy as np
import pytest

from pose_rig.remote.clock_offset import MIN_EXCHANGES, ClockEstimate, ClockOffset, Exchange

S = 1_000_000_000
SHIFT_NS, DRIFT = 3_700_000_000, 50e-6  # of the rig's clock, against the one of the camera's machine


def rig_ns(own_ns: int) -> int:
    return own_ns + SHIFT_NS + round(DRIFT * own_ns)


def exchange(own_ns: int, there_ns: int, back_ns: int) -> Exchange:
    """Returns the exchange of a request that is sent at a time and takes so long there and back."""
    arrived_ns = own_ns + there_ns
    answered_ns = arrived_ns + 50_000
    return Exchange(own_ns, rig_ns(arrived_ns), rig_ns(answered_ns), answered_ns + back_ns)


def network(seed: int, seconds: float, base_ns: float, jitter_ns: float) -> list[Exchange]:
    """Returns four exchanges a second over a network with a smallest delay and exponential jitter, each way."""
    rng = np.random.default_rng(seed)
    delays = base_ns + rng.exponential(jitter_ns, (round(seconds * 4), 2))
    return [exchange(10 * S + i * S // 4, *map(round, row)) for i, row in enumerate(delays)]


def test_an_exchange_of_equal_delays_is_exact() -> None:
    one = exchange(1000 * S, 400_000, 400_000)
    assert one.delay_ns == pytest.approx(800_000, abs=10)
    assert one.offset_ns == pytest.approx(rig_ns(one.middle_ns) - one.middle_ns, abs=10)


@pytest.mark.parametrize(
    ("base_ns", "jitter_ns", "seconds", "limit_s"),
    [(30e3, 20e3, 10, 30e-6), (1e6, 2e6, 10, 1e-3), (1e6, 2e6, 40, 0.5e-3), (3e6, 20e6, 20, 5e-3)],
)
def test_offset_and_rate_are_found_within_what_is_stated(
    base_ns: float, jitter_ns: float, seconds: float, limit_s: float
) -> None:
    for seed in range(5):
        clock = ClockOffset()
        for one in network(seed, seconds, base_ns, jitter_ns):
            clock.add(one)
        assert clock.estimate is not None
        now_ns = clock.estimate.reference_ns
        error_s = abs(clock.estimate.other_ns(now_ns) - rig_ns(now_ns)) * 1e-9
        assert error_s < limit_s
        assert error_s < clock.estimate.uncertainty_s
        assert clock.steps == 0


def test_the_rate_is_found_in_a_minute() -> None:
    clock = ClockOffset()
    for one in network(1, 60, 200e3, 100e3):
        clock.add(one)
    assert clock.estimate is not None
    assert clock.estimate.drift == pytest.approx(DRIFT, abs=3e-6)
    ahead_ns = clock.estimate.reference_ns + 60 * S  # a minute without a network
    assert abs(clock.estimate.other_ns(ahead_ns) - rig_ns(ahead_ns)) < 300_000


def test_one_direction_that_becomes_slow_is_bounded_by_earlier_exchanges() -> None:
    clock = ClockOffset()
    for one in network(2, 60, 200e3, 100e3):
        clock.add(one)
    for i in range(80):  # 20 s of an upload that fills a queue of 50 ms
        clock.add(exchange(70 * S + i * S // 4, 50_000_000, 300_000))
    assert clock.estimate is not None
    now_ns = clock.estimate.reference_ns
    assert abs(clock.estimate.other_ns(now_ns) - rig_ns(now_ns)) < 500_000
    assert clock.steps == 0


def test_a_clock_that_stood_still_is_found_again() -> None:
    clock = ClockOffset()
    for one in network(3, 10, 200e3, 100e3):
        clock.add(one)
    slept_ns = 8 * S
    for i in range(MIN_EXCHANGES):
        assert (clock.estimate is None) == (0 < i < MIN_EXCHANGES)
        one = exchange(21 * S + i * S // 50, 300_000, 300_000)
        clock.add(Exchange(one.sent_ns, one.received_ns + slept_ns, one.answered_ns + slept_ns, one.returned_ns))
    assert clock.steps == 1
    assert clock.estimate is not None
    now_ns = clock.estimate.reference_ns
    assert abs(clock.estimate.other_ns(now_ns) - rig_ns(now_ns) - slept_ns) < 300_000


def test_times_are_converted_both_ways() -> None:
    estimate = ClockEstimate(5 * S, -SHIFT_NS, 80e-6, 1e-4)
    for own_ns in (0, 5 * S, 10**15):
        assert abs(estimate.own_ns(estimate.other_ns(own_ns)) - own_ns) <= 1
    assert ClockOffset().estimate is None
