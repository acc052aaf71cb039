"""Coarse offsets of clocks, from movement signals."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.clock_offsets import CoarseOffsets, coarse_offsets
from pose_rig.fusion.synchronisation.clock_signals import (
    CHANNELS,
    RATE_HZ,
    MovementSignals,
    movement_signals,
    sides_exchanged,
)
from pose_rig.geometry import rotation_from_vector
from tests.fusion.simulated import calibration
from tests.fusion.synchronisation.clock_takes import together, tracks, two_people


def found_in(takes: list[CameraTrack]) -> CoarseOffsets:
    return coarse_offsets([movement_signals(take) for take in takes])


@pytest.mark.parametrize("views", [2, 3, 4])
def test_offsets_are_found_to_a_fraction_of_a_frame(views: int) -> None:
    offset_s = np.array([0.0, 0.83, -1.9, 31.4])[:views]
    found = found_in(tracks(calibration(views), offset_s))
    assert found.found.all()
    assert not found.ambiguous.any()
    np.testing.assert_allclose(found.offset_s, offset_s, atol=0.015)


def test_equal_clocks_have_equal_offsets() -> None:
    found = found_in(tracks(calibration(3), np.zeros(3)))
    assert found.found.all()
    np.testing.assert_allclose(found.offset_s, 0.0, atol=0.01)


def test_a_rhythm_is_ambiguous() -> None:
    found = found_in(tracks(calibration(3), np.array([0.0, 0.4, -0.7]), 20.0, rhythm_s=1.3))
    assert not found.found.any()
    assert found.ambiguous.all()
    assert found.offset_s.tolist() == [0.0, 0.0, 0.0]
    assert np.isnan(found.likely_s).all()


def test_nothing_is_found_without_movement() -> None:
    rng = np.random.default_rng(0)
    still = [
        replace(take, **{name: getattr(take, name)[:1] + rng.normal(0, sd, getattr(take, name).shape) for name, sd in
                         (("xy_px", 3.0), ("lifted", 0.03), ("upright", 0.01))})
        for take in tracks(calibration(4), np.array([0.0, 0.4, -0.7, 1.0]))
    ]  # fmt: skip
    found = found_in(still)
    assert not found.found.any()
    assert not found.ambiguous.any()


@pytest.mark.parametrize(("share", "found"), [(0.18, False), (0.35, True)])
def test_a_correlation_that_chance_may_have_is_not_used(share: float, found: bool) -> None:
    rng = np.random.default_rng(1)
    common, *own = rng.normal(0, 1, (3, round(20 * RATE_HZ), CHANNELS))
    signals = [
        MovementSignals(start_s, share**0.5 * common + (1 - share) ** 0.5 * noise, np.ones(len(noise), bool))
        for start_s, noise in zip((0.0, 0.6), own, strict=True)
    ]
    offsets = coarse_offsets(signals)
    assert offsets.peak_ratio.min() > 2
    assert offsets.found.tolist() == [found, found]
    assert offsets.offset_s[1] == pytest.approx(-0.6 if found else 0.0, abs=0.01)


def test_a_person_who_turns_is_seen_to_turn_the_other_way_in_a_mirror() -> None:
    take = tracks(calibration(2), np.zeros(2), 20.0)[0]
    seconds = (take.t_ns - take.t_ns[0]) * 1e-9
    turn = rotation_from_vector(np.sin(2 * seconds)[:, None] * 2 * take.upright)
    take = replace(take, lifted=take.lifted @ turn.swapaxes(-1, -2))
    signals = movement_signals(take)
    turns = signals.values[signals.valid, -2]
    rate = np.interp(signals.start_s + np.arange(len(signals.values)) / RATE_HZ, take.t_ns * 1e-9, np.cos(2 * seconds))
    assert np.corrcoef(turns, rate[signals.valid])[0, 1] > 0.8
    exchanged = sides_exchanged(signals)
    assert (exchanged.values[:, -2:] == signals.values[:, -2:] * np.array([-1, 1])).all()
    assert (sides_exchanged(exchanged).values == signals.values).all()


def test_a_camera_that_never_overlaps_is_not_found() -> None:
    takes = tracks(calibration(4), np.array([0.0, 0.5, -0.5, 0.0]), 20.0)
    others = tracks(calibration(4), np.array([0.0, 0.0, 0.0, 200.0]), 20.0)
    found = found_in([*takes[:3], others[3]])
    assert found.found.tolist() == [True, True, True, False]
    assert found.offset_s[3] == 0


def test_cameras_without_a_person_are_not_found() -> None:
    takes = tracks(calibration(3), np.array([0.0, 0.5, -0.5]))
    found = found_in([*takes, CameraTrack.empty()])
    assert found.found.tolist() == [True, True, True, False]
    assert not found_in([CameraTrack.empty()] * 2).found.any()


def test_offsets_are_found_from_several_people_who_are_missed_at_times() -> None:
    cameras, offset_s = calibration(3), np.array([0.0, 0.83, -1.9])
    takes = two_people(cameras, offset_s)
    found = coarse_offsets([movement_signals(take, several=True) for take in takes])
    assert found.found.all()
    np.testing.assert_allclose(found.offset_s, offset_s, atol=0.02)
    assert not found_in(takes).found.all()  # the main person is not the same one in all views


def test_one_person_has_the_same_signals_where_there_may_be_several() -> None:
    take = tracks(calibration(1), np.zeros(1), 4.0)[0]
    alone, several = movement_signals(take), movement_signals(take, several=True)
    assert (several.start_s, several.values.tolist()) == (alone.start_s, alone.values.tolist())


def test_who_stands_still_adds_little_to_the_signals() -> None:
    """Noise of a poster is not amplified to the size of a person's movement."""
    cameras, offset_s = calibration(3), np.array([0.0, 0.83, -1.9])
    takes, rng = tracks(cameras, offset_s), np.random.default_rng(0)
    posters = [
        replace(take, xy_px=take.xy_px[60] + [400.0, 0.0] + rng.normal(0, 1, take.xy_px.shape),
                lifted=take.lifted[60] + rng.normal(0, 0.01, take.lifted.shape))
        for take in takes
    ]  # fmt: skip
    alone = found_in(takes)
    both = coarse_offsets([movement_signals(take, several=True) for take in together(takes, posters)])
    assert both.found.all()
    np.testing.assert_allclose(both.offset_s, alone.offset_s, atol=0.01)
    assert (both.correlation > 0.8 * alone.correlation).all()


@pytest.mark.parametrize("seconds", [0.04, 0.2, 0.5, 1.0])
def test_a_short_take_has_no_offsets_and_no_error(seconds: float) -> None:
    found = found_in(tracks(calibration(3), np.array([0.0, 0.4, -0.7]), seconds))
    assert not found.found.any()
    assert found.offset_s.tolist() == [0.0, 0.0, 0.0]


def test_an_unclear_offset_is_likely() -> None:
    offset_s = np.array([0.0, 0.83, -1.9])
    signals = [movement_signals(take) for take in tracks(calibration(3), offset_s)]
    ratio = coarse_offsets(signals).peak_ratio
    lowest, middle, _ = np.sort(ratio)
    one_unclear = coarse_offsets(signals, min_peak_ratio=0.5 * (lowest + middle))
    assert one_unclear.found.tolist() == (ratio > lowest).tolist()
    expected = offset_s - offset_s[np.argmax(one_unclear.found)]
    np.testing.assert_allclose(one_unclear.likely_s, expected, atol=0.015)
    none_clear = coarse_offsets(signals, min_peak_ratio=np.inf)
    assert not none_clear.found.any()
    assert none_clear.offset_s.tolist() == [0.0, 0.0, 0.0]
    np.testing.assert_allclose(none_clear.likely_s, offset_s, atol=0.015)


@pytest.mark.parametrize("blind", [0, 2])
def test_a_camera_without_a_person_makes_the_others_no_less_certain(blind: int) -> None:
    offset_s = np.array([0.0, 0.83, -1.9, 0.4])
    takes = tracks(calibration(4), offset_s, 9.0, noise_px=4.0)
    takes[blind] = CameraTrack.empty()
    found, seen = found_in(takes), np.arange(4) != blind
    assert found.found.tolist() == seen.tolist()
    np.testing.assert_allclose(found.offset_s[seen], (offset_s - offset_s[np.argmax(seen)])[seen], atol=0.02)
