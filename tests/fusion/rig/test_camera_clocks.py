"""What is known of the clocks of cameras, and what is said of them."""

import numpy as np

from pose_rig.fusion.rig.camera_clocks import CameraClocks, coarse_clocks, described, fine_clocks
from pose_rig.fusion.synchronisation.camera_clock import clocks_of
from pose_rig.fusion.synchronisation.clock_adjustment import AdjustedClocks
from pose_rig.fusion.synchronisation.clock_offsets import CoarseOffsets
from pose_rig.wire.messages import CameraState

NAN = float("nan")
CLEAR = np.zeros(3, bool)


def coarse(*offset_s: float) -> CoarseOffsets:
    found = np.isfinite(offset_s)
    return CoarseOffsets(np.where(found, offset_s, 0.0), found, 3.0 * found, ~found & False)


def fine(offset_s: tuple[float, ...], sd_s: tuple[float, ...]) -> AdjustedClocks:
    sd = np.array(sd_s)
    return AdjustedClocks(tuple(clocks_of(offset_s)), np.array(offset_s), sd, 2 * sd, np.ones(len(sd_s)))


def test_small_coarse_offsets_are_left_to_the_bundle_adjustment() -> None:
    clocks = coarse_clocks(coarse(0.0, 0.04, -1.5))
    assert clocks.offset_s.tolist() == [0.0, 0.0, -1.5]
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
