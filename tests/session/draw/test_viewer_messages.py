import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from foxglove_schemas_protobuf.ImageAnnotations_pb2 import ImageAnnotations
from foxglove_schemas_protobuf.SceneEntityDeletion_pb2 import SceneEntityDeletion
from foxglove_schemas_protobuf.SceneUpdate_pb2 import SceneUpdate
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from mcap.reader import make_reader
from mcap.writer import Writer
from msgspec.structs import replace

from pose_rig.geometry import quaternion
from pose_rig.session.draw.annotations import landmark_bones
from pose_rig.session.draw.scene import GUESSED, LEFT, MIDDLE, OPAQUE, RIGHT, skeleton_bones
from pose_rig.session.draw.viewer_messages import ViewerMessage, ViewerStream, schema_of
from pose_rig.skeleton import BONES, INDEX, J, landmarks
from pose_rig.wire.messages import Health, Message
from tests.session.drawable import BODY, FOCAL_PX, NAMES, POSITION_M, ROTATION, keypoints, pose, refined, rig, seen

UNIX_NS = 1_700_000_000_000_000_000
FRAME_NS = 33_333_333


def drawn(messages: Iterable[Message]) -> list[ViewerMessage]:
    drawing = ViewerStream(with_video=True)
    return [one for message in messages for one in drawing.convert(message, UNIX_NS)]


def one(message: Message, topic: str) -> Any:
    (found,) = [each.message for each in drawn([message]) if each.topic == topic]
    return found


def ends(points: Any) -> list[tuple[float, ...]]:
    return [tuple(getattr(point, axis) for axis in "xyz" if hasattr(point, axis)) for point in points]


def test_a_pose_is_lines_and_balls_in_the_colour_of_its_side_and_faint_where_guessed() -> None:
    (entity,) = one(pose(5), "/pose/scene").entities
    assert entity.frame_id == "rig"
    assert (entity.timestamp.seconds, entity.timestamp.nanos) == (1_700_000_000, 5)
    looks = {tuple(round(255 * getattr(line.color, c)) for c in "rgba"): ends(line.points) for line in entity.lines}
    assert set(looks) == {(*rgb, OPAQUE) for rgb in (RIGHT, LEFT, MIDDLE)} | {(*RIGHT, GUESSED)}
    arm = np.array(looks[(*RIGHT, GUESSED)])
    np.testing.assert_allclose(arm, BODY[[14, 15, 15, 16]], atol=1 / 1024)
    assert sum(map(len, looks.values())) == 2 * len(skeleton_bones(NAMES))
    balls = np.array(ends(ball.pose.position for ball in entity.spheres))
    assert len(balls) == J
    assert all(abs(balls - joint).max(1).min() < 1 / 1024 for joint in BODY)


def test_hands_and_feet_have_lines_and_the_face_has_none() -> None:
    bones = {(NAMES[parent], NAMES[child]) for parent, child in skeleton_bones(NAMES)}
    assert {("l_wrist", "left_thumb"), ("r_ankle", "right_heel"), ("thorax", "head")} <= bones
    assert not any("eye" in child or "mouth" in child for _, child in bones)


def test_a_pose_is_points_too() -> None:
    cloud = one(pose(5), "/pose/points")
    points = np.frombuffer(cloud.data, [("xyz", "<f4", 3), ("rgba", "u1", 4)])
    assert [(field.name, field.offset) for field in cloud.fields] == [
        *(("x", 0), ("y", 4), ("z", 8)),
        *(("red", 12), ("green", 13), ("blue", 14), ("alpha", 15)),
    ]
    assert cloud.point_stride == points.itemsize
    assert cloud.frame_id == "rig"
    np.testing.assert_allclose(points["xyz"][:J], BODY, atol=1 / 1024)
    assert points["rgba"][INDEX["l_hip"]].tolist() == [*LEFT, OPAQUE]
    assert points["rgba"][INDEX["r_wrist"]].tolist() == [*RIGHT, GUESSED]
    assert points["rgba"][NAMES.index("mouth_left")].tolist() == [*LEFT, OPAQUE]


def test_a_lost_person_is_deleted_once() -> None:
    out = drawn([pose(0), *(pose(i * FRAME_NS, tracking=0) for i in range(1, 5)), pose(5 * FRAME_NS)])
    assert [each.topic for each in out] == ["/pose/scene", "/pose/points"] * 3
    gone: Any = out[2].message
    assert len(gone.deletions) == 1
    assert not gone.entities
    cloud: Any = out[3].message
    assert cloud.data == b""


def test_detections_are_points_and_lines_of_all_people() -> None:
    dots, lines, *others = one(keypoints(5, people=2), "/camera/cam0/keypoints").points
    np.testing.assert_allclose(ends(dots.points), seen(0)[:16], atol=0.125)
    assert len(others) == 2
    assert len(lines.points) == 2 * (len(landmark_bones("rig17")) - 1)  # the right wrist is not seen
    without_people = one(keypoints(5, people=0), "/camera/cam0/keypoints")
    assert len(without_people.points) == 0


@pytest.mark.parametrize("schema", ["mediapipe33", "coco17", "body25", "halpe26", "rig17"])
def test_limbs_and_trunk_of_every_landmark_set_have_lines(schema: str) -> None:
    names = landmarks(schema).names
    lines = {frozenset((names[one], names[other])) for one, other in landmark_bones(schema)}
    left, right = ("l_", "r_") if schema == "rig17" else ("left_", "right_")
    for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"), ("shoulder", "hip")):
        assert frozenset((left + a, left + b)) in lines
        assert frozenset((right + a, right + b)) in lines
    assert frozenset((left + "shoulder", right + "shoulder")) in lines


def test_the_refined_pose_is_an_annotation() -> None:
    (lines,) = one(refined(5), "/camera/cam0/refined").points
    np.testing.assert_allclose(ends(lines.points), seen(0)[np.ravel(BONES)], atol=0.125)


def test_solved_cameras_have_their_pose() -> None:
    root, *cameras = one(rig(5), "/tf").transforms
    assert (root.parent_frame_id, root.child_frame_id) == ("map", "rig")
    np.testing.assert_allclose(turned(root.rotation, [0.0, 1.0, 0.0]), [0, 0, 1], atol=1e-9)  # up is up
    for transform, position, rotation in zip(cameras, POSITION_M, ROTATION, strict=True):
        np.testing.assert_allclose(ends([transform.translation])[0], position, atol=1e-9)
        np.testing.assert_allclose(turned(transform.rotation, [0.0, 0.0, 1.0]), rotation[2], atol=1e-9)
    lens = one(rig(5), "/camera/cam1/calibration")
    assert lens.frame_id == cameras[1].child_frame_id == "camera/cam1"
    assert list(lens.K) == [FOCAL_PX, 0, 640, 0, FOCAL_PX, 360, 0, 0, 1]
    assert list(lens.D) == [-0.1, 0, 0, 0, 0]
    assert (lens.width, lens.height, lens.distortion_model) == (1280, 720, "plumb_bob")


def test_a_wide_lens_has_the_model_that_viewers_know() -> None:
    state = rig(5)
    wide = msgspec.structs.replace(
        state.cameras[1], distortion=(0.03, 0.002, -0.001, 0.0, 0.0), fisheye=True, principal_point_px=(650.0, 340.0)
    )
    lens = one(msgspec.structs.replace(state, cameras=(state.cameras[0], wide)), "/camera/cam1/calibration")
    assert (lens.distortion_model, list(lens.D)) == ("kannala_brandt", [0.03, 0.002, -0.001, 0.0])
    assert list(lens.K) == [FOCAL_PX, 0, 650, 0, FOCAL_PX, 340, 0, 0, 1]
    assert list(lens.P) == [FOCAL_PX, 0, 650, 0, 0, FOCAL_PX, 340, 0, 0, 0, 1, 0]


def turned(q: Any, vector: list[float]) -> Any:
    u = np.array([q.x, q.y, q.z])
    return vector + 2 * np.cross(u, np.cross(u, vector) + q.w * np.array(vector))


def test_cameras_that_are_not_solved_are_nowhere() -> None:
    assert [each.topic for each in drawn([rig(5, solved=1)])] == ["/tf", "/camera/cam0/calibration"]
    assert len(one(rig(5, solved=0), "/tf").transforms) == 1


def test_only_changes_of_a_rig_are_written() -> None:
    again = drawn([rig(1), rig(2), rig(3), rig(4, focal_px=990.0)])
    assert [each.topic for each in again] == [
        *("/tf", "/camera/cam0/calibration", "/camera/cam1/calibration"),
        *("/camera/cam0/calibration", "/camera/cam1/calibration"),
    ]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_half_turns_have_quaternions_too(axis: int) -> None:
    turn = -np.eye(3)
    turn[axis, axis] = 1.0
    np.testing.assert_allclose(abs(quaternion(turn)), np.eye(4)[axis], atol=1e-9)
    np.testing.assert_allclose(quaternion(np.eye(3)), [0, 0, 0, 1], atol=1e-9)


def test_streams_are_drawn_no_oftener_than_eyes_need() -> None:
    def rate(of: Callable[[int], Message], hz: int) -> int:
        return len(drawn(of(round(i * 1e9 / hz)) for i in range(hz)))

    assert {hz: rate(refined, hz) for hz in (15, 30, 60)} == {15: 15, 30: 30, 60: 30}
    assert {hz: rate(pose, hz) for hz in (15, 30, 60)} == {15: 30, 30: 60, 60: 60}  # a skeleton and points
    assert 30 <= rate(refined, 240) <= 40
    two = drawn(keypoints(i * FRAME_NS // 8, camera=i % 2) for i in range(4))
    assert [each.topic for each in two] == ["/camera/cam0/keypoints", "/camera/cam1/keypoints"]


def test_a_clock_that_starts_over_is_drawn_on() -> None:
    assert len(drawn([refined(10**12), refined(0), refined(FRAME_NS)])) == 3


def test_an_error_is_logged_when_it_appears() -> None:
    def health(error: str) -> Health:
        return Health(worker="left", t_ns=7, state="failed", error=error)

    out = drawn([health(""), health("No frames."), health("No frames."), health(""), health("No frames.")])
    assert [(each.topic, each.unix_ns) for each in out] == [("/log", UNIX_NS + 7)] * 2
    log: Any = out[0].message
    assert (log.message, log.name, log.level) == ("No frames.", "left", 4)


def recording(messages: Iterable[Message], to: Any) -> None:
    """Writes drawings as a session has them."""
    writer, channels = Writer(to), dict[str, int]()
    writer.start()
    for each in drawn(messages):
        if each.topic not in channels:
            name, schema = schema_of(type(each.message))
            channels[each.topic] = writer.register_channel(
                each.topic, "protobuf", writer.register_schema(name, "protobuf", schema)
            )
        writer.add_message(channels[each.topic], each.unix_ns, each.message.SerializeToString(), each.unix_ns)
    writer.finish()  # type: ignore[no-untyped-call]


def all_of_it() -> Iterable[Message]:
    for i in range(3):
        t_ns = i * FRAME_NS
        yield from (keypoints(t_ns), keypoints(t_ns, camera=1), refined(t_ns), rig(t_ns), pose(t_ns))
    yield Health(worker="left", t_ns=4, state="failed", error="No frames.")
    yield pose(3 * FRAME_NS, tracking=0)


def test_a_reader_without_foxglove_schemas_reads_the_file() -> None:
    file = io.BytesIO()
    recording(all_of_it(), file)
    kinds = {}
    for schema, channel, message in make_reader(io.BytesIO(file.getvalue())).iter_messages():
        assert schema is not None
        pool = DescriptorPool()
        for one_file in FileDescriptorSet.FromString(schema.data).file:
            pool.Add(one_file)
        kinds[channel.topic] = GetMessageClass(pool.FindMessageTypeByName(schema.name)).FromString(message.data)
    assert kinds["/camera/cam0/keypoints"].DESCRIPTOR.full_name == "foxglove.ImageAnnotations"
    assert len(kinds["/camera/cam1/keypoints"].points) == 2
    assert set(kinds) == {
        *("/pose/scene", "/pose/points", "/tf", "/log", "/camera/cam0/refined"),
        *(f"/camera/cam{i}/{what}" for i in range(2) for what in ("keypoints", "calibration")),
    }


def test_several_people_are_drawn_and_removed_one_by_one() -> None:
    both = [pose(0), pose(0, person=1)]
    shown = drawn([*both, pose(FRAME_NS, tracking=0), pose(FRAME_NS, person=1)])
    scenes = [each.message for each in shown if each.topic == "/pose/scene"]
    assert [entity.id for each in scenes for entity in each.entities] == ["person 0", "person 1", "person 1"]
    first, second = (scenes[i].entities[0].lines[0].color for i in range(2))
    assert (first.r, first.g, first.b) != (second.r, second.g, second.b)
    (deletion,) = [one for each in scenes for one in each.deletions]
    assert (deletion.type, deletion.id) == (SceneEntityDeletion.MATCHING_ID, "person 0")
    points = [each.topic for each in shown if each.topic.startswith("/pose/points")]
    assert points == ["/pose/points", "/pose/points/2", "/pose/points", "/pose/points/2"]
    (last,) = [
        one for each in drawn([*both, pose(1, tracking=0), pose(1, 0, person=1)]) if each.topic == "/pose/scene"
        for one in each.message.deletions if one.type == SceneEntityDeletion.ALL
    ]  # fmt: skip
    assert last.id == ""


def test_refined_poses_of_several_people_have_topics_and_colours() -> None:
    shown = drawn([refined(0), replace(refined(0), person=1), replace(refined(1), person=1)])
    assert [each.topic for each in shown] == ["/camera/cam0/refined", "/camera/cam0/refined/2"]
    colours = [each.message.points[0].outline_color for each in shown]
    assert colours[0].r != colours[1].r


def test_a_schema_has_every_file_it_needs_once_and_in_order() -> None:
    for kind in (SceneUpdate, ImageAnnotations):
        name, data = schema_of(kind)
        files = [file.name for file in FileDescriptorSet.FromString(data).file]
        assert name == kind.DESCRIPTOR.full_name
        assert files[-1] == kind.DESCRIPTOR.file.name
        assert len(files) == len(set(files))
        assert "google/protobuf/timestamp.proto" in files


def test_rerun_draws_it(tmp_path: Path) -> None:
    chunk = pytest.importorskip("rerun.chunk", reason="needs pip install pose-rig[view]")
    with (tmp_path / "s.mcap").open("wb") as file:
        recording(all_of_it(), file)
    columns: dict[str, set[str]] = {}
    points = []
    for each in chunk.McapReader(tmp_path / "s.mcap").stream().to_chunks():
        batch = each.to_record_batch()
        columns.setdefault(each.entity_path, set()).update(batch.schema.names)
        if "Points3D:positions" in batch.schema.names:
            points += batch.column("Points3D:positions").to_pylist()
    assert [len(row) for row in points] == [len(NAMES)] * 3 + [0]
    np.testing.assert_allclose(points[0][:J], BODY, atol=1 / 1024)
    assert "Points3D:colors" in columns["/pose/points"]
    assert {"Transform3D:parent_frame", "Transform3D:child_frame", "Transform3D:quaternion"} <= columns["/tf"]
    assert "Pinhole:image_from_camera" in columns["/camera/cam1/calibration"]
    assert "TextLog:text" in columns["/log"]
