"""The people who are tracked, and those who return after more than two seconds: by bones and clothes."""

import numpy as np
import pytest

from pose_rig.fusion.people.roster import DUPLICATE_AFTER_NS, Roster
from pose_rig.fusion.people.tracked_person import LEAVES_AFTER_S, TrackedPerson
from pose_rig.fusion.pose.sync import Sample
from pose_rig.graph import Engine
from pose_rig.skeleton import LIMBS
from tests.fusion.fakes import config, ring
from tests.fusion.people.clothes import Clothes, Wardrobe, clothes
from tests.fusion.people.scenes import PeopleScene, crossing, film_people, three_people
from tests.fusion.people.solved import Followed, estimator_of, follow, observation_at, points_at

FPS = 15.0
RETURN = 75  # time step
SECOND_NS = 1_000_000_000
PLACE = np.array([0.0, 0.0, 3.0])


@pytest.fixture(scope="module")
def scene() -> PeopleScene:
    return three_people(2.0, hide=False)


def roster_of(scene: PeopleScene, *, same_place: bool = False) -> Roster:
    """Three people who are tracked; the last two may be in the same place."""
    roster = Roster(config(4, people=3))
    roster.people += [TrackedPerson(identity, config(4, people=3)) for identity in (1, 2)]
    for person, points in zip(roster.people, points_at(scene, 0)[[0, 1, 1 if same_place else 2]], strict=True):
        person.move_to(0, points)
    return roster


def identities(roster: Roster) -> list[int | None]:
    return [person.identity for person in roster.people]


def test_there_is_one_person_at_first_and_never_more_than_wanted() -> None:
    roster = Roster(config(4, people=3))
    assert (identities(roster), roster.count) == ([0], 1)
    found = [roster.add_new(0, PLACE) for _ in range(3)]
    assert roster.new == found[:2]
    assert found[2] is None
    assert roster.everyone == [*roster.people, *roster.new]


def test_who_was_lost_leaves_but_for_the_last_one(scene: PeopleScene) -> None:
    roster = roster_of(scene)
    roster.people[1].seen_ns = 3 * SECOND_NS
    roster.update(3 * SECOND_NS)
    assert identities(roster) == [1]
    roster.update(round((4 + 2 * LEAVES_AFTER_S) * SECOND_NS))
    assert identities(roster) == [1]


def test_two_identities_of_one_person_become_that_which_more_views_show(scene: PeopleScene) -> None:
    roster = roster_of(scene, same_place=True)
    roster.people[2].views = 3
    roster.update(0)
    roster.update(DUPLICATE_AFTER_NS)
    assert identities(roster) == [0, 1, 2]
    roster.update(DUPLICATE_AFTER_NS + 1)
    assert identities(roster) == [0, 2]


def test_people_who_are_apart_stay(scene: PeopleScene) -> None:
    roster = roster_of(scene)
    for t_ns in (0, SECOND_NS):
        roster.update(t_ns)
    assert identities(roster) == [0, 1, 2]


def test_a_rig_that_is_not_solved_any_more_keeps_the_first_person(scene: PeopleScene) -> None:
    roster = roster_of(scene)
    first = roster.people[0]
    roster.add_new(0, PLACE)
    roster.restart()
    assert roster.everyone == [first]
    again = roster.begun_again()
    assert roster.people == [first]
    assert again.people[0] is not first
    assert identities(again) == [0]


def test_it_is_a_return_after_all_have_left_until_someone_is_recognised(scene: PeopleScene) -> None:
    roster = roster_of(scene)
    roster.people = roster.people[:1]
    seen = observation_at(scene, 0)
    assert not roster.is_return(seen)  # the first person was there a moment ago
    roster.people[0].seen_ns = -3 * SECOND_NS
    assert not roster.is_return(seen)  # nobody else ever was
    several = roster_of(scene)
    several.rename({}, 3)
    several.people = several.people[:1]
    several.people[0].seen_ns = -3 * SECOND_NS
    assert several.is_return(seen)


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
