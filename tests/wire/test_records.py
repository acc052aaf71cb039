"""Encoding of the messages that only recordings contain."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pose_rig.errors import MessageError
from pose_rig.wire.encoding import MAX_BYTES, MAX_VIDEO_BYTES, MESSAGE_TYPES, decode, encode, json_schema
from pose_rig.wire.messages import Message
from pose_rig.wire.records import Clock, Gap, Learned, Marker, VideoFrame

DATA = Path(__file__).parent / "data"

# As in test_messages.py: written once, and never again.
STORED: dict[str, Message] = {
    "v1_video": VideoFrame(
        camera="left", index=7, t_ns=1_234_567_890_123, size_px=(1080, 1920), format="h264", keyframe=True,
        data=b"\0\0\0\1\x67\x42",
    ),
    "v1_marker": Marker(t_ns=55, number=2, text="the jump, größer"),
    "v1_gap": Gap(source="left", what="frames", from_ns=10, t_ns=90, missing=3, reason="dropped"),
    "v1_learned": Learned(work="solving", asked=41),
    "v1_clock": Clock(host="studio", t_ns=5, unix_ns=1_700_000_000_000_000_005, uncertainty_ns=800),
}  # fmt: skip


def values(message: Message) -> dict[str, Any]:
    return {field: getattr(message, field) for field in message.__struct_fields__}


@pytest.mark.parametrize("name", STORED)
def test_bytes_of_version_1_decode_for_ever(name: str) -> None:
    data = (DATA / f"{name}.bin").read_bytes()
    assert values(decode(data)) == values(STORED[name])
    assert type(decode(data)) is type(STORED[name])


@pytest.mark.parametrize("name", STORED)
def test_encoding_and_decoding_returns_the_same_message(name: str) -> None:
    assert values(decode(encode(STORED[name]))) == values(STORED[name])


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("v1_video", "video/left"), ("v1_marker", "marker"), ("v1_gap", "gap/left"), ("v1_learned", "learned"),
        ("v1_clock", "clock"),
    ],
)  # fmt: skip
def test_topics(name: str, topic: str) -> None:
    assert encode(STORED[name]).startswith(topic.encode() + b"\0")


@pytest.mark.parametrize(
    ("name", "field", "value", "text"),
    [
        ("v1_video", "format", "gif", "'format' is not valid: Invalid enum value 'gif'"),
        ("v1_video", "index", -1, "'index' is not valid: Expected `int` >= 0"),
        ("v1_video", "data", None, "'data' is not valid: Expected `bytes`, got `None`"),
        ("v1_marker", "t_ns", -1, "'t_ns' is not valid: Expected `int` >= 0"),
        ("v1_marker", "text", 5, "'text' is not valid: Expected `str`, got `int`"),
        ("v1_gap", "what", "sleep", "'what' is not valid: Invalid enum value 'sleep'"),
        ("v1_gap", "source", "right", "'topic' does not match its content, 'gap/right'"),
        ("v1_learned", "work", "guessing", "'work' is not valid: Invalid enum value 'guessing'"),
    ],
)
def test_an_invalid_field_is_named(name: str, field: str, value: object, text: str) -> None:
    topic = STORED[name].topic
    data = topic.encode() + b"\0" + msgspec.msgpack.encode(values(STORED[name]) | {field: value})
    with pytest.raises(MessageError, match=f"^Message on topic '{topic}': field {text}"):
        decode(data)


def test_only_video_frames_may_be_large() -> None:
    frame = msgspec.structs.replace(STORED["v1_video"], data=bytes(MAX_BYTES))
    assert values(decode(encode(frame))) == values(frame)
    text = msgspec.structs.replace(STORED["v1_marker"], text="a" * MAX_BYTES)
    with pytest.raises(MessageError, match=rf"field 'payload' has {len(encode(text))} bytes"):
        decode(encode(text))
    with pytest.raises(MessageError, match=rf"field 'payload' has {MAX_VIDEO_BYTES + 12} bytes"):
        decode(b"video/left\0" + bytes(MAX_VIDEO_BYTES + 1))


@pytest.mark.parametrize("kind", MESSAGE_TYPES, ids=lambda kind: kind.__name__)
def test_every_message_has_a_schema_with_all_its_fields(kind: type[Message]) -> None:
    schema = msgspec.json.decode(json_schema(kind))
    definition = schema["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    assert set(definition["properties"]) == set(kind.__struct_fields__)
    for array in kind.ARRAYS:
        form = definition["properties"][array]
        assert form.get("prefixItems", form.get("anyOf", ""))[0] == {"const": "<f4"}, form
