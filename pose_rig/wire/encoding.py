"""Encoding of messages: typed, versioned, validated, never pickled.

One ZeroMQ part per message: ``topic NUL payload``. The payload is msgpack, arrays are little-endian bytes with dtype
and shape.
"""

import math
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import MessageError
from pose_rig.names import is_label, is_name
from pose_rig.wire.live_images import MAX_PHONE_BYTES, PhoneFrame, Thumbnail
from pose_rig.wire.messages import Command, Health, Keypoints2D, Message, Pose3D, Refined2D, RigState, Streams
from pose_rig.wire.records import Clock, Gap, Learned, Marker, VideoFrame
from pose_rig.wire.remote_messages import TimeReply, TimeRequest
from pose_rig.wire.services import FUSION

WIRE_DTYPE = "<f4"
MAX_BYTES = 1 << 20  # a message has about 1 kB
MAX_VIDEO_BYTES = 1 << 25  # a 4K image as JPEG of the best quality has about 10 MB

LIMITS = {VideoFrame.TOPIC: MAX_VIDEO_BYTES, PhoneFrame.TOPIC: MAX_PHONE_BYTES + MAX_BYTES}  # bytes, by topic prefix


class _WireArray(msgspec.Struct, frozen=True, array_like=True):
    """An encoded array."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


MESSAGE_TYPES: tuple[type[Message], ...] = (
    Keypoints2D, Pose3D, Refined2D, RigState, Health, Streams, Command, VideoFrame, Marker, Gap, Learned, Clock,
    Thumbnail, PhoneFrame, TimeRequest, TimeReply,
)  # fmt: skip


def _encode_array(value: Any) -> _WireArray:
    if not isinstance(value, np.ndarray):
        raise NotImplementedError(f"{type(value).__name__} cannot be encoded")
    array = np.ascontiguousarray(value, WIRE_DTYPE)
    return _WireArray(WIRE_DTYPE, array.shape, array.tobytes())


def _decode_array(kind: type, value: Any) -> Any:
    try:
        wire = msgspec.convert(value, _WireArray)
    except msgspec.ValidationError as error:
        raise ValueError("is not an array") from error
    if wire.dtype != WIRE_DTYPE:
        raise ValueError(f"has dtype {wire.dtype!r}, expected {WIRE_DTYPE!r}")
    if min(wire.shape, default=0) < 0:
        raise ValueError(f"has shape {wire.shape}")
    if math.prod(wire.shape) * 4 != len(wire.data):
        raise ValueError(f"has {len(wire.data)} bytes for shape {wire.shape}")
    return np.frombuffer(wire.data, WIRE_DTYPE).reshape(wire.shape)


_encoder = msgspec.msgpack.Encoder(enc_hook=_encode_array)
_decoders = {kind.TOPIC: msgspec.msgpack.Decoder(kind, dec_hook=_decode_array) for kind in MESSAGE_TYPES}


def _field_error(message: Message) -> tuple[str, str] | None:
    """Returns (field, reason) of the first invalid value, None if all are valid."""
    axes: dict[str | int, int] = {}
    for field, expected in message.ARRAYS.items():
        array: NDArray[np.float32] = getattr(message, field)
        if field in message.OPTIONAL and array.shape == (0,):
            continue
        known, fits = dict(axes), array.ndim == len(expected)
        for axis, side in zip(expected, array.shape, strict=fits):
            fits = fits and side == (axes.setdefault(axis, side) if isinstance(axis, str) else axis)
        if not fits:
            wanted = tuple(known.get(axis, axis) for axis in expected)
            return field, f"has shape {array.shape}, expected {wanted}"
        low, high = message.RANGES.get(field, (-np.inf, np.inf))
        if array.size and not low <= array.min() <= array.max() <= high:  # false too if one of them is NaN
            finite = array[np.isfinite(array)]
            wrong = finite[(finite < low) | (finite > high)]
            return field, f"has {wrong[0]:g}, outside {low:g} to {high:g}" if len(wrong) else "is not finite"
    for name in ("t_ns", "index", "age_ns"):  # decoding has checked the bounds of all numbers already
        if not 0 <= getattr(message, name, 0) < 1 << 62:
            return name, "is out of range"
    return _name_error(message)


def _name_error(message: Message) -> tuple[str, str] | None:
    """Returns (field, reason) of the first invalid name; names become topics, paths and columns of tables."""
    for field in ("camera", "source", "worker"):
        if not is_name(name := getattr(message, field, FUSION)):
            return field, f"is {name[:80]!r}, which is not a valid name"
    for field in ("landmarks", "joints"):
        if not _are_labels(getattr(message, field, "rig17")):
            return field, "has invalid names"
    if isinstance(message, RigState):
        for camera in message.cameras:
            if not is_name(camera.name):
                return "cameras", f"has a camera named {camera.name[:80]!r}, which is not a valid name"
            if camera.rotation is not None and len(camera.rotation) != 9:
                return "cameras", f"has a rotation of {len(camera.rotation)} numbers"
    return None


@lru_cache(maxsize=64)
def _are_labels(names: str) -> bool:
    return all(is_label(name) for name in names.split(","))


def encode(message: Message) -> bytes:
    """Returns the encoded message, topic included.

    Raises:
        MessageError: A field is invalid.
    """
    if wrong := _field_error(message):
        raise MessageError(message.topic, *wrong)
    return encode_valid(message)


def encode_valid(message: Message) -> bytes:
    """Returns the encoded message, topic included, without checking its fields again: it was decoded or checked."""
    return message.topic.encode() + b"\0" + _encoder.encode(message)


def decode_valid(data: bytes) -> Message:
    """Returns the message in the bytes of a valid message, which never left this process."""
    topic, payload = data.split(b"\0", 1)
    name, slash, _ = topic.decode().partition("/")
    message: Message = _decoders[name + slash].decode(payload)
    return message


def json_schema(kind: type[Message]) -> bytes:
    """Returns the JSON Schema of an encoded message, for other programs."""
    wire = {
        "type": "array",
        "description": "dtype, shape, bytes in C order",
        "prefixItems": [{"const": WIRE_DTYPE}, {"type": "array", "items": {"type": "integer"}}, {"type": "string"}],
    }
    return msgspec.json.encode(msgspec.json.schema(kind, schema_hook=lambda _: wire))


def topic_of(data: bytes) -> str:
    """Returns the topic of encoded bytes; printable for any bytes."""
    return bytes(data[:80]).split(b"\0", 1)[0].decode("utf-8", "replace")


def decode(data: bytes) -> Message:
    """Returns the message in ``data``, its arrays read-only views of it.

    Raises:
        MessageError: The bytes are not a valid message; names topic and field.
    """
    topic = topic_of(data)
    prefix = topic.split("/", 1)[0] + "/" if "/" in topic else topic
    if prefix not in _decoders:
        raise MessageError(topic, "topic", "is unknown")
    if len(data) > LIMITS.get(prefix, MAX_BYTES):
        raise MessageError(topic, "payload", f"has {len(data)} bytes")
    try:
        message = _decoders[prefix].decode(data[len(topic.encode()) + 1 :])
    except (msgspec.DecodeError, msgspec.ValidationError, ValueError, RecursionError) as error:
        text = str(error)
        field = text.rsplit("$.", 1)[-1].rstrip("`") if "$." in text else "payload"
        raise MessageError(topic, field, f"is not valid: {text}") from error
    if wrong := _field_error(message):
        raise MessageError(topic, *wrong)
    if message.topic != topic:
        raise MessageError(topic, "topic", f"does not match its content, {message.topic!r}")
    return message
