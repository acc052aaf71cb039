"""Creates the `Source` of a configured camera."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import cv2
import msgspec

from pose_rig.capture import keypoint_file
from pose_rig.capture.connected_cameras import WINDOWS_DEVICE_PREFIX, find_camera
from pose_rig.capture.live_source import LiveSource
from pose_rig.capture.mirror import UnmirroredSource
from pose_rig.capture.phone import PhoneInput, PhoneSource
from pose_rig.capture.recording import PacedSource, Recording
from pose_rig.capture.simulated import SimulatedCamera
from pose_rig.capture.source import Source, SourceInfo
from pose_rig.capture.video_capture import OpenDevice, open_device, open_ffmpeg, size_px
from pose_rig.capture.video_file import VideoFile, check_file
from pose_rig.capture.webcam import open_webcam
from pose_rig.config import PHONE, CameraConfig, Pace
from pose_rig.errors import UsageError
from pose_rig.redaction import redacted
from pose_rig.wire.jobs import SYSTEM_CLOCK, WallClock

MAX_SIMULATED = 10_000  # bounds the time and memory of `expand`
Kind = Literal["sim", "keypoints", "url", "video", "webcam", "phone", "remote"]
REMOTE_PREFIX = "remote:"  # followed by the name of a camera of another machine
VIDEO_SUFFIXES = frozenset({
    ".3gp", ".avi", ".flv", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv",
    ".ts", ".webm", ".wmv",
})  # fmt: skip


def source_kind(source: str) -> Kind:
    """Returns the kind of a source; a file need not exist."""
    if source == "sim":
        return "sim"
    if source == PHONE:
        return "phone"
    if source.startswith(REMOTE_PREFIX):
        return "remote"
    if source.lower().endswith(".npz"):
        return "keypoints"
    if "://" in source:
        return "url"
    if source.isdecimal() or source.startswith(("/dev/", WINDOWS_DEVICE_PREFIX)):
        return "webcam"
    path = Path(source)
    if path.suffix.lower() in VIDEO_SUFFIXES or len(path.parts) > 1 or path.is_file():
        return "video"
    return "webcam"


def expand(camera: CameraConfig) -> tuple[CameraConfig, ...]:
    """Returns the cameras of one configured entry, in a form that identifies them after a restart.

    A keypoint file or the simulated rig becomes all its members, with names and focal lengths from the file. The index
    of a webcam becomes its identity. Other entries are returned unchanged.

    Raises:
        SourceError: There is no such camera, or the keypoint file is invalid; names the key.
        UsageError: There would be too many simulated cameras.
    """
    kind = source_kind(camera.source)
    if kind == "remote":
        return (msgspec.structs.replace(camera, name=camera.name or camera.source.removeprefix(REMOTE_PREFIX)),)
    if kind == "webcam":
        found = find_camera(camera.source)
        name = camera.name or f"cam{found.index}"
        return (msgspec.structs.replace(camera, source=found.identity, name=name),)
    if kind == "sim":
        if camera.members > MAX_SIMULATED:
            raise UsageError(f"A simulated rig of {camera.members} cameras is too large.", "Give fewer members.")
        name = camera.name or "sim"
        return tuple(
            msgspec.structs.replace(camera, name=_numbered(name, member), member=member)
            for member in range(camera.members)
        )
    if kind == "keypoints":
        keypoints = keypoint_file.load(Path(camera.source))
        stem = camera.name or Path(camera.source).stem
        return tuple(
            msgspec.structs.replace(
                camera,
                name=name or _numbered(stem, member),
                member=member,
                members=len(keypoints.cameras),
                focal_px=camera.focal_px or focal_px,
            )
            for member, (name, focal_px) in enumerate(zip(keypoints.cameras, keypoints.focal_px, strict=True))
        )
    return (camera,)


def _numbered(name: str, member: int) -> str:
    """Returns the name of a member; after a digit the number is separated by a hyphen."""
    return f"{name}-{member}" if name[-1:].isdigit() else f"{name}{member}"


def open_source(
    camera: CameraConfig,
    pace: Pace,
    start: Callable[[], int],
    clock: WallClock = SYSTEM_CLOCK,
    open_device: OpenDevice = open_device,
    phones: PhoneInput | None = None,
) -> Source:
    """Returns the opened source.

    Args:
        camera: The camera.
        pace: As in `pose_rig.config.Config`.
        start: Returns the start time of the rig (monotonic ns), 0 until it is known; recordings wait for it.
        clock: By which frames are timed.
        open_device: Opens the capture device.
        phones: Where the images of phones come from; None = there are none.

    Raises:
        SourceError: The source cannot be opened.
        UsageError: A live camera cannot be read with pace ``all``, or there are no phones here.
    """
    source = _phone(camera, phones) if camera.source == PHONE else _opened(camera, pace, start, clock, open_device)
    return UnmirroredSource(source) if camera.mirror else source


def _phone(camera: CameraConfig, phones: PhoneInput | None) -> PhoneSource:
    if phones is None:
        raise UsageError("Phones are cameras of a live run only.", "Use `pose-rig run --phones 3`.")
    return PhoneSource(camera, phones)


def _opened(
    camera: CameraConfig, pace: Pace, start: Callable[[], int], clock: WallClock, open_device: OpenDevice
) -> Source:
    kind = source_kind(camera.source)
    opened: LiveSource | Recording
    if kind == "remote":
        raise UsageError(f"{camera.source} is opened on its own machine.", "There: pose-rig camera --cam 0 --to HOST.")
    if kind == "webcam":
        opened = open_webcam(camera, find_camera(camera.source), open_device, clock)
    elif kind == "url":
        opened = _open_url(camera, open_device, clock)
    elif kind == "sim":
        opened = SimulatedCamera(camera, endless=pace == "realtime")
    elif kind == "keypoints":
        opened = keypoint_file.KeypointTrack(Path(camera.source), camera.member)
    else:
        check_file(Path(camera.source))
        opened = VideoFile(camera, open_ffmpeg(camera.source, open_device))
    if not isinstance(opened, LiveSource):
        return PacedSource(opened, pace, start, camera.offset_ms, clock)
    if pace == "all":
        opened.close()
        raise UsageError(f"{opened.info.identity} is live and cannot be read with pace all.", "Use pace realtime.")
    return opened


def _open_url(camera: CameraConfig, open_device: OpenDevice, clock: WallClock) -> LiveSource | VideoFile:
    """Returns a live stream, or a recording if the server reports its number of frames."""
    device = open_ffmpeg(camera.source, open_device)
    if device.get(cv2.CAP_PROP_FRAME_COUNT) > 0:
        return VideoFile(camera, device)
    size, fps = size_px(device), device.get(cv2.CAP_PROP_FPS)
    detail = f"stream, {size[0]}×{size[1]} at {fps:.4g}/s"
    return LiveSource(device, SourceInfo(redacted(camera.source), detail, size, fps), clock=clock)
