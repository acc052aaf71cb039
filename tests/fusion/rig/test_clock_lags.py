"""Which clocks seem to be off, by what cameras that are late see of a walking person."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.keyframes import KEYFRAME_INTERVAL_NS
from pose_rig.fusion.pose.solved_pose import SolvedPose
from pose_rig.fusion.rig.clock_lags import MAX_STEPS, WINDOW, ClockLags
from pose_rig.geometry import rotation_from_vector
from pose_rig.skeleton import J
from tests.fusion.simulated import POINT_LIST, calibration, images, stroll

VIEWS = 4
NAMES = ("a", "b", "c", "d")
LATE = 2
STEP_S = KEYFRAME_INTERVAL_NS * 1e-9
CAMERAS = calibration(VIEWS)
SD = 0.003
NONE = np.zeros(VIEWS, bool)


def pose_of(joints: Floats, seen_px: Floats) -> SolvedPose:
    return SolvedPose(
        joints=joints,
        covariance=np.zeros((J, 3, 3)),
        inlier=np.ones((VIEWS, J)),
        agreement=np.ones(VIEWS),
        projected_px=seen_px,
        ideal_xy=CAMERAS.ideal_xy(seen_px[:, POINT_LIST]),
        sd=np.full(VIEWS, SD),
        visible=np.ones((VIEWS, len(POINT_LIST))),
    )


def watched(
    lag_s: float,
    seconds: float = 10.0,
    believed: Calibration = CAMERAS,
    left_out: NDArray[np.bool_] = NONE,
    people: Floats | None = None,
) -> ClockLags:
    """What is found if one camera's time stamps are late by some time; the poses are right."""
    out, rng = ClockLags(NAMES), np.random.default_rng(0)
    people = stroll(seconds + 4.0, 1 / STEP_S) if people is None else people
    number = np.arange(len(people))
    for n in range(round(2.0 / STEP_S), round((seconds + 2.0) / STEP_S)):
        flat = people.reshape(len(people), -1)
        earlier = np.array([np.interp(n - lag_s / STEP_S, number, column) for column in flat.T]).reshape(J, 3)
        seen = images(np.stack([people[n], earlier]), CAMERAS)
        px = np.where((np.arange(VIEWS) == LATE)[:, None, None], seen[1], seen[0])
        px = px + rng.normal(0, SD * CAMERAS.focal_px[0] / 2, px.shape)
        out.add(n * KEYFRAME_INTERVAL_NS, pose_of(people[n], px), believed, left_out)
    return out


def test_right_clocks_are_not_named() -> None:
    lags = watched(0.0)
    assert not lags.lag_s().any()
    assert not any(lags.note(view) for view in range(VIEWS))


@pytest.mark.parametrize("lag_s", [0.04, 0.08, -0.06])
def test_a_clock_that_is_off_is_named(lag_s: float) -> None:
    lags = watched(lag_s)
    assert lags.lag_s()[LATE] == pytest.approx(lag_s, rel=0.2)
    assert not np.delete(lags.lag_s(), LATE).any()
    assert f"ms or more {'ahead of' if lag_s > 0 else 'behind'} the others" in lags.note(LATE)
    assert "--passes 2" in lags.note(LATE)
    lags.clear()
    assert not lags.lag_s().any()


def test_a_few_seconds_are_not_enough() -> None:
    assert not watched(0.08, seconds=4.0).lag_s().any()


def test_of_a_person_who_stands_nothing_is_said() -> None:
    assert not watched(0.08, people=np.tile(stroll(1.0)[:1], (240, 1, 1))).lag_s().any()


def test_a_gap_starts_over() -> None:
    lags, person = ClockLags(NAMES), stroll(0.1)[0]
    px = images(person[None], CAMERAS)[0]
    for n in range(WINDOW):
        lags.add(n * 10 * KEYFRAME_INTERVAL_NS, pose_of(person, px), CAMERAS, NONE)
    assert not lags.lag_s().any()


@pytest.mark.parametrize("lag_steps", [6, -9])
def test_a_camera_that_is_left_out_fits_the_poses_of_another_time(lag_steps: int) -> None:
    turned = rotation_from_vector(np.radians([0.0, 20.0, 0.0]))
    here = (np.arange(VIEWS) == LATE)[:, None, None]
    believed = replace(CAMERAS, rotation=np.where(here, turned @ CAMERAS.rotation, CAMERAS.rotation))
    seconds = (WINDOW + 2 * MAX_STEPS + 2) * STEP_S
    lags = watched(lag_steps * STEP_S, seconds, believed, np.arange(VIEWS) == LATE)
    assert lags.lag_s()[LATE] == pytest.approx(lag_steps * STEP_S, abs=1.01 * STEP_S)
    assert not np.delete(lags.lag_s(), LATE).any()


def test_a_camera_that_is_left_out_for_another_reason_has_no_lag() -> None:
    seconds = (WINDOW + 2 * MAX_STEPS + 2) * STEP_S
    assert not watched(0.0, seconds, left_out=np.arange(VIEWS) == LATE).lag_s().any()
