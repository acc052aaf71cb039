"""From what the user typed after ``--cams`` to named cameras, each known to make sense before anything is started."""

import itertools
import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from pose_rig.capture.keypoint_file import Keypoints
from pose_rig.capture.keypoint_file import load as load_keypoints
from pose_rig.config import CameraConfig, Config, load
from pose_rig.errors import UsageError

Proposal = tuple[CameraConfig, str]  # a camera, and a name in case it has none
Kind = Literal["sim", "index", "url", "device", "keypoints", "video", "name"]
RESERVED = "fusion"  # the fusion worker's name
MOST_CAMERAS = 16  # a typo such as sim:1000 must not start a thousand processes
_FORMS = (
    "Give an index (0), a device path, a device name, a URL, a video file, a keypoint file (.npz), sim:4 or rig.toml."
)


def kind_of(source: str) -> Kind:
    """Returns what a source is, by its spelling alone."""
    if source == "sim":
        return "sim"
    if source.isdecimal():
        return "index"
    if "://" in source:
        return "url"
    if source.startswith("/dev/"):
        return "device"
    if source.lower().endswith(".npz"):
        return "keypoints"
    if re.search(r"[/\\]|\.\w{2,4}$", source) or Path(source).is_file():
        return "video"
    return "name"


def reads_file(camera: CameraConfig) -> bool:
    """Returns whether a camera has an end and cannot mend itself, unlike a device or a stream."""
    return kind_of(camera.source) in ("sim", "keypoints", "video")


def needs_detector(camera: CameraConfig) -> bool:
    """Returns whether a camera gives pixels; the others bring their own keypoints."""
    return kind_of(camera.source) not in ("sim", "keypoints")


def config_of(cams: str) -> Config:
    """Returns the rig that ``--cams`` means, its cameras named.

    Args:
        cams: Sources joined by commas, or the path of one rig.toml.

    Raises:
        UsageError: A source makes no sense, a file does not exist, or two cameras share a name.
    """
    if cams.strip().lower().endswith(".toml"):
        path = Path(cams.strip())
        config = load(path)
        proposals = [_proposal(_beside(path, camera)) for camera in config.camera]
    else:
        config = Config()
        proposals = [proposal for item in cams.split(",") for proposal in _expand(item.strip())]
    if not 1 <= len(proposals) <= MOST_CAMERAS:
        raise UsageError(f"{cams!r} names {len(proposals)} cameras.", f"A rig has 1 to {MOST_CAMERAS}. {_FORMS}")
    return msgspec.structs.replace(config, camera=_named(proposals))


def _expand(item: str) -> list[Proposal]:
    """Returns the cameras behind one item: several for ``sim:4`` and for keypoint files."""
    if not item:
        raise UsageError("--cams has an empty item.", _FORMS)
    if match := re.fullmatch(r"sim(?::(\d{1,4}))?", item):
        count = int(match[1] or 1)
        return [_proposal(CameraConfig(source="sim", member=i, members=count)) for i in range(count)]
    if item.lower().endswith(".toml"):
        raise UsageError(f"{item} stands among other cameras.", "A rig.toml describes the whole rig: give it alone.")
    if kind_of(item) != "keypoints":
        return [_proposal(CameraConfig(source=item))]
    keypoints = _keypoints(item)
    return [_member(CameraConfig(source=item, member=i), keypoints) for i in range(len(keypoints.cameras))]


def _beside(toml: Path, camera: CameraConfig) -> CameraConfig:
    """Returns a camera whose file, if it has one, is found from the folder of the rig.toml."""
    if kind_of(camera.source) not in ("keypoints", "video"):
        return camera
    return msgspec.structs.replace(camera, source=str(toml.parent / camera.source))


def _proposal(camera: CameraConfig) -> Proposal:
    """Returns a camera that has passed the door, with a name for it."""
    source = camera.source
    match kind_of(source):
        case "index":
            return camera, f"cam{source}"
        case "sim":
            return camera, f"sim{camera.member}"
        case "url":
            return camera, _clean(urlsplit(source).hostname or "stream")
        case "device":
            return camera, _clean(Path(source).name)
        case "name":
            return camera, _clean(source)
        case "video":
            _check_file(source)
            return camera, _clean(Path(source).stem)
        case "keypoints":
            return _member(camera, _keypoints(source))


def _keypoints(source: str) -> Keypoints:
    _check_file(source)
    return load_keypoints(Path(source))


def _member(camera: CameraConfig, keypoints: Keypoints) -> Proposal:
    """Returns one camera of a keypoint file, with the name and focal length that the file gives it."""
    count = len(keypoints.cameras)
    if not 0 <= camera.member < count:
        raise UsageError(f"{camera.source} has no camera {camera.member}.", f"It has {count}, numbered from 0.")
    name = keypoints.cameras[camera.member] or f"{Path(camera.source).stem}{camera.member}"
    focal_px = camera.focal_px or keypoints.focal_px[camera.member]
    return msgspec.structs.replace(camera, focal_px=focal_px), _clean(name)


def _check_file(source: str) -> None:
    if not Path(source).is_file():
        raise UsageError(f"There is no file {source}.", f"Check the path. {_FORMS}")


def _named(proposals: list[Proposal]) -> tuple[CameraConfig, ...]:
    """Returns the cameras with unique names; names that the rig.toml gives stay as they are."""
    given = [camera.name for camera, _ in proposals if camera.name]
    taken = [RESERVED, *given]
    for name in given:
        if name != _clean(name):
            raise UsageError(f"{name!r} is no camera name.", f"Try {_clean(name)!r}: letters, digits, . _ and -.")
        if taken.count(name) > 1:
            raise UsageError(f"The camera name {name!r} is taken.", "Give every camera a name of its own.")
    named = []
    for camera, proposed in proposals:
        name = camera.name or _unique(proposed, taken)
        taken.append(name)
        named.append(msgspec.structs.replace(camera, name=name))
    return tuple(named)


def _unique(name: str, taken: list[str]) -> str:
    numbered = (f"{name}-{count}" for count in itertools.count(2))
    return name if name not in taken else next(other for other in numbered if other not in taken)


def _clean(text: str) -> str:
    """Returns text as a camera name, which is part of a topic: letters, digits and ``. _ -``."""
    return re.sub(r"[^\w.-]+", "_", text.strip(), flags=re.ASCII)[:40] or "camera"
