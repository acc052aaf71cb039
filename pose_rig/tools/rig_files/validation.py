"""Validation of a configuration, whether it comes from the command line or from a rig.toml."""

import math
from pathlib import Path

from pose_rig.config import HEIGHT_RANGE_M, MAX_CAMERAS, MAX_PEOPLE, MODELS, CameraConfig, Config, StreamConfig
from pose_rig.errors import UsageError
from pose_rig.lens import COEFFICIENTS
from pose_rig.lifting.weights_file import check_is_graph
from pose_rig.tools.arguments.camera_sources import is_remote, source_kind
from pose_rig.tools.rig_files.rig_toml import check_solved, is_writable
from pose_rig.wire.messages import MAX_IMAGE_SIDE_PX

DETECTED_RANGE = (1, 8)
DELAY_RANGE_MS = (0.0, 4000.0)  # beyond which nothing is learned from a late camera
RATE_RANGE_HZ = (1.0, 500.0)
STREAM_RATE_RANGE_HZ = (1.0, 240.0)
WEB_PORT_RANGE = (0, 65000)
RIG_PORT_RANGE = (0, 65533)  # the next port reports what is sent to engines, the one after it is for remote cameras
REPEAT_RANGE = (1, 1000)
FPS_RANGE = (0.1, 1000.0)
SIDE_RANGE_PX = (16, MAX_IMAGE_SIDE_PX)
FOCAL_RANGE_PX = (1.0, 1e6)
POINT_RANGE_PX = (0.0, float(MAX_IMAGE_SIDE_PX))
COEFFICIENT_RANGE = (-1000.0, 1000.0)
SET_REMOTELY = ("size_px", "fps", "offset_ms", "repeat", "mirror")  # keys of a camera that its own machine reads
OFFSET_RANGE_MS = (-86_400_000.0, 86_400_000.0)  # a day
CUTOFF_RANGE_HZ = (0.01, 1000.0)
BETA_RANGE = (0.0, 1000.0)


def check_config(config: Config) -> None:
    """Checks a configuration before any process is started.

    Raises:
        UsageError: A value is out of range, a file is missing, or options contradict each other.
    """
    _check_heights(config)
    _in_range("number of people", config.people, (1, MAX_PEOPLE), "")
    _in_range("number of people in an image", config.detector.people, DETECTED_RANGE, "")
    _in_range("pose rate", config.fusion.rate_hz, RATE_RANGE_HZ, "Hz")
    _in_range("maximum delay", config.fusion.max_delay_ms, DELAY_RANGE_MS, "ms")
    _in_range("port", config.port, RIG_PORT_RANGE, "")
    _in_range("minimum confidence", config.detector.min_confidence, (0.0, 1.0), "")
    _in_range("min_cutoff_hz", config.fusion.min_cutoff_hz, CUTOFF_RANGE_HZ, "Hz")
    _in_range("beta", config.fusion.beta, BETA_RANGE, "")
    check_duration(config.duration_s)
    for camera in config.camera:
        _check_camera(camera)
    _check_phones(config)
    _check_pace(config)
    _check_rig(config)
    if config.detector.model not in MODELS and not Path(config.detector.model).is_file():
        raise UsageError(
            f"There is no detector model {config.detector.model!r}.", f"Use {', '.join(MODELS)} or the path of a .task."
        )
    if config.fusion.weights:
        check_is_graph(Path(config.fusion.weights))
    if config.stream != StreamConfig():
        _check_stream(config.stream, config.people)
    if config.save and (path := Path(config.save)).suffix != ".npz":
        raise UsageError(f"Poses are saved as .npz; got {path}.", f"Try --save {path.with_suffix('.npz')}.")
    if config.record:
        check_record(Path(config.record))
    elif config.video:
        raise UsageError("--video needs a recording.", "Add --record take.mcap.")


def check_record(path: Path) -> None:
    """Checks the name of a session file; `outputs.check_session` checks whether it can be written.

    Raises:
        UsageError: The suffix is not .mcap.
    """
    if path.suffix != ".mcap":
        raise UsageError(f"Sessions are saved as .mcap; got {path}.", f"Try {path.with_suffix('.mcap')}.")


def check_duration(duration_s: float | None) -> None:
    """Checks a duration.

    Raises:
        UsageError: It is not positive and finite.
    """
    if duration_s is not None and not (duration_s > 0 and math.isfinite(duration_s)):
        raise UsageError(f"The duration must be positive; got {duration_s:g} s.", "Use for example --duration 30.")


def _check_stream(stream: StreamConfig, people: int) -> None:
    from pose_rig.humanoid.predict import MAX_LEAD_MS
    from pose_rig.humanoid.vrm import load_vrm
    from pose_rig.streaming.outputs import targeted_people  # brings WebSockets

    _in_range("stream rate", stream.rate_hz, STREAM_RATE_RANGE_HZ, "Hz")
    if stream.lead != "auto":
        _in_range("lead", stream.lead, (0.0, MAX_LEAD_MS), "ms")
    if unknown := {number for person in targeted_people(stream) if (number := person + 1) > people}:
        raise UsageError(
            f"There is a target of person {min(unknown)}, but {_people_are(people)} tracked.",
            f"Add --people {max(unknown)}.",
        )
    if stream.avatar:
        load_vrm(Path(stream.avatar))


def _check_camera(camera: CameraConfig) -> None:
    _in_range(f"repeat of {camera.name}", camera.repeat, REPEAT_RANGE, "times")
    _in_range(f"frame rate (fps) of {camera.name}", camera.fps, FPS_RANGE, "Hz")
    _in_range(f"focal length of {camera.name}", camera.focal_px, FOCAL_RANGE_PX, "px")
    _in_range(f"time offset (offset_ms) of {camera.name}", camera.offset_ms, OFFSET_RANGE_MS, "ms")
    for side in camera.size_px or ():
        _in_range(f"side of the image (size_px) of {camera.name}", side, SIDE_RANGE_PX, "px")
    for coordinate in camera.principal_point_px or ():
        _in_range(f"principal point (principal_point_px) of {camera.name}", coordinate, POINT_RANGE_PX, "px")
    for coefficient in camera.distortion:
        _in_range(f"coefficient of distortion of {camera.name}", coefficient, COEFFICIENT_RANGE, "")
    check_lens(camera)
    if is_remote(camera):
        _check_remote(camera)


def _check_remote(camera: CameraConfig) -> None:
    if camera.source != f"remote:{camera.name}":
        raise UsageError(
            f"{camera.source[:80]!r} does not name a remote camera of its own.",
            "Write remote:NAME with letters, digits, . _ and -, every name once, as in `pose-rig camera --name`.",
        )
    plain = CameraConfig(source="")
    if given := [key for key in SET_REMOTELY if getattr(camera, key) != getattr(plain, key)]:
        raise UsageError(
            f"{given[0]} of {camera.name} cannot be set here: it is a camera of another machine.",
            "Leave it out; `pose-rig camera --help` has the options for that machine.",
        )


def check_lens(camera: CameraConfig) -> None:
    """Checks that the lens of a camera is complete.

    Raises:
        UsageError: There are too many coefficients, or no focal length, which they belong to.
    """
    most = 4 if camera.fisheye else COEFFICIENTS
    if len(camera.distortion) > most:
        raise UsageError(
            f"{camera.name} has {len(camera.distortion)} distortion coefficients; "
            f"{'a fisheye' if camera.fisheye else 'a perspective'} lens has {most}.",
            "Give k1, k2, k3, k4 and fisheye = true, or k1, k2, p1, p2, k3.",
        )
    if (camera.distortion or camera.fisheye) and camera.focal_px is None:
        raise UsageError(
            f"{camera.name} has a distortion without a focal length, on which it depends.",
            "Give focal_px of the same calibration, or neither: both are then estimated.",
        )


def _check_heights(config: Config) -> None:
    for height_m in (config.height_m, *config.other_heights_m):
        _check_height(height_m)
    given = 1 + len(config.other_heights_m)
    if config.other_heights_m and given > config.people:
        raise UsageError(
            f"{given} body heights are given, but {_people_are(config.people)} tracked.",
            f"Add --people {given}, or give fewer heights.",
        )
    if config.other_heights_m and config.height_m is None:
        raise UsageError("The body height of the first person is missing.", "Give height_m with other_heights_m.")


def _people_are(people: int) -> str:
    return "one person is" if people == 1 else f"{people} people are"


def _check_height(height_m: float | None) -> None:
    low, high = HEIGHT_RANGE_M
    if height_m is None or low <= height_m <= high:  # NaN is not
        return
    meant = f"{height_m:g} may be centimetres: --height {height_m / 100:g}" if low <= height_m / 100 <= high else ""
    raise UsageError(
        f"A height of {height_m:g} m is out of range.",
        f"Give it in metres, {low:g} to {high:g}: {meant or 'a person of 182 cm is --height 1.82'}.",
    )


def _in_range(name: str, value: float | None, limits: tuple[float, float], unit: str) -> None:
    low, high = limits
    if value is not None and not low <= value <= high:  # NaN fails as well
        raise UsageError(f"A {name} of {value:g} {unit}".rstrip() + " is out of range.", f"Use {low:g} to {high:g}.")


def _check_phones(config: Config) -> None:
    _in_range("number of phones", config.phones, (0, MAX_CAMERAS), "")
    _in_range("web port", config.web_port, WEB_PORT_RANGE, "")
    if len(config.camera) > MAX_CAMERAS:
        raise UsageError(
            f"A rig has 1 to {MAX_CAMERAS} cameras; got {len(config.camera)} with its phones.", "Add fewer phones."
        )


def _check_pace(config: Config) -> None:
    live = [camera.name for camera in config.camera if source_kind(camera.source) in ("webcam", "phone", "remote")]
    if config.passes == 2 and live:
        raise UsageError(f"{live[0]} is live and has no second pass.", "Leave --passes out, or give files.")
    if config.passes == 2 and config.pace != "all":
        raise UsageError("Two passes need every frame; pace `realtime` skips frames.", "Add --pace all.")
    if config.pace == "all" and live:
        raise UsageError(f"{live[0]} is live; pace `all` reads every frame of files.", "Leave --pace out.")


def _check_rig(config: Config) -> None:
    path = Path(config.rig)
    if config.rig and not path.is_file() and (path.suffix != ".toml" or not is_writable(path)):
        raise UsageError(
            f"Cannot save a rig to {path}.", "Give a .toml in a folder that exists and is writable: --rig rig.toml."
        )
    for camera in config.camera:
        if camera.solved:
            check_solved(camera.name, camera.solved)
