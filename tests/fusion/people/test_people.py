"""Several people over time: crossings, arrivals, departures, returns."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.config import Config
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.people.people import People
from pose_rig.fusion.people.person_tracker import PersonTracker
from pose_rig.fusion.people.step_input import StepInput
from pose_rig.fusion.people.tracked_person import LEAVES_AFTER_S, PersonStep
from pose_rig.fusion.pose.computation import alone
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.geometry import angle_deg, rotation_from_vector
from pose_rig.graph import Engine
from pose_rig.simulation.cameras import Cameras
from tests.fusion.fakes import SIZE, config, finite, ring, solved_configs, turned_at, unsolved
from tests.fusion.people.scenes import PeopleScene, crossing, film_people, three_people
from tests.fusion.people.solved import Followed, estimator_of, follow, observation_at, properties_of, rig_of

FPS = 15.0


def scene_of(people: int, seconds: float, views: int = 4, seed: int = 0) -> PeopleScene:
    return film_people(crossing(people, seconds, FPS), ring(views), fps=FPS, seed=seed)


def without(scene: PeopleScene, person: int, first: int, last: int) -> PeopleScene:
    """The same scene, in which no view detects a person in time steps ``first`` to ``last`` − 1."""
    for view in range(len(scene.cameras.focal_px)):
        scene = scene.without(view, person, first, last)
    return scene


def right(found: Followed, identity: int, person: int) -> float:
    """The share of an identity's detections that show a person, from half a second on."""
    shown = np.concatenate([found.scene.found(i, pose) for i, pose in found.poses(identity).items() if i >= 8])
    return float((shown[shown >= 0] == person).mean())


def identity_of(found: Followed, person: int, at: int) -> int:
    """Which identity a person has at a time step."""
    (identity,) = (one for one in found.identities[at] if found.shown(one, at, at + 1) == [person])
    return identity


@pytest.mark.parametrize(("people", "views", "seed"), [(2, 3, 1), (2, 2, 2), (4, 4, 3)])
def test_people_who_cross_keep_their_identities(engine: Engine, people: int, views: int, seed: int) -> None:
    scene = scene_of(people, 3.0, views, seed)
    found = follow(scene, estimator_of(engine, scene, people))
    assert found.identities[-1] == list(range(people))
    persons = [found.shown(identity) for identity in range(people)]
    assert sorted(persons) == [[person] for person in range(people)]
    for identity, (person,) in enumerate(persons):
        assert right(found, identity, person) > 0.99
        assert len(found.poses(identity)) > 30
        error_m = found.error_m(identity, person)
        assert np.median(error_m) < (0.1 if views == 2 else 0.04)  # of two cameras, one may show only the other person
        assert error_m.max() < 0.35


def test_poses_are_in_the_order_of_their_identities_and_have_one_time(engine: Engine) -> None:
    scene = scene_of(3, 2.0)
    found = follow(scene, estimator_of(engine, scene, 3))
    for index, step in enumerate(found.steps):
        assert [pose.person for pose in step] == sorted({pose.person for pose in step})
        assert {pose.t_ns for pose in step} == {scene.t_ns(index)}
        assert all(finite(pose) for pose in step)


def test_who_leaves_is_carried_for_two_seconds_and_is_recognised_when_they_return(engine: Engine) -> None:
    away = range(30, 75)
    scene = without(scene_of(2, 7.5), 1, away.start, away.stop)
    found = follow(scene, estimator_of(engine, scene, 2))
    gone, carried = identity_of(found, 1, away.start - 1), round(LEAVES_AFTER_S * FPS)
    last = next(pose for pose in found.steps[away.start - 1] if pose.person == gone)
    for index in range(away.start, away.start + carried - 1):
        assert [(pose.person, pose.tracking) for pose in found.steps[index]] == [(0, gone != 0), (1, gone != 1)]
        pose = found.steps[index][gone]
        np.testing.assert_array_equal(pose.xyz, last.xyz)
        assert (pose.person_index == -1).all()
    assert found.identities[away.start + carried + 1 : away.stop] == [[1 - gone]] * (len(away) - carried - 1)
    assert found.identities[-1] == [0, 1]
    assert found.shown(gone, away.stop) == [1]
    assert found.shown(1 - gone) == [0]


def test_who_is_hidden_for_a_second_keeps_their_identity(engine: Engine) -> None:
    scene = without(scene_of(2, 4.0), 1, 30, 30 + 15)
    found = follow(scene, estimator_of(engine, scene, 2))
    assert found.identities[10:] == [[0, 1]] * 50
    assert sorted(found.shown(identity) for identity in range(2)) == [[0], [1]]
    assert all(pose.tracking for pose in found.steps[-1])


def test_who_was_hidden_is_found_again_elsewhere(engine: Engine) -> None:
    """On a platform, farther away than a person who is not visible may be taken to be."""
    joints, hides, returns = crossing(2, 4.0, FPS), 25, 40
    joints[returns:, 1] += [0.0, 1.1, 0.0]
    scene = without(film_people(joints, ring(4), fps=FPS), 1, hides, returns)
    found = follow(scene, estimator_of(engine, scene, 2))
    assert found.identities[hides - 1 :] == [[0, 1]] * (60 - hides + 1)
    hidden = identity_of(found, 1, hides - 1)
    assert found.shown(hidden) == [1]
    assert found.error_m(hidden, 1)[-10:].max() < 0.05


def test_a_third_arrives_and_the_first_leaves_for_good(engine: Engine) -> None:
    arrives, leaves = 25, 40
    scene = without(without(scene_of(3, 5.5), 2, 0, arrives), 0, leaves, 999)
    found = follow(scene, estimator_of(engine, scene, 3))
    assert found.identities[arrives - 1] == [0, 1]
    assert found.identities[leaves - 1] == [0, 1, 2]
    assert found.shown(2) == [2]
    gone = identity_of(found, 0, leaves - 1)
    assert found.identities[-1] == [1 - gone, 2]
    assert found.shown(1 - gone) == [1]
    assert max(found.poses(gone)) == leaves - 1


def test_another_person_does_not_get_the_identity_of_one_who_left(engine: Engine) -> None:
    """They are 0.9 and 1.08 of the size of the one who stays."""
    leaves, arrives = 30, 65
    scene = without(without(scene_of(3, 6.5), 1, leaves, 999), 2, 0, arrives)
    found = follow(scene, estimator_of(engine, scene, 2))
    stays = identity_of(found, 0, leaves - 1)
    assert found.identities[leaves - 1] == [0, 1]
    assert found.identities[arrives - 1] == [stays]
    assert found.identities[-1] == [stays, 2]
    assert found.shown(stays) == [0]
    assert found.shown(2) == [2]


def test_no_more_people_are_tracked_than_wanted(engine: Engine) -> None:
    scene = scene_of(4, 2.5)
    found = follow(scene, estimator_of(engine, scene, 2))
    assert max(map(len, found.identities)) == 2
    assert found.identities[-1] == [0, 1]
    assert [len(found.shown(identity)) for identity in range(2)] == [1, 1]
    assert found.shown(0) != found.shown(1)


def test_of_several_people_one_is_tracked(engine: Engine) -> None:
    scene = scene_of(2, 2.0)
    found = follow(scene, estimator_of(engine, scene, 1))
    assert found.identities == [[0]] * 30
    assert len(found.shown(0)) == 1


def test_without_anyone_there_is_still_a_pose(engine: Engine) -> None:
    scene = without(without(scene_of(2, 6.0), 0, 20, 70), 1, 20, 70)
    found = follow(scene, estimator_of(engine, scene, 2))
    assert all(found.steps)
    for step in found.steps[20:70]:
        assert not any(pose.tracking for pose in step)
    assert [len(step) for step in found.steps[55:70]] == [1] * 15
    assert len(found.identities[-1]) == 2
    assert sum(len(found.shown(identity, 85)) for identity in found.identities[-1]) == 2


def test_two_identities_of_one_person_become_one(engine: Engine) -> None:
    """Every detection comes twice, and the second person leaves where the first is."""
    scene = scene_of(2, 4.0)
    apart = np.linalg.norm(scene.joints[:, 0, 0] - scene.joints[:, 1, 0], axis=-1)
    leaves = 15 + int(np.argmin(apart[15:35]))

    def twice(index: int, samples: list[Sample | None]) -> list[Sample | None]:
        del index
        return [
            one and Sample(one.t_ns, np.repeat(one.xy_px, 2, axis=0), np.repeat(one.score, 2, axis=0))
            for one in samples
        ]

    found = follow(without(scene, 1, leaves, 999), estimator_of(engine, scene, 2), twice)
    assert found.identities[leaves - 1] == [0, 1]
    assert len(found.identities[-1]) == 1
    assert max(map(len, found.identities[leaves + 18 :])) == 1  # before a lost person is given up
    assert found.shown(found.identities[-1][0], leaves + 5) == [0]


def remembering(engine: Engine, rig: Cameras, people: int) -> Estimator:
    """A rig of an earlier run, whose cameras are used but can be placed again."""
    known = Config(camera=solved_configs(rig), pace="all", people=people)
    made = Estimator(known, engine, BackgroundCompute(solve=unsolved))
    for view in range(len(rig.focal_px)):
        made.set_camera(view, SIZE, "rig17")
    return made


@pytest.mark.parametrize("views", [3, 4])
def test_a_camera_that_is_bumped_comes_back_with_the_right_people(engine: Engine, views: int) -> None:
    view, at, joints = 2, 25, crossing(2, 5.5, FPS)
    turn = rotation_from_vector(np.radians([0.0, 12.0, 5.0]))
    bumped = turned_at(ring(views), view, turn, 0, 1).each(lambda values: values[:, 0])
    before, after = (film_people(joints, rig, fps=FPS) for rig in (ring(views), bumped))
    made, steps, known = remembering(engine, ring(views), 2), [], []
    for index in range(len(joints)):
        scene = before if index < at else after
        steps.append([made.step(scene.t_ns(index), scene.samples(index)), *made.others])
        known.append(made.calibration is not None and bool(made.calibration.known[view]))
    found = Followed(after, steps)
    assert known[at - 1]
    assert known[-1]
    assert not all(known[at:])
    assert made.calibration is not None
    assert angle_deg(made.calibration.rotation, bumped.rotation).max() < 2.5  # of 13; 0.4 to 2.0 with other noise
    assert [found.shown(identity, at) for identity in range(2)] in ([[0], [1]], [[1], [0]])
    for identity in range(2):
        (person,) = found.shown(identity, at)
        end = [after.found(i, pose)[view] for i, pose in found.poses(identity).items() if known[i] and i > at + 20]
        assert end.count(person) > 5
        assert end.count(1 - person) == 0


def test_a_person_whose_distance_from_the_only_camera_is_wrong_is_placed_again(engine: Engine) -> None:
    scene = film_people(crossing(2, 3.0, FPS), ring(3), fps=FPS, seed=0)
    made, steps = estimator_of(engine, scene, 2), []
    for index in range(45):
        if index == 20:
            person, centre = made._people.roster.people[1], scene.cameras.position[0]
            expected = person.expected(scene.t_ns(index))
            assert expected is not None
            person.move_to(scene.t_ns(index), centre + 1.35 * (expected - centre))
        first = made.step(scene.t_ns(index), scene.samples(index))
        steps.append([first, *made.others])
    found = Followed(scene, steps)
    assert found.identities[-1] == [0, 1]
    (person_now,) = found.shown(1, 30)
    assert found.error_m(1, person_now)[20:26].max() > 0.2  # one camera alone does not show how far away they are
    assert found.error_m(1, person_now)[-10:].max() < 0.15
    assert min((pose.person_index >= 0).sum() for i, pose in found.poses(1).items() if i >= 35) >= 2


class Tracked:
    """People, given the cameras of every time step."""

    def __init__(self, engine: Engine, scene: PeopleScene, people: int) -> None:
        self.engine, self.scene = engine, scene
        self.people, self.cameras = People(config(len(scene.cameras.focal_px), people=people)), properties_of(scene)

    def step(self, index: int, *, solved: bool) -> list[PersonStep]:
        rig, observation = rig_of(self.scene, solved=solved), observation_at(self.scene, index)
        samples = self.scene.samples(index)
        return alone(self.people.estimate(StepInput(observation, samples, self.cameras, rig, self.engine)))


def test_one_person_is_tracked_as_without_others(engine: Engine) -> None:
    scene = scene_of(2, 2.0)
    one, same = Tracked(engine, scene, 1), PersonTracker(config(4))
    for index in range(30):
        rig = rig_of(scene, solved=index > 10)
        (step,) = one.step(index, solved=index > 10)
        observation, samples = observation_at(scene, index), scene.samples(index)
        pose, hypothesis, solved = alone(same.estimate(StepInput(observation, samples, one.cameras, rig, engine)))
        assert step.pose.xyz.tobytes() == pose.xyz.tobytes()
        assert (step.hypothesis is None, step.solved is None) == (hypothesis is None, solved is None)


def test_before_the_rig_is_solved_all_are_tracked_after_a_second(engine: Engine) -> None:
    scene = scene_of(2, 2.5)
    run, right, total, corrected = Tracked(engine, scene, 2), 0, 0, []
    for index in range(37):
        steps = run.step(index, solved=False)
        if run.people.corrected:
            corrected.append(index)
        if index == 0:
            assert [step.pose.person for step in steps] == [0]
        if index >= 20:
            assert [step.pose.person for step in steps] == [0, 1]
            for step in steps:
                shown = scene.found(index, step.pose)
                right += int(np.bincount(shown[shown >= 0], minlength=1).max())
                total += int((shown >= 0).sum())
    assert total > 0.8 * 17 * 2 * 4
    assert right / total > 0.97
    assert len(corrected) == 1


def test_time_steps_before_the_people_are_known_apart_are_estimated_again(engine: Engine) -> None:
    scene = scene_of(2, 2.0)
    run, index = Tracked(engine, scene, 2), 0
    while not run.people.corrected:
        run.step(index, solved=False)
        index += 1
        assert index < 20
    corrected = run.people.corrected
    assert [observation.t_ns for observation, _ in corrected] == [scene.t_ns(i) for i in range(index - 1)]
    for at, (_, steps) in enumerate(corrected):
        for step in steps:
            shown = scene.found(at, step.pose)
            assert len(set(shown[shown >= 0].tolist())) == 1
    assert [step.pose.person for step in corrected[-1][1]] == [0, 1]
    run.step(index, solved=False)
    assert run.people.corrected == ()


def test_who_was_tracked_before_is_tracked_in_the_solved_rig(engine: Engine) -> None:
    scene = scene_of(2, 3.0)
    run, steps = Tracked(engine, scene, 2), []
    for index in range(45):
        steps.append([step.pose for step in run.step(index, solved=index >= 30)])
    found = Followed(scene, steps)
    assert found.identities[-1] == [0, 1]
    assert sorted(found.shown(identity, 32) for identity in range(2)) == [[0], [1]]
    for identity in range(2):
        (person,) = found.shown(identity, 32)
        before = np.concatenate([scene.found(i, pose) for i, pose in found.poses(identity).items() if 20 <= i < 30])
        assert (before[before >= 0] == person).mean() > 0.9


def test_a_rig_that_is_lost_and_solved_again_tracks_all_people_again(engine: Engine) -> None:
    scene = scene_of(2, 5.0)
    run, steps = Tracked(engine, scene, 2), []
    for index in range(75):
        here = run.step(index, solved=not 20 <= index < 40)
        assert all(np.isfinite(step.pose.xyz).all() for step in here)
        steps.append([step.pose for step in here])
    found = Followed(scene, steps)
    assert found.identities[19] == [0, 1]
    assert found.identities[20] == [0]
    assert len(found.identities[-1]) == 2
    assert sorted(found.shown(identity, 70) for identity in found.identities[-1]) == [[0], [1]]


def test_a_single_person_is_tracked_as_one_of_several(engine: Engine) -> None:
    scene = scene_of(1, 2.0)
    run = Tracked(engine, scene, 3)
    for index in range(30):
        (step,) = run.step(index, solved=index >= 20)
        assert step.pose.tracking
        assert step.views == 4
        assert run.people.corrected == ()


def test_everything_repeats_to_the_last_bit(engine: Engine) -> None:
    scene = scene_of(2, 1.5)
    first, second = (follow(scene, estimator_of(engine, scene, 2, known=False)) for _ in range(2))
    assert first.identities == second.identities
    for one, other in zip(first.steps, second.steps, strict=True):
        assert [pose.xyz.tobytes() for pose in one] == [pose.xyz.tobytes() for pose in other]


def test_a_part_has_some_of_the_candidates(engine: Engine) -> None:
    scene = three_people(0.2, hide=False)
    rig = rig_of(scene)
    given = StepInput(observation_at(scene, 3), scene.samples(3), properties_of(scene), rig, engine)
    part = given.part(np.array([0, 5]))
    assert part.t_ns == given.t_ns == scene.t_ns(3)
    assert part.observation.view.tolist() == given.observation.view[[0, 5]].tolist()
    assert part.rig is rig


def test_cameras_that_are_not_trusted_are_not_known(engine: Engine) -> None:
    scene = three_people(0.2, hide=False)
    known = np.array([True, False, True, True])
    observation, samples, cameras = observation_at(scene, 0), scene.samples(0), properties_of(scene)
    solved = StepInput(observation, samples, cameras, replace(rig_of(scene), known=known), engine).solved_cameras
    assert solved is not None
    assert solved.known.tolist() == known.tolist()
    assert StepInput(observation, samples, cameras, rig_of(scene, solved=False), engine).solved_cameras is None
