"""Messages between the processes of a rig (docs/wire.md). Fields are only ever added, with defaults.

`pose_rig.wire.records` has the messages that only recordings contain, `pose_rig.wire.encoding` the encoding. All
numbers have bounds far beyond those of any rig; decoding rejects values outside.

Axes: P people, K detector landmarks, A numbers of an appearance, J skeleton joints.
"""

from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np

from pose_rig.lens import five_coefficients

VERSION = 1

NO_PERSON = "no person detected"  # the one note of a camera that is not a fault
STEP_BACK = "step back until your whole body is in its image"  # at the end of such a note

Mode = Literal["cold", "settled", "solved"]
CommandName = Literal["record", "stop-recording", "marker", "floor", "height", "re-solve", "stop"]
State = Literal["starting", "ready", "running", "ended", "failed"]
# ns. 146 years; the sum of two still fits 64 bits.
TimeNs = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
# Frames or messages. The range that float64 represents exactly.
Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
MAX_IMAGE_SIDE_PX = 1 << 14  # 16K video and sensors of 200 megapixels
SidePx = Annotated[int, msgspec.Meta(ge=1, le=MAX_IMAGE_SIDE_PX)]
SizePx = tuple[SidePx, SidePx]  # (width, height)
# Any other quantity; finite.
Real = Annotated[float, msgspec.Meta(ge=-1e15, le=1e15)]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
MAX_COORDINATE_PX = 1e6
MAX_COORDINATE_M = 1e3
Array = np.ndarray[Any, np.dtype[np.float32]]


class Message(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Base of all messages.

    ``TOPIC`` is the topic, or its prefix if ``TOPIC_FIELD`` names the field to append. ``ARRAYS`` has the axes of every
    array field, ``OPTIONAL`` those that may be empty instead, ``RANGES`` their (minimum, maximum); without an entry,
    values must be finite.
    """

    TOPIC: ClassVar[str] = ""
    TOPIC_FIELD: ClassVar[str] = ""
    ARRAYS: ClassVar[dict[str, tuple[str | int, ...]]] = {}
    OPTIONAL: ClassVar[tuple[str, ...]] = ()
    RANGES: ClassVar[dict[str, tuple[float, float]]] = {}

    version: int = VERSION

    @property
    def topic(self) -> str:
        """The topic that this message is published on."""
        return self.TOPIC + (getattr(self, self.TOPIC_FIELD) if self.TOPIC_FIELD else "")


class Keypoints2D(Message, frozen=True, kw_only=True, eq=False):
    """2D detections in one frame of one camera.

    Attributes:
        camera: Name of the camera.
        index: Frame number of this camera, from 0; gaps are dropped frames.
        t_ns: Capture time: monotonic clock at grab, or the time in the file from 0 for files read with pace ``all``.
        size_px: Image (width, height).
        landmarks: Landmark schema: a name of `pose_rig.skeleton.SCHEMAS`, or K names joined by commas.
        xy: (P,K,2) px, x right, y down. (0, 0) where the score is 0.
        score: (P,K) 0–1, 0 = not visible.
        depth: (P,K) px, how much farther from the camera than the midpoint of the hips a landmark is, at the scale of
            ``xy``; 0 where the score is 0; empty if the detector does not estimate it.
        stages_ms: Processing time per stage of the camera process.
        appearance: (P,A) what each person looks like: shares of the colours of the trunk in the first half, of the legs
            in the second; the sum of each half is about 1, or 0 where that part is not visible. Empty where it was not
            computed: one person is tracked, or the last one was computed just before.
    """

    TOPIC: ClassVar[str] = "keypoints/"
    TOPIC_FIELD: ClassVar[str] = "camera"
    ARRAYS: ClassVar[dict[str, tuple[str | int, ...]]] = {
        "xy": ("P", "K", 2), "score": ("P", "K"), "depth": ("P", "K"), "appearance": ("P", "A"),
    }  # fmt: skip
    OPTIONAL: ClassVar[tuple[str, ...]] = ("depth", "appearance")
    RANGES: ClassVar[dict[str, tuple[float, float]]] = {
        "xy": (-MAX_COORDINATE_PX, MAX_COORDINATE_PX), "score": (0, 1),
        "depth": (-MAX_COORDINATE_PX, MAX_COORDINATE_PX), "appearance": (0, 1),
    }  # fmt: skip

    camera: str
    index: Count
    t_ns: TimeNs
    size_px: SizePx
    landmarks: str
    xy: Array
    score: Array
    stages_ms: dict[str, Real] = {}
    depth: Array = msgspec.field(default_factory=lambda: np.zeros(0, np.float32))
    appearance: Array = msgspec.field(default_factory=lambda: np.zeros(0, np.float32))


class Pose3D(Message, frozen=True, kw_only=True, eq=False):
    """The 3D pose of one person at one time step.

    Where several people are tracked, their poses follow each other in the order of their identities, with one index.

    Attributes:
        index: Time step, from 0.
        t_ns: Capture time, rig clock.
        age_ns: Latency from capture to publication.
        person: Identity of the person, 0 for the first one.
        joints: The joint set: ``rig17`` (`pose_rig.skeleton.JOINTS`), or that and further names joined by commas.
        xyz: (J,3) m in ``rig``: right-handed, y up, −z away from camera 0.
        score: (J,) 0–1, 0 = predicted, not observed.
        covariance_m2: (J,3,3) m² of ``xyz`` before smoothing; empty until the rig is solved.
        residual_px: (J,) mean reprojection error of the detections.
        mode: How the cameras are calibrated.
        tracking: 0 while no person is detected; ``xyz`` is then the last known pose.
        height_m: Body height that sets the scale.
        height_assumed: Whether that height is the default rather than configured.
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
    """The 2D pose of one person in one camera, corrected by the other views.

    Attributes:
        camera: Name of the camera.
        index: Time step.
        t_ns: Capture time, rig clock.
        xy: (J,2) px.
        inlier: (J,) 0–1, probability that the detection is an inlier.
        person: Identity of the person, as in `Pose3D`.
    """

    TOPIC: ClassVar[str] = "refined/"
    TOPIC_FIELD: ClassVar[str] = "camera"
    ARRAYS: ClassVar[dict[str, tuple[str | int, ...]]] = {"xy": ("J", 2), "inlier": ("J",)}
    RANGES: ClassVar[dict[str, tuple[float, float]]] = {"xy": (-MAX_COORDINATE_PX, MAX_COORDINATE_PX), "inlier": (0, 1)}

    camera: str
    index: Count
    t_ns: TimeNs
    xy: Array
    inlier: Array
    person: Count = 0


class CameraState(msgspec.Struct, frozen=True, kw_only=True):
    """The calibration of one camera.

    Attributes:
        name: Name of the camera.
        rotation: Rotation of camera_from_rig, row-major 3×3; None until known.
        rotation_sd_deg: Its standard deviation.
        translation_m: Translation of camera_from_rig; None until solved.
        translation_sd_m: Its standard deviation.
        focal_px: Focal length used.
        focal_sd_px: Its standard deviation; None while assumed.
        k1: First radial distortion coefficient, 0 unless solved.
        distortion: OpenCV's k1, k2, p1, p2, k3; of a fisheye lens k1, k2, k3, k4, 0; empty unless solved, and in
            recordings of earlier versions, whose only coefficient is ``k1``.
        fisheye: Whether OpenCV's fisheye model applies.
        principal_point_px: (x, y); None = the image centre.
        size_px: Image (width, height); None before the first frame.
        moving: Whether the camera is being moved.
        health: 0–1, agreement with the other cameras; 0 = no detection, or ignored.
        note: Why the camera is ignored or down-weighted, for display.
        agreement: Mean agreement over all time steps with a detection; None before the first.
        time_offset_s: Rig time minus camera time, as applied; at camera time 0 if the rate is not 1.
        time_offset_sd_s: Its standard deviation; None where nothing is known of it.
        time_rate: Rig seconds per camera second, as applied: rig time = camera time · rate + offset.
    """

    name: str
    rotation: tuple[Real, ...] | None = None
    rotation_sd_deg: Real | None = None
    translation_m: tuple[Real, Real, Real] | None = None
    translation_sd_m: Real | None = None
    focal_px: Real
    focal_sd_px: Real | None = None
    k1: Real = 0.0
    distortion: tuple[Real, ...] = ()
    fisheye: bool = False
    principal_point_px: tuple[Real, Real] | None = None
    size_px: SizePx | None = None
    moving: bool = False
    health: Fraction = 0.0
    note: str = ""
    agreement: Fraction | None = None
    time_offset_s: Real = 0.0
    time_offset_sd_s: Real | None = None
    time_rate: Real = 1.0

    @property
    def lens(self) -> tuple[float, ...]:
        """The five coefficients of `pose_rig.lens`."""
        return five_coefficients(self.distortion or (self.k1,))


class PersonBones(msgspec.Struct, frozen=True, kw_only=True):
    """The bone lengths of one person in a solved rig.

    Attributes:
        person: Identity.
        bones_m: Bone lengths, m (`fusion.calibration.bundle.segments`).
    """

    person: Count
    bones_m: tuple[Real, ...]


class RigState(Message, frozen=True, kw_only=True, eq=False):
    """The current calibration of all cameras.

    Attributes:
        t_ns: Rig clock.
        mode: How the cameras are calibrated.
        cameras: One entry per camera.
        note: Why the rig is not solved or its calibration is uncertain, and a remedy, for display; else empty.
        bones_m: Bone lengths of the first person in a solved rig, m, as in `PersonBones`; empty until then.
        people: Bone lengths of each person, the first person first; empty if there is only person 0.
    """

    TOPIC: ClassVar[str] = "rig"

    t_ns: TimeNs
    mode: Mode
    cameras: tuple[CameraState, ...]
    note: str = ""
    bones_m: tuple[Real, ...] = ()
    people: tuple[PersonBones, ...] = ()


class Health(Message, frozen=True, kw_only=True, eq=False):
    """The status of a worker, at least once a second.

    Attributes:
        worker: Name of the worker; a camera worker has the name of its camera.
        t_ns: Monotonic clock at sending.
        state: ``ended``: a file has been read to its end.
        rate_hz: Frames or poses per second, over the last seconds.
        age_ms: Median latency from grab to sending, over the last seconds.
        dropped: Frames, messages or poses dropped since the start.
        restarts: How often the supervisor restarted the worker.
        error: One sentence, empty without an error.
        detail: Device name, provider or negotiated format, for display.
        stages_ms: Median processing time per stage, over the last seconds.
        frames: Frames or poses processed since the start.
        total_frames: Frames of the source; None if unknown.
        refused: Refused connections of other programs since the start.
        host: Machine of a remote camera; empty = that of the rig.
        clock_offset_s: Rig clock minus the clock of that machine; None where there is one clock, or not yet known.
        clock_uncertainty_s: Maximum error of that offset.
        clock_drift: Rate of the rig clock relative to that clock, minus 1.
    """

    TOPIC: ClassVar[str] = "health/"
    TOPIC_FIELD: ClassVar[str] = "worker"

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
    host: str = ""
    clock_offset_s: Real | None = None
    clock_uncertainty_s: Real | None = None
    clock_drift: Real = 0.0


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One output stream.

    Attributes:
        kind: The protocol.
        address: ``HOST:PORT`` of the receiver; for ``websocket``, of the server.
        profile: Variant of the protocol, or the axes; empty if there is only one.
        rate_hz: Frames per second, over the last seconds.
        frames: Frames sent.
        datagrams: Datagrams, or WebSocket messages, sent.
        octets: Bytes sent.
        failures: Datagrams that could not be sent, clients refused, and invalid messages of clients.
        clients: Connected clients; None for datagrams, which have no connection.
        error: The last error, one sentence; empty without one.
        last: The datagrams of the last frame, or its JSON.
        unheard: Frames for which the operating system reported a closed port; over a network it seldom does.
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
    """The status of all output streams, about once a second.

    Attributes:
        t_ns: Monotonic clock at sending.
        targets: One entry per output stream.
        lead_ms: How far ahead the poses sent are predicted.
    """

    TOPIC: ClassVar[str] = "streams"

    t_ns: TimeNs
    targets: tuple[Target, ...]
    lead_ms: Real = 0.0


class Command(Message, frozen=True, kw_only=True, eq=False):
    """What the user asks a running rig for, on the live page.

    Attributes:
        t_ns: Monotonic clock at sending.
        number: From 1, for the answer.
        name: ``record``, ``stop-recording``; ``marker``: one in the recording; ``floor``: set the origin, on the floor
            below the standing person; ``height``: set the body height; ``re-solve``: estimate the cameras from scratch;
            ``stop``: end the run.
        value: Of ``height``: m, as text; else empty.
        person: Of ``height``: identity of the person.
    """

    TOPIC: ClassVar[str] = "command"

    t_ns: TimeNs
    number: Count
    name: CommandName
    value: str = ""
    person: Count = 0
