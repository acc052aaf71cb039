"""The configuration of a run: frozen records with the keys of a rig.toml, most of which are command-line options too.

Example of a rig.toml::

    height_m = 1.82

    [detector]
    model = "full"

    [fusion]
    rate_hz = 60.0

    [[camera]]
    name = "left"
    source = "0"            # index, device path, device name, URL, video file, keypoint file, sim
    size_px = [1280, 720]
    fps = 30.0
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from pose_rig.errors import UsageError
from pose_rig.lens import five_coefficients

PHONE = "phone"  # the source of a camera that is a phone
Pace = Literal["realtime", "all"]
Origin = Literal["live", "files", "import"]
MODELS = ("lite", "full", "heavy")
# Phones and webcams lie between 0.7 and 1.2; 0.9 is off by at most about 30 %, which the fusion tolerates.
FOCAL_PER_LARGER_SIDE = 0.9
ASSUMED_HEIGHT_M = 1.70
HEIGHT_RANGE_M = (0.4, 2.6)
MAX_PEOPLE = 6
MAX_FILE_BYTES, MAX_LINE_DOTS = 1 << 18, 1000  # of a rig.toml; one of 16 solved cameras has 10 kB
MAX_CAMERAS = 16  # a typo such as sim:1000 must not start a thousand processes
MIN_FREE_BYTES = 200_000_000  # a minute of four cameras' video, and room for the rest of the system


@dataclass(frozen=True, slots=True)
class Option:
    """The command-line option of a key (`pose_rig.tools.arguments.config_options` makes it).

    Attributes:
        help: One sentence, which also documents the key.
        metavar: Placeholder of the value in the help; empty = by type.
        name: Without dashes; empty = that of the key.
        panel: Of the help in which it is listed; empty = that of its table.
        auto: Value that the word ``auto`` means; None = it is not accepted.
        further: Key of the second and further values, separated by commas; empty = there is one value.
    """

    help: str
    metavar: str = ""
    name: str = ""
    panel: str = ""
    auto: int | None = None
    further: str = ""


class SolvedCamera(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Solved intrinsics and extrinsics of a camera: ``x_camera = rotation @ x_rig + translation_m``.

    Attributes:
        size_px: (width, height) of the images it was solved for.
        rotation: camera_from_rig, three rows.
        translation_m: m, of camera_from_rig; as accurate as the given body height.
        focal_px: Focal length.
        principal_point_px: (x, y); None = the image centre.
        distortion: OpenCV's k1, k2, p1, p2, k3; of a fisheye lens k1, k2, k3, k4; missing ones are 0.
        fisheye: Whether OpenCV's fisheye model applies.
        k1: The only coefficient in files of earlier versions.
        rotation_sd_deg: Standard deviation of the rotation.
        translation_sd_m: Of the position.
        focal_sd_px: Of the focal length.
        time_offset_s: Rig time minus camera time, in the recording that it was solved from; for information.
        time_offset_sd_s: Its standard deviation, 0 if not known.
        time_rate: Rig seconds per camera second.
    """

    size_px: tuple[int, int]
    rotation: tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
    translation_m: tuple[float, float, float]
    focal_px: float
    principal_point_px: tuple[float, float] | None = None
    distortion: tuple[float, ...] = ()
    fisheye: bool = False
    k1: float = 0.0
    rotation_sd_deg: float = 0.0
    translation_sd_m: float = 0.0
    focal_sd_px: float = 0.0
    time_offset_s: float = 0.0
    time_offset_sd_s: float = 0.0
    time_rate: float = 1.0

    @property
    def lens(self) -> tuple[float, ...]:
        """The five coefficients of `pose_rig.lens`."""
        return five_coefficients(self.distortion or (self.k1,))


class CameraConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One camera.

    Attributes:
        source: Index, device path or name, URL, video file, keypoint file (npz), ``sim``, ``phone``, or
            ``remote:NAME`` for a camera of another machine.
        name: Unique name, used as topic; empty = derived from the source.
        size_px: Requested (width, height); None = 1280×720 for webcams, that of the file otherwise.
        fps: Requested frames per second; None = 30 for webcams, that of the file otherwise.
        focal_px: Focal length if known.
        principal_point_px: (x, y) if known; None = the image centre.
        distortion: Of a calibrated lens, with its ``focal_px``: OpenCV's k1, k2, p1, p2, k3; fisheye: k1 to k4.
        fisheye: Whether ``distortion`` is that of OpenCV's fisheye model.
        offset_ms: Added to the timestamps of a file, to align recordings that did not start together.
        repeat: How often a video file is played.
        member: Index of the camera in a source of several cameras (keypoint files, ``sim``).
        members: For ``sim``: number of cameras of the simulated rig.
        moving: Whether the camera moves during the run; its pose is then not solved.
        mirror: Whether its images are mirrored, as webcams often do; they are flipped back first.
        solved: Its calibration from an earlier run; used if the first seconds agree with it.
    """

    source: str
    name: str = ""
    size_px: tuple[int, int] | None = None
    fps: float | None = None
    focal_px: float | None = None
    principal_point_px: tuple[float, float] | None = None
    distortion: tuple[float, ...] = ()
    fisheye: bool = False
    offset_ms: float = 0.0
    repeat: int = 1
    member: int = 0
    members: int = 1
    moving: bool = False
    mirror: bool = False
    solved: SolvedCamera | None = None


class DetectorConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The 2D detector.

    Attributes:
        min_confidence: Detections, presence and tracks below this are dropped, 0–1.
    """

    model: Annotated[str, Option("2D detector: lite, full (default), heavy, or a .task file.", "NAME|PATH")] = "full"
    people: Annotated[
        int,
        Option("Maximum number of people detected in an image (2; one more than --people).", "N", "detect-people"),
    ] = 2
    min_confidence: float = 0.5


class FusionConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fusion worker.

    Attributes:
        min_cutoff_hz: One-Euro filter: cut-off at rest; lower = smoother and later.
        beta: One-Euro filter: how fast the cut-off opens with speed, Hz per m/s.
    """

    rate_hz: Annotated[float, Option("Poses per second when live (60).", "HZ", "rate")] = 60.0
    max_delay_ms: Annotated[
        float,
        Option(
            "Wait so long for late cameras when live (150); those that are later serve the calibration only.",
            "MS",
            "max-delay",
        ),
    ] = 150.0
    min_cutoff_hz: float = 2.5
    beta: float = 8.0
    weights: Annotated[str, Option("ONNX graph of lifter and fusion; default: the shipped one.", "F")] = ""
    provider: Annotated[
        Literal["auto", "tensorrt", "cuda", "cpu"],
        Option("Inference provider; auto: the fastest that works of TensorRT, CUDA, CPU."),
    ] = "auto"


class StreamConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the live pose is sent, and how; `pose_rig.streaming.address` has the syntax of addresses."""

    vmc: Annotated[
        tuple[str, ...],
        Option(
            "Send VMC there (port 39539); PROFILE: unity (default), unreal, godot, warudo, vnyan, vseeface; @2: the "
            "second person.",
            "HOST[:PORT][/PROFILE][@N]",
        ),
    ] = ()
    vrchat: Annotated[tuple[str, ...], Option("Send VRChat's OSC trackers there (port 9000).", "HOST[:PORT][@N]")] = ()
    json: Annotated[
        tuple[str, ...],
        Option(
            "Send JSON over UDP there (port 39570); AXES: rig (default), unity, unreal, blender, godot.",
            "HOST[:PORT][/AXES][@N]",
        ),
    ] = ()
    websocket: Annotated[
        str, Option("Accept WebSocket clients for JSON; without HOST, of this machine only.", "[HOST:]PORT")
    ] = ""
    token: Annotated[
        str,
        Option(
            "Token that WebSocket clients need; default: a new one in every run, none on loopback.",
            "TOKEN",
            "websocket-token",
        ),
    ] = ""
    origins: Annotated[
        tuple[str, ...], Option("Origin of a web page on another host that may connect too.", "URL", "origin")
    ] = ()
    avatar: Annotated[
        str, Option("Your avatar (VRM 0 or 1); default: a humanoid with the bone lengths of the person.", "F.vrm")
    ] = ""
    scale: Annotated[
        Literal["", "body", "avatar"],
        Option("Root motion in metres (body), or scaled to the legs of the avatar (default with --avatar)."),
    ] = ""
    root: Annotated[
        Literal["", "hips", "root"], Option("Bone that carries the root motion in VMC (default: hips).")
    ] = ""
    trackers: Annotated[
        tuple[str, ...], Option("VRChat trackers: hip, chest, feet, knees, elbows (default: hip,feet).", "A,B")
    ] = ("hip", "feet")
    lead: Annotated[
        float | Literal["auto"],
        Option("Predict the pose this far ahead; auto: by its latency. Increases jitter.", "MS|auto"),
    ] = 0.0
    foot_lock: Annotated[bool, Option("Lock feet to the floor while they rest on it, once the rig is solved.")] = False
    rate_hz: Annotated[float, Option("Maximum frames per second (60).", "HZ", "stream-rate")] = 60.0

    @property
    def has_receivers(self) -> bool:
        """Whether there is any receiver."""
        return bool(self.vmc or self.vrchat or self.json or self.websocket)


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole rig.

    Attributes:
        camera: The cameras, in order; camera 0 defines the forward direction of the rig.
        other_heights_m: Body heights of further people, in the order in which they appear.
        detector: The 2D detector.
        fusion: The fusion worker.
        stream: Receivers of the live pose.
    """

    camera: tuple[CameraConfig, ...] = ()
    height_m: Annotated[
        float | None,
        Option(
            "Body height; without it 1.70 m is assumed. Of several people in the order they appear in: 1.82,1.65.",
            "M[,M…]",
            "height",
            further="other_heights_m",
        ),
    ] = None
    other_heights_m: tuple[float, ...] = ()
    people: Annotated[
        int,
        Option(
            "Track up to this many people, 1 (default) to 6; auto: as many as there are.", "N|auto", auto=MAX_PEOPLE
        ),
    ] = 1
    detector: DetectorConfig = msgspec.field(default_factory=DetectorConfig)
    fusion: FusionConfig = msgspec.field(default_factory=FusionConfig)
    pace: Annotated[
        Pace,
        Option(
            "Files: play in real time (default), or read every frame as fast as possible, reproducibly.",
            panel="Recordings",
        ),
    ] = "realtime"
    passes: Annotated[
        Literal[1, 2],
        Option(
            "2: solve the rig from the whole recording first, then fuse it (files: with --pace all).",
            panel="Recordings",
        ),
    ] = 1
    exact: Annotated[
        bool,
        Option("Compute one pose after the other, as live; slower, and the same to 0.5 mm.", panel="Recordings"),
    ] = False
    rig: Annotated[str, Option("Save the solved rig there, and start from it next time.", "RIG.toml")] = ""
    port: Annotated[int, Option("Publish poses on this port (5571); 0 = any free one.", "N", panel="Output")] = 5571
    save: Annotated[str, Option("Write the poses there at the end.", "F.npz", panel="Output")] = ""
    record: Annotated[str, Option("Record a session there, without video.", "S.mcap", panel="Output")] = ""
    video: Annotated[bool, Option("Record the video too (H.264; JPEG where that is too slow).", panel="Output")] = False
    duration_s: Annotated[float | None, Option("Stop after this many seconds.", "S", "duration", panel="Options")] = (
        None
    )
    view: Annotated[bool, Option("Serve a live page for browsers; prints its address.", panel="Output")] = False
    phones: Annotated[
        int,
        Option("Add this many phones as cameras: each opens the address that is printed.", "N", panel="Cameras"),
    ] = 0
    host: Annotated[
        str,
        Option(
            "Address of this machine at which browsers, phones and remote cameras of other machines reach it (default: "
            "this machine only; with --phones: its addresses in the local network).",
            "ADDRESS",
            panel="Output",
        ),
    ] = ""
    web_port: Annotated[
        int, Option("Port of the live page and of phones (8443, or the next free one).", "N", panel="Output")
    ] = 8443
    stream: StreamConfig = msgspec.field(default_factory=StreamConfig)

    @property
    def detected_people(self) -> int:
        """How many people a detector looks for in an image: one more than are tracked, in case of a passer-by."""
        return max(self.detector.people, self.people + 1) if self.people > 1 else self.detector.people

    @property
    def phone_cameras(self) -> tuple[CameraConfig, ...]:
        """The cameras that are phones."""
        return tuple(camera for camera in self.camera if camera.source == PHONE)

    @property
    def serves_pages(self) -> bool:
        """Whether there is a live page, or a page for phones."""
        return self.view or bool(self.phone_cameras)


def load(path: Path) -> Config:
    """Returns the configuration in a rig.toml.

    Raises:
        UsageError: The file cannot be read, is not TOML, or has an unknown key or a value of the wrong type.
    """
    try:
        return msgspec.convert(_with_auto(tomllib.loads(_text(path))), Config, strict=False)
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror}.", "Check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not TOML: {error}.", "Correct that line.") from error
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {error}.", "docs/cameras.md lists every key.") from error


def _with_auto(values: dict[str, Any]) -> dict[str, Any]:
    """Returns the values of a rig.toml in which ``people = "auto"`` is the number that it means."""
    return values | {"people": MAX_PEOPLE} if values.get("people") == "auto" else values


def _text(path: Path) -> str:
    """Returns the text of a rig.toml without byte order mark.

    Raises:
        UsageError: It is too large, or has a key of so many parts that the parser would take minutes.
    """
    with path.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES or max(line.count(b".") for line in data.split(b"\n")) > MAX_LINE_DOTS:
        raise UsageError(f"{path} is not a rig.toml: it is too large, or has too long lines.", "Check the path.")
    return data.decode("utf-8-sig").replace("\r\n", "\n")
