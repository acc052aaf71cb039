"""Which of three cameras was moved, by the agreement of two at a time."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.pose.computation import alone
from pose_rig.fusion.pose.solved_pose import solved_pose
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.rig.pair_agreement import MIN_SAMPLES, PairAgreement, unmoved_pair
from pose_rig.geometry import rotation_from_vector
from pose_rig.skeleton import JOINT_SET, J, landmarks
from tests.fusion.simulated import LENGTH_M, calibration, hypothesis_of, images, stroll

VIEWS = 3
TICK = 66_000_000
CAMERAS = calibration(VIEWS)
RIG = RigSolution(CAMERAS, LENGTH_M, np.zeros((0, J, 3)), 1.0, 1.0, np.inf)
NONE, ALL = np.zeros(VIEWS, bool), np.ones(VIEWS, bool)


def turned(view: int, deg: float) -> Calibration:
    turn = np.tile(np.eye(3), (VIEWS, 1, 1))
    turn[view] = rotation_from_vector(np.radians([deg, deg, 0.0]))
    translation = np.einsum("vij,vj->vi", turn, CAMERAS.translation)
    return replace(CAMERAS, rotation=turn @ CAMERAS.rotation, translation=translation)


def watched(true: Calibration, samples: int = 10, hidden: int | None = None) -> PairAgreement:
    """The agreement after some samples of a walk, seen by cameras that are not where the rig has them."""
    out = PairAgreement()
    for n, person in enumerate(stroll(samples / 15)):
        xy = images(person[None], true)[0]
        seen = [None if v == hidden else Sample(n * TICK, xy[v][None], np.full((1, J), 0.9)) for v in range(VIEWS)]
        given = hypothesis_of(seen, [landmarks(JOINT_SET)] * VIEWS, person - person[0], CAMERAS)
        given = replace(given, observation=replace(given.observation, t_ns=n * TICK))
        out.add(given, alone(solved_pose(given, RIG, np.ones(VIEWS), None))[1], LENGTH_M)
    return out


def test_cameras_that_were_not_moved_agree_in_pairs() -> None:
    agreement = watched(CAMERAS).between(0, RIG)
    pairs = agreement[np.triu_indices(VIEWS, 1)]
    assert pairs.min() > 0.9
    assert np.isnan(np.diag(agreement)).all()
    assert np.array_equal(agreement, agreement.T, equal_nan=True)
    assert unmoved_pair(agreement, NONE, ALL) is None  # none is better than the others


@pytest.mark.parametrize("view", range(VIEWS))
def test_the_two_others_agree_if_one_was_moved(view: int) -> None:
    pair = unmoved_pair(watched(turned(view, 6.0)).between(0, RIG), NONE, ALL)
    assert pair is not None
    assert pair.tolist() == [v for v in range(VIEWS) if v != view]


def test_too_few_samples_show_nothing() -> None:
    assert np.isnan(watched(CAMERAS, MIN_SAMPLES - 1).between(0, RIG)).all()


def test_samples_that_follow_each_other_closely_are_not_used() -> None:
    out = PairAgreement()
    person = stroll(0.1)[0]
    xy = images(person[None], CAMERAS)[0]
    given = hypothesis_of(
        [Sample(0, xy[v][None], np.full((1, J), 0.9)) for v in range(VIEWS)],
        [landmarks(JOINT_SET)] * VIEWS,
        person - person[0],
        CAMERAS,
    )
    pose = alone(solved_pose(given, RIG, np.ones(VIEWS), None))[1]
    for n in range(3 * MIN_SAMPLES):
        out.add(replace(given, observation=replace(given.observation, t_ns=n)), pose, LENGTH_M)
    assert np.isnan(out.between(0, RIG)).all()


def test_a_camera_without_detections_is_not_compared() -> None:
    agreement = watched(CAMERAS, hidden=1).between(0, RIG)
    assert np.isfinite(agreement[0, 2])
    assert np.isnan(agreement[1]).all()
    assert unmoved_pair(agreement, NONE, ALL) is None
    pair = unmoved_pair(agreement, NONE, np.array([True, False, True]))  # which was not in use anyway
    assert pair is not None
    assert pair.tolist() == [0, 2]


def test_the_comparison_is_not_repeated_at_once() -> None:
    pairs = watched(CAMERAS)
    first = pairs.between(0, RIG)
    assert pairs.between(10_000_000, RIG) is first
    assert pairs.between(1_000_000_000, RIG) is not first
    pairs.clear()
    assert np.isnan(pairs.between(1_010_000_000, RIG)).all()


def pairs_of(a: float, b: float, c: float) -> Floats:
    """Agreement of cameras 0 and 1, 0 and 2, 1 and 2."""
    return np.array([[np.nan, a, b], [a, np.nan, c], [b, c, np.nan]])


@pytest.mark.parametrize(
    ("agreement", "expected"),
    [
        ((0.9, 0.1, 0.2), [0, 1]),
        ((0.1, 0.9, 0.2), [0, 2]),
        ((0.9, 0.85, 0.2), None),  # either 1 or 2 was moved
        ((0.6, 0.1, 0.1), None),  # nothing agrees
    ],
)
def test_only_a_pair_that_clearly_agrees_best_is_unmoved(
    agreement: tuple[float, float, float], expected: list[int] | None
) -> None:
    found = unmoved_pair(pairs_of(*agreement), NONE, ALL)
    assert (None if found is None else found.tolist()) == expected


def test_a_camera_that_was_placed_again_is_at_fault_while_the_others_agree() -> None:
    placed = np.array([False, False, True])
    assert unmoved_pair(pairs_of(0.75, 0.95, 0.3), NONE, ALL) is not None
    found = unmoved_pair(pairs_of(0.75, 0.95, 0.3), placed, ALL)
    assert found is not None
    assert found.tolist() == [0, 1]
