"""The identities of people whom two trackers follow, of which one is behind."""

from dataclasses import replace

import numpy as np

from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.late_cameras import CompleteSamples
from pose_rig.fusion.people.identities import Identities
from pose_rig.fusion.people.namesakes import KEEP_NS, MIN_VOTES, Namesakes
from pose_rig.fusion.people.tracked_person import PersonStep
from pose_rig.fusion.pose.sync import Sample
from pose_rig.graph import Engine
from tests.fusion.fakes import ring
from tests.fusion.people.scenes import PeopleScene, crossing, film_people
from tests.fusion.people.solved import calibration_of, estimator_of, follow

FPS, BEHIND = 15.0, 6  # time steps
STEP_NS = 66_666_667


def steps_of(engine: Engine, *identities: int) -> list[list[PersonStep]]:
    """The time steps of a solved rig with two people, who have identities."""
    scene = film_people(crossing(2, 1.5, FPS), ring(4), fps=FPS, hide=False)
    made = estimator_of(engine, scene, 2)
    out = []
    for index in range(len(scene.joints)):
        made.step(scene.t_ns(index), scene.samples(index))
        steps = list(made._steps)
        if len(steps) == 2:
            pairs = zip(steps, identities, strict=True)
            out.append([replace(step, pose=replace(step.pose, person=identity)) for step, identity in pairs])
    return out


def test_people_in_the_same_places_are_the_same(engine: Engine) -> None:
    main, behind = steps_of(engine, 0, 1), steps_of(engine, 1, 4)
    same = Namesakes()
    for number, steps in enumerate(main):
        same.add(number * STEP_NS, steps)
    for number, steps in enumerate(behind[: MIN_VOTES - 1]):
        same.compare(number * STEP_NS, steps)
    assert same.found() == {}
    same.compare(MIN_VOTES * STEP_NS, behind[MIN_VOTES])
    assert same.found() == {1: 0, 4: 1}
    assert same.found(1) == {}  # starts over
    same.compare(0, main[0])
    assert same.found(1) == {}  # they have the same identities
    same.compare(KEEP_NS, behind[0])  # no one was compared then
    same.add(len(main) * STEP_NS, [replace(main[-1][0], solved=None)])  # the rig is not solved any more
    same.compare(0, behind[0])
    assert same.found(1) == {}


def test_a_tracker_that_is_behind_takes_the_identities_of_the_poses(engine: Engine) -> None:
    scene = film_people(crossing(2, 3.0, FPS), ring(4), fps=FPS, hide=False)
    made = estimator_of(engine, scene, 2)

    def seen(index: int, person: int) -> list[Sample | None]:
        return [
            None if one is None else Sample(one.t_ns, one.xy_px[shown == person], one.score[shown == person])
            for one, shown in zip(scene.samples(index), (scene.person[v, index] for v in range(4)), strict=True)
        ]

    first: int | None = None
    for index in range(len(scene.joints)):
        late = index - BEHIND
        complete = []
        if late >= 8:  # the one who has another identity in the poses comes first
            if first is None:
                first = 1 - _shown(made, scene, index)
            given = seen(late, first) if late < 16 else scene.samples(late)
            complete = [CompleteSamples(scene.t_ns(late), given)]
        made.step(scene.t_ns(index), scene.samples(index), complete)
    behind = made._late_people
    assert behind is not None
    assert [one.identity for one in behind.roster.people] == [0, 1]
    for one, other in zip(made._people.roster.people, behind.roster.people, strict=True):
        t_ns = scene.t_ns(len(scene.joints) - 1)
        here, there = one.expected(t_ns), other.expected(t_ns)
        assert here is not None
        assert there is not None
        assert np.linalg.norm(here - there, axis=-1).mean() < 0.5


def _shown(made: Estimator, scene: PeopleScene, index: int) -> int:
    """Which true person the first identity of the poses is."""
    place = made._people.roster.people[0].expected(scene.t_ns(index))
    assert place is not None
    away = np.linalg.norm(scene.joints[index][:, 0] - place[0], axis=-1)
    return int(np.argmin(away))


def test_who_is_not_known_to_the_other_gets_a_number_of_their_own(engine: Engine) -> None:
    scene = film_people(crossing(2, 1.5, FPS), ring(4), fps=FPS, hide=False)
    made = estimator_of(engine, scene, 2)
    follow(scene, made)
    people = made._people.roster
    assert people.rename({0: 1}, 3) == {0: 1, 1: 3}
    assert [one.identity for one in people.people] == [1, 3]
    assert people.rename({3: 1, 1: 3}, 3) == {3: 1, 1: 3}
    assert [one.identity for one in people.people] == [1, 3]


def test_numbers_begin_again_after_the_one_who_is_left() -> None:
    identities = Identities()
    for _ in range(4):
        identities.next()
    identities.restart(1)
    assert identities.next() == 2


def test_bones_belong_to_people_of_other_identities() -> None:
    scene = film_people(crossing(2, 0.2, FPS), ring(2), fps=FPS)
    cameras = calibration_of(scene.cameras)
    bones = {person: np.full(3, float(person)) for person in range(3)}
    rig = RigSolution(
        cameras, bones[0], person=0, others_bone_length_m={1: bones[1], 2: bones[2]}, pose_person=np.array([0, 1, 2])
    )
    renamed = rig.renamed({0: 1, 1: 0})
    assert [renamed.bones_of(person)[0] for person in range(3)] == [1.0, 0.0, 2.0]  # type: ignore[index]
    assert renamed.pose_person is not None
    assert renamed.pose_person.tolist() == [1, 0, 2]
