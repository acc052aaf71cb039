"""Which candidate of each view is which person."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.people.assignment import MIRROR_COST, assign, cheapest, distances
from pose_rig.fusion.pose.hypothesis import UNASSIGNED
from pose_rig.fusion.pose.observation import Observation
from pose_rig.skeleton import MIRROR
from tests.fusion.people.scenes import PeopleScene, three_people, two_people
from tests.fusion.people.solved import calibration_of, observation_at, points_at, shown_by

AT = 40
HEIGHTS_M = np.array([1.7, 1.55, 1.8])
GATE = np.full(3, 0.2)


@pytest.fixture(scope="module")
def scene() -> PeopleScene:
    return three_people(2.0, hide=False)


def everyone(observation: Observation) -> np.ndarray:
    return np.ones(len(observation.view), bool)


def found(scene: PeopleScene, chosen: np.ndarray, index: int = AT) -> list[list[int]]:
    """(N,V) which person is shown by the candidates that were assigned, −1 for none."""
    observation = observation_at(scene, index)
    shown = shown_by(scene, observation, index)
    return [[int(who) for who in row] for row in np.where(chosen == UNASSIGNED, -1, shown[chosen])]


def test_every_candidate_is_nearest_to_the_person_it_shows(scene: PeopleScene) -> None:
    observation, cameras = observation_at(scene, AT), calibration_of(scene.cameras)
    cost = distances(observation, cameras, points_at(scene, AT), HEIGHTS_M)
    shown = shown_by(scene, observation, AT)
    assert cost.shape == (3, 12)
    assert cost.argmin(0).tolist() == shown.tolist()
    assert cost[shown, np.arange(12)].max() < 0.02
    assert ((cost >= 0) & (cost <= 1)).all()


def test_the_distance_is_a_share_of_the_body_height(scene: PeopleScene) -> None:
    observation, cameras = observation_at(scene, AT), calibration_of(scene.cameras)
    aside = points_at(scene, AT)[:1] + np.array([0.0, 0.17, 0.0])
    cost = distances(observation, cameras, aside, np.array([1.7]))[0]
    own = cost[shown_by(scene, observation, AT) == 0]
    np.testing.assert_allclose(own, 0.1, atol=0.02)
    half = distances(observation, cameras, aside, np.array([3.4]))[0][shown_by(scene, observation, AT) == 0]
    np.testing.assert_allclose(half, own / 2, rtol=1e-9)


def test_people_are_assigned_in_every_view(scene: PeopleScene) -> None:
    for index in (0, 20, AT, 59):
        observation = observation_at(scene, index)
        chosen = assign(
            observation, calibration_of(scene.cameras), everyone(observation), points_at(scene, index), HEIGHTS_M, GATE
        )
        assert found(scene, chosen, index) == [[0] * 4, [1] * 4, [2] * 4]


def test_only_free_candidates_within_the_gate_are_assigned(scene: PeopleScene) -> None:
    observation, cameras = observation_at(scene, AT), calibration_of(scene.cameras)
    shown = shown_by(scene, observation, AT)
    free = ~((shown == 1) & (observation.view == 2))
    chosen = assign(observation, cameras, free, points_at(scene, AT), HEIGHTS_M, GATE)
    assert found(scene, chosen) == [[0] * 4, [1, 1, -1, 1], [2] * 4]
    assert not (assign(observation, cameras, 0 * free > 0, points_at(scene, AT), HEIGHTS_M, GATE) + 1).any()
    far = points_at(scene, AT) + np.array([0.0, 0.0, 0.5])[:, None, None] * [0.0, 1.0, 0.0]
    assert found(scene, assign(observation, cameras, everyone(observation), far, HEIGHTS_M, GATE))[2] == [-1] * 4
    wide = assign(observation, cameras, everyone(observation), far, HEIGHTS_M, np.array([0.2, 0.2, 0.5]))
    assert found(scene, wide)[2] == [2] * 4


def test_a_camera_of_unknown_pose_has_no_candidate(scene: PeopleScene) -> None:
    observation, cameras = observation_at(scene, AT), calibration_of(scene.cameras)
    cameras = replace(cameras, known=np.array([True, False, True, True]))
    cost = distances(observation, cameras, points_at(scene, AT), HEIGHTS_M)
    assert np.isinf(cost[:, observation.view == 1]).all()
    assert np.isfinite(cost[:, observation.view != 1]).all()
    chosen = assign(observation, cameras, everyone(observation), points_at(scene, AT), HEIGHTS_M, GATE)
    assert found(scene, chosen) == [[n, -1, n, n] for n in range(3)]


def test_a_person_behind_a_camera_is_not_assigned_there(scene: PeopleScene) -> None:
    """Although their mirrored projection would fit."""
    observation, cameras = observation_at(scene, AT), calibration_of(scene.cameras)
    behind = 2 * cameras.centre[0] - points_at(scene, AT)[:1]
    cost = distances(observation, cameras, behind, np.array([1.7]))
    assert np.isinf(cost[0, observation.view == 0]).all()
    chosen = assign(observation, cameras, everyone(observation), behind, np.array([1.7]), np.array([0.2]))
    assert found(scene, chosen) == [[-1] * 4]


def test_left_and_right_exchanged_cost_a_little(scene: PeopleScene) -> None:
    observation, cameras = observation_at(scene, AT), calibration_of(scene.cameras)
    order = list(MIRROR)
    swapped = replace(observation, xy_px=observation.xy_px[:, order], score=observation.score[:, order])
    before = distances(observation, cameras, points_at(scene, AT), HEIGHTS_M)
    after = distances(swapped, cameras, points_at(scene, AT), HEIGHTS_M)
    own = shown_by(scene, observation, AT) == np.arange(3)[:, None]
    np.testing.assert_allclose(after[own], before[own] + MIRROR_COST, atol=1e-12)
    chosen = assign(swapped, cameras, everyone(observation), points_at(scene, AT), HEIGHTS_M, GATE)
    assert found(scene, chosen) == [[n] * 4 for n in range(3)]


def test_points_that_are_unknown_or_not_visible_do_not_count(scene: PeopleScene) -> None:
    observation, cameras = observation_at(scene, AT), calibration_of(scene.cameras)
    expected = points_at(scene, AT)
    expected[:, :6] = np.nan
    cost = distances(observation, cameras, expected, HEIGHTS_M)
    assert np.isfinite(cost).all()
    assert cost.argmin(0).tolist() == shown_by(scene, observation, AT).tolist()
    hidden = observation.score.copy()
    hidden[:, 4:] = 0.0
    wild = np.where(hidden[..., None] > 0, observation.xy_px, 1e4)
    cost = distances(replace(observation, score=hidden, xy_px=wild), cameras, points_at(scene, AT), HEIGHTS_M)
    assert cost[shown_by(scene, observation, AT), np.arange(12)].max() < 0.03
    none = distances(replace(observation, score=0 * hidden), cameras, points_at(scene, AT), HEIGHTS_M)
    assert (none == 1).all()


@pytest.mark.filterwarnings("ignore:Mean of empty slice")
def test_a_person_of_whom_no_point_is_known_gets_no_candidate(scene: PeopleScene) -> None:
    observation, cameras = observation_at(scene, AT), calibration_of(scene.cameras)
    expected = points_at(scene, AT)
    expected[1] = np.nan
    chosen = assign(observation, cameras, everyone(observation), expected, HEIGHTS_M, GATE)
    assert found(scene, chosen) == [[0] * 4, [-1] * 4, [2] * 4]


def test_two_people_who_stand_together_do_not_share_a_candidate() -> None:
    """Both are nearest to the only candidate of a view: the nearer one gets it."""
    scene = two_people(2.0, hide=False).without(0, 1, 0, 60)
    observation, cameras = observation_at(scene, AT), calibration_of(scene.cameras)
    both = np.repeat(points_at(scene, AT)[:1], 2, axis=0)
    both[1] += [0.0, 0.05, 0.0]
    chosen = assign(observation, cameras, everyone(observation), both, HEIGHTS_M[:2], np.full(2, 0.5))
    assert found(scene, chosen)[0] == [0, 0, 0, 0]
    assert found(scene, chosen)[1][0] == -1


@pytest.mark.parametrize(
    ("cost", "chosen"),
    [
        ([[0.1, 0.9], [0.9, 0.1]], [0, 1]),
        ([[0.10, 0.15], [0.11, 0.90]], [1, 0]),  # the nearest of both is the same: 0.26 rather than 0.10 + the gate
        ([[0.10, 0.90], [0.11, 0.90]], [0, -1]),
        ([[0.9], [0.1]], [-1, 0]),
        ([[np.inf, np.inf], [np.inf, 0.1]], [-1, 1]),
        ([[], []], [-1, -1]),
    ],
)
def test_the_assignment_of_least_total_cost_is_chosen(cost: list[list[float]], chosen: list[int]) -> None:
    assert cheapest(np.array(cost).reshape(2, -1), np.array([0.3, 0.3])).tolist() == chosen


def least(cost: Floats, gate: Floats) -> float:
    """The least total cost, of all assignments; one who has none costs the largest gate."""
    people, candidates = cost.shape
    none = np.full((people, 1), gate.max())
    prices = np.concatenate([np.where(cost < gate[:, None], cost, np.inf), none], axis=1)
    trials = product(range(candidates + 1), repeat=people)
    return min(
        float(sum(prices[n, c] for n, c in enumerate(trial)))
        for trial in trials
        if len({c for c in trial if c < candidates}) == sum(c < candidates for c in trial)
    )


def test_no_assignment_is_cheaper() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        people, candidates = rng.integers(1, 4, 2)
        cost, gate = rng.uniform(0, 1, (people, candidates)), rng.uniform(0.3, 1, people)
        chosen = cheapest(cost, gate).tolist()
        taken = [c for c in chosen if c != UNASSIGNED]
        assert len(taken) == len(set(taken))
        total = sum(gate.max() if c == UNASSIGNED else cost[n, c] for n, c in enumerate(chosen))
        assert total == pytest.approx(least(cost, gate))


def test_someone_who_was_lost_takes_no_candidate_from_another() -> None:
    """Although the wide gate makes it dearer to leave them without one."""
    assert cheapest(np.array([[0.30], [0.01]]), np.array([0.5, 0.2])).tolist() == [-1, 0]
    assert cheapest(np.array([[0.01], [0.15]]), np.array([0.5, 0.2])).tolist() == [0, -1]
