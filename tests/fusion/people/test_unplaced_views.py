"""Who is in views of unknown camera pose."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pose_rig.fusion.people.unplaced_views import MIN_STEPS, UnplacedViews
from pose_rig.fusion.pose.hypothesis import UNASSIGNED
from pose_rig.graph import Engine
from tests.fusion.fakes import ring, turned_at
from tests.fusion.people.scenes import PeopleScene, crossing, film_people
from tests.fusion.people.solved import single_views_at

FPS, UNKNOWN = 15.0, 2
HEIGHTS_M = [1.7, 1.55, 1.8]


@pytest.fixture(scope="module")
def scene() -> PeopleScene:
    return film_people(crossing(3, 3.0, FPS), ring(4), fps=FPS)


def step(
    out: UnplacedViews, scene: PeopleScene, index: int, engine: Engine, people: int = 3, view: int = UNKNOWN
) -> NDArray[np.int64]:
    """(N,V) which person the candidates show that were assigned, −1 for none."""
    seen, shown = single_views_at(scene, index, engine)
    chosen = out.assign(seen, seen.view == view, list(scene.joints[index, :people]), HEIGHTS_M[:people])
    return np.where(chosen == UNASSIGNED, -1, shown[chosen])


def test_people_are_recognised_after_half_a_second(engine: Engine, scene: PeopleScene) -> None:
    out, right, total = UnplacedViews(4), 0, 0
    for index in range(45):
        found = step(out, scene, index, engine)
        assert (found[:, [0, 1, 3]] == -1).all()
        if index < MIN_STEPS - 1:
            assert (found == -1).all()
        else:
            right += int((found[:, UNKNOWN] == np.arange(3)).sum())
            total += int((found[:, UNKNOWN] != -1).sum())
    assert total > 0.7 * 3 * (45 - MIN_STEPS)
    assert right / total > 0.98


def test_who_is_not_tracked_is_no_one(engine: Engine, scene: PeopleScene) -> None:
    """The view shows three people, of whom two are tracked. The third moves in another way."""
    joints, out = scene.joints.copy(), UnplacedViews(4)
    joints[:, 2] = joints[::-1, 2]
    scene = film_people(joints, ring(4), fps=FPS)
    found = np.array([step(out, scene, index, engine, people=2)[:, UNKNOWN] for index in range(45)])
    assert (found == np.arange(2)).sum() > 0.95 * (found != -1).sum()
    assert (found == np.arange(2)).sum() > 0.6 * 2 * (45 - MIN_STEPS)


def test_nothing_is_assigned_in_views_that_are_not_asked_for(engine: Engine, scene: PeopleScene) -> None:
    out = UnplacedViews(4)
    for index in range(2 * MIN_STEPS):
        assert (step(out, scene, index, engine, view=9) == -1).all()


def test_a_camera_that_is_placed_again_begins_from_scratch(engine: Engine, scene: PeopleScene) -> None:
    out = UnplacedViews(4)
    for index in range(MIN_STEPS):
        found = step(out, scene, index, engine)
    assert (found[:, UNKNOWN] != -1).any()
    out.forget(np.array([True, True, False, True]))
    assert (step(out, scene, MIN_STEPS, engine)[:, UNKNOWN] != -1).any()
    out.forget(np.ones(4, bool))
    assert (step(out, scene, MIN_STEPS, engine) == -1).all()
    for index in range(MIN_STEPS + 1, 2 * MIN_STEPS):
        assert (step(out, scene, index, engine) == -1).all()
    assert (step(out, scene, 2 * MIN_STEPS, engine)[:, UNKNOWN] != -1).any()


def test_time_steps_count_at_most_15_times_a_second(engine: Engine) -> None:
    fast, out = film_people(crossing(2, 1.0, 60.0), ring(4), fps=60.0), UnplacedViews(4)
    for index in range(3 * MIN_STEPS):
        assert (step(out, fast, index, engine, people=2) == -1).all()


def test_a_camera_that_moves_again_is_learned_again(engine: Engine, scene: PeopleScene) -> None:
    turn = np.diag([-1.0, -1.0, 1.0])  # upside down
    cameras = turned_at(ring(4), UNKNOWN, turn, 0, 1).each(lambda values: values[:, 0])
    joints = np.concatenate([scene.joints, scene.joints[::-1]] * 2)[:120]
    later, out = film_people(joints, cameras, fps=FPS), UnplacedViews(4)
    for index in range(30):
        step(out, scene, index, engine)
    found = np.array([step(out, later, index, engine)[:, UNKNOWN] for index in range(30, 120)])
    assert (found[0] == -1).all()
    end = found[-30:]
    assert (end == np.arange(3)).sum() > 0.5 * end.size
    assert (end == np.arange(3)).sum() > 0.98 * (end != -1).sum()
