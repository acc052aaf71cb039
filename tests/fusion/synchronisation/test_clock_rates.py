"""Coarse rates of clocks, from movement signals."""

import numpy as np

from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.clock_offsets import coarse_offsets
from pose_rig.fusion.synchronisation.clock_rates import coarse_rates
from pose_rig.fusion.synchronisation.clock_signals import movement_signals
from tests.fusion.simulated import calibration
from tests.fusion.synchronisation.clock_takes import tracks

OFFSET_S = np.array([0.0, 0.4, -0.7])
LONG_S = 130.0


def errors_s(takes: list[CameraTrack], rate: list[float]) -> list[float]:
    """(2V,) errors of the clocks found, at the ends of each recording."""
    signals = [movement_signals(take) for take in takes]
    clocks = coarse_rates(signals, coarse_offsets(signals))
    out = []
    for clock, take, offset_s, true_rate in zip(clocks, takes, OFFSET_S.tolist(), rate, strict=True):
        out += [clock.rig_ns(t) * 1e-9 - (t * 1e-9 * true_rate + offset_s) for t in take.t_ns[[0, -1]].tolist()]
    return out


def test_rates_of_long_recordings_are_found() -> None:
    rate = [1.0, 1.001, 0.9992]
    takes = tracks(calibration(3), OFFSET_S, LONG_S, rate=rate)
    assert max(np.abs(errors_s(takes, rate))) < 0.02


def test_equal_rates_stay_exactly_equal() -> None:
    signals = [movement_signals(take) for take in tracks(calibration(3), OFFSET_S, LONG_S)]
    assert [clock.rate for clock in coarse_rates(signals, coarse_offsets(signals))] == [1.0, 1.0, 1.0]


def test_short_recordings_and_unknown_cameras_keep_constant_offsets() -> None:
    signals = [movement_signals(take) for take in tracks(calibration(3), OFFSET_S, 30.0, rate=[1.0, 1.001, 1.0])]
    offsets = coarse_offsets([*signals, movement_signals(CameraTrack.empty())])
    clocks = coarse_rates([*signals, movement_signals(CameraTrack.empty())], offsets)
    assert [clock.rate for clock in clocks] == [1.0] * 4
    np.testing.assert_allclose([clock.offset_ns * 1e-9 for clock in clocks], offsets.offset_s, atol=1e-9)


def test_a_part_of_signals_keeps_their_times() -> None:
    signals = movement_signals(tracks(calibration(1), np.zeros(1))[0])
    start_s, end_s = signals.span_s
    part = signals.part(start_s + 1.0, start_s + 2.0).later(0.5)
    assert part.span_s == (start_s + 1.5, start_s + 2.5)
    np.testing.assert_array_equal(part.values, signals.values[50:101])
    assert not signals.part(end_s + 1.0, end_s + 2.0).valid.any()
    assert not signals.part(start_s - 2.0, start_s - 1.0).valid.any()
