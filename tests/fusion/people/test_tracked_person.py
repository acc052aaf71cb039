"""One of several people in a solved rig."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.config import ASSUMED_HEIGHT_M
from pose_rig.fusion.calibration.bundle.segments import LENGTH_PER_HEIGHT, body_height
from pose_rig.fusion.people.step_input import StepInput
from pose_rig.fusion.people.tracked_person import (
    DISTANCE_PER_S,
    LOST_DISTANCE,
    MAX_DISTANCE,
    MIN_REACH_M,
    REACH_M_S,
    WEAK_AFTER_S,
    PersonStep,
    TrackedPerson,
    average_bones,
)
from pose_rig.fusion.pose.computation import alone
from pose_rig.graph import Engine
from tests.fusion.fakes import config, ring
from tests.fusion.people.scenes import PeopleScene, crossing, film_people
from tests.fusion.people.solved import (
    bones_of,
    calibration_of,
    observation_at,
    points_at,
    properties_of,
    rig_of,
    shown_by,
    solution_of,
)

FPS, PERSON = 15.0, 1
SECOND_NS = 1_000_000_000


@pytest.fixture(scope="module")
def scene() -> PeopleScene:
    return film_people(crossing(2, 3.0, FPS), ring(4), fps=FPS, hide=False)


def step(
    person: TrackedPerson, scene: PeopleScene, index: int, engine: Engine, views: tuple[int, ...] = (0, 1, 2, 3)
) -> PersonStep:
    """A time step with the detections that show the person in some views."""
    whole = observation_at(scene, index)
    rows = np.flatnonzero((shown_by(scene, whole, index) == PERSON) & np.isin(whole.view, views))
    rig = rig_of(scene)
    given = StepInput(whole, scene.samples(index), properties_of(scene), rig, engine)
    found = alone(person.estimate(given.part(rows)))
    person.update(scene.t_ns(index), found, calibration_of(scene.cameras))
    return found


def tracked(scene: PeopleScene, engine: Engine, steps: int) -> TrackedPerson:
    person = TrackedPerson(3, config(4, people=2))
    for index in range(steps):
        step(person, scene, index, engine)
    return person


def test_the_pose_is_where_the_person_is_and_has_their_identity(engine: Engine, scene: PeopleScene) -> None:
    person = TrackedPerson(3, config(4, people=2))
    for index in range(20):
        found = step(person, scene, index, engine)
        assert found.pose.person == 3
        assert found.is_placed
        assert found.views == person.views == 4
        assert np.linalg.norm(found.pose.xyz_raw[:17] - scene.joints[index, PERSON], axis=-1).mean() < 0.04
    assert (person.steps, person.well_seen) == (20, 20)


def test_where_a_person_is_expected(engine: Engine, scene: PeopleScene) -> None:
    assert TrackedPerson(3, config(4)).expected(0) is None
    person = tracked(scene, engine, 20)
    expected = person.expected(scene.t_ns(20))
    assert expected is not None
    assert np.linalg.norm(expected - points_at(scene, 20)[PERSON], axis=-1).mean() < 0.06
    later, much_later = (person.expected(scene.t_ns(20) + s * SECOND_NS) for s in (1, 9))
    np.testing.assert_array_equal(later, much_later)  # they have stopped


def test_how_well_a_person_is_visible(engine: Engine, scene: PeopleScene) -> None:
    person = tracked(scene, engine, 10)
    now_ns = scene.t_ns(9)
    assert person.lost_s(now_ns) == 0
    assert not person.is_weak(now_ns)
    for index in range(10, 16):
        step(person, scene, index, engine, views=(2,))  # one view is enough to be tracked, but not to be sure
    assert person.views == 1
    assert person.lost_s(scene.t_ns(15)) == 0
    assert person.is_weak(scene.t_ns(15))
    assert person.well_seen == 10
    for index in range(16, 20):
        found = step(person, scene, index, engine, views=())
        assert not found.pose.tracking
        assert found.views == 0
    assert person.lost_s(scene.t_ns(19)) == pytest.approx(4 / FPS)
    assert person.steps == 20


def test_someone_who_is_lost_may_be_farther_away(engine: Engine, scene: PeopleScene) -> None:
    person = tracked(scene, engine, 10)
    now_ns = scene.t_ns(9)
    assert person.max_distance(now_ns) == MAX_DISTANCE
    assert person.max_distance(now_ns + SECOND_NS) == pytest.approx(MAX_DISTANCE + DISTANCE_PER_S)
    assert person.max_distance(now_ns + 99 * SECOND_NS) == LOST_DISTANCE
    assert person.reach_m(now_ns) == MIN_REACH_M
    assert person.reach_m(now_ns + SECOND_NS) == pytest.approx(MIN_REACH_M + REACH_M_S)
    assert not person.is_weak(now_ns + int(WEAK_AFTER_S * SECOND_NS))
    assert person.is_weak(now_ns + int(WEAK_AFTER_S * SECOND_NS) + 1)


def test_time_that_runs_backwards_is_no_time(engine: Engine, scene: PeopleScene) -> None:
    person = tracked(scene, engine, 10)
    assert person.lost_s(0) == 0
    assert person.max_distance(0) == MAX_DISTANCE
    assert person.reach_m(0) == MIN_REACH_M


def test_a_person_continues_where_they_were_found_again(engine: Engine, scene: PeopleScene) -> None:
    person = tracked(scene, engine, 10)
    found = points_at(scene, 40)[PERSON].copy()
    found[3] = np.nan
    person.move_to(scene.t_ns(40), found)
    assert person.tracker.expected(scene.t_ns(40)) is None
    np.testing.assert_array_equal(person.expected(scene.t_ns(40)), found)
    assert not person.is_weak(scene.t_ns(40))
    after = step(person, scene, 40, engine)
    assert np.linalg.norm(after.pose.xyz_raw[:17] - scene.joints[40, PERSON], axis=-1).mean() < 0.04
    expected = person.expected(scene.t_ns(40))
    assert expected is not None
    assert np.isfinite(expected).all()


def test_which_bones_are_used(engine: Engine, scene: PeopleScene) -> None:
    solution = solution_of(scene)
    mine, yours = average_bones(1.5), average_bones(1.9)
    with_mine = replace(solution, others_bone_length_m={3: mine})
    person = TrackedPerson(3, config(4, people=2))
    assert person.bones(solution) is solution.bone_length_m
    assert person.bones(with_mine) is mine
    person.bones_m = yours
    assert person.bones(solution) is yours
    assert person.bones(with_mine) is mine  # solved ones are better
    assert TrackedPerson(0, config(4)).bones(with_mine) is solution.bone_length_m
    new = TrackedPerson(None, config(4, people=2))
    new.bones_m = yours
    assert new.bones(with_mine) is yours


def test_the_bones_of_a_new_person_are_measured(engine: Engine, scene: PeopleScene) -> None:
    person = TrackedPerson(None, config(4, people=2))
    person.bones_m = average_bones(2.0)
    for index in range(40):
        step(person, scene, index, engine)
    assert person.measured_bones_m is not None
    assert person.bones_m is person.measured_bones_m
    np.testing.assert_allclose(person.bones_m, bones_of(scene, PERSON), rtol=0.12)
    assert body_height(person.bones_m) == pytest.approx(body_height(bones_of(scene, PERSON)), rel=0.03)


def test_someone_who_was_there_when_the_rig_was_solved_keeps_these_bones(engine: Engine, scene: PeopleScene) -> None:
    person = tracked(scene, engine, 40)
    assert person.measured_bones_m is not None
    assert person.bones_m is None


def test_heights_and_bones_of_average_people() -> None:
    for height_m in (1.1, 1.95):
        np.testing.assert_allclose(average_bones(height_m), LENGTH_PER_HEIGHT * height_m)
        assert body_height(average_bones(height_m)) == pytest.approx(height_m)
    assert body_height(average_bones(None)) == pytest.approx(ASSUMED_HEIGHT_M)
