"""What a run shows of several people, from synthetic poses."""

import time

from msgspec.structs import replace

from pose_rig.tools.arguments.camera_list import config_of
from pose_rig.tools.terminal.run_display import status_line
from pose_rig.tools.terminal.status import RunStatus
from pose_rig.tools.terminal.summary import no_person_error, summary
from pose_rig.wire.messages import Pose3D
from tests.streaming.live import pose3d
from tests.streaming.people import person
from tests.tools.terminal.test_solved_rig import shown, status_of

SUBJECT = person(3, seconds=0.5)


def pose(index: int, identity: int, tracking: int = 1, height_m: float = 1.7) -> Pose3D:
    return replace(pose3d(SUBJECT, index, tracking=tracking, person=identity), height_m=height_m)


def running(people: int, *poses: Pose3D, heights_m: tuple[float, ...] = ()) -> RunStatus:
    """Returns the status of a run after some poses."""
    config = replace(
        config_of("sim:2"), people=people, height_m=next(iter(heights_m), None), other_heights_m=heights_m[1:]
    )
    status = status_of(config)
    status.telemetry.start_ns = time.monotonic_ns() - 1_000_000_000
    for one in poses:
        status.telemetry.update(one)
    return status


def test_a_table_shows_each_person() -> None:
    status = running(2, pose(0, 0, height_m=1.82), pose(0, 1, tracking=0, height_m=1.65), heights_m=(1.82, 1.65))
    lines = shown(status).splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("person 1"))
    assert lines[first].startswith("person 1: tracked   height 1.82 m   17 of 17 joints   at ")
    assert lines[first + 1].rstrip() == "person 2: lost   height 1.65 m"
    assert "heights 1.82, 1.65 m" in lines[-1]
    assert status.mode() == "solved, 1 person"
    status.telemetry.update(pose(1, 0, tracking=0))
    status.telemetry.update(pose(1, 1))
    assert " | solved, 1 person | " in status_line(status)
    status.telemetry.update(pose(2, 0, tracking=0))
    status.telemetry.update(pose(2, 1, tracking=0))
    assert status.mode() == "solved, no person detected"


def test_one_person_is_shown_as_before() -> None:
    status = running(1, pose(0, 0), pose(1, 0))
    assert "person 1" not in shown(status)
    assert status.mode() == "solved"
    assert not any(line.startswith("People") for line in summary(status, None))


def test_time_steps_are_counted_once_and_people_in_the_summary() -> None:
    poses = [pose(index, identity) for index in range(20) for identity in (0, 1) if identity == 0 or index < 10]
    status = running(2, *poses)
    assert status.telemetry.poses == 20
    assert len(status.telemetry.ages_ns) == 20
    assert "People: at most 2 at once: person 1 in 100%, person 2 in 50% of the poses." in summary(status, None)


def test_a_run_in_which_only_another_person_was_tracked_has_a_person() -> None:
    status = running(2, pose(0, 0, tracking=0), pose(0, 1))
    assert no_person_error(status) is None
    assert status.telemetry.pose is not None
    assert status.telemetry.pose.person == 0


def test_the_height_that_is_saved_is_that_of_the_first_person() -> None:
    status = running(3, pose(0, 0, height_m=1.8), pose(1, 1, height_m=1.5), pose(3, 1, height_m=1.5))
    assert status.height_m == 1.8
