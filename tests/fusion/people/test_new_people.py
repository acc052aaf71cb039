"""People who are not tracked yet."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.fusion.people.new_people import HEIGHT_RANGE_M, MAX_FREE, Group, find_groups
from pose_rig.fusion.pose.hypothesis import UNASSIGNED
from tests.fusion.fakes import ring, walk
from tests.fusion.people.scenes import PeopleScene, film_people, three_people, two_people
from tests.fusion.people.solved import calibration_of, observation_at, points_at, shown_by

AT = 20


@pytest.fixture(scope="module")
def scene() -> PeopleScene:
    return three_people(1.0, hide=False)


def groups_of(scene: PeopleScene, most: int = 9, index: int = AT) -> list[Group]:
    observation = observation_at(scene, index)
    return find_groups(observation, np.ones(len(observation.view), bool), calibration_of(scene.cameras), most)


def people_of(scene: PeopleScene, group: Group, index: int = AT) -> list[int]:
    """(V,) which person is shown by the candidates of a group, −1 for none."""
    observation = observation_at(scene, index)
    shown = shown_by(scene, observation, index)[group.candidate]
    return [int(who) for who in np.where(group.candidate == UNASSIGNED, -1, shown)]


def test_everyone_is_found_in_all_views(scene: PeopleScene) -> None:
    found = groups_of(scene)
    who = [people_of(scene, group) for group in found]
    assert sorted(who) == [[n] * 4 for n in range(3)]
    for group, (person, *_) in zip(found, who, strict=True):
        assert group.views == 4
        assert np.linalg.norm(group.points - points_at(scene, AT)[person], axis=-1).max() < 0.15
        assert group.distance < 0.03


def test_body_heights_are_measured() -> None:
    scene = three_people(1.0, hide=False, noise=0.0)
    found = groups_of(scene)
    height_m = {people_of(scene, group)[0]: group.height_m for group in found}
    assert height_m[1] / height_m[0] == pytest.approx(0.9, abs=0.02)
    assert height_m[2] / height_m[0] == pytest.approx(1.08, abs=0.02)


def test_no_more_are_returned_than_wanted(scene: PeopleScene) -> None:
    assert len(groups_of(scene, 2)) == 2
    assert groups_of(scene, 0) == []


def test_the_one_whom_most_views_show_is_first(scene: PeopleScene) -> None:
    less = scene.without(0, 0, 0, 30).without(2, 1, 0, 30).without(3, 1, 0, 30)
    found = groups_of(less)
    assert [people_of(less, group) for group in found] == [[2] * 4, [-1, 0, 0, 0], [1, 1, -1, -1]]
    assert [group.views for group in found] == [4, 3, 2]


def test_only_free_candidates_of_cameras_of_known_pose_are_used(scene: PeopleScene) -> None:
    observation, cameras = observation_at(scene, AT), calibration_of(scene.cameras)
    shown = shown_by(scene, observation, AT)
    found = find_groups(observation, shown == 1, cameras, 9)
    assert [people_of(scene, group) for group in found] == [[1] * 4]
    cameras = replace(cameras, known=np.array([True, True, False, True]))
    found = find_groups(observation, shown == 1, cameras, 9)
    assert [people_of(scene, group) for group in found] == [[1, 1, -1, 1]]


def test_one_view_shows_no_group(scene: PeopleScene) -> None:
    observation = observation_at(scene, AT)
    assert find_groups(observation, observation.view == 1, calibration_of(scene.cameras), 9) == []
    assert find_groups(observation, observation.view == 9, calibration_of(scene.cameras), 9) == []


def test_a_point_that_one_view_lacks_is_unknown(scene: PeopleScene) -> None:
    observation = observation_at(scene, AT)
    two = (observation.view < 2) & (shown_by(scene, observation, AT) == 0)
    score = observation.score.copy()
    wrist = 13
    score[observation.view == 1, wrist] = 0.0
    (group,) = find_groups(replace(observation, score=score), two, calibration_of(scene.cameras), 1)
    assert np.isnan(group.points).any(-1).sum() == 1
    few = np.where(np.arange(17) < 5, observation.score, 0.0)
    assert find_groups(replace(observation, score=few), two, calibration_of(scene.cameras), 1) == []


@pytest.mark.parametrize(("height_m", "count"), [(0.5, 0), (1.1, 1), (1.7, 1), (2.1, 1), (3.2, 0)])
def test_bodies_of_impossible_height_are_refused(height_m: float, count: int) -> None:
    joints = walk(1.0)
    scene = film_people((joints * height_m / 1.7)[:, None], ring(4), noise=0.0)
    found = groups_of(scene)
    assert len(found) == count
    assert all(HEIGHT_RANGE_M[0] < group.height_m < HEIGHT_RANGE_M[1] for group in found)


def test_scattered_points_are_seldom_a_body() -> None:
    """Although most of their segments imply some body height of a person."""
    scattered = np.random.default_rng(0).uniform(-0.25, 0.25, (60, 1, 17, 3)) + np.array([0.0, 0.9, 0.0])
    scene = film_people(scattered, ring(4), noise=0.0)
    assert sum(len(groups_of(scene, index=index)) for index in range(60)) < 20


def test_cameras_next_to_each_other_do_not_show_where_a_person_is() -> None:
    joints = walk(1.0)[:, None]
    assert len(groups_of(film_people(joints, ring(2, step_deg=20.0), noise=0.0))) == 1
    assert groups_of(film_people(joints, ring(2, step_deg=3.0), noise=0.0)) == []


def test_rays_of_different_people_are_no_body_where_the_right_ones_are_visible() -> None:
    """A detection of one person and one of another often could be a body, of people who are equally far away."""
    scene = two_people(2.0, 2, hide=False)
    cameras, ghosts = calibration_of(scene.cameras), 0
    for index in range(0, 60, 5):
        observation = observation_at(scene, index)
        shown = shown_by(scene, observation, index)
        found = groups_of(scene, index=index)
        assert sorted(people_of(scene, group, index) for group in found) == [[0, 0], [1, 1]]
        ghosts += len(find_groups(observation, shown == observation.view, cameras, 9))
    assert ghosts > 2


def test_of_a_crowd_the_surest_candidates_are_compared() -> None:
    scene = two_people(1.0, 4, hide=False)
    observation = observation_at(scene, AT)
    shown = shown_by(scene, observation, AT)
    rows = np.concatenate([np.repeat(np.flatnonzero(observation.view == 0)[:1], 3 * MAX_FREE), np.arange(len(shown))])
    crowd = observation.part(rows)
    order = np.argsort(crowd.view, kind="stable")
    crowd, rows = crowd.part(order), rows[order]
    rng = np.random.default_rng(0)
    extra = np.arange(len(rows)) < 3 * MAX_FREE
    xy_px = np.where(extra[:, None, None], rng.uniform(0, 700, crowd.xy_px.shape), crowd.xy_px)
    unsure = replace(crowd, xy_px=xy_px, score=np.where(extra[:, None], 0.4, crowd.score))
    everyone, cameras = np.ones(len(rows), bool), calibration_of(scene.cameras)
    found = find_groups(unsure, everyone, cameras, 2)
    assert sorted(set(shown[rows[group.candidate]].tolist()) for group in found) == [{0}, {1}]
    sure = replace(unsure, score=np.where(extra[:, None], 1.0, crowd.score))
    found = find_groups(sure, everyone, cameras, 2)
    assert [group.views for group in found] == [3, 3]  # the other three views
