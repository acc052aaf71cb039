"""Clocks of live cameras compared."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.clock_steps import OffsetStep
from pose_rig.fusion.synchronisation.live_comparison import (
    Comparison,
    ComparisonTask,
    common_change,
    compare_clocks,
    improved,
)
from tests.fusion.simulated import calibration
from tests.fusion.synchronisation.clock_takes import at_given_clocks, stepped_tracks, tracks, two_people
from tests.fusion.synchronisation.test_clock_adjustment import given

NONE = np.full(3, np.nan)


def task(takes: list[CameraTrack]) -> ComparisonTask:
    return ComparisonTask(takes, np.zeros(3), np.ones(3, bool), np.zeros(3, bool), NONE)


def twice(one: ComparisonTask) -> Comparison:
    return compare_clocks(replace(one, coarse_s=compare_clocks(one).coarse_s))


@pytest.mark.parametrize("late", [0, 2])
def test_a_large_offset_is_used_when_it_was_found_twice(late: int) -> None:
    offset_s = np.zeros(3)
    offset_s[late] = -0.7
    one = task(tracks(calibration(3), offset_s))
    first = compare_clocks(one)
    assert first.offset_s.tolist() == [0, 0, 0]
    np.testing.assert_allclose(first.coarse_s, offset_s, atol=0.03)
    second = twice(one)
    assert second.offset_s[late] == pytest.approx(-0.7, abs=0.03)
    assert np.delete(second.offset_s, late).tolist() == [0, 0]  # also where the late one is the first
    assert np.isfinite(second.sd_s).tolist() == (np.arange(3) == late).tolist()
    sure = replace(one, unsure=np.zeros(3, bool))
    assert twice(sure).offset_s.tolist() == [0, 0, 0]


def test_an_offset_is_found_from_several_people() -> None:
    one = replace(task(two_people(calibration(3), np.array([0.0, 0.0, -0.7]))), several=True)
    np.testing.assert_allclose(twice(one).offset_s, [0.0, 0.0, -0.7], atol=0.03)
    none = replace(task(two_people(calibration(3), np.zeros(3))), several=True)
    assert twice(none).offset_s.tolist() == [0, 0, 0]


def test_a_rhythm_and_a_short_take_are_not_used() -> None:
    offset_s = np.array([0.0, 0.0, -0.7])
    assert twice(task(tracks(calibration(3), offset_s, rhythm_s=1.2))).offset_s.tolist() == [0, 0, 0]
    assert twice(task(tracks(calibration(3), offset_s, seconds=3.0))).offset_s.tolist() == [0, 0, 0]
    assert twice(task([CameraTrack.empty()] * 3)).offset_s.tolist() == [0, 0, 0]


def test_a_small_offset_comes_with_the_rig_solved_again() -> None:
    cameras, true_s = calibration(3), np.array([0.0, 0.05, -0.03])
    solve = given(cameras, at_given_clocks(cameras, true_s))
    found = compare_clocks(replace(task(tracks(cameras, true_s)), solve=solve, adjust=True))
    np.testing.assert_allclose(found.offset_s, true_s, atol=0.003)
    assert found.adjusted
    assert found.keyframes is not None
    assert isinstance(found.solution, RigSolution)
    assert found.solution.validation_error < 2
    again = replace(task(tracks(cameras, np.zeros(3))), solve=given(cameras, at_given_clocks(cameras, np.zeros(3))))
    one_clock = compare_clocks(replace(again, adjust=True))
    assert one_clock.offset_s.tolist() == [0, 0, 0]
    assert (one_clock.sd_s < 0.012).all()
    assert one_clock.keyframes is None


def test_clocks_are_not_adjusted_while_the_movement_contradicts_one_of_them() -> None:
    cameras = calibration(3)
    one = replace(task(tracks(cameras, np.array([0.0, -0.5, 0.0]))), adjust=True)
    one = replace(one, solve=given(cameras, at_given_clocks(cameras, np.zeros(3))))
    first = compare_clocks(one)
    assert not first.adjusted
    assert first.offset_s.tolist() == [0, 0, 0]
    assert compare_clocks(replace(one, coarse_s=first.coarse_s)).offset_s[1] == pytest.approx(-0.5, abs=0.03)


@pytest.mark.parametrize(("known", "used"), [((True, True, False), True), ((True, True, True), False)])
def test_a_clear_small_offset_is_used_where_the_camera_is_not_part_of_the_rig(
    known: tuple[bool, ...], used: bool
) -> None:
    cameras = calibration(3)
    one = task(tracks(cameras, np.array([0.0, 0.0, -0.07])))
    solve = given(cameras, at_given_clocks(cameras, np.zeros(3)))
    found = twice(replace(one, solve=replace(solve, known=np.array(known))))
    assert found.offset_s[2] == pytest.approx(-0.07 if used else 0.0, abs=0.02)
    assert found.offset_s[:2].tolist() == [0, 0]


def test_a_step_is_one_only_where_the_clock_was_right_before() -> None:
    cameras, offset_s = calibration(3), np.array([0.0, -0.2, 0.0])
    solve = given(cameras, at_given_clocks(cameras, np.zeros(3)))
    takes = stepped_tracks(cameras, offset_s, 107.6)
    one = replace(task(takes), solve=solve, step_ns=(107_500_000_000, 110_000_000_000))
    excluded = replace(solve, known=np.array([True, True, False]))
    assert compare_clocks(replace(one, unsure=np.zeros(3, bool), solve=excluded)).step is None
    for unsure in (True, False):
        found = compare_clocks(replace(one, unsure=np.full(3, unsure)))
        assert (found.step is None) == unsure
        np.testing.assert_allclose(found.offset_s, 0 * offset_s if unsure else offset_s, atol=0.01)


def test_while_a_step_is_refined_no_clock_is_adjusted() -> None:
    cameras, now_s = calibration(3), np.array([0.0, -0.15, 0.0])
    used = OffsetStep(1, -0.15, 107_000_000_000)
    one = replace(task(tracks(cameras, np.array([0.0, -0.2, 0.0]))), offset_s=now_s, refines=used, adjust=True)
    one = replace(one, unsure=np.arange(3) == 1, step_ns=(107_500_000_000, 110_000_000_000))
    one = replace(one, solve=given(cameras, at_given_clocks(cameras, np.zeros(3))))
    found = compare_clocks(one)
    assert found.step is not None
    assert found.offset_s[1] == pytest.approx(-0.2, abs=0.01)
    again = compare_clocks(replace(one, offset_s=found.offset_s))
    assert again.step is None
    assert not again.adjusted
    assert again.offset_s.tolist() == found.offset_s.tolist()


def test_a_comparison_that_fails_numerically_changes_nothing() -> None:
    takes = tracks(calibration(3), np.zeros(3))
    lost = [replace(take, lifted=np.full_like(take.lifted, np.nan)) for take in takes]
    assert twice(task(lost)).offset_s.tolist() == [0, 0, 0]
    cameras = calibration(3)
    singular = replace(cameras, rotation=np.full((3, 3, 3), np.nan))
    solve = given(singular, at_given_clocks(cameras, np.zeros(3)))
    assert compare_clocks(replace(task(takes), solve=solve, adjust=True)).offset_s.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("change_s", "keeps_first", "expected"),
    [
        ((0.0, -1.0), True, 0.0),
        ((0.0, 1.0), True, 1.0),
        ((0.0, 1.0, 1.0), True, 1.0),
        ((0.0, 0.04, 0.06), True, 0.0),
        ((0.0, 0.04, 0.06), False, 0.04),
    ],
)
def test_most_cameras_keep_their_clock(change_s: tuple[float, ...], keeps_first: bool, expected: float) -> None:
    assert common_change(np.array(change_s), keeps_first) == expected


def test_offsets_are_improved_where_that_is_significant() -> None:
    before = np.array([0.0, 0.0, 0.0, 0.020, 0.020, 0.020, 0.020])
    found = np.array([0.0, 0.007, 0.012, 0.022, 0.026, 0.003, 0.040])
    sd = np.array([0.0, 0.004, 0.004, 0.004, 0.004, 0.004, np.nan])
    assert improved(before, found, sd).tolist() == [0.0, 0.0, 0.012, 0.020, 0.026, 0.0, 0.020]
    late_first = np.array([-0.4, 0.0, 0.0])  # to which the others are relative
    assert improved(late_first, late_first + 1e-10, np.array([0.0, 0.004, 0.004])).tolist() == late_first.tolist()
