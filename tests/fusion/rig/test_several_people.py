"""What a rig learns about its cameras from several people."""

import numpy as np
import pytest

from pose_rig.fusion.pose.sync import Sample
from pose_rig.graph import Engine
from tests.fusion.fakes import ring
from tests.fusion.people.scenes import PeopleScene, crossing, film_people
from tests.fusion.people.solved import estimator_of, follow

FPS = 15.0


def scene_of(people: int, seconds: float) -> PeopleScene:
    return film_people(crossing(people, seconds, FPS), ring(4), fps=FPS, hide=False)


@pytest.mark.parametrize("people", [1, 2])
def test_a_camera_that_agrees_about_one_person_was_not_moved(engine: Engine, people: int) -> None:
    """A view is wrong about the first person, as if the camera had been turned."""
    scene, view, known = scene_of(people, 2.0), 2, []
    made = estimator_of(engine, scene, 2)

    def change(index: int, samples: list[Sample | None]) -> list[Sample | None]:
        known.append(made.rig_view(0).known.tolist())
        seen = samples[view]
        assert seen is not None
        first = scene.person[view, index] == 0
        size_px = np.ptp(seen.xy_px, axis=1).max(-1)
        xy_px = seen.xy_px + (0.15 * size_px * first)[:, None, None] * [1.0, 0.0]
        return [*samples[:view], Sample(seen.t_ns, xy_px, seen.score), *samples[view + 1 :]]

    found = follow(scene, made, change)
    assert found.identities[-1] == list(range(people))
    assert ([True, True, False, True] in known) == (people == 1)


def test_all_people_are_in_the_keyframes_and_none_twice(engine: Engine) -> None:
    """Also those from before it was known which detections are of one person."""
    scene = scene_of(2, 2.0)
    made = estimator_of(engine, scene, 2, known=False)
    follow(scene, made)
    keyframes = made.solve_task().keyframes
    count = np.bincount([keyframe.person for keyframe in keyframes])
    assert len(count) == 2
    assert count.min() > 15
    assert min(keyframe.t_ns for keyframe in keyframes) < 300_000_000
    true_px, _ = scene.cameras.each(lambda values: values[:, None, None]).project(scene.joints[None])
    for keyframe in keyframes:
        index = round(keyframe.t_ns * 1e-9 * FPS)
        away_px = np.linalg.norm(keyframe.xy_px[:, None] - true_px[:, index], axis=-1).mean(-1)  # (V,N)
        shown = away_px.argmin(1)[keyframe.score.any(1)]
        assert len(set(shown.tolist())) == 1


def test_evidence_is_of_the_person_that_most_views_show(engine: Engine) -> None:
    scene = scene_of(2, 1.0)
    for person in range(2):
        less, made = scene.without(0, person, 0, 99), estimator_of(engine, scene, 2)
        found = follow(less, made)
        assert found.identities[-1] == [0, 1]
        assert made.evidence[0].hypothesis.present.all()
        true_px, _ = scene.cameras.each(lambda values: values[:, None]).project(scene.joints[-1:, 1 - person])
        assert np.abs(made.evidence[0].hypothesis.xy_px - true_px[:, 0]).max() < 40


def test_one_person_of_two_is_learned_from_as_without_the_other(engine: Engine) -> None:
    scene = scene_of(1, 1.5)
    one, several = (estimator_of(engine, scene, people, known=False) for people in (1, 3))
    for made in (one, several):
        follow(scene, made)
    first, second = one.solve_task().keyframes, several.solve_task().keyframes
    assert [keyframe.t_ns for keyframe in first] == [keyframe.t_ns for keyframe in second]
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.xy_px, b.xy_px)
        assert b.person == 0
