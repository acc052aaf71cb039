"""What travels between the processes: typed, versioned, validated, never pickled.

One ZeroMQ part per message: ``topic NUL payload``, the payload msgpack, arrays as little-endian bytes with dtype and
shape. Fields are only ever added, with defaults (docs/wire.md).

Axes: P people, K detector landmarks, J skeleton joints.
"""

from typing import Any, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import MessageError

VERSION = 1
WIRE_DTYPE = "<f4"
MAX_BYTES = 1 << 20  # a message of ours is about 1 kB; a megabyte is somebody else's

Mode = Literal["cold", "settled", "solved"]
State = Literal["starting", "ready", "running", "ended", "failed"]
Array = np.ndarray[Any, np.dtype[np.float32]]


class Message(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Base of all messages: ``ARRAYS`` names the axes of every array field, ``TOPIC`` the topic or its prefix."""

    TOPIC: ClassVar[str] = ""
    ARRAYS: ClassVar[dict[str, tuple[str | int, ...]]] = {}
    OPTIONAL: ClassVar[tuple[str, ...]] = ()  # arrays that may be empty instead

    version: int = VERSION

    @property
    def topic(self) -> str:
        """The topic this message is published on."""
        return self.TOPIC


class Keypoints2D(Message, frozen=True, kw_only=True, eq=False):
    """What one detector saw in one frame.

    Attributes:
        camera: Name of the camera.
        index: Frame number of this camera, from 0; gaps are dropped frames.
        t_ns: Capture instant: monotonic clock at grab, or the frame's own time from 0 for files read with pace ``all``.
        size_px: Image (width, height).
        landmarks: Landmark schema: a name of `pose_rig.skeleton.SCHEMAS`, or K names joined by commas.
        xy: (P,K,2) px, x right, y down. (0, 0) where the score is 0.
        score: (P,K) 0–1, 0 = not seen.
        stages_ms: Time spent per stage of the camera process.
    """

    TOPIC: ClassVar[str] = "keypoints/"
    ARRAYS: ClassVar[dict[str, tuple[str | int, ...]]] = {"xy": ("P", "K", 2), "score": ("P", "K")}

    camera: str
    index: int
    t_ns: int
    size_px: tuple[int, int]
    landmarks: str
    xy: Array
    score: Array
    stages_ms: dict[str, float] = {}

    @property
    def topic(self) -> str:
        """``keypoints/<camera>``."""
        return self.TOPIC + self.camera


class Pose3D(Message, frozen=True, kw_only=True, eq=False):
    """The pose at one instant.

    Attributes:
        index: Number of the fused instant, from 0.
        t_ns: Capture instant, rig clock.
        age_ns: From capture to publication.
        person: Identity of the person, 0 while one is followed.
        joints: The joint set: ``rig17`` (`pose_rig.skeleton.JOINTS`), or that and further names joined by commas.
        xyz: (J,3) m in ``rig``: right-handed, y up, −z away from camera 0.
        score: (J,) 0–1, 0 = guessed.
        covariance_m2: (J,3,3) m² of ``xyz`` before smoothing; empty until the rig is solved.
        residual_px: (J,) mean distance of the detections from the fused pose.
        mode: How the rig is known.
        tracking: 0 when nobody is seen; ``xyz`` is then the last pose known.
        height_m: Stature the scale rests on.
        height_assumed: True when nobody gave that stature.
    """

    TOPIC: ClassVar[str] = "pose"
    ARRAYS: ClassVar[dict[str, tuple[str | int, ...]]] = {
        "xyz": ("J", 3), "score": ("J",), "residual_px": ("J",), "covariance_m2": ("J", 3, 3),
    }  # fmt: skip
    OPTIONAL: ClassVar[tuple[str, ...]] = ("covariance_m2",)

    index: int
    t_ns: int
    age_ns: int
    person: int
    joints: str
    xyz: Array
    score: Array
    residual_px: Array
    mode: Mode
    tracking: int
    height_m: float
    height_assumed: bool
    covariance_m2: Array = msgspec.field(default_factory=lambda: np.zeros(0, np.float32))


class Refined2D(Message, frozen=True, kw_only=True, eq=False):
    """One camera's 2D pose after the other views have had their say.

    Attributes:
        camera: Name of the camera.
        index: Number of the fused instant.
        t_ns: Capture instant, rig clock.
        xy: (J,2) px.
        inlier: (J,) 0–1, probability that the detector was right.
    """

    TOPIC: ClassVar[str] = "refined/"
    ARRAYS: ClassVar[dict[str, tuple[str | int, ...]]] = {"xy": ("J", 2), "inlier": ("J",)}

    camera: str
    index: int
    t_ns: int
    xy: Array
    inlier: Array

    @property
    def topic(self) -> str:
        """``refined/<camera>``."""
        return self.TOPIC + self.camera


class CameraState(msgspec.Struct, frozen=True, kw_only=True):
    """What the rig knows about one camera.

    Attributes:
        name: Name of the camera.
        rotation: camera_from_rig, row-major 3×3; None until known.
        rotation_sd_deg: Its standard deviation.
        translation_m: Camera_from_rig translation; None until solved.
        translation_sd_m: Its standard deviation.
        focal_px: Focal length used.
        focal_sd_px: Its standard deviation; None while assumed.
        k1: Radial lens term, 0 unless solved.
        size_px: Image (width, height); None until seen.
        moving: Whether it is being carried about.
        health: 0–1, agreement with the other cameras; 0 = not seen or ignored.
        note: Why a camera is not trusted, for people.
    """

    name: str
    rotation: tuple[float, ...] | None = None
    rotation_sd_deg: float | None = None
    translation_m: tuple[float, float, float] | None = None
    translation_sd_m: float | None = None
    focal_px: float
    focal_sd_px: float | None = None
    k1: float = 0.0
    size_px: tuple[int, int] | None = None
    moving: bool = False
    health: float = 0.0
    note: str = ""


class RigState(Message, frozen=True, kw_only=True, eq=False):
    """The cameras as the rig knows them now.

    Attributes:
        t_ns: When.
        mode: How they are known.
        cameras: One by one.
        note: Why the rig is not solved (yet) and what would help, for people; empty when all is well.
    """

    TOPIC: ClassVar[str] = "rig"

    t_ns: int
    mode: Mode
    cameras: tuple[CameraState, ...]
    note: str = ""


class Health(Message, frozen=True, kw_only=True, eq=False):
    """How a worker is doing, at least once a second.

    Attributes:
        worker: Name of the worker; a camera worker is called like its camera.
        t_ns: Monotonic clock at sending.
        state: Where it is in its life; a file that has been read to its end is ``ended``.
        rate_hz: Frames or poses per second of late.
        age_ms: From grab to sending, median of late.
        dropped: Frames or messages lost since the start.
        restarts: How often the supervisor restarted it.
        error: One sentence, empty when all is well.
        detail: Short facts for people (device name, provider, negotiated format).
        stages_ms: Median time per stage of late.
        frames: Frames or poses done since the start.
        total_frames: How many there will be; None when nobody knows.
    """

    TOPIC: ClassVar[str] = "health/"

    worker: str
    t_ns: int
    state: State
    rate_hz: float = 0.0
    age_ms: float = 0.0
    dropped: int = 0
    restarts: int = 0
    error: str = ""
    detail: str = ""
    stages_ms: dict[str, float] = {}
    frames: int = 0
    total_frames: int | None = None

    @property
    def topic(self) -> str:
        """``health/<worker>``."""
        return self.TOPIC + self.worker


class _WireArray(msgspec.Struct, frozen=True, array_like=True):
    """An array on the wire."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


ANY: tuple[type[Message], ...] = (Keypoints2D, Pose3D, Refined2D, RigState, Health)


def _encode_array(value: Any) -> _WireArray:
    if not isinstance(value, np.ndarray):
        raise NotImplementedError(f"{type(value).__name__} does not travel in messages")
    array = np.ascontiguousarray(value, WIRE_DTYPE)
    return _WireArray(WIRE_DTYPE, array.shape, array.tobytes())


def _decode_array(kind: type, value: Any) -> Any:
    try:
        wire = msgspec.convert(value, _WireArray)
    except msgspec.ValidationError as error:
        raise ValueError("is not an array") from error
    if wire.dtype != WIRE_DTYPE:
        raise ValueError(f"has dtype {wire.dtype!r}, expected {WIRE_DTYPE!r}")
    count = 1
    for side in wire.shape:
        if side < 0:
            raise ValueError(f"has shape {wire.shape}")
        count *= side
    if count * 4 != len(wire.data):
        raise ValueError(f"has {len(wire.data)} bytes for shape {wire.shape}")
    return np.frombuffer(wire.data, WIRE_DTYPE).reshape(wire.shape)


_encoder = msgspec.msgpack.Encoder(enc_hook=_encode_array)
_decoders = {kind.TOPIC: msgspec.msgpack.Decoder(kind, dec_hook=_decode_array) for kind in ANY}


def _field_error(message: Message) -> tuple[str, str] | None:
    """Returns (field, reason) of the first value that breaks the rules, None if there is none."""
    axes: dict[str, int] = {}
    for field, expected in message.ARRAYS.items():
        array: NDArray[np.float32] = getattr(message, field)
        if field in message.OPTIONAL and array.shape == (0,):
            continue
        wanted = tuple(axes.get(axis, axis) if isinstance(axis, str) else axis for axis in expected)
        fits = array.ndim == len(wanted) and all(
            isinstance(want, str) or want == got for want, got in zip(wanted, array.shape, strict=True)
        )
        if not fits:
            return field, f"has shape {array.shape}, expected {wanted}"
        axes.update({axis: side for axis, side in zip(expected, array.shape, strict=True) if isinstance(axis, str)})
        if not np.isfinite(array).all():
            return field, "is not finite"
    for name in ("t_ns", "index", "age_ns"):
        if not 0 <= getattr(message, name, 0) < 1 << 63:
            return name, "is out of range"
    if isinstance(message, Keypoints2D) and min(message.size_px) <= 0:
        return "size_px", f"is {message.size_px}"
    return None


def encode(message: Message) -> bytes:
    """Returns the bytes of a message, topic included.

    Raises:
        MessageError: A field has the wrong shape or is not finite.
    """
    if wrong := _field_error(message):
        raise MessageError(message.topic, *wrong)
    return message.topic.encode() + b"\0" + _encoder.encode(message)


def topic_of(data: bytes) -> str:
    """Returns the topic of encoded bytes, readable whatever they are."""
    return bytes(data[:80]).split(b"\0", 1)[0].decode("utf-8", "replace")


def decode(data: bytes) -> Message:
    """Returns the message in ``data``, its arrays read-only views of it.

    Raises:
        MessageError: The bytes are not one of our messages; names topic and field.
    """
    topic = topic_of(data)
    prefix = topic.split("/", 1)[0] + "/" if "/" in topic else topic
    if prefix not in _decoders:
        raise MessageError(topic, "topic", "is unknown")
    if len(data) > MAX_BYTES:
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
