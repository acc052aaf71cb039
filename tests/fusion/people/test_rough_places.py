"""Where people are, approximately, before the rig is solved."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.fusion.people.rough_places import MAX_RECENT, RoughPlaces
from pose_rig.fusion.people.tracked_person import TrackedPerson
from pose_rig.geometry import rotation_from_vector
from pose_rig.graph import Engine
from tests.fusion.fakes import config, ring
from tests.fusion.people.scenes import PeopleScene, crossing, film_people
from tests.fusion.people.solved import observation_at, single_views_at, solution_of

FPS = 15.0


@pytest.fixture(scope="module")
def scene() -> PeopleScene:
    return film_people(crossing(2, 2.0, FPS), ring(4), fps=FPS)


def learned(scene: PeopleScene, engine: Engine, steps: int = 15) -> tuple[RoughPlaces, list[int]]:
    """The places after some time steps, and at which of them earlier groups turned out to be wrong."""
    out, wrong = RoughPlaces(4), []
    for index in range(steps):
        if out.add(observation_at(scene, index), single_views_at(scene, index, engine)[0]):
            wrong.append(index)
    return out, wrong


def test_groups_are_known_once_after_most_of_a_second(engine: Engine, scene: PeopleScene) -> None:
    assert not learned(scene, engine, 8)[0].known
    out, wrong = learned(scene, engine, 25)
    assert out.known
    assert len(wrong) == 1
    assert 8 <= wrong[0] < 15
    assert len(out.recent) == MAX_RECENT
    assert [observation.t_ns for observation, _ in out.recent] == [scene.t_ns(i) for i in range(25 - MAX_RECENT, 25)]


def test_one_person_needs_no_groups(engine: Engine) -> None:
    out, wrong = learned(film_people(crossing(1, 1.5, FPS), ring(4), fps=FPS), engine, 20)
    assert not out.known
    assert wrong == []


def test_people_keep_their_places(engine: Engine, scene: PeopleScene) -> None:
    out, _ = learned(scene, engine)
    people = [TrackedPerson(0, config(4, people=2))]
    for index in range(15, 30):
        seen, shown = single_views_at(scene, index, engine)
        before = people[0].rough_place
        own, others = out.assign(seen, people)
        after = people[0].rough_place
        assert after is not None
        assert before is None or 0 < np.linalg.norm(after - before) < 0.5
        groups = [*own, *(candidates for candidates, _ in others)]
        assert len(groups) == 2
        for person in people:
            person.seen_ns = seen.t_ns
        if index == 15:
            people.append(TrackedPerson(1, config(4, people=2)))
            people[1].rough_place = others[0][1]
            first = [np.bincount(shown[group]).argmax() for group in groups]
            assert sorted(first) == [0, 1]
        else:
            assert others == []
            assert [np.bincount(shown[group]).argmax() for group in own] == first


def test_who_is_far_from_all_groups_has_none(engine: Engine, scene: PeopleScene) -> None:
    out, _ = learned(scene, engine)
    away = TrackedPerson(0, config(4, people=2))
    away.rough_place = np.array([0.0, 0.0, 90.0])
    away.seen_ns = scene.t_ns(15)
    own, others = out.assign(single_views_at(scene, 15, engine)[0], [away])
    assert [len(candidates) for candidates in own] == [0]
    assert len(others) == 2
    np.testing.assert_array_equal(away.rough_place, [0.0, 0.0, 90.0])


def test_a_time_step_without_detections_moves_no_one(engine: Engine, scene: PeopleScene) -> None:
    out, _ = learned(scene, engine)
    person = TrackedPerson(0, config(4, people=2))
    out.assign(single_views_at(scene, 15, engine)[0], [person])
    before = person.rough_place
    seen = single_views_at(scene, 16, engine)[0]
    none = {name: getattr(seen, name)[:0] for name in ("view", "pelvis", "lifted")}
    own, others = out.assign(replace(seen, **none), [person])
    assert [len(candidates) for candidates in own] == [0]
    assert others == []
    assert person.rough_place is before


def test_a_solved_rig_that_is_wrong_is_contradicted(engine: Engine, scene: PeopleScene) -> None:
    right = solution_of(scene)
    turn = rotation_from_vector(np.radians(np.eye(4)[1][:, None] * [0.0, 150.0, 0.0]))
    wrong = replace(right, cameras=replace(right.cameras, rotation=right.cameras.rotation @ turn))
    unknown = replace(wrong, cameras=replace(wrong.cameras, known=np.array([True, False, True, True])))
    for solution, contradicted in ((right, False), (wrong, True), (unknown, False)):
        out, found = RoughPlaces(4), []
        for index in range(25):
            seen = single_views_at(scene, index, engine)[0]
            found.append(out.contradicts(observation_at(scene, index), seen, solution))
        assert not any(found[:8])
        assert any(found) == contradicted
