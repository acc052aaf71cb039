"""Poses of one time step in a known rig."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.pose.computation import alone
from pose_rig.fusion.pose.hypothesis import UNASSIGNED, Hypothesis
from pose_rig.fusion.pose.lifts import own_lifts
from pose_rig.fusion.pose.solved_pose import SolvedPose, solved_pose
from pose_rig.fusion.pose.sync import Sample
from pose_rig.geometry import rotation_from_vector
from pose_rig.skeleton import INDEX, JOINT_SET, MIRROR, J, landmarks
from tests.fusion.simulated import LENGTH_M, POINT_LIST, acrobat, calibration, hypothesis_of, images

PEOPLE = acrobat(6)
BODY = PEOPLE[0]
CAMERAS = calibration(3)
ALL = np.ones(3)
RIG = RigSolution(CAMERAS, LENGTH_M, np.zeros((0, J, 3)), 1.0, 1.0, np.inf)
WRIST = INDEX["l_wrist"]


def samples_of(pose: Floats, cameras: Calibration = CAMERAS) -> list[Sample | None]:
    return [Sample(0, xy[None], np.full((1, J), 0.9)) for xy in images(pose[None], cameras)[0]]


def hypothesis(samples: list[Sample | None], size: float = 0.3) -> Hypothesis:
    """The lifts are some centimetres off and of no particular size."""
    lift = BODY - BODY[0] + np.random.default_rng(0).normal(0, 0.02, BODY.shape)
    return hypothesis_of(samples, [landmarks(JOINT_SET)] * len(samples), size * lift, CAMERAS)


def see(given: Hypothesis, weight: Floats = ALL, ago: SolvedPose | None = None) -> tuple[Hypothesis, SolvedPose]:
    """The solved pose of a hypothesis; ``ago`` is the pose a thirtieth of a second before."""
    return alone(solved_pose(given, RIG, weight, None if ago is None else ago.temporal_prior(1 / 30)))


def posed(given: Hypothesis, weight: Floats = ALL, ago: SolvedPose | None = None) -> SolvedPose:
    return see(given, weight, ago)[1]


def off_m(pose: SolvedPose, true: Floats = BODY) -> Floats:
    """(J,)."""
    return np.asarray(np.linalg.norm(pose.joints - true, axis=-1))


def panned(view: int, deg: float) -> Calibration:
    """The cameras, one of them panned."""
    turn = np.tile(np.eye(3), (3, 1, 1))
    turn[view] = rotation_from_vector(np.radians([0.0, deg, 0.0]))
    return replace(
        CAMERAS, rotation=turn @ CAMERAS.rotation, translation=np.einsum("vij,vj->vi", turn, CAMERAS.translation)
    )


@pytest.mark.parametrize("size", [0.05, 1.0, 20.0])
def test_joints_do_not_depend_on_the_size_of_the_lifts(size: float) -> None:
    pose = posed(hypothesis(samples_of(BODY), size))
    assert off_m(pose).max() < 0.03
    assert np.median(off_m(pose)) < 0.01
    assert pose.inlier.shape == (3, J)
    assert pose.inlier.min() > 0.5
    assert pose.agreement.min() > 0.8


def test_midpoints_are_more_accurate_than_their_sides() -> None:
    pose = posed(hypothesis(samples_of(BODY)))
    left, right = pose.joints[INDEX["l_hip"]], pose.joints[INDEX["r_hip"]]
    assert pose.joints[INDEX["pelvis"]] == pytest.approx(0.5 * (left + right))
    sizes = np.trace(pose.covariance, axis1=1, axis2=2)
    assert (sizes > 0).all()
    assert sizes[INDEX["pelvis"]] < max(sizes[INDEX["l_hip"]], sizes[INDEX["r_hip"]])
    assert sizes[INDEX["thorax"]] < max(sizes[INDEX["l_shoulder"]], sizes[INDEX["r_shoulder"]])


def test_the_pose_is_projected_into_the_views() -> None:
    pose = posed(hypothesis(samples_of(BODY)))
    assert pose.projected_px == pytest.approx(CAMERAS.project(pose.joints)[0])
    assert pose.projected_px == pytest.approx(images(BODY[None], CAMERAS)[0], abs=8)


def test_detections_are_in_ideal_coordinates() -> None:
    pose = posed(hypothesis(samples_of(BODY)))
    assert pose.ideal_xy == pytest.approx(CAMERAS.ideal_xy(images(BODY[None], CAMERAS)[0][:, POINT_LIST]))
    assert pose.visible == pytest.approx(np.ones((3, len(POINT_LIST))))
    assert pose.sd.shape == (3,)
    assert (pose.sd > 0).all()


def test_an_outlier_joint_has_little_weight() -> None:
    samples = samples_of(BODY)
    wild = images(BODY[None], CAMERAS)[0, 2]
    wild[WRIST] += 180.0
    samples[2] = Sample(0, wild[None], np.full((1, J), 0.9))
    pose = posed(hypothesis(samples))
    assert pose.inlier[2, WRIST] < 0.1
    assert pose.inlier[:2, WRIST].min() > 0.5
    assert off_m(pose)[WRIST] < 0.06
    assert pose.agreement.min() > 0.7  # one joint does not make a view wrong


def test_an_invisible_joint_is_less_accurate() -> None:
    hidden = [
        replace(s, score=np.where(np.arange(J) == WRIST, 0.0, s.score)) for s in samples_of(BODY) if s is not None
    ]
    pose = posed(hypothesis([*hidden]))
    sizes = np.trace(pose.covariance, axis1=1, axis2=2)
    assert sizes[WRIST] > 2 * sizes[INDEX["r_wrist"]]
    assert not pose.inlier[:, WRIST].any()
    assert off_m(pose)[WRIST] < 0.15


def test_a_view_of_weight_0_is_only_compared() -> None:
    moved = panned(2, 10.0)
    pose = posed(hypothesis(samples_of(BODY, moved)), np.array([1.0, 1.0, 0.0]))
    assert off_m(pose).max() < 0.05
    assert pose.agreement[:2].min() > 0.8
    assert pose.agreement[2] < 0.2
    straight = posed(hypothesis(samples_of(BODY)), np.array([1.0, 1.0, 0.0]))
    assert straight.agreement[2] > 0.7


def test_a_view_without_person_has_agreement_0() -> None:
    given = hypothesis([*samples_of(BODY)[:2], None])
    assert given.assignment[2] == UNASSIGNED
    pose = posed(given)
    assert off_m(pose).max() < 0.04
    assert pose.agreement[2] == 0
    assert not pose.inlier[2].any()


def test_one_view_continues_at_the_last_position() -> None:
    whole = posed(hypothesis(samples_of(BODY)))
    alone = posed(hypothesis([None, samples_of(BODY)[1], None]), ago=whole)
    assert off_m(alone).max() < 0.15
    assert np.trace(alone.covariance, axis1=1, axis2=2).mean() > np.trace(whole.covariance, axis1=1, axis2=2).mean()


@pytest.mark.parametrize("view", range(3))
@pytest.mark.parametrize("deg", [-12.0, -5.0, 3.0, 5.0, 12.0])
def test_a_panned_camera_is_identified_by_the_temporal_prior(view: int, deg: float) -> None:
    """The other two cameras face each other: their rays are uncertain along the line between them."""
    ago = posed(hypothesis(samples_of(BODY)))
    pose = posed(hypothesis(samples_of(BODY, panned(view, deg))), ago=ago)
    others = np.arange(3) != view
    assert pose.agreement[others].min() > 0.6
    assert pose.agreement[view] < 0.3
    assert off_m(pose).max() < 0.08


@pytest.mark.parametrize("view", range(2))
def test_of_two_views_the_one_that_jumps_is_not_followed(view: int) -> None:
    """While the third view is lost."""
    ago = posed(hypothesis(samples_of(BODY)))
    given = hypothesis([*samples_of(BODY, panned(view, 6.0))[:2], None])
    prior, other = ago.temporal_prior(1 / 30), 1 - view
    _, followed = alone(solved_pose(given, RIG, ALL, prior))
    _, pose = alone(solved_pose(given, RIG, ALL, prior, np.ones(3, bool)))
    assert pose.agreement[other] > 0.8
    assert pose.agreement[view] < 0.2
    assert np.median(off_m(pose)) < 0.05
    assert np.median(off_m(pose)) < 0.6 * np.median(off_m(followed))


def test_a_view_that_has_long_disagreed_does_not_jump() -> None:
    ago = posed(hypothesis(samples_of(BODY)))
    there = BODY + np.array([0.25, 0.0, 0.25])  # the prior is wrong, not the views
    given = hypothesis([*samples_of(there)[:2], None])
    _, pose = alone(solved_pose(given, RIG, ALL, ago.temporal_prior(1 / 30), np.zeros(3, bool)))
    assert np.median(off_m(pose, there)) < 0.06


def test_the_only_view_is_not_followed_to_another_person_at_once() -> None:
    ago = posed(hypothesis(samples_of(BODY)))
    given = hypothesis([samples_of(BODY + np.array([1.5, 0.0, 1.0]))[0], None, None])
    prior = ago.temporal_prior(1 / 30)
    _, waiting = alone(solved_pose(given, RIG, ALL, prior, np.ones(3, bool)))
    _, later = alone(solved_pose(given, RIG, ALL, prior, np.zeros(3, bool)))
    assert np.median(off_m(waiting)) < 0.3
    assert np.median(off_m(later)) > 1.0


def test_the_only_view_is_followed_when_the_person_changes_speed() -> None:
    ago = posed(hypothesis(samples_of(BODY)))
    there = BODY + CAMERAS.rotation[0, 0] * 3.0 / 30  # across the image, by 3 m/s
    given = hypothesis([samples_of(there)[0], None, None])
    _, pose = alone(solved_pose(given, RIG, ALL, ago.temporal_prior(1 / 30), np.ones(3, bool)))
    assert pose.agreement[0] > 0.8
    assert np.median(off_m(pose, there)) < 0.06


def test_a_person_far_from_the_prior_is_found() -> None:
    """After a gap, or an identity switch."""
    ago = posed(hypothesis(samples_of(BODY)))
    there = BODY + np.array([1.2, 0.0, 1.0])
    pose = posed(hypothesis(samples_of(there)), ago=ago)
    assert np.median(off_m(pose, there)) < 0.06
    assert pose.agreement.min() > 0.5


def test_a_view_with_exchanged_sides_is_reassigned() -> None:
    samples = samples_of(BODY)
    swapped = images(BODY[None], CAMERAS)[0, 1][list(MIRROR)]
    samples[1] = Sample(0, swapped[None], np.full((1, J), 0.9))
    given = hypothesis(samples)
    read, pose = see(given, ago=posed(hypothesis(samples_of(BODY))))
    assert bool(read.observation.mirrored[read.assignment[1]])
    assert not read.observation.mirrored[read.assignment[[0, 2]]].any()
    assert off_m(pose).max() < 0.04
    assert pose.agreement.min() > 0.7


def test_a_view_assigned_to_a_bystander_is_reassigned() -> None:
    bystander = BODY + np.array([1.0, 0.0, -0.6])
    xy = images(np.stack([bystander, BODY]), CAMERAS)[:, 2]
    samples = [*samples_of(BODY)[:2], Sample(0, xy, np.full((2, J), 0.9))]
    given = hypothesis(samples)
    assert given.observation.person[given.assignment[2]] == 0
    read, pose = see(given, ago=posed(hypothesis(samples_of(BODY))))
    assert read.observation.person[read.assignment[2]] == 1
    assert off_m(pose).max() < 0.04
    assert read.observation.person[read.assignment[:2]].tolist() == [0, 0]


def test_a_consistent_hypothesis_is_unchanged() -> None:
    given = hypothesis(samples_of(BODY))
    read, _ = see(given)
    assert np.array_equal(read.assignment, given.assignment)
    assert read.observation is given.observation


def test_the_lift_of_a_reassigned_view_is_reported() -> None:
    """An unassigned view, and one with left and right exchanged."""
    given = hypothesis(samples_of(BODY))
    lifted = np.arange(3.0)[:, None, None] + np.ones((3, J, 3))
    given = replace(
        given, out=replace(given.out, lifted=lifted.astype(np.float32)), assignment=np.array([0, 1, UNASSIGNED])
    )
    assert np.isfinite(own_lifts(given)).all((1, 2)).tolist() == [True, True, False]
    for assignment in (2, 5):
        cleared = replace(given, observation=given.observation.with_mirrors(), assignment=np.array([0, 1, assignment]))
        stated = own_lifts(given, cleared)
        assert stated[:2] == pytest.approx(own_lifts(given)[:2])
        assert np.linalg.norm(stated[2, 0]) == pytest.approx(3 * np.sqrt(3))
