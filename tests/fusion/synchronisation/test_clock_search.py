"""The clock of a camera by geometry."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.clock_search import search_offset
from tests.fusion.simulated import calibration, task
from tests.fusion.synchronisation.clock_takes import at_given_clocks, together, tracks

SURE = np.array([True, True, False])


@pytest.fixture(scope="module")
def solve() -> SolveTask:
    cameras = calibration(3)
    return replace(task(at_given_clocks(cameras, np.zeros(3)), cameras, off_deg=0.0), current=cameras)


@pytest.fixture(scope="module")
def take() -> CameraTrack:
    return tracks(calibration(3), np.array([0.0, 0.0, 1.3]), 6.0)[2]


def test_the_lag_is_found_at_which_a_camera_pose_exists(solve: SolveTask, take: CameraTrack) -> None:
    offset_s = search_offset(solve, take, SURE, 2)
    assert offset_s is not None
    assert offset_s == pytest.approx(1.3, abs=0.03)


def test_a_view_that_runs_backwards_is_refused(solve: SolveTask, take: CameraTrack) -> None:
    backwards = replace(take, xy_px=take.xy_px[::-1], lifted=take.lifted[::-1], upright=take.upright[::-1])
    assert search_offset(solve, backwards, SURE, 2) is None


def test_a_person_who_stands_is_refused(solve: SolveTask, take: CameraTrack) -> None:
    still = np.tile(take.xy_px[60], (len(take.t_ns), 1, 1))
    frames = [replace(frame, xy_px=solve.keyframes[50].xy_px) for frame in solve.keyframes]
    assert search_offset(replace(solve, keyframes=frames), replace(take, xy_px=still), SURE, 2) is None


def test_nothing_is_found_without_detections_or_a_solved_rig(solve: SolveTask, take: CameraTrack) -> None:
    assert search_offset(solve, CameraTrack.empty(), SURE, 2) is None
    assert search_offset(replace(solve, current=None), take, SURE, 2) is None
    assert search_offset(solve, replace(take, t_ns=take.t_ns + 500_000_000_000), SURE, 2) is None  # never together


def test_the_lag_is_found_among_several_people(solve: SolveTask, take: CameraTrack) -> None:
    other = tracks(calibration(3), np.array([0.0, 0.0, 1.3]), 1.5, seed=3, aside_m=1.3)[2]
    offset_s = search_offset(solve, together([take], [other], swapped_s=0.5)[0], SURE, 2, several=True)
    assert offset_s == pytest.approx(1.3, abs=0.03)
