"""Several people in one room."""

import numpy as np
import pytest

from pose_rig.simulation.paths import (
    BYSTANDER_DISTANCE_M,
    CROSSING_M,
    MIN_DISTANCE_M,
    keep_apart,
    nearest_distance,
    place_around,
    place_together,
)
from pose_rig.simulation.walk import captured_walk, walk_at

FPS = 30.0


def walker(seconds: float, start: float = 0.0) -> np.ndarray:
    clip, clip_fps = captured_walk()
    middle = walk_at(np.array(0.5 * (len(clip) - 1)))[0] * [1.0, 0.0, 1.0]
    return np.asarray(walk_at(start + np.arange(round(seconds * FPS)) * clip_fps / FPS) - middle)


@pytest.mark.parametrize("people", [2, 4, 6])
def test_people_cross_and_never_meet_in_one_place(people: int) -> None:
    for seed in range(3):
        walkers = [walker(9.0, 40.0 * n) for n in range(people)]
        joints = place_together(walkers, 150, FPS, np.random.default_rng(seed))
        assert joints.shape == (150, people, 17, 3)
        distance = nearest_distance(joints)
        assert MIN_DISTANCE_M <= distance.min() < CROSSING_M
        for n in range(people):  # people are moved and turned as a whole
            bones = np.linalg.norm(joints[:, n, 2] - joints[:, n, 3], axis=-1)
            np.testing.assert_allclose(bones, np.linalg.norm(walkers[n][0, 2] - walkers[n][0, 3]), rtol=0.01)
            assert np.ptp(joints[:, n, 0, 1]) == pytest.approx(np.ptp(walkers[n][:, 0, 1]), abs=0.03)


def test_two_who_walk_through_each_other_step_aside_smoothly() -> None:
    along = np.linspace(-2, 2, 120)
    still = walker(1 / FPS)[0]
    still = still - still[0] * [1.0, 0.0, 1.0]
    toward = np.stack([still + np.array([x, 0.0, 0.0]) for x in along])
    joints = keep_apart(np.stack([toward, toward[::-1]], 1), FPS)
    assert nearest_distance(joints).min() >= MIN_DISTANCE_M
    assert np.abs(joints[:, :, 0, 2]).max() < 0.6 * MIN_DISTANCE_M
    assert np.abs(np.diff(joints[:, :, 0], axis=0)).max() < 0.05
    np.testing.assert_array_equal(joints[[0, -1]].round(1), np.stack([toward, toward[::-1]], 1)[[0, -1]].round(1))


def test_two_who_stand_in_one_place_part() -> None:
    twice = np.repeat(walker(2.0)[:, None], 2, 1)
    assert nearest_distance(keep_apart(twice, FPS)).min() >= MIN_DISTANCE_M


def test_one_person_is_not_moved() -> None:
    alone = walker(1.0)[:, None]
    assert keep_apart(alone, FPS) is not alone
    np.testing.assert_array_equal(keep_apart(alone, FPS), alone)
    assert np.isinf(nearest_distance(alone)).all()


def test_bystanders_stay_around_the_area_and_off_the_cameras() -> None:
    rng = np.random.default_rng(0)
    joints = place_together([walker(5.0), walker(5.0, 60)], 90, FPS, rng)
    cameras = np.array([[3.0, 1.5, 0.0], [0.0, 1.5, 3.0], [-3.0, 1.5, 0.0]])
    around = place_around([walker(5.0)] * 4, joints, cameras, rng)
    assert around.shape == (90, 4, 17, 3)
    middle = joints[:, :, 0].mean((0, 1))
    reach = np.linalg.norm((joints[:, :, 0] - middle)[..., [0, 2]], axis=-1).max()
    spots = around[:, :, 0][..., [0, 2]]
    assert np.ptp(spots, axis=0).max() < 1e-9
    distance = np.linalg.norm(spots[0] - middle[[0, 2]], axis=-1)
    assert (distance > reach + BYSTANDER_DISTANCE_M[0] - 0.01).all()
    assert np.linalg.norm(spots[0][:, None] - cameras[:, [0, 2]], axis=-1).min() > 1.0
    assert place_around([], joints, cameras, rng).shape == (90, 0, 17, 3)
