"""Who is tracked, from synthetic poses."""

from pose_rig.wire.messages import Pose3D
from pose_rig.wire.tracked_people import TrackedPeople, people_count
from tests.streaming.live import pose3d
from tests.streaming.people import person

SUBJECT = person(3, seconds=0.5)


def pose(index: int, identity: int) -> Pose3D:
    return pose3d(SUBJECT, index, person=identity)


def test_the_first_pose_of_a_time_step_is_recognised() -> None:
    people = TrackedPeople()
    order = [(0, 0), (0, 1), (0, 4), (1, 1), (1, 4), (1, 0), (0, 0)]
    news = [people.update(pose(index, identity)) for index, identity in order]
    assert news == [True, False, False, True, False, True, True]
    assert [one.person for one in people.present] == [0]  # the fusion was restarted
    assert (people.most, people.poses) == (3, {0: 3, 1: 2, 4: 2})


def test_people_who_are_gone_are_forgotten_except_the_first() -> None:
    people = TrackedPeople()
    for index in range(3):
        people.update(pose(index, 0))
    for index in range(3, 9):
        people.update(pose(index, index))
    assert [one.person for one in people.present] == [7, 8]
    assert people.newest(0) is not None
    assert people.newest(3) is None


def test_numbers_of_people() -> None:
    assert [people_count(count) for count in (0, 1, 2)] == ["no person", "1 person", "2 people"]
