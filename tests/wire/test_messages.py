from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pose_rig.errors import MessageError
from pose_rig.wire.encoding import MAX_BYTES, decode, encode, topic_of
from pose_rig.wire.live_images import PhoneFrame, Thumbnail
from pose_rig.wire.messages import CameraState, Command, Health, Keypoints2D, Message, Pose3D, Refined2D, RigState

DATA = Path(__file__).parent / "data"


def ramp(*shape: int, step: float = 0.125) -> NDArray[np.float32]:
    return (np.arange(np.prod(shape)).reshape(shape) * step).astype(np.float32)


# The stored bytes tests/wire/data/v1_*.bin hold these. They were written once and are never regenerated: whatever is
# changed in messages.py, they must still decode to this.
STORED: dict[str, Message] = {
    "v1_keypoints": Keypoints2D(
        camera="left",
        index=7,
        t_ns=1_234_567_890_123,
        size_px=(1080, 1920),
        landmarks="coco17",
        xy=ramp(2, 17, 2),
        score=ramp(2, 17, step=1 / 64),
        stages_ms={"detect": 26.5},
    ),
    "v1_keypoints_nobody": Keypoints2D(
        camera="left",
        index=8,
        t_ns=1_234_567_890_124,
        size_px=(640, 480),
        landmarks="mediapipe33",
        xy=ramp(0, 33, 2),
        score=ramp(0, 33),
    ),
    "v1_pose": Pose3D(
        index=3,
        t_ns=55,
        age_ns=30_000_000,
        person=0,
        joints="rig17",
        xyz=ramp(17, 3),
        score=ramp(17, step=1 / 64),
        residual_px=ramp(17),
        mode="settled",
        tracking=1,
        height_m=1.82,
        height_assumed=False,
    ),
    "v1_thumbnail": Thumbnail(
        camera="left",
        t_ns=1_234_567_890_123,
        size_px=(1080, 1920),
        landmarks="coco17",
        xy=ramp(2, 17, 2),
        score=ramp(2, 17, step=1 / 64),
        jpeg=b"\xff\xd8\xff\xd9",
    ),
    "v1_phone": PhoneFrame(
        camera="phone1",
        index=7,
        t_ns=1_234_567_890_123,
        size_px=(1280, 720),
        rotation_deg=90,
        format="h264-key",
        data=b"\0\0\0\1\x67",
        phone="a-phone-0001",
        name="Pixel 8",
        fps=29.97,
    ),
    "v1_refined": Refined2D(camera="left", index=3, t_ns=55, xy=ramp(17, 2), inlier=ramp(17, step=1 / 64)),
    "v1_rig": RigState(
        t_ns=56,
        mode="solved",
        cameras=(
            CameraState(name="left", focal_px=1728.0),
            CameraState(
                name="right",
                rotation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
                rotation_sd_deg=0.5,
                translation_m=(0.5, -1.0, 4.0),
                translation_sd_m=0.02,
                focal_px=1700.0,
                focal_sd_px=12.0,
                health=0.75,
                note="It was moved.",
            ),
        ),
    ),
    "v1_command": Command(t_ns=98765, number=3, name="height", value="1.82"),
    "v1_health": Health(
        worker="left",
        t_ns=57,
        state="running",
        rate_hz=29.97,
        age_ms=31.5,
        dropped=2,
        restarts=1,
        error="",
        detail="MJPG 1280×720",
        stages_ms={"detect": 26.5},
        frames=300,
        total_frames=None,
    ),
}


def assert_same(got: Message, expected: Message) -> None:
    assert type(got) is type(expected)
    for field in expected.__struct_fields__:
        mine, theirs = getattr(got, field), getattr(expected, field)
        if isinstance(theirs, np.ndarray):
            assert mine.dtype == np.float32, field
            np.testing.assert_array_equal(mine, theirs, err_msg=field)
        else:
            assert mine == theirs, field


@pytest.mark.parametrize("name", STORED)
def test_bytes_of_version_1_decode_for_ever(name: str) -> None:
    assert_same(decode((DATA / f"{name}.bin").read_bytes()), STORED[name])


@pytest.mark.parametrize("name", STORED)
def test_encoding_and_decoding_returns_the_same_message(name: str) -> None:
    assert_same(decode(encode(STORED[name])), STORED[name])


@pytest.mark.parametrize("name", STORED)
def test_bytes_of_a_newer_sender_with_more_fields_decode(name: str) -> None:
    topic, payload = (DATA / f"{name}.bin").read_bytes().split(b"\0", 1)
    fields = msgspec.msgpack.decode(payload) | {"version": 2, "invented_later": [1, 2]}
    message = decode(topic + b"\0" + msgspec.msgpack.encode(fields))
    assert_same(message, msgspec.structs.replace(STORED[name], version=2))


@pytest.mark.parametrize("name", STORED)
def test_truncated_bytes_are_rejected(name: str) -> None:
    data = (DATA / f"{name}.bin").read_bytes()
    for length in range(len(data)):
        with pytest.raises(MessageError):
            decode(data[:length])


@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_message_errors(data: bytes) -> None:
    assert decode_or_reject(data).startswith("Message on topic ")


SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats()
LEAVES = SCALARS | st.text(max_size=5) | st.binary(max_size=16)


@given(
    st.sampled_from(["pose", "rig", "keypoints/left", "refined/left", "health/left", "other", "pose/x", ""]),
    st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=8,
    ),
)
def test_random_payloads_raise_nothing_but_message_errors(topic: str, payload: object) -> None:
    decode_or_reject(topic.encode() + b"\0" + msgspec.msgpack.encode(payload))


@given(st.sampled_from(sorted(STORED)), st.data())
def test_damaged_messages_raise_nothing_but_message_errors(name: str, data: st.DataObject) -> None:
    whole = bytearray((DATA / f"{name}.bin").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    decode_or_reject(bytes(whole))


@given(
    st.lists(st.integers(-2, 2**64 - 1) | st.integers(0, 3), max_size=5),
    st.binary(max_size=64),
    st.sampled_from(["<f4", ">f4", "<f8", "|O", ""]),
)
def test_random_arrays_raise_nothing_but_message_errors(shape: list[int], data: bytes, dtype: str) -> None:
    fields = fields_of("v1_pose") | {"xyz": [dtype, shape, data]}
    decode_or_reject(b"pose\0" + msgspec.msgpack.encode(fields))


def decode_or_reject(data: bytes) -> str:
    """Returns why the bytes are rejected, empty if they are a message."""
    try:
        message = decode(data)
    except MessageError as error:
        return error.cause
    assert_same(decode(encode(message)), message)
    return ""


def fields_of(name: str) -> dict[str, Any]:
    """Returns the encoded fields of a stored message."""
    payload = (DATA / f"{name}.bin").read_bytes().split(b"\0", 1)[1]
    fields: dict[str, Any] = msgspec.msgpack.decode(payload)
    return fields


def wire_of(value: float, *shape: int) -> list[object]:
    """Returns the encoded form of an array of one value."""
    return ["<f4", shape, np.full(shape, value, "<f4").tobytes()]


@pytest.mark.parametrize(
    ("name", "field", "value", "text"),
    [
        ("v1_pose", "xyz", ["<f8", [17, 3], bytes(408)], "'xyz' is not valid: has dtype '<f8', expected '<f4'"),
        ("v1_pose", "xyz", ["<f4", [17, 3], bytes(200)], r"'xyz' is not valid: has 200 bytes for shape \(17, 3\)"),
        ("v1_pose", "xyz", ["<f4", [51], bytes(204)], r"'xyz' has shape \(51,\), expected \('J', 3\)"),
        ("v1_pose", "xyz", ["<f4", [0, 2**63], b""], "'xyz' is not valid"),
        ("v1_pose", "score", ["<f4", [16], bytes(64)], r"'score' has shape \(16,\), expected \(17,\)"),
        ("v1_pose", "xyz", ["<f4", [17, 3], b"\xff" * 204], "'xyz' is not finite"),
        (
            "v1_pose",
            "covariance_m2",
            ["<f4", [17], bytes(68)],
            r"'covariance_m2' has shape \(17,\), expected \(17, 3, 3\)",
        ),
        ("v1_pose", "mode", "lukewarm", "'mode' is not valid: Invalid enum value 'lukewarm'"),
        ("v1_pose", "t_ns", -1, "'t_ns' is not valid: Expected `int` >= 0"),
        ("v1_pose", "t_ns", 2**63, "'t_ns' is not valid: Expected `int` <"),
        ("v1_keypoints", "score", ["<f4", [1, 17], bytes(68)], r"'score' has shape \(1, 17\), expected \(2, 17\)"),
        ("v1_keypoints", "size_px", [0, 480], r"'size_px\[0\]' is not valid: Expected `int` >= 1"),
        ("v1_keypoints", "size_px", [640, 1 << 15], r"'size_px\[1\]' is not valid: Expected `int` <= 16384"),
        ("v1_keypoints", "index", 1 << 60, "'index' is not valid: Expected `int` <"),
        ("v1_keypoints", "t_ns", 1 << 62, "'t_ns' is not valid: Expected `int` <"),
        ("v1_keypoints", "xy", wire_of(3e38, 2, 17, 2), r"'xy' has 3e\+38, outside -1e\+06 to 1e\+06"),
        ("v1_keypoints", "xy", wire_of(-1.1e6, 2, 17, 2), r"'xy' has -1\.1e\+06, outside -1e\+06 to 1e\+06"),
        ("v1_keypoints", "score", wire_of(1.5, 2, 17), "'score' has 1.5, outside 0 to 1"),
        ("v1_keypoints", "score", wire_of(-0.5, 2, 17), "'score' has -0.5, outside 0 to 1"),
        (
            "v1_keypoints",
            "stages_ms",
            {"detect": float("nan")},
            r"'stages_ms\[\.\.\.\]' is not valid: Expected",
        ),
        ("v1_pose", "xyz", wire_of(1e6, 17, 3), r"'xyz' has 1e\+06, outside -1000 to 1000"),
        ("v1_pose", "age_ns", 1 << 62, "'age_ns' is not valid: Expected `int` <"),
        ("v1_pose", "height_m", float("inf"), "'height_m' is not valid: Expected `float` <="),
        ("v1_refined", "xy", wire_of(2e6, 17, 2), r"'xy' has 2e\+06"),
        ("v1_refined", "inlier", wire_of(2, 17), "'inlier' has 2, outside 0 to 1"),
        ("v1_health", "dropped", -1, "'dropped' is not valid: Expected `int` >= 0"),
        ("v1_health", "total_frames", 1 << 60, "'total_frames' is not valid"),
        ("v1_health", "rate_hz", float("nan"), "'rate_hz' is not valid: Expected `float`"),
        ("v1_keypoints", "index", "first", "'index' is not valid: Expected `int`, got `str`"),
        ("v1_keypoints", "camera", "right", "'topic' does not match its content, 'keypoints/right'"),
    ],
)
def test_an_invalid_field_is_named_with_its_topic(name: str, field: str, value: object, text: str) -> None:
    topic = topic_of((DATA / f"{name}.bin").read_bytes())
    data = topic.encode() + b"\0" + msgspec.msgpack.encode(fields_of(name) | {field: value})
    with pytest.raises(MessageError, match=f"^Message on topic '{topic}': field {text}") as caught:
        decode(data)
    assert caught.value.topic == topic


@pytest.mark.parametrize("name", STORED)
def test_a_missing_field_is_named(name: str) -> None:
    topic = topic_of((DATA / f"{name}.bin").read_bytes())
    fields = fields_of(name)
    del fields["t_ns"]
    with pytest.raises(MessageError, match="missing required field `t_ns`"):
        decode(topic.encode() + b"\0" + msgspec.msgpack.encode(fields))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"xyz": np.full((17, 3), np.nan, np.float32)}, "field 'xyz' is not finite"),
        ({"xyz": np.zeros((3, 17), np.float32)}, r"field 'xyz' has shape \(3, 17\), expected \('J', 3\)"),
        ({"t_ns": -5}, "field 't_ns' is out of range"),
        ({"covariance_m2": ramp(17, 3)}, r"field 'covariance_m2' has shape \(17, 3\), expected \(17, 3, 3\)"),
        ({"covariance_m2": ramp(16, 3, 3)}, r"field 'covariance_m2' has shape \(16, 3, 3\), expected \(17, 3, 3\)"),
        ({"covariance_m2": ramp(17, 3, 3) * np.nan}, "field 'covariance_m2' is not finite"),
        ({"covariance_m2": np.zeros((0, 3, 3), np.float32)}, r"field 'covariance_m2' has shape \(0, 3, 3\)"),
    ],
)
def test_an_invalid_message_is_not_encoded(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(MessageError, match=text):
        encode(msgspec.structs.replace(STORED["v1_pose"], **changes))


@pytest.mark.parametrize("joints", [17, 33])
def test_covariance_has_every_joint_or_is_empty(joints: int) -> None:
    changes = {"xyz": ramp(joints, 3), "score": ramp(joints) / 999, "residual_px": ramp(joints)}
    for covariance in (np.zeros(0, np.float32), ramp(joints, 3, 3)):
        pose = msgspec.structs.replace(STORED["v1_pose"], **changes, covariance_m2=covariance)
        assert_same(decode(encode(pose)), pose)


@pytest.mark.parametrize(("depth", "text"), [(ramp(2, 16), "has shape"), (np.full((2, 17), np.nan), "is not finite")])
def test_depths_belong_to_landmarks_or_are_empty(depth: NDArray[np.float32], text: str) -> None:
    plain = STORED["v1_keypoints"]
    with_depth = msgspec.structs.replace(plain, depth=-ramp(2, 17))
    found = decode(encode(with_depth))
    assert isinstance(found, Keypoints2D)
    np.testing.assert_array_equal(found.depth, -ramp(2, 17))
    without = decode((DATA / "v1_keypoints.bin").read_bytes())  # recorded before there were depths
    assert isinstance(without, Keypoints2D)
    assert without.depth.shape == (0,)
    with pytest.raises(MessageError, match=text):
        encode(msgspec.structs.replace(plain, depth=depth))


@pytest.mark.parametrize(
    ("appearance", "text"),
    [
        (ramp(3, 4) / 9, "has shape"),
        (ramp(2), "has shape"),
        (-ramp(2, 4), "outside 0 to 1"),
        (np.full((2, 4), np.nan), "not finite"),
    ],
)
def test_appearances_belong_to_people_or_are_empty(appearance: NDArray[np.float32], text: str) -> None:
    plain = STORED["v1_keypoints"]
    found = decode(encode(msgspec.structs.replace(plain, appearance=ramp(2, 8) / 2)))
    assert isinstance(found, Keypoints2D)
    np.testing.assert_array_equal(found.appearance, ramp(2, 8) / 2)
    without = decode((DATA / "v1_keypoints.bin").read_bytes())  # recorded before there were any
    assert isinstance(without, Keypoints2D)
    assert without.appearance.shape == (0,)
    with pytest.raises(MessageError, match=text):
        encode(msgspec.structs.replace(plain, appearance=appearance))


def test_messages_without_covariance_and_notes_decode() -> None:
    pose, rig = (decode((DATA / f"{name}.bin").read_bytes()) for name in ("v1_pose", "v1_rig"))
    assert isinstance(pose, Pose3D)
    assert pose.covariance_m2.shape == (0,)
    assert isinstance(rig, RigState)
    assert rig.note == ""
    assert {(camera.k1, camera.size_px, camera.moving) for camera in rig.cameras} == {(0.0, None, False)}


def test_too_many_bytes_are_rejected() -> None:
    with pytest.raises(MessageError, match=f"field 'payload' has {MAX_BYTES + 6} bytes"):
        decode(b"pose\0" + bytes(MAX_BYTES + 1))


def test_an_unknown_topic_is_rejected() -> None:
    with pytest.raises(MessageError, match="Message on topic 'weather': field 'topic' is unknown"):
        decode(b"weather\0\x80")


def test_deep_nesting_is_rejected() -> None:
    with pytest.raises(MessageError):
        decode(b"pose\0" + b"\x91" * 100_000)


def test_decoded_arrays_are_read_only() -> None:
    pose = decode(encode(STORED["v1_pose"]))
    assert isinstance(pose, Pose3D)
    with pytest.raises(ValueError, match="read-only"):
        pose.xyz[0] = 1


@pytest.mark.parametrize("count", [-1, 1 << 53, (1 << 64) - 1])
@pytest.mark.parametrize("field", ["frames", "unheard", "clients_ever"])
def test_every_count_of_a_target_is_bounded(field: str, count: int) -> None:
    target = {"kind": "vmc", "address": "a:1", field: count}
    data = b"streams\0" + msgspec.msgpack.encode({"t_ns": 1, "targets": [target]})
    with pytest.raises(MessageError, match=rf"field 'targets\[0\]\.{field}' is not valid: (Expected|Integer)"):
        decode(data)
