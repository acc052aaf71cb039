"""Sessions read as messages and as arrays."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

import pose_rig.session
from pose_rig.errors import SessionError
from pose_rig.session.draw.images import image_message
from pose_rig.session.mcap.info import new_info
from pose_rig.session.mcap.mcap_writer import McapWriter
from pose_rig.session.mcap.recover import recover
from pose_rig.session.reader import Session
from pose_rig.wire.encoding import encode
from pose_rig.wire.messages import Health, Keypoints2D, Message, Pose3D
from pose_rig.wire.records import Gap, Marker, VideoFrame
from tests.session.drawable import BODY, NAMES, SIZE_PX, refined, rig, seen
from tests.session.mcap.test_recovery_reader import CHUNK, damage, places
from tests.session.posed import made as posed
from tests.session.recorded import FRAME_NS, START_NS, UNIX_FROM_RIG_NS, begin, frame, pose, rig_of, talk, write
from tests.session.two_people import ASIDE_M, HEIGHT_M, PRESENT, session_of_two

FRAME_S = FRAME_NS * 1e-9


def read(path: Path) -> list[Message]:
    with Session(path) as session:
        return list(session.messages())


def test_a_session_describes_itself(tmp_path: Path) -> None:
    path = write(tmp_path / "take.mcap", talk(31), rig_of(height_m=1.82))
    with pose_rig.session.open(str(path)) as session:
        assert session.path == path
        assert session.cameras == ("cam0", "cam1")
        assert session.info.origin == "live"
        assert session.info.config.height_m == 1.82
        assert session.topics == {"keypoints/cam0": 31, "keypoints/cam1": 31, "pose": 31}
        assert session.duration_s == pytest.approx(1.0)
        assert session.start_unix_ns == START_NS + UNIX_FROM_RIG_NS
        assert session.damaged == 0
        assert repr(session) == f"Session('{path}': 1.0 s, 2 cameras (cam0, cam1), 31 poses)"
        assert repr(session.poses()).startswith("Poses(31 time steps, 1.0 s at 30 Hz, ")
        seen = repr(session.keypoints("cam0"))
        assert seen.startswith("CameraKeypoints('cam0': 31 frames, 1.0 s at 30 Hz, ")
        assert "at most 1 person at once" in seen
        assert repr(session.refined("cam0")) == "CameraRefined(0 time steps, 17 joints)"
    assert repr(session) == f"Session('{path}': closed, 2 cameras (cam0, cam1), 31 poses)"


def test_messages_come_as_they_were_recorded(tmp_path: Path) -> None:
    messages = list(talk(4))
    found = read(write(tmp_path / "take.mcap", messages))
    assert [encode(message) for message in found] == [encode(message) for message in messages]


def test_a_session_that_was_cut_off_is_read_as_a_finished_one_and_nothing_is_written(tmp_path: Path) -> None:
    partial = write(tmp_path / "take.mcap", talk(50), chunk=7, finished=False)
    before = partial.read_bytes(), partial.stat().st_mtime_ns
    copy = recover(partial, tmp_path.parent / "copy.mcap").path
    with Session(tmp_path / "take.mcap") as session, Session(copy) as recovered:
        assert session.path == partial
        assert session.warnings == [
            f"{partial} is cut off or damaged. `pose-rig recover {partial}` writes a complete copy."
        ]
        assert session.topics == recovered.topics
        assert (session.duration_s, session.start_unix_ns) == (recovered.duration_s, recovered.start_unix_ns)
        for part in ((None, None), (0.4, 0.9)):
            for topics in (("",), ("pose",), ("keypoints/",)):
                found, wanted = (list(one.messages(topics, *part)) for one in (session, recovered))
                assert [encode(message) for message in found] == [encode(message) for message in wanted]
    assert (partial.read_bytes(), partial.stat().st_mtime_ns) == before
    assert list(tmp_path.iterdir()) == [partial]


def test_damage_in_a_session_that_was_cut_off_is_reported(tmp_path: Path) -> None:
    partial = write(tmp_path / "take.mcap", talk(20), chunk=6, finished=False)
    damage(partial, places(partial, CHUNK)[3] + 60)
    with Session(partial) as session:
        assert len(list(session.messages())) == 54
        assert session.damaged == 1
        assert session.warnings[0].endswith("A damaged piece was left out: 0.1 s are missing.")


def test_topics_are_chosen_by_name_or_up_to_a_slash(tmp_path: Path) -> None:
    cameras = ("a", "a-2", "ab")
    path = write(tmp_path / "take.mcap", (*talk(3, cameras), Marker(t_ns=START_NS, number=1, text="")), rig_of(cameras))
    with Session(path) as session:
        found = {
            topics: len(list(session.messages(topics))) for topics in [("keypoints/a",), ("keypoints/",), ("pose",)]
        }
        assert found == {("keypoints/a",): 3, ("keypoints/",): 9, ("pose",): 3}
        assert len(list(session.messages(("keypoints/ab", "marker")))) == 4
        assert list(session.messages(("keypoints",))) == []
        assert len(session.keypoints("a").t_ns) == 3  # not those of a-2
        assert len(list(session.messages())) == 13


def test_from_and_to_are_seconds_from_the_first_frame(tmp_path: Path) -> None:
    with Session(write(tmp_path / "take.mcap", talk(20))) as session:
        assert [
            pose.index for pose in session.messages(("pose",), 5 * FRAME_S, 7 * FRAME_S) if isinstance(pose, Pose3D)
        ] == [5, 6, 7]
        assert len(session.poses(from_s=10 * FRAME_S)) == 10
        assert len(session.poses(to_s=9 * FRAME_S)) == 10
        assert session.keypoints("cam1", 18 * FRAME_S).index.tolist() == [18, 19]
        with pytest.raises(SessionError, match=r"The session has no poses in this part\. `pose-rig replay` makes them"):
            session.poses(99.0)
        with pytest.raises(SessionError, match=r"Camera 'cam0' has no frame in this part of the session\."):
            session.keypoints("cam0", 99.0)


def test_a_session_without_keypoints_begins_with_its_recording(tmp_path: Path) -> None:
    with Session(write(tmp_path / "take.mcap", [Marker(t_ns=START_NS + FRAME_NS, number=1, text="")])) as session:
        assert session.start_unix_ns == START_NS + UNIX_FROM_RIG_NS
        assert session.duration_s == pytest.approx(FRAME_S)


def test_keypoints_have_rows_people_and_landmarks(tmp_path: Path) -> None:
    frames = [frame(0), frame(1, people=2), frame(3, people=0), frame(4)]
    with Session(write(tmp_path / "take.mcap", frames)) as session:
        got = session.keypoints("cam0")
    assert got.xy.shape == (4, 2, 17, 2)
    assert got.score.shape == (4, 2, 17)
    assert [str(array.dtype) for array in (got.xy, got.score, got.t_ns)] == ["float32", "float32", "int64"]
    assert got.t_ns.tolist() == [START_NS + i * FRAME_NS for i in (0, 1, 3, 4)]
    assert got.index.tolist() == [0, 1, 3, 4]
    assert (got.camera, got.size_px, got.schema, len(got.landmarks)) == ("cam0", SIZE_PX, "rig17", 17)
    np.testing.assert_array_equal(got.xy[0, 0, :16], seen(0)[:16])
    assert np.isnan(got.xy[0, 0, 16]).all()  # not seen
    assert np.isnan(got.xy[0, 1]).all()  # there was one person
    assert np.isfinite(got.xy[1, 1, :16]).all()
    assert np.isnan(got.xy[2]).all()
    assert (got.score[2] == 0).all()
    assert got.score[0, 0].tolist() == [1.0] * 16 + [0.0]


def test_a_camera_without_detections_has_no_people(tmp_path: Path) -> None:
    with Session(write(tmp_path / "take.mcap", [frame(i, people=0) for i in range(3)])) as session:
        assert session.keypoints("cam0").xy.shape == (3, 0, 17, 2)
        with pytest.raises(SessionError, match=r"Camera 'cam1' has no frame"):
            session.keypoints("cam1")
        with pytest.raises(SessionError, match=r"There is no camera 'left' in .*take\.mcap\. It has cam0, cam1\."):
            session.keypoints("left")


def test_frames_of_another_size_are_left_out(tmp_path: Path) -> None:
    frames = [frame(0), frame(1, size_px=(640, 480)), frame(2)]
    with Session(write(tmp_path / "take.mcap", frames)) as session:
        assert session.keypoints("cam0").index.tolist() == [0, 2]


def test_poses_are_as_streamed_and_nan_without_a_person(tmp_path: Path) -> None:
    covariance = np.broadcast_to(np.eye(3, dtype=np.float32), (len(NAMES), 3, 3))
    short = {"joints": "rig17", "xyz": BODY, "score": np.ones(17, np.float32), "residual_px": np.ones(17, np.float32)}
    poses = [
        pose(0, mode="cold", **short), pose(1, tracking=0), pose(2, covariance_m2=covariance, height_m=1.82),
    ]  # fmt: skip
    with Session(write(tmp_path / "take.mcap", poses)) as session:
        got = session.poses()
    assert got.xyz.shape == (3, len(NAMES), 3)
    assert got.covariance_m2.shape == (3, len(NAMES), 3, 3)
    assert got.joints == NAMES
    np.testing.assert_array_equal(got.xyz[0, :17], BODY)
    assert np.isnan(got.xyz[0, 17:]).all()  # this one had fewer joints
    assert (got.score[0, 17:] == 0).all()
    assert np.isnan(got.xyz[1]).all()
    assert (got.score[1] == 0).all()
    assert np.isnan(got.covariance_m2[:2]).all()
    np.testing.assert_array_equal(got.covariance_m2[2], covariance)
    assert got.mode.tolist() == ["cold", "solved", "solved"]
    assert got.tracked.tolist() == [False, False, True]
    assert got.age_ns.tolist() == [1, 1, 1]
    assert got.height_assumed
    np.testing.assert_array_equal(got.joint("l_wrist"), got.xyz[:, 13])


def test_refined_2d_is_there_where_it_was_published(tmp_path: Path) -> None:
    messages = [*talk(4), refined(START_NS + FRAME_NS, camera=1), refined(START_NS + 3 * FRAME_NS, camera=1)]
    with Session(write(tmp_path / "take.mcap", messages)) as session:
        got = session.refined("cam1")
        assert session.refined("cam0").xy.shape == (0, 17, 2)
        assert session.refined("cam0").inlier.shape == (0, 17)
    assert got.xy.shape == (2, 17, 2)
    assert got.t_ns.tolist() == [START_NS + FRAME_NS, START_NS + 3 * FRAME_NS]
    np.testing.assert_array_equal(got.xy[0], seen(1))
    assert (got.inlier == 1).all()


def test_rig_health_markers_and_gaps_are_lists(tmp_path: Path) -> None:
    further = [
        rig(START_NS), Health(worker="cam0", t_ns=START_NS, state="running"),
        Marker(t_ns=START_NS, number=1, text="go"),
        Gap(source="cam0", what="frames", from_ns=1, t_ns=START_NS, missing=4),
    ]  # fmt: skip
    with Session(write(tmp_path / "take.mcap", [*talk(2), *further])) as session:
        assert [state.mode for state in session.rig_states()] == ["solved"]
        assert [health.worker for health in session.health()] == ["cam0"]
        assert [marker.text for marker in session.markers()] == ["go"]
        assert [gap.missing for gap in session.gaps()] == [4]
    with Session(write(tmp_path / "bare.mcap", talk(2))) as session:
        assert [*session.rig_states(), *session.health(), *session.markers(), *session.gaps()] == []


def test_messages_of_another_version_are_counted_and_passed_by(tmp_path: Path) -> None:
    file = begin(tmp_path / "take.mcap")
    for i in range(6):
        data = encode(frame(i))
        if i % 3 == 1:
            data = data.replace(b"size_px", b"site_px")
        file.add(frame(i), data, UNIX_FROM_RIG_NS)
    file.finish()
    with Session(tmp_path / "take.mcap") as session:
        assert session.keypoints("cam0").index.tolist() == [0, 2, 3, 5]
        assert session.damaged == 2


def test_a_damaged_chunk_is_counted_and_passed_by(tmp_path: Path) -> None:
    path = write(tmp_path / "take.mcap", talk(10), chunk=6)
    damage(path, places(path, CHUNK)[2] + 80)
    with Session(path) as session:
        assert len(list(session.messages())) == 24
        assert session.damaged == 1


def test_images_are_read_back_as_they_were_sent(tmp_path: Path) -> None:
    file = begin(tmp_path / "take.mcap")
    jpeg = b"\xff\xd8" + bytes(range(200)) + b"\xff\xd9"
    for i in (0, 2):
        file.add(frame(i), encode(frame(i)), UNIX_FROM_RIG_NS)
        sent = VideoFrame(
            camera="cam0", index=i, t_ns=START_NS + i * FRAME_NS, size_px=SIZE_PX, format="jpeg", keyframe=True,
            data=jpeg,
        )  # fmt: skip
        file.add_viewer_message(image_message(sent, UNIX_FROM_RIG_NS), i)
    file.finish()
    with Session(tmp_path / "take.mcap") as session:
        frames = list(session.video_frames("cam0"))
        assert [(f.index, f.t_ns, f.data, f.format, f.keyframe, f.size_px) for f in frames] == [
            (i, START_NS + i * FRAME_NS, jpeg, "jpeg", True, SIZE_PX) for i in (0, 2)
        ]
        assert [f.index for f in session.video_frames("cam0", from_s=FRAME_S)] == [2]
        assert list(session.video_frames("cam1")) == []
        assert [type(message) for message in session.messages()] == [Keypoints2D, Keypoints2D]
        with pytest.raises(SessionError, match="There is no camera 'left'"):
            next(session.video_frames("left"))


@pytest.mark.parametrize("name", ["missing.mcap", "."])
def test_a_path_that_is_no_file_is_a_clear_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(SessionError, match=r"There is no session .*\. Check the path\."):
        Session(tmp_path / name)


def test_a_damaged_summary_costs_nothing_and_is_reported(tmp_path: Path) -> None:
    path = write(tmp_path / "take.mcap", talk(3))
    data = bytearray(path.read_bytes())
    data[-8 - 20 : -8 - 12] = (12).to_bytes(8, "little")
    path.write_bytes(data)
    with Session(path) as session:
        assert len(list(session.messages())) == 9
        assert session.warnings == [f"{path} is cut off or damaged. `pose-rig recover {path}` writes a complete copy."]


def test_settings_of_a_later_version_are_a_clear_error(tmp_path: Path) -> None:
    info = new_info(rig_of(), "live", START_NS + UNIX_FROM_RIG_NS, UNIX_FROM_RIG_NS)
    info = replace(info, config_json=info.config_json.replace('"passes":1', '"graces":1'))
    file = McapWriter(tmp_path / "take.mcap", info)
    for message in talk(3):
        file.add(message, encode(message), START_NS + UNIX_FROM_RIG_NS)
    with Session(file.finish()) as session:
        assert len(session.poses()) == 3  # all but the settings can be read
        with pytest.raises(SessionError, match=r"was recorded by pose-rig .* with unknown settings: .*graces"):
            _ = session.info.config


def test_a_notebook_needs_few_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "take.mcap", talk(30))
    with pose_rig.session.open(path) as session:
        wrist = session.poses().joint("r_wrist")
    assert wrist.shape == (30, 3)
    with pytest.raises(KeyError, match=r"Unknown joint 'tail'\. The joints are pelvis, r_hip"):
        posed().joint("tail")


def test_cameras_have_their_own_settings_back(tmp_path: Path) -> None:
    config = rig_of()
    named = msgspec.structs.replace(
        config, camera=(msgspec.structs.replace(config.camera[0], focal_px=900.1), *config.camera[1:])
    )
    with Session(write(tmp_path / "take.mcap", talk(1), named)) as session:
        assert session.info.config == named


def test_people_are_read_each(tmp_path: Path) -> None:
    with Session(session_of_two(tmp_path / "two.mcap")) as session:
        first, second = session.people()
        assert (first.person, len(first), first.height_m, first.height_assumed) == (0, 60, 1.7, True)
        assert (second.person, len(second), second.height_m, second.height_assumed) == (1, 45, HEIGHT_M, False)
        rows = list(PRESENT)
        np.testing.assert_array_equal(second.t_ns, first.t_ns[rows])
        apart = second.xyz - first.xyz[rows]
        np.testing.assert_allclose(
            apart[np.isfinite(apart).all((1, 2))], np.broadcast_to(ASIDE_M, (39, 37, 3)), atol=1e-6
        )
        assert second.tracked.all()  # also while the first is not
        assert repr(session.poses()) == repr(first)
        assert repr(session.poses(person=1)) == repr(second)
        part = session.poses(to_s=3 * FRAME_S)
        assert (part.person, len(part)) == (0, 4)
        refined = session.refined("cam0"), session.refined("cam0", person=1)
        assert [(one.person, len(one.t_ns)) for one in refined] == [(0, 60), (1, 45)]
        assert len(session.refined("cam0", person=7).t_ns) == len(session.refined("cam1").t_ns) == 0
        with pytest.raises(SessionError, match=r"There is no person 2 in this part of .*two\.mcap\. It has 0, 1\."):
            session.poses(person=2)
        with pytest.raises(SessionError, match=r"no person 1 in this part"):
            session.poses(to_s=3 * FRAME_S, person=1)


def test_the_lowest_person_is_the_same_for_poses_and_cameras(tmp_path: Path) -> None:
    """The first person was lost before, and a camera detects only the third."""
    rows = [frame(0), pose(0, person=1), pose(0, person=2), msgspec.structs.replace(refined(START_NS), person=2)]
    config = rig_of(people=3)
    with Session(write(tmp_path / "take.mcap", rows, config)) as session:
        assert session.poses().person == session.refined("cam0").person == 1
        assert len(session.refined("cam0").t_ns) == 0
        assert len(session.refined("cam0", person=2).t_ns) == 1
        assert repr(session).endswith("2 poses of up to 3 people)")
