"""The clock of a camera."""

import pytest

from pose_rig.fusion.synchronisation.camera_clock import RIG_CLOCK, CameraClock

LATE_NS = 1_790_000_000_123_456_789  # a unix time, which no float holds


def test_the_clock_of_the_rig_changes_nothing() -> None:
    assert CameraClock() == RIG_CLOCK
    assert RIG_CLOCK.rig_ns(LATE_NS) == LATE_NS


def test_an_offset_is_exact() -> None:
    assert CameraClock(-250_000_001).rig_ns(LATE_NS) == LATE_NS - 250_000_001


def test_a_rate_stretches_the_time_of_the_camera() -> None:
    clock = CameraClock(500_000_000, 1.001)
    assert clock.rig_ns(0) == 500_000_000
    assert clock.rig_ns(20_000_000_000) == 20_520_000_000
    assert clock.camera_ns(clock.rig_ns(7_000_000_000)) == pytest.approx(7_000_000_000, abs=1)
