"""Which candidates are whose."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.fusion.people.candidates import Candidates
from pose_rig.fusion.people.tracked_person import TrackedPerson
from tests.fusion.fakes import config
from tests.fusion.people.scenes import PeopleScene, three_people
from tests.fusion.people.solved import calibration_of, observation_at, points_at, shown_by, solution_of

AT = 40


@pytest.fixture(scope="module")
def scene() -> PeopleScene:
    return three_people(2.0, hide=False)


def people_at(scene: PeopleScene, count: int = 3) -> list[TrackedPerson]:
    """People who were found where they are."""
    found = [TrackedPerson(identity, config(4, people=3)) for identity in range(count)]
    for person, points in zip(found, points_at(scene, AT), strict=False):
        person.move_to(scene.t_ns(AT), points)
    return found


def test_given_candidates_are_taken_and_lent_ones_stay_free(scene: PeopleScene) -> None:
    one, other = people_at(scene, 2)
    candidates = Candidates(observation_at(scene, AT))
    assert candidates.free.all()
    assert len(candidates.of(one)) == 0
    candidates.give(one, np.array([1, 4]))
    candidates.lend(one, np.array([3]))
    assert candidates.of(one).tolist() == [1, 3, 4]
    assert np.flatnonzero(~candidates.free).tolist() == [1, 4]
    candidates.lend(other, np.array([3]))
    assert candidates.of(other).tolist() == [3]


def test_people_get_what_shows_them_in_the_solved_rig(scene: PeopleScene) -> None:
    observation, people = observation_at(scene, AT), people_at(scene)
    candidates, shown = Candidates(observation), shown_by(scene, observation, AT)
    candidates.give_by_places(people, solution_of(scene), calibration_of(scene.cameras))
    for number, person in enumerate(people):
        assert candidates.of(person).tolist() == np.flatnonzero(shown == number).tolist()
    assert not candidates.free.any()


def test_those_without_a_place_get_none(scene: PeopleScene) -> None:
    candidates, person = Candidates(observation_at(scene, AT)), TrackedPerson(0, config(4, people=3))
    candidates.give_by_places([person], solution_of(scene), calibration_of(scene.cameras))
    assert len(candidates.of(person)) == 0
    assert candidates.free.all()


def test_someone_may_be_anyone_in_views_that_show_no_other(scene: PeopleScene) -> None:
    observation, (one, other) = observation_at(scene, AT), people_at(scene, 2)
    cameras = calibration_of(scene.cameras)
    cameras = replace(cameras, known=np.array([True, True, True, False]))
    candidates = Candidates(observation)
    candidates.give(other, np.flatnonzero(observation.view == 0)[:1])
    candidates.lend_other_views(one, cameras)
    assert np.unique(observation.view[candidates.of(one)]).tolist() == [1, 2]
    assert len(candidates.of(one)) == np.isin(observation.view, [1, 2]).sum()
