"""The segment lengths of one person."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.segments import LENGTH_PER_HEIGHT, POINTS
from pose_rig.fusion.calibration.keyframes import KEYFRAME_INTERVAL_NS
from pose_rig.fusion.people.bone_lengths import MAX_RATIO, MIN_SAMPLES, BoneLengths
from pose_rig.fusion.pose.solved_pose import SolvedPose
from pose_rig.skeleton import INDEX, J
from tests.fusion.simulated import HEIGHT_M, LENGTH_M, acrobat, calibration, images

VIEWS = 3
CAMERAS = calibration(VIEWS)
PEOPLE = acrobat(60)


def pose_of(joints: Floats) -> SolvedPose:
    """A pose that all views agree with, from exact detections."""
    xy_px = images(joints[None], CAMERAS)[0]
    return SolvedPose(
        joints=joints,
        covariance=np.tile(1e-4 * np.eye(3), (J, 1, 1)),
        inlier=np.ones((VIEWS, J)),
        agreement=np.ones(VIEWS),
        projected_px=xy_px,
        ideal_xy=CAMERAS.ideal_xy(xy_px)[:, list(POINTS)],
        sd=np.full(VIEWS, 0.005),
        visible=np.ones((VIEWS, len(POINTS))),
    )


def measured(
    count: int, change: Callable[[SolvedPose], SolvedPose] = lambda pose: pose, interval_ns: int = KEYFRAME_INTERVAL_NS
) -> BoneLengths:
    bones = BoneLengths()
    for number, joints in enumerate(PEOPLE[:count], 1):
        bones.add(number * interval_ns, change(pose_of(joints)), CAMERAS)
    return bones


def test_bones_are_known_after_enough_samples() -> None:
    assert measured(MIN_SAMPLES - 1).length_m is None
    length_m = measured(MIN_SAMPLES).length_m
    assert length_m is not None
    np.testing.assert_allclose(length_m, LENGTH_M, rtol=0.03)


def test_samples_are_taken_at_most_15_times_a_second() -> None:
    assert measured(2 * MIN_SAMPLES - 2, interval_ns=KEYFRAME_INTERVAL_NS // 2).length_m is None
    assert measured(2 * MIN_SAMPLES, interval_ns=KEYFRAME_INTERVAL_NS // 2).length_m is not None


def test_they_become_more_accurate_with_more_samples() -> None:
    rng = np.random.default_rng(0)

    def noisy(pose: SolvedPose) -> SolvedPose:
        return replace(pose, ideal_xy=pose.ideal_xy + rng.normal(0, 0.006, pose.ideal_xy.shape))

    errors = []
    for count in (MIN_SAMPLES, 60):
        length_m = measured(count, noisy).length_m
        assert length_m is not None
        errors.append(np.abs(length_m / LENGTH_M - 1).mean())
    assert errors[1] < errors[0] < 0.1


def test_each_time_step_is_measured_with_its_own_cameras() -> None:
    """The last third of the samples is from a rig twice as large: the median is of the others."""
    larger = CAMERAS.transformed(np.eye(3), np.zeros(3), 2.0)
    bones = BoneLengths()
    for number, joints in enumerate(PEOPLE[: 2 * MIN_SAMPLES], 1):
        bones.add(number * KEYFRAME_INTERVAL_NS, pose_of(joints), CAMERAS if number <= 1.4 * MIN_SAMPLES else larger)
    assert bones.length_m is not None
    np.testing.assert_allclose(bones.length_m, LENGTH_M, rtol=0.06)


def test_a_time_step_with_one_view_that_agrees_measures_nothing() -> None:
    def alone(pose: SolvedPose) -> SolvedPose:
        return replace(pose, agreement=np.array([1.0, 0.2, 0.2]))

    assert measured(60, alone).length_m is None


def test_a_view_that_disagrees_is_not_used() -> None:
    def wrong(pose: SolvedPose) -> SolvedPose:
        xy = pose.ideal_xy.copy()
        xy[2] += 0.2
        return replace(pose, ideal_xy=xy, agreement=np.array([1.0, 1.0, 0.1]))

    length_m = measured(30, wrong).length_m
    assert length_m is not None
    np.testing.assert_allclose(length_m, LENGTH_M, rtol=0.03)


def test_segments_that_are_never_visible_are_those_of_an_average_body() -> None:
    wrists = [POINTS.index(INDEX[joint]) for joint in ("l_wrist", "r_wrist")]

    def without_wrists(pose: SolvedPose) -> SolvedPose:
        visible = pose.visible.copy()
        visible[:, wrists] = 0.0
        return replace(pose, visible=visible)

    length_m = measured(30, without_wrists).length_m
    assert length_m is not None
    assert length_m[5] == pytest.approx(LENGTH_PER_HEIGHT[5] * HEIGHT_M, rel=0.02)


def test_someone_of_whom_too_little_is_visible_has_no_bones() -> None:
    def legs(pose: SolvedPose) -> SolvedPose:
        return replace(pose, visible=pose.visible * np.array([name in (1, 2, 3, 4, 5, 6) for name in POINTS]))

    assert measured(60, legs).length_m is None


def test_wrong_lengths_are_limited() -> None:
    def long_arms(pose: SolvedPose) -> SolvedPose:
        """Both elbows are detected half a metre away."""
        joints = pose.joints.copy()
        joints[[INDEX["l_elbow"], INDEX["r_elbow"]]] += [0.0, 0.5, 0.0]
        return pose_of(joints)

    length_m = measured(30, long_arms).length_m
    assert length_m is not None
    ratio = length_m / LENGTH_PER_HEIGHT
    assert ratio.max() / np.median(ratio) == pytest.approx(1 + MAX_RATIO, rel=0.02)
