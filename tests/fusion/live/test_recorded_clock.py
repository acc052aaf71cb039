"""The messages of a recorded run, and which poses are of one time step."""

from pose_rig.fusion.recorded_clock import by_time_step
from pose_rig.wire.messages import Message
from tests.session.recorded import frame, pose


def test_the_poses_of_a_time_step_come_together_and_all_in_their_order() -> None:
    two, one, three = [pose(0), pose(0, person=1)], [pose(1)], [pose(2, person=n) for n in (1, 2, 5)]
    keypoints = [frame(i) for i in range(3)]
    messages: list[Message] = [keypoints[0], *two, *one, keypoints[1], keypoints[2], *three]
    found = list(by_time_step(iter(messages)))
    assert found == [keypoints[0], tuple(two), tuple(one), keypoints[1], keypoints[2], tuple(three)]


def test_a_restarted_run_begins_a_time_step() -> None:
    """Its poses are numbered from 0 again, and those of one person follow each other."""
    poses = [pose(0), pose(0, t_ns=9), pose(0, t_ns=9, person=1), pose(0, t_ns=9)]
    assert list(by_time_step(iter(poses))) == [(poses[0],), (poses[1], poses[2]), (poses[3],)]


def test_nothing_is_lost_at_the_ends() -> None:
    assert list(by_time_step(iter([]))) == []
    assert list(by_time_step(iter([frame(0)]))) != []
    assert len(list(by_time_step(iter([pose(0)])))) == 1
