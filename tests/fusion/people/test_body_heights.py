"""Body heights of several people, given at first or set during a run."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from pose_rig.config import ASSUMED_HEIGHT_M
from pose_rig.fusion.body_heights import BodyHeights
from pose_rig.fusion.calibration.bundle.segments import body_height
from pose_rig.fusion.commands import apply
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.rig.setup import setup_of
from pose_rig.graph import Engine
from pose_rig.wire.encoding import decode, encode
from pose_rig.wire.messages import Command
from tests.fusion.fakes import config, ring
from tests.fusion.people.scenes import PeopleScene, crossing, film_people, two_people
from tests.fusion.people.solved import Followed, bones_of, estimator_of, solution_of

FPS, AT = 15.0, 24  # time step of the command


def command(value: str, person: int) -> Command:
    return Command(t_ns=0, number=1, name="height", value=value, person=person)


def scene_of(seconds: float = 3.0) -> PeopleScene:
    return film_people(crossing(2, seconds, FPS), ring(4), fps=FPS, hide=False)


def followed(engine: Engine, scene: PeopleScene, given: Command | None) -> tuple[Followed, Sequence[float]]:
    """The poses, and the body heights of both people in the solution, before and after a command."""
    made, steps, tall = estimator_of(engine, scene, 2), [], []
    for index in range(len(scene.joints)):
        if index == AT and given is not None:
            assert made.solution is not None
            tall.append(body_height(made.solution.bone_length_m))
            assert apply(given, made) == ""
            tall.append(body_height(made.solution.bone_length_m))
            assert made.heights.of(given.person) == (float(given.value), False)
        first = made.step(scene.t_ns(index), scene.samples(index))
        steps.append([first, *made.others])
    return Followed(scene, steps), tall


def span_m(poses: Sequence[PoseEstimate]) -> float:
    """The distance between the pelvises of two people."""
    one, other = poses
    return float(np.linalg.norm(one.xyz_raw[0] - other.xyz_raw[0]))


def test_the_height_of_the_first_person_scales_the_rig_and_keeps_who_is_who(engine: Engine) -> None:
    scene = scene_of()
    before, _ = followed(engine, scene, None)
    after, (height_m, taller_m) = followed(engine, scene, command("1.0", 0))
    assert taller_m == pytest.approx(1.0)
    scale = taller_m / height_m
    for index in range(AT, AT + 8):
        assert [pose.person for pose in after.steps[index]] == [0, 1]
        assert all(pose.tracking and pose.mode == "solved" for pose in after.steps[index])
        assert span_m(after.steps[index]) == pytest.approx(scale * span_m(before.steps[index]), rel=0.05)
        for one, other in zip(after.steps[index], before.steps[index], strict=True):
            np.testing.assert_allclose(one.xyz_raw[0], scale * other.xyz_raw[0], atol=0.08)


def test_given_heights_fit_in_the_mean(engine: Engine) -> None:
    """The height of the second person alone sets the scale of a rig that nothing else does."""
    scene = scene_of(2.4)
    followed_here, (height_m, taller_m) = followed(engine, scene, command("1.9", 1))
    assert taller_m == height_m  # whose bones are not solved yet: with the next solve
    assert followed_here.identities[-1] == [0, 1]
    setup = setup_of(config(2), None, {1: 1.9})
    assert setup.scale_height_m is None
    assert list(setup.other_heights_m) == [1.9]
    assert setup_of(config(2, height_m=1.8), None, {0: 1.8, 1: 1.9}).scale_height_m == 1.8


def test_a_run_with_a_command_is_the_same_when_it_is_repeated(engine: Engine) -> None:
    scene, given = scene_of(2.4), command("1.5", 1)
    first, second = (followed(engine, scene, decode(encode(given)))[0] for _ in range(2))  # type: ignore[arg-type]
    for one, other in zip(first.steps, second.steps, strict=True):
        assert [pose.xyz.tobytes() for pose in one] == [pose.xyz.tobytes() for pose in other]


def test_people_whom_there_cannot_be_have_no_height(engine: Engine) -> None:
    scene = scene_of(0.2)
    made = estimator_of(engine, scene, 2)
    assert apply(command("1.7", 2), made) == "The body height was not set: there is no person 3."
    assert apply(command("1.7", 1 << 52), made).startswith("The body height was not set")
    assert apply(command("17", 1), made).startswith("The body height was not set")
    assert made.heights.given_m == {}
    alone = estimator_of(engine, scene, 1)
    assert apply(command("1.7", 1), alone) == "The body height was not set: there is no person 2."


def test_a_command_without_a_person_is_for_the_first() -> None:
    assert Command(t_ns=0, number=1, name="height", value="1.8").person == 0


def test_people_are_as_tall_as_given_or_as_the_first() -> None:
    heights = BodyHeights.of_config(config(2, height_m=1.8, other_heights_m=(1.6,)))
    assert [heights.of(person) for person in range(3)] == [(1.8, False), (1.6, False), (1.8, True)]
    assert heights.changed(2, 1.5).of(2) == (1.5, False)
    assert heights.of(2) == (1.8, True)
    assert BodyHeights.of_config(config(2)).of(0) == (ASSUMED_HEIGHT_M, True)


def test_the_scale_is_that_at_which_all_are_as_tall_as_given_in_the_mean() -> None:
    scene = two_people(0.2)
    solution = solution_of(scene)
    bones_m = {0: solution.bone_length_m, 1: bones_of(scene, 1)}
    solution = replace(solution, others_bone_length_m={1: bones_m[1]})
    heights = {person: 1.1 * float(np.median(own / bones_m[0])) for person, own in bones_m.items()}
    first_m = BodyHeights({0: 1.0}).scale_of(solution)
    given = BodyHeights({person: ratio / first_m for person, ratio in heights.items()})
    assert given.scale_of(solution) == pytest.approx(1.1, rel=0.02)
    assert BodyHeights({}).scale_of(solution) == 1.0
    assert BodyHeights({0: 1.7}).scale_of(None) == 1.0
