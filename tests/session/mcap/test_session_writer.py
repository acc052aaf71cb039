from pose_rig.session.mcap.session_writer import GapFinder
from pose_rig.wire.messages import Health
from pose_rig.wire.records import Gap
from tests.session.recorded import frame, pose


def said(gap: Gap) -> tuple[str, str, int, int, int]:
    return gap.source, gap.what, gap.from_ns, gap.t_ns, gap.missing


def test_the_first_frame_is_no_gap_whatever_its_number() -> None:
    finder = GapFinder()
    assert finder.before(frame(9, "cam0")) == []
    assert finder.before(frame(3, "cam1")) == []


def test_frames_in_a_row_have_no_gap_between_them() -> None:
    finder = GapFinder()
    assert [finder.before(frame(i, camera)) for i in range(5) for camera in ("cam0", "cam1")] == [[]] * 10


def test_a_gap_has_the_times_of_the_frames_around_it() -> None:
    finder = GapFinder()
    before, after = frame(4, "cam1"), frame(8, "cam1")
    finder.before(before)
    finder.before(frame(4, "cam0"))
    (gap,) = finder.before(after)
    assert said(gap) == ("cam1", "frames", before.t_ns, after.t_ns, 3)
    assert gap.reason == "dropped: the camera or its detector was behind"
    assert finder.before(frame(9, "cam1")) == []
    assert finder.before(frame(5, "cam0")) == []


def test_a_camera_whose_frame_numbers_restart_was_restarted() -> None:
    finder = GapFinder()
    finder.before(frame(50))
    (gap,) = finder.before(frame(0, t_ns=frame(80).t_ns))
    assert said(gap) == ("cam0", "frames", frame(50).t_ns, frame(80).t_ns, 0)
    assert gap.reason == "the camera was restarted"
    assert finder.before(frame(1, t_ns=frame(81).t_ns)) == []
    (gap,) = finder.before(frame(0, t_ns=frame(90).t_ns))
    assert gap.reason == "the camera was restarted"


def test_other_messages_have_no_gaps() -> None:
    finder = GapFinder()
    finder.before(frame(0))
    assert finder.before(pose(7)) == []
    assert finder.before(Health(worker="cam0", t_ns=0, state="running", frames=9)) == []
    assert finder.before(frame(1)) == []
