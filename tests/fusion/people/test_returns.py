"""Who returns after more than two seconds: by bones and clothes."""

import numpy as np
import pytest

from pose_rig.fusion.pose.sync import Sample
from pose_rig.graph import Engine
from pose_rig.skeleton import LIMBS
from tests.fusion.fakes import ring
from tests.fusion.people.clothes import Clothes, Wardrobe, clothes
from tests.fusion.people.scenes import PeopleScene, crossing, film_people
from tests.fusion.people.solved import Followed, estimator_of, follow

FPS = 15.0
RETURN = 75  # time step


def scene_of(left: dict[int, tuple[int, int]], seconds: float = 7.0) -> PeopleScene:
    """Two people, of whom no view detects some in a range of time steps."""
    scene = film_people(crossing(2, seconds, FPS), ring(4), fps=FPS)
    for person, (first, last) in left.items():
        for view in range(4):
            scene = scene.without(view, person, first, last)
    return scene


def wardrobe() -> list[Clothes]:
    rng = np.random.default_rng(7)
    return [clothes(rng) for _ in range(3)]


def shown_at_the_end(found: Followed) -> dict[int, list[int]]:
    """Which people the identities of the last time step show."""
    last = len(found.steps) - 1
    return {identity: found.shown(identity, last) for identity in found.identities[-1]}


@pytest.mark.parametrize(("later", "identity"), [(1, 1), (2, 2)])
def test_who_returns_is_recognised_by_their_clothes_too(engine: Engine, later: int, identity: int) -> None:
    scene, worn = scene_of({1: (30, RETURN)}), wardrobe()
    dressed = Wardrobe(scene, worn[:2], [worn[0], worn[later]], RETURN)
    found = follow(scene, estimator_of(engine, scene, 2), dressed)
    assert found.identities[RETURN - 1] == [0]
    assert shown_at_the_end(found) == {0: [0], identity: [1]}


@pytest.mark.parametrize("dressed", [True, False])
@pytest.mark.parametrize("first", [0, 1])
def test_after_all_have_left_the_first_who_left_returns_as_such(engine: Engine, first: int, *, dressed: bool) -> None:
    scene = scene_of({first: (25, RETURN), 1 - first: (32, 120)})
    found = follow(scene, estimator_of(engine, scene, 2), Wardrobe(scene, wardrobe()[:2]) if dressed else None)
    assert found.identities[RETURN - 1] == [1 - first]  # of the last who left; their pose remains
    assert shown_at_the_end(found) == {first: [first]}


def test_who_cannot_be_measured_gets_a_new_identity_after_some_seconds(engine: Engine) -> None:
    scene = scene_of({1: (30, RETURN)}, 9.5)

    def hidden_limbs(index: int, samples: list[Sample | None]) -> list[Sample | None]:
        for view, sample in enumerate(samples):
            if sample is not None and index >= RETURN:
                shown = scene.person[view, index]
                sample.score[np.ix_(shown[shown >= 0] == 1, LIMBS[1:3] + LIMBS[4:6] + LIMBS[7:9] + LIMBS[10:])] = 0
        return samples

    found = follow(scene, estimator_of(engine, scene, 2), hidden_limbs)
    assert found.identities[RETURN + 30] == [0]
    assert found.identities[-1] == [0, 2]
