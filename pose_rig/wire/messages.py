"""What the processes of a rig say to each other (docs/wire.md). Fields are only ever added, with defaults.

`pose_rig.wire.records` has what they say to the recorder alone, `pose_rig.wire.encoding` how all of it becomes bytes.
All numbers have bounds that no rig comes near; what lies beyond is refused when it is decoded.

Axes: P people, K detector landmarks, J skeleton joints.
"""

from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np

VERSION = 1

NO_PERSON = "no person detected"  # note of a camera; all others say that something is wrong

Mode = Literal["cold", "settled", "solved"]
State = Literal["starting", "ready", "running", "ended", "failed"]
# ns. 146 years, and the sum of two still fits 64 bits.
TimeNs = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
# Frames, messages. What a float64 holds exactly; 4 million years at 60 Hz.
Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
MAX_IMAGE_SIDE_PX = 1 << 14  # 16K video and sensors of 200 megapixels
Side = Annotated[int, msgspec.Meta(ge=1, le=MAX_IMAGE_SIDE_PX)]
Size = tuple[Side, Side]
# Whatever else is measured; neither infinite nor NaN.
Real = Annotated[float, msgspec.Meta(ge=-1e15, le=1e15)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
MAX_COORDINATE_PX = 1e6  # of a point from the corner of a picture
MAX_COORDINATE_M = 1e3  # of a joint from the origin: a pose beyond it is none
Array = np.ndarray[Any, np.dtype[np.float32]]


class Message(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Base of all messages.

    ``TOPIC`` is the topic or its prefix, ``ARRAYS`` names the axes of every array field, ``OPTIONAL`` those that may be
    empty instead, ``RANGES`` the least and the largest value of those that are not finite alone.
    """

    TOPIC: ClassVar[str] = ""
    ARRAYS: ClassVar[dict[str, tuple[str | int, ...]]] = {}
    OPTIONAL: ClassVar[tuple[str, ...]] = ()
    RANGES: ClassVar[dict[str, tuple[float, float]]] = {}

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
    RANGES: ClassVar[dict[str, tuple[float, float]]] = {"xy": (-MAX_COORDINATE_PX, MAX_COORDINATE_PX), "score": (0, 1)}

    camera: str
    index: Count
    t_ns: TimeNs
    size_px: Size
    landmarks: str
    xy: Array
    score: Array
    stages_ms: dict[str, Real] = {}

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
    RANGES: ClassVar[dict[str, tuple[float, float]]] = {"xyz": (-MAX_COORDINATE_M, MAX_COORDINATE_M), "score": (0, 1)}

    index: Count
    t_ns: TimeNs
    age_ns: TimeNs
    person: Count
    joints: str
    xyz: Array
    score: Array
    residual_px: Array
    mode: Mode
    tracking: Count
    height_m: Real
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
    RANGES: ClassVar[dict[str, tuple[float, float]]] = {"xy": (-MAX_COORDINATE_PX, MAX_COORDINATE_PX), "inlier": (0, 1)}

    camera: str
    index: Count
    t_ns: TimeNs
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
        agreement: Mean of the agreement over all instants at which it saw somebody; None before the first.
    """

    name: str
    rotation: tuple[Real, ...] | None = None
    rotation_sd_deg: Real | None = None
    translation_m: tuple[Real, Real, Real] | None = None
    translation_sd_m: Real | None = None
    focal_px: Real
    focal_sd_px: Real | None = None
    k1: Real = 0.0
    size_px: Size | None = None
    moving: bool = False
    health: Share = 0.0
    note: str = ""
    agreement: Share | None = None


class RigState(Message, frozen=True, kw_only=True, eq=False):
    """The cameras as the rig knows them now.

    Attributes:
        t_ns: When, rig clock.
        mode: How they are known.
        cameras: One by one.
        note: Why the rig is not solved (yet), or what is doubtful about it, and what would help, for people; empty when
            all is well.
        bones_m: Lengths of the person's bones in a solved rig, m (`fusion.calibration.bundle`); empty until then.
    """

    TOPIC: ClassVar[str] = "rig"

    t_ns: TimeNs
    mode: Mode
    cameras: tuple[CameraState, ...]
    note: str = ""
    bones_m: tuple[Real, ...] = ()


class Health(Message, frozen=True, kw_only=True, eq=False):
    """How a worker is doing, at least once a second.

    Attributes:
        worker: Name of the worker; a camera worker is called like its camera.
        t_ns: Monotonic clock at sending.
        state: Where it is in its life; a file that has been read to its end is ``ended``.
        rate_hz: Frames or poses per second of late.
        age_ms: From grab to sending, median of late.
        dropped: Frames or messages lost, or poses that could not be made, since the start.
        restarts: How often the supervisor restarted it.
        error: One sentence, empty when all is well.
        detail: Short facts for people (device name, provider, negotiated format).
        stages_ms: Median time per stage of late.
        frames: Frames or poses done since the start.
        total_frames: How many there will be; None when nobody knows.
        refused: Connections of programs that are not part of this rig, turned away since the start.
    """

    TOPIC: ClassVar[str] = "health/"

    worker: str
    t_ns: TimeNs
    state: State
    rate_hz: Real = 0.0
    age_ms: Real = 0.0
    dropped: Count = 0
    restarts: Count = 0
    error: str = ""
    detail: str = ""
    stages_ms: dict[str, Real] = {}
    frames: Count = 0
    total_frames: Count | None = None
    refused: Count = 0

    @property
    def topic(self) -> str:
        """``health/<worker>``."""
        return self.TOPIC + self.worker


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One place that the person is sent to.

    Attributes:
        kind: The protocol.
        address: ``HOST:PORT``; of ``websocket``, where it listens.
        profile: Whose rules the sender keeps, or which axes; empty where there is no choice.
        rate_hz: Frames per second of late.
        frames: Frames sent.
        datagrams: Datagrams, or messages, sent.
        octets: Bytes sent.
        failures: Datagrams that the system refused, clients turned away, and messages of theirs that made no sense.
        clients: Connected clients; None for datagrams, which know of nobody.
        error: What went wrong last, one sentence; empty when all is well.
        last: The datagrams of the last frame, or its JSON.
        unheard: Frames of which the system says that nobody listened there; over a network it seldom does.
        clients_ever: Clients that ever connected; None for datagrams.
    """

    kind: Literal["vmc", "vrchat", "json", "websocket"]
    address: str
    profile: str = ""
    rate_hz: Real = 0.0
    frames: Count = 0
    datagrams: Count = 0
    octets: Count = 0
    failures: Count = 0
    clients: Count | None = None
    error: str = ""
    last: tuple[bytes, ...] = ()
    unheard: Count = 0
    clients_ever: Count | None = None


class Streams(Message, frozen=True, kw_only=True, eq=False):
    """What is sent where, about once a second.

    Attributes:
        t_ns: Monotonic clock at sending.
        targets: One by one.
        lead_ms: How far what is sent looks ahead.
    """

    TOPIC: ClassVar[str] = "streams"

    t_ns: TimeNs
    targets: tuple[Target, ...]
    lead_ms: Real = 0.0
