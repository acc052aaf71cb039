"""What a run is made of: `rig.toml` and the command line become these frozen records.

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
from pathlib import Path
from typing import Literal

import msgspec

from pose_rig.errors import UsageError

Pace = Literal["realtime", "all"]
Origin = Literal["live", "files", "import"]
MODELS = ("lite", "full", "heavy")
# Phones and webcams lie between 0.7 and 1.2; 0.9 is off by at most about 30 %, which SP bears.
FOCAL_PER_LARGER_SIDE = 0.9
ASSUMED_HEIGHT_M = 1.70
MOST_BYTES, MOST_DOTS = 1 << 18, 1000  # of a rig.toml, and in one line of it; one of 16 solved cameras has 10 kB
MOST_CAMERAS = 16  # a typo such as sim:1000 must not start a thousand processes
LEAST_FREE_BYTES = 200_000_000  # a minute of four cameras' video, and room for the rest of the system


class SolvedCamera(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a camera stands and how it sees, as the rig found out: ``x_camera = rotation @ x_rig + translation_m``.

    Attributes:
        size_px: (width, height) of the images it was solved for; the principal point is their centre.
        rotation: camera_from_rig, three rows.
        translation_m: m; metres are as true as the stature that was given.
        focal_px: Focal length.
        k1: Radial term, ``seen = ideal (1 + k1 |ideal|²)`` (focal lengths); 0 unless the data ask for one.
        rotation_sd_deg: Standard deviation of the rotation.
        translation_sd_m: Of the position.
        focal_sd_px: Of the focal length.
    """

    size_px: tuple[int, int]
    rotation: tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
    translation_m: tuple[float, float, float]
    focal_px: float
    k1: float = 0.0
    rotation_sd_deg: float = 0.0
    translation_sd_m: float = 0.0
    focal_sd_px: float = 0.0


class CameraConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One camera.

    Attributes:
        source: Index, device path or name, URL, video file, keypoint file (npz), or ``sim``.
        name: Unique name, used as topic; empty = derived from the source.
        size_px: Wanted (width, height); None = 1280×720 for webcams, a file's own otherwise.
        fps: Wanted frames per second; None = 30 for webcams, a file's own otherwise.
        focal_px: Focal length if known.
        offset_ms: Added to a file's own time, to line up recordings that did not start together.
        repeat: For video files: how often they are played, one time after the other.
        member: For sources of several cameras (keypoint files, ``sim``): which one, from 0.
        members: For ``sim``: how many cameras the simulated rig has.
        moving: Whether the camera is carried about; the rig does not try to learn its place.
        mirror: Whether its picture is mirrored, as webcams often show whom they film: it is turned round first of all.
        solved: Where it stood in an earlier run; used if the first seconds agree with it.
    """

    source: str
    name: str = ""
    size_px: tuple[int, int] | None = None
    fps: float | None = None
    focal_px: float | None = None
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
        model: ``lite``, ``full``, ``heavy`` or the path of a MediaPipe ``.task`` file.
        people: Most people looked for in one image.
        min_confidence: Detections, presence and tracks below this are dropped, 0–1.
    """

    model: str = "full"
    people: int = 2
    min_confidence: float = 0.5


class FusionConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fusion node.

    Attributes:
        rate_hz: Poses per second when live.
        min_cutoff_hz: One-Euro filter: cut-off at rest; lower = smoother and later.
        beta: One-Euro filter: how fast the cut-off opens with speed, Hz per m/s.
        weights: ONNX graph of lifter + CSM; empty = the one shipped.
        provider: Inference provider; ``auto`` = TensorRT, CUDA, CPU in that order.
    """

    rate_hz: float = 60.0
    min_cutoff_hz: float = 2.5
    beta: float = 8.0
    weights: str = ""
    provider: Literal["auto", "tensorrt", "cuda", "cpu"] = "auto"


class StreamConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the moving person is sent, and how; `pose_rig.streaming.address` says how places are written.

    Attributes:
        vmc: Receivers of the VMC protocol, ``HOST[:PORT][/PROFILE]``.
        vrchat: VRChat's OSC trackers, ``HOST[:PORT]``.
        json: Receivers of JSON over UDP, ``HOST[:PORT][/AXES]``.
        websocket: Where clients may connect for JSON, ``[HOST:]PORT``; empty = nowhere.
        origins: Web pages beyond those of this machine that may connect: ``https://example.org``.
        avatar: Path of the user's VRM; empty = a humanoid of the person's own lengths.
        scale: Whether the way through the room is that of the body, in metres, or fits the legs of the avatar; empty =
            ``avatar`` if there is one.
        root: Which bone carries the way through the room; empty = as the receiver's profile has it.
        trackers: Of VRChat, beside the head.
        lead: Milliseconds to look ahead, or ``auto``: as much as the picture is old.
        foot_lock: Whether feet that stand are held.
        rate_hz: Frames per second at most.
    """

    vmc: tuple[str, ...] = ()
    vrchat: tuple[str, ...] = ()
    json: tuple[str, ...] = ()
    websocket: str = ""
    origins: tuple[str, ...] = ()
    avatar: str = ""
    scale: Literal["", "body", "avatar"] = ""
    root: Literal["", "hips", "root"] = ""
    trackers: tuple[str, ...] = ("hip", "feet")
    lead: float | Literal["auto"] = 0.0
    foot_lock: bool = False
    rate_hz: float = 60.0

    @property
    def wanted(self) -> bool:
        """Whether anything is sent anywhere."""
        return bool(self.vmc or self.vrchat or self.json or self.websocket)


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole rig.

    Attributes:
        camera: The cameras, in order; camera 0 gives the rig its forward direction.
        height_m: Stature of the person; None = 1.70 m is assumed and every output says so.
        pace: ``realtime``, or ``all``: every frame of every file, as fast as it goes, repeatable.
        passes: 2 = with pace ``all``: learn the rig from the whole of the files, then fuse all of it with that rig.
        rig: Path of the rig.toml that remembers the solved rig; empty = none.
        port: Where poses are published on this machine; 0 = any free port.
        save: Path of the poses file written at the end; empty = none.
        record: Path of the session (MCAP) that everything is recorded to; empty = none.
        video: Whether the pictures of the cameras are recorded too.
        duration_s: End after this long; None = until the files end or the user stops it.
        stream: Engines and programs that it is sent to.
    """

    camera: tuple[CameraConfig, ...] = ()
    height_m: float | None = None
    detector: DetectorConfig = msgspec.field(default_factory=DetectorConfig)
    fusion: FusionConfig = msgspec.field(default_factory=FusionConfig)
    pace: Pace = "realtime"
    passes: Literal[1, 2] = 1
    rig: str = ""
    port: int = 5571
    save: str = ""
    record: str = ""
    video: bool = False
    duration_s: float | None = None
    stream: StreamConfig = msgspec.field(default_factory=StreamConfig)


def _text(path: Path) -> str:
    """Returns the text of a rig.toml, which may begin with a byte order mark.

    Raises:
        UsageError: It is none; reading keys of very many parts takes the parser minutes.
    """
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES or max(line.count(b".") for line in data.split(b"\n")) > MOST_DOTS:
        raise UsageError(f"{path} is no rig.toml: it is too large, or has too long lines.", "Check the path.")
    return data.decode("utf-8-sig").replace("\r\n", "\n")


def load(path: Path) -> Config:
    """Returns the configuration in a rig.toml.

    Raises:
        UsageError: The file cannot be read, is not TOML, or has an unknown key or a value of the wrong type.
    """
    try:
        return msgspec.convert(tomllib.loads(_text(path)), Config, strict=False)
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror}.", "Check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not TOML: {error}.", "Mend that line.") from error
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {error}.", "docs/cameras.md lists every key.") from error
