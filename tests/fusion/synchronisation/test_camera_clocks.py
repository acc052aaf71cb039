"""What is known of the clocks of cameras, and what is said of them."""

import numpy as np

from pose_rig.fusion.synchronisation.camera_clock import clocks_of
from pose_rig.fusion.synchronisation.camera_clocks import CameraClocks, clock_of, coarse_clocks, described, fine_clocks
from pose_rig.fusion.synchronisation.clock_adjustment import AdjustedClocks
from pose_rig.fusion.synchronisation.clock_offsets import CoarseOffsets
from pose_rig.wire.messages import CameraState

NAN = float("nan")
CLEAR = np.zeros(3, bool)


def coarse(*offset_s: float) -> CoarseOffsets:
    found = np.isfinite(offset_s)
    return CoarseOffsets(
        np.where(found, offset_s, 0.0), found, 3.0 * found, 0.5 * found, ~found & False, np.array(offset_s)
    )


def fine(
    offset_s: tuple[float, ...], sd_s: tuple[float, ...], rate: tuple[float, ...] | None = None, rate_ratio: float = 0.0
) -> AdjustedClocks:
    sd, ratio = np.array(sd_s), np.full(len(sd_s), rate_ratio)
    return AdjustedClocks(tuple(clocks_of(offset_s, rate)), np.array(offset_s), sd, 2 * sd, ratio, np.ones(len(sd_s)))


def test_small_coarse_offsets_are_left_to_the_bundle_adjustment() -> None:
    clocks = coarse_clocks(coarse(0.0, 0.07, -1.5))
    assert clocks.offset_s.tolist() == [0.0, 0.0, -1.5]
    assert clocks.sd_s[1] > 0.07 > clocks.sd_s[2]
    assert [clock.offset_ns for clock in clocks.by_camera] == [0, 0, -1_500_000_000]
    assert coarse_clocks(coarse(NAN, 0.2, NAN)).known_offset_s.tolist()[1] == 0.2


def test_offsets_that_are_not_significant_are_exactly_zero() -> None:
    clocks = fine_clocks(coarse_clocks(coarse(0.0, 0.0, 0.3)), fine((0.0, 0.009, 0.31), (0.0, 0.005, 0.004)), CLEAR)
    assert clocks.offset_s.tolist() == [0.0, 0.0, 0.31]
    assert clocks.sd_s.tolist() == [0.0, 0.01, 0.008]  # at the beginning of the take
    assert clocks.near(CameraClocks.unchecked(3), 0.32)
    assert not clocks.near(CameraClocks.unchecked(3), 0.3)


def test_the_bundle_adjustment_is_not_trusted_far_away_or_where_the_movement_repeats_itself() -> None:
    unknown = coarse_clocks(coarse(NAN, NAN, NAN))
    adjusted = fine((0.0, 0.4, 0.1), (0.0, 0.004, 0.004))
    clocks = fine_clocks(unknown, adjusted, CLEAR)
    assert clocks.offset_s.tolist() == [0.0, 0.0, 0.1]
    assert np.isnan(clocks.sd_s).tolist() == [False, True, False]
    assert not fine_clocks(unknown, adjusted, ~CLEAR).offset_s.any()
    assert fine_clocks(unknown, None, CLEAR) is unknown


def test_every_change_and_every_unknown_clock_is_named() -> None:
    clocks = described(CameraClocks(np.array([0.0, -0.2, 1.25, 0.0]), np.array([0.0, 0.004, 0.015, NAN])), list("abcd"))
    corrected, rest = clocks.note.split(" The clock of ")
    assert corrected == "b's clock is 0.200 s ahead: corrected. c's clock is 1.250 s behind: corrected."
    assert rest.startswith("d could not be checked: ")
    assert described(CameraClocks(np.zeros(2), np.array([0.0, 0.004])), ["a", "b"]).note == ""
    assert "The clock of b could not" in described(CameraClocks.unchecked(2), ["a", "b"]).note
    assert "The clock of b could not" in described(CameraClocks(np.zeros(2), np.full(2, NAN)), ["a", "b"]).note
    assert described(CameraClocks.unchecked(1), ["a"]).note == ""


def test_the_state_of_a_camera_has_its_clock() -> None:
    states = [CameraState(name=name, focal_px=1.0) for name in "ab"]
    known, unknown = CameraClocks(np.array([0.0, 0.3]), np.array([0.0, NAN])).added_to(states)
    assert (known.time_offset_s, known.time_offset_sd_s) == (0.0, 0.0)
    assert (unknown.time_offset_s, unknown.time_offset_sd_s) == (0.3, None)


def test_recordings_without_a_common_moment_and_without_a_person_are_named() -> None:
    unknown = CameraClocks(np.zeros(4), np.array([0.0, 0.004, NAN, NAN]))
    note = described(unknown, list("abcd"), [(0, 5), (1, 6), (100, 105), None]).note
    assert note.startswith("d never shows a person: its clock could not be checked. c and the other recordings have no")
    assert "The clock of" not in note
    together = described(unknown, list("abcd"), [(0, 5), (1, 6), (4, 9), (5, 9)]).note
    assert together.startswith("The clock of c, d could not be checked")


def test_a_rate_is_described_and_kept_with_its_offset() -> None:
    clocks = CameraClocks(np.array([0.0, 0.3]), np.array([0.0, 0.01]), rate=np.array([1.0, 1.0008]))
    assert described(clocks, ["a", "b"]).note == "b's clock is 0.300 s behind and runs 800 ppm slow: corrected."
    assert clocks.by_camera[1].rig_ns(10_000_000_000) == 10_308_000_000
    state = clocks.added_to([CameraState(name=name, focal_px=1.0) for name in "ab"])[1]
    assert (state.time_offset_s, state.time_rate) == (0.3, 1.0008)
    assert clock_of(state) == clocks.by_camera[1]
    assert clocks.without(np.array([False, True])).rates.tolist() == [1.0, 1.0]


def test_a_searched_clock_replaces_or_removes_a_coarse_one() -> None:
    clocks = CameraClocks(np.array([0.0, 0.5, -1.0]), np.array([0.0, 0.015, 0.015]))
    found = clocks.searched(np.array([1, 2]), [0.7, None])
    assert found.offset_s.tolist() == [0.0, 0.7, 0.0]
    assert np.isnan(found.sd_s).tolist() == [False, False, True]
    first = clocks.searched(np.array([0]), [0.25])  # the rig's clock is that of the first camera
    assert first.offset_s.tolist() == [0.0, 0.25, -1.25]
    assert found.searched(np.array([2]), [None]) is found


def test_one_clock_is_kept_unless_one_offset_is_clear() -> None:
    coarse_ones = coarse_clocks(coarse(0.0, 0.0, 0.0))
    assert not fine_clocks(coarse_ones, fine((0.0, 0.012, -0.011), (0.0, 0.005, 0.005)), CLEAR).offset_s.any()
    clear = fine_clocks(coarse_ones, fine((0.0, 0.016, -0.011), (0.0, 0.005, 0.005)), CLEAR)
    np.testing.assert_allclose(clear.offset_s, [0.0, 0.016, -0.011])


def test_a_rate_that_is_not_significant_is_used_where_the_clock_is_corrected_anyway() -> None:
    coarse_ones, sd_s = coarse_clocks(coarse(0.0, 0.0, 0.3)), (0.0, 0.005, 0.004)
    adjusted = fine((0.0, 0.001, 0.31), sd_s, (1.0, 1.0001, 1.0002), 1.5)
    assert fine_clocks(coarse_ones, adjusted, CLEAR).rates.tolist() == [1.0, 1.0, 1.0002]
    one_clock = coarse_clocks(coarse(0.0, 0.0, 0.0))
    adjusted = fine((0.0, 0.001, -0.001), sd_s, (1.0, 1.0006, 1.0006), 2.9)
    assert fine_clocks(one_clock, adjusted, CLEAR).rates.tolist() == [1.0, 1.0, 1.0]
    adjusted = fine((0.0, 0.001, -0.001), sd_s, (1.0, 1.0006, 1.0006), 3.1)
    assert fine_clocks(one_clock, adjusted, CLEAR).rates.tolist() == [1.0, 1.0006, 1.0006]


def test_a_rate_is_named_where_it_is_certain_enough() -> None:
    clocks = CameraClocks(np.array([0.0, 0.3, 0.2]), np.full(3, 0.004), rate=np.array([1.0, 1.00006, 0.999]))
    assert described(clocks, ["a", "b", "c"]).note == (
        "b's clock is 0.300 s behind: corrected. c's clock is 0.200 s behind and runs 1000 ppm fast: corrected."
    )


def test_a_camera_that_is_left_out_is_named() -> None:
    clocks = described(coarse_clocks(coarse(0.0, 0.3, NAN)), list("abc"), left_out=["c"])
    assert "c is left out" in clocks.note


def test_the_first_camera_is_unknown_where_only_the_others_are_known() -> None:
    assert np.isnan(described(coarse_clocks(coarse(NAN, 0.0, 0.3)), list("abc")).sd_s).tolist() == [True, False, False]
    assert np.isnan(described(coarse_clocks(coarse(NAN, NAN, NAN)), list("abc")).sd_s).tolist() == [False, True, True]
