"""Synthetic poses of several people, as the fusion publishes them."""

from collections.abc import Sequence

import numpy as np

from pose_rig.streaming.live_people import MAX_KEPT, LivePeople, LivePoses
from pose_rig.streaming.live_retargeter import LiveRetargeter
from tests.streaming.live import HZ, pose3d
from tests.streaming.people import Person, person

S = 1_000_000_000
SUBJECTS: dict[int, Person] = {identity: person(identity + 1, seconds=6.0) for identity in range(4)}


def at(i: int) -> int:
    """Returns when time step ``i`` comes."""
    return S + round(i * S / HZ)


def step(people: LivePeople, i: int, identities: Sequence[int], lost: Sequence[int] = ()) -> LivePoses:
    """Adds the poses of a time step, and returns those to send."""
    for identity in identities:
        people.add(pose3d(SUBJECTS[identity % 4], i, tracking=int(identity not in lost), person=identity), at(i))
    return people.poses_at(at(i))


def shown(poses: LivePoses) -> tuple[int, list[int]]:
    """Returns the identities of the first and of all."""
    return poses.first.person, [one.person for one in poses.first.people or ()]


def test_one_person_is_as_retargeted_alone() -> None:
    people, alone = LivePeople(foot_lock=True), LiveRetargeter(foot_lock=True)
    for i in range(60):
        assert people.has_new == alone.has_new
        got = step(people, i, [0])
        alone.add(pose3d(SUBJECTS[0], i), at(i))
        wanted = alone.pose_at(at(i))
        np.testing.assert_array_equal(got.first.rotation, wanted.rotation)
        np.testing.assert_array_equal(got.first.root, wanted.root)
        assert got.first.people is None
        assert (got.first.index, got.first.t_ns, got.first.tracking) == (wanted.index, wanted.t_ns, wanted.tracking)
    assert got.of(None) is got.first


def test_everybody_moves_as_alone() -> None:
    people, alone = LivePeople(all_people=True), LiveRetargeter()
    for i in range(60):
        got = step(people, i, [0, 1, 2])
        alone.add(pose3d(SUBJECTS[2], i, person=2), at(i))
        wanted = alone.pose_at(at(i))
    assert shown(got) == (0, [0, 1, 2])
    assert got.first.people is not None
    np.testing.assert_array_equal(got.first.people[2].rotation, wanted.rotation)
    assert len({one.rest for one in got.first.people}) == 3


def test_a_target_of_a_person_who_is_not_there_yet_is_not_tracking() -> None:
    people = LivePeople(targeted=[1])
    for i in range(30):
        got = step(people, i, [0])
    assert (got.of(1).index, got.of(1).tracking, got.of(1).person) == (-1, 0, 1)
    assert got.first.tracking == 1
    for i in range(30, 60):
        got = step(people, i, [0, 1])
    assert (got.of(1).index, got.of(1).tracking) == (59, 1)
    assert np.abs(got.of(1).xyz - got.first.xyz).max() > 0.01


def test_a_lost_person_is_not_tracking_and_later_absent() -> None:
    people = LivePeople(targeted=[1], all_people=True)
    for i in range(30):
        step(people, i, [0, 1])
    got = step(people, 30, [0, 1], lost=[1])
    assert (shown(got), got.of(1).tracking) == ((0, [0, 1]), 0)
    for i in range(31, 200):
        got = step(people, i, [0])
    assert (shown(got), got.of(1).tracking) == ((0, [0]), 0)
    np.testing.assert_allclose(got.of(1).rotation[:, 3], 1.0, atol=1e-6)  # the rest pose


def test_the_first_is_the_lowest_identity_once_person_0_is_gone() -> None:
    people = LivePeople(all_people=True)
    for i in range(20):
        step(people, i, [0, 1, 3])
    assert shown(step(people, 20, [0, 1, 3], lost=[0])) == (0, [0, 1, 3])
    step(people, 21, [1, 3])  # may still arrive
    assert shown(step(people, 22, [1, 3])) == (1, [1, 3])
    step(people, 23, [3])
    assert shown(step(people, 24, [3])) == (3, [3])
    assert shown(step(people, 25, [0, 3])) == (0, [0, 3])


def test_a_time_step_is_sent_when_all_its_people_have_arrived() -> None:
    people = LivePeople(all_people=True)
    step(people, 0, [0, 1])
    news = []
    for identity in (0, 1):
        people.add(pose3d(SUBJECTS[identity], 1, person=identity), at(1))
        news.append(people.has_new)
    people.poses_at(at(1))
    news.append(people.has_new)
    for i in (2, 3):  # person 1 is gone
        people.add(pose3d(SUBJECTS[0], i), at(i))
        news.append(people.has_new)
    assert news == [False, True, False, False, True]


def test_a_restarted_fusion_starts_over() -> None:
    people = LivePeople(all_people=True)
    for i in range(50, 80):
        step(people, i, [0, 2])
    got = step(people, 0, [0])
    assert (shown(got), got.first.index) == ((0, [0]), 0)


def test_old_people_are_forgotten_and_targets_kept() -> None:
    people = LivePeople(targeted=[1], all_people=True)
    for i in range(3 * MAX_KEPT):
        got = step(people, i, [0, i + 1])
    assert shown(got)[1] == [0, 3 * MAX_KEPT - 1, 3 * MAX_KEPT]
    assert got.of(1).index == 0
    assert len(people._people) == MAX_KEPT + 2  # and the first, and the target
    assert shown(step(people, 0, [5])) == (5, [5])  # a restarted fusion
