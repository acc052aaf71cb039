"""Fine offsets of clocks, by bundle adjustment."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.fusion.synchronisation.camera_clock import RIG_CLOCK
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.clock_adjustment import adjust_clocks
from tests.fusion.simulated import calibration, task
from tests.fusion.synchronisation.clock_takes import START_S, at_given_clocks, together, tracks


def given(cameras: Calibration, keyframes: list[Keyframe]) -> SolveTask:
    return replace(task(keyframes, cameras, off_deg=0.0), current=cameras)


@pytest.mark.parametrize("offset_s", [(0.0, 0.03, -0.05), (0.0, 0.1, 0.08, -0.04)])
def test_offsets_are_found_to_milliseconds(offset_s: tuple[float, ...]) -> None:
    true_s, cameras = np.array(offset_s), calibration(len(offset_s))
    takes = tracks(cameras, true_s)
    found = adjust_clocks(given(cameras, at_given_clocks(cameras, true_s)), takes, [RIG_CLOCK] * len(true_s))
    assert found is not None
    np.testing.assert_allclose(found.offset_s, true_s, atol=0.003)
    assert found.sd_s[0] == 0
    assert (found.sd_s[1:] < 0.01).all()
    assert (found.explained > 0.6).all()


def test_two_people_show_the_clocks_better_than_one() -> None:
    """Their keyframes take turns: what is found with one of them alone has a larger standard deviation."""
    true_s, cameras = np.array([0.0, 0.03, -0.05]), calibration(3)
    takes = together(tracks(cameras, true_s, noise_px=6.0), tracks(cameras, true_s, noise_px=6.0, seed=3, aside_m=1.3))
    first = at_given_clocks(cameras, true_s)
    second = [replace(one, person=4) for one in at_given_clocks(cameras, true_s, seed=3, aside_m=1.3)]
    alone, both = (
        adjust_clocks(given(cameras, keyframes), takes, [RIG_CLOCK] * 3) for keyframes in (first, [*first, *second])
    )
    assert alone is not None
    assert both is not None
    np.testing.assert_allclose(both.offset_s, true_s, atol=0.004)
    assert (both.sd_s[1:] < alone.sd_s[1:]).all()


def test_one_who_stands_does_not_spoil_the_clocks() -> None:
    true_s, cameras = np.array([0.0, 0.03, -0.05]), calibration(3)
    takes = tracks(cameras, true_s)
    statue_px = [take.xy_px[0] for take in tracks(cameras, true_s, seed=3, aside_m=1.3)]
    still = [replace(one, xy_px=np.tile(px, (len(one.t_ns), 1, 1))) for one, px in zip(takes, statue_px, strict=True)]
    first = at_given_clocks(cameras, true_s)
    second = [replace(one, person=1, xy_px=np.stack(statue_px)) for one in first]
    found = adjust_clocks(given(cameras, [*first, *second]), together(takes, still), [RIG_CLOCK] * 3)
    assert found is not None
    np.testing.assert_allclose(found.offset_s, true_s, atol=0.004)


def test_a_person_who_stands_is_not_observable() -> None:
    cameras, zero = calibration(3), np.zeros(3)
    rng = np.random.default_rng(1)
    takes = [
        replace(take, xy_px=take.xy_px[60] + rng.normal(0, 3, take.xy_px.shape))
        for take in tracks(cameras, np.array([0.0, 0.05, -0.05]))
    ]
    keyframes = [
        replace(k, xy_px=np.stack([take.xy_px[60 + n] for take in takes]))
        for n, k in enumerate(at_given_clocks(cameras, zero))
    ]
    found = adjust_clocks(given(cameras, keyframes), takes, [RIG_CLOCK] * 3)
    assert found is not None
    assert np.isnan(found.sd_s).all()
    assert found.offset_s.tolist() == [0, 0, 0]


def test_an_unsolved_rig_has_no_offsets() -> None:
    cameras, zero = calibration(3), np.zeros(3)
    keyframes = at_given_clocks(cameras, zero)
    assert (
        adjust_clocks(replace(given(cameras, keyframes), current=None), tracks(cameras, zero), [RIG_CLOCK] * 3) is None
    )
    assert adjust_clocks(given(cameras, keyframes), [CameraTrack.empty()] * 3, [RIG_CLOCK] * 3) is None


def test_rates_are_found_where_they_are_wanted_and_the_take_is_long_enough() -> None:
    cameras, rate = calibration(3), (1.0, 1.001, 0.999)
    start_s = START_S * np.array(rate)  # the offsets are then 0 at the beginning
    offset_s = START_S - start_s
    takes = tracks(cameras, offset_s, 24.0, rate=rate)
    keyframes = at_given_clocks(cameras, offset_s, 24 * 5, 5.0, rate)
    solve = given(cameras, keyframes)
    found = adjust_clocks(solve, takes, [RIG_CLOCK] * 3, rates=True)
    assert found is not None
    np.testing.assert_allclose([clock.rate for clock in found.clocks], rate, atol=1e-4)
    np.testing.assert_allclose(found.offset_s, [0.0, 0.012, -0.012], atol=0.003)
    assert (found.start_sd_s[1:] >= found.sd_s[1:]).all()
    without = adjust_clocks(solve, takes, [RIG_CLOCK] * 3)
    assert without is not None
    assert {clock.rate for clock in without.clocks} == {1.0}


def test_rates_are_not_searched_with_several_people() -> None:
    cameras, rate = calibration(3), (1.0, 1.001, 0.999)
    offset_s = START_S * (1 - np.array(rate))
    first, second = (tracks(cameras, offset_s, 24.0, rate=rate, seed=k, aside_m=k) for k in (0, 1))
    takes = together(first, second)
    keyframes = [
        replace(one, person=k)
        for k in (0, 1)
        for one in at_given_clocks(cameras, offset_s, 24 * 5, 5.0, rate, seed=k, aside_m=k)
    ]
    found = adjust_clocks(given(cameras, keyframes), takes, [RIG_CLOCK] * 3, rates=True)
    assert found is not None
    assert {clock.rate for clock in found.clocks} == {1.0}
    assert (found.rate_ratio == 0).all()
    np.testing.assert_allclose(found.offset_s, [0.0, 0.012, -0.012], atol=0.004)


def test_a_rate_that_is_not_observable_is_nearly_1() -> None:
    cameras, offset_s = calibration(3), np.array([0.0, 0.03, -0.05])
    solve = given(cameras, at_given_clocks(cameras, offset_s, 60, 5.0))
    found = adjust_clocks(solve, tracks(cameras, offset_s), [RIG_CLOCK] * 3, rates=True)
    assert found is not None
    assert (found.rate_ratio < 2).all()
    np.testing.assert_allclose([clock.rate for clock in found.clocks], 1.0, atol=5e-5)
    assert found.clocks[0].rate == 1.0
    np.testing.assert_allclose(found.offset_s, offset_s, atol=0.003)


def test_an_uncertain_rate_is_believed_in_part_and_makes_the_beginning_less_certain() -> None:
    cameras, rate = calibration(3), (1.0, 1.0006, 1.0)
    offset_s = START_S * (1 - np.array(rate))
    takes, keyframes = tracks(cameras, offset_s, rate=rate), at_given_clocks(cameras, offset_s, 60, 5.0, rate)
    found = adjust_clocks(given(cameras, keyframes), takes, [RIG_CLOCK] * 3, rates=True)
    assert found is not None
    assert 1.00005 < found.clocks[1].rate < 1.0006
    np.testing.assert_allclose(found.clocks[2].rate, 1.0, atol=5e-5)
    assert found.start_sd_s[1] > 1.1 * found.start_sd_s[2]


def test_a_camera_that_overlaps_for_seconds_only_is_uncertain_elsewhere() -> None:
    cameras, offset_s = calibration(3), np.array([0.0, 0.03, -0.02])
    whole = tracks(cameras, offset_s)
    late = slice(len(whole[2].t_ns) - 100, None)
    part = replace(whole[2], **{name: getattr(whole[2], name)[late] for name in whole[2].__slots__})
    solve = given(cameras, at_given_clocks(cameras, offset_s, 60, 5.0))
    found = adjust_clocks(solve, [*whole[:2], part], [RIG_CLOCK] * 3, rates=True)
    assert found is not None
    np.testing.assert_allclose(found.clocks[2].rate, 1.0, atol=2e-4)
    assert found.start_sd_s[2] > 2 * found.start_sd_s[1]


def test_a_view_of_another_movement_is_refused_and_does_not_affect_the_others() -> None:
    cameras, offset_s = calibration(4), np.array([0.0, 0.03, -0.02, 0.0])
    takes, others = tracks(cameras, offset_s), tracks(cameras, offset_s, seed=9)
    keyframes = at_given_clocks(cameras, offset_s)
    found = adjust_clocks(given(cameras, keyframes), [*takes[:3], others[3]], [RIG_CLOCK] * 4)
    assert found is not None
    assert np.isnan(found.sd_s).tolist() == [False, False, False, True]
    assert found.clocks[3] == RIG_CLOCK
    np.testing.assert_allclose(found.offset_s, offset_s, atol=0.004)


@pytest.mark.parametrize("seconds", [0.1, 0.4, 0.7])
def test_a_short_take_gives_no_error(seconds: float) -> None:
    cameras = calibration(2)
    keyframes = at_given_clocks(cameras, np.zeros(2), round(seconds * 15))
    found = adjust_clocks(given(cameras, keyframes), tracks(cameras, np.zeros(2)), [RIG_CLOCK] * 2)
    assert found is None or abs(found.offset_s[1]) < 0.05
