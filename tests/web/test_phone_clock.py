import pytest

from pose_rig.web.phone_clock import PhoneClock


def test_before_an_exchange_nothing_is_known() -> None:
    clock = PhoneClock()
    assert clock.rig_ns(5.0) is None
    assert clock.uncertainty_ms is None


def test_one_exchange_gives_the_time_within_half_its_delay() -> None:
    clock = PhoneClock()
    rig_ms = clock.answer_ms(1000.0)
    assert clock.confirm(1000.0, 1010.0)
    rig_ns = clock.rig_ns(1005.0)
    assert rig_ns is not None
    assert rig_ns == pytest.approx(rig_ms * 1e6, abs=2)
    assert clock.uncertainty_ms == pytest.approx(5.0)


def test_answers_that_were_not_given_are_not_used() -> None:
    clock = PhoneClock()
    clock.answer_ms(1000.0)
    assert not clock.confirm(999.0, 1001.0)  # never asked
    assert not clock.confirm(1000.0, 999.0)  # received before it was asked
    assert not clock.confirm(1000.0, 1001.0)  # confirmed twice
    clock.answer_ms(2000.0)
    assert not clock.confirm(2000.0, 9000.0)  # seconds late
    assert clock.rig_ns(5.0) is None


def test_many_exchanges_are_an_estimate_with_its_uncertainty() -> None:
    clock = PhoneClock()
    first_ms = clock.answer_ms(0.0)
    clock.confirm(0.0, 4.0)
    for _ in range(10):
        sent_ms = clock.answer_ms(1.0) - first_ms + 2.0
        clock._answered.clear()
        clock.answer_ms(sent_ms)
        assert clock.confirm(sent_ms, sent_ms + 4.0)
    assert clock.uncertainty_ms is not None
    assert 2.0 <= clock.uncertainty_ms < 5.0
