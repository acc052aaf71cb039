"""Where people are, approximately, before the rig is solved."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from pose_rig.fusion.people.arrangement import MIN_STEPS, RoughCameras
from pose_rig.fusion.people.rough_places import MAX_RECENT, Regrouping, RoughPlaces, Seen, assign
from pose_rig.fusion.people.tracked_person import TrackedPerson
from pose_rig.fusion.rig.background import BackgroundCompute, BackgroundTask
from pose_rig.geometry import rotation_from_vector
from pose_rig.graph import Engine
from tests.fusion.fakes import config, ring
from tests.fusion.people.scenes import PeopleScene, crossing, film_people
from tests.fusion.people.solved import observation_at, single_views_at, solution_of

FPS = 15.0


@pytest.fixture(scope="module")
def scene() -> PeopleScene:
    return film_people(crossing(2, 2.0, FPS), ring(4), fps=FPS)


def places(background: BackgroundCompute | None = None) -> RoughPlaces[list[int]]:
    return RoughPlaces(4, BackgroundTask(background or BackgroundCompute()))


def times_ns(_: RoughCameras, recent: Sequence[Seen]) -> list[int]:
    return [observation.t_ns for observation, _ in recent]


def learned(scene: PeopleScene, engine: Engine, steps: int = 15) -> tuple[RoughPlaces[list[int]], dict[int, list[int]]]:
    """The places after some time steps, and those corrected by the time step at which groups turned out to be wrong."""
    out, corrected = places(), {}
    for index in range(steps):
        found = out.add(observation_at(scene, index), single_views_at(scene, index, engine)[0], times_ns)
        if found is not None:
            corrected[index] = found
    return out, corrected


def cameras_of(places: RoughPlaces[list[int]]) -> RoughCameras:
    assert places.cameras is not None
    return places.cameras


def test_groups_are_known_once_after_most_of_a_second(engine: Engine, scene: PeopleScene) -> None:
    assert not learned(scene, engine, 8)[0].known
    out, corrected = learned(scene, engine, 25)
    assert out.known
    ((index, corrected_ns),) = corrected.items()
    assert 8 <= index < 15
    assert corrected_ns == [scene.t_ns(i) for i in range(index)]


def test_groups_that_are_refused_are_formed_again_from_as_many_time_steps_as_are_kept(
    engine: Engine, scene: PeopleScene
) -> None:
    out, _ = learned(scene, engine, 29)
    out.cameras = None
    corrected_ns = out.add(observation_at(scene, 29), single_views_at(scene, 29, engine)[0], times_ns)
    assert corrected_ns == [scene.t_ns(i) for i in range(30 - MAX_RECENT, 29)]
    assert out.known


def test_one_person_needs_no_groups(engine: Engine) -> None:
    out, corrected = learned(film_people(crossing(1, 1.5, FPS), ring(4), fps=FPS), engine, 20)
    assert not out.known
    assert corrected == {}


def test_groups_that_are_formed_in_the_background_are_used_when_they_are_finished(
    engine: Engine, scene: PeopleScene
) -> None:
    go, begun = threading.Event(), threading.Event()

    def correct(_: RoughCameras, recent: Sequence[Seen]) -> list[int]:
        begun.set()
        assert go.wait(60)
        return [len(recent)]

    with ThreadPoolExecutor(1) as executor:
        out, found = places(BackgroundCompute(executor)), []
        for index in range(30):
            if index == 18:
                assert begun.wait(60)
                go.set()
                executor.submit(int).result()  # after it
            found.append(out.add(observation_at(scene, index), single_views_at(scene, index, engine)[0], correct))
            assert out.known == (index >= 18)
            if 12 <= index < 18:
                assert out.is_regrouping
            if index == 18:
                assert not out.is_regrouping
    assert found[:18] == [None] * 18
    assert found[18] == [MIN_STEPS - 1]
    assert found[19:] == [None] * 11


def test_groups_that_are_being_formed_are_discarded_with_their_places(engine: Engine, scene: PeopleScene) -> None:
    go = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        task: BackgroundTask[Regrouping[list[int]]] = BackgroundTask(BackgroundCompute(executor))
        executor.submit(go.wait, 60)
        out = RoughPlaces(4, task)
        for index in range(14):
            out.add(observation_at(scene, index), single_views_at(scene, index, engine)[0], times_ns)
        busy = [task.busy]
        after = RoughPlaces(4, task)
        go.set()
        executor.submit(int).result()
        assert after.add(observation_at(scene, 14), single_views_at(scene, 14, engine)[0], times_ns) is None
        assert [*busy, task.busy] == [True, False]
        assert not after.known


def test_people_keep_their_places(engine: Engine, scene: PeopleScene) -> None:
    out, _ = learned(scene, engine)
    people = [TrackedPerson(0, config(4, people=2))]
    for index in range(15, 30):
        seen, shown = single_views_at(scene, index, engine)
        before = people[0].rough_place
        own, others = assign(seen, people, cameras_of(out))
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
    own, others = assign(single_views_at(scene, 15, engine)[0], [away], cameras_of(out))
    assert [len(candidates) for candidates in own] == [0]
    assert len(others) == 2
    np.testing.assert_array_equal(away.rough_place, [0.0, 0.0, 90.0])


def test_a_time_step_without_detections_moves_no_one(engine: Engine, scene: PeopleScene) -> None:
    out, _ = learned(scene, engine)
    person = TrackedPerson(0, config(4, people=2))
    assign(single_views_at(scene, 15, engine)[0], [person], cameras_of(out))
    before = person.rough_place
    seen = single_views_at(scene, 16, engine)[0]
    none = {name: getattr(seen, name)[:0] for name in ("view", "pelvis", "lifted")}
    own, others = assign(replace(seen, **none), [person], cameras_of(out))
    assert [len(candidates) for candidates in own] == [0]
    assert others == []
    assert person.rough_place is before


def test_a_solved_rig_that_is_wrong_is_contradicted(engine: Engine, scene: PeopleScene) -> None:
    right = solution_of(scene)
    turn = rotation_from_vector(np.radians(np.eye(4)[1][:, None] * [0.0, 150.0, 0.0]))
    wrong = replace(right, cameras=replace(right.cameras, rotation=right.cameras.rotation @ turn))
    unknown = replace(wrong, cameras=replace(wrong.cameras, known=np.array([True, False, True, True])))
    for solution, contradicted in ((right, False), (wrong, True), (unknown, False)):
        out, found = places(), []
        for index in range(25):
            seen = single_views_at(scene, index, engine)[0]
            found.append(out.contradicts(observation_at(scene, index), seen, solution))
        assert not any(found[:8])
        assert any(found) == contradicted
