"""From what the user typed after ``--cams`` to named cameras, each known to make sense before anything is started."""

import itertools
import re
import zipfile
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec
import numpy as np

from pose_rig.config import CameraConfig, Config, load
from pose_rig.errors import UsageError

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
        cameras = tuple(_beside(path, camera) for camera in config.camera)
    else:
        config = Config()
        cameras = tuple(camera for item in cams.split(",") for camera in _expand(item.strip()))
    if not 1 <= len(cameras) <= MOST_CAMERAS:
        raise UsageError(f"{cams!r} names {len(cameras)} cameras.", f"A rig has 1 to {MOST_CAMERAS}. {_FORMS}")
    for camera in cameras:
        _check(camera)
    return msgspec.structs.replace(config, camera=_named(cameras))


def _expand(item: str) -> list[CameraConfig]:
    """Returns the cameras behind one item: several for ``sim:4`` and for keypoint files."""
    if not item:
        raise UsageError("--cams has an empty item.", _FORMS)
    if match := re.fullmatch(r"sim(?::(\d{1,4}))?", item):
        count = int(match[1] or 1)
        return [CameraConfig(source="sim", member=i, members=count) for i in range(count)]
    if item.lower().endswith(".toml"):
        raise UsageError(f"{item} stands among other cameras.", "A rig.toml describes the whole rig: give it alone.")
    if kind_of(item) == "keypoints":
        return [CameraConfig(source=item, member=i) for i in range(len(_keypoint_cameras(Path(item))))]
    return [CameraConfig(source=item)]


def _beside(toml: Path, camera: CameraConfig) -> CameraConfig:
    """Returns a camera whose file, if it has one, is found from the folder of the rig.toml."""
    if kind_of(camera.source) not in ("keypoints", "video"):
        return camera
    return msgspec.structs.replace(camera, source=str(toml.parent / camera.source))


def _check(camera: CameraConfig) -> None:
    kind = kind_of(camera.source)
    if kind in ("keypoints", "video") and not Path(camera.source).is_file():
        raise UsageError(f"There is no file {camera.source}.", f"Check the path. {_FORMS}")
    if kind == "keypoints":
        count = len(_keypoint_cameras(Path(camera.source)))
        if not 0 <= camera.member < count:
            raise UsageError(f"{camera.source} has no camera {camera.member}.", f"It has {count}, from 0.")
    if camera.name and camera.name != _clean(camera.name):
        raise UsageError(f"{camera.name!r} is no camera name.", f"Try {_clean(camera.name)!r}: letters, digits, . _ -")


def _keypoint_cameras(path: Path) -> list[str]:
    """Returns the names of the cameras in a keypoint file (interchange format "2D in")."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            count = content["xy"].shape[0]
            names = [str(name) for name in content["cameras"]] if "cameras" in content else []
    except OSError as error:
        raise UsageError(f"There is no readable file {path}: {error.strerror or error}.", "Check the path.") from error
    except (KeyError, IndexError, ValueError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(
            f"{path} is not a keypoint file: {error}.", "docs/cameras.md says what such a file holds."
        ) from error
    if names and len(names) != count:
        raise UsageError(f"{path} names {len(names)} cameras but holds {count}.", "Mend its `cameras` array.")
    return names or [f"{path.stem}{i}" for i in range(count)]


def _named(cameras: tuple[CameraConfig, ...]) -> tuple[CameraConfig, ...]:
    """Returns the cameras with unique names; names that were given stay as they are."""
    taken = [RESERVED, *(camera.name for camera in cameras if camera.name)]
    for name in taken:
        if taken.count(name) > 1:
            raise UsageError(f"The camera name {name!r} is taken.", "Give every camera a name of its own.")
    named = []
    for camera in cameras:
        name = camera.name or _unique(_derived(camera), taken)
        taken.append(name)
        named.append(msgspec.structs.replace(camera, name=name))
    return tuple(named)


def _unique(name: str, taken: list[str]) -> str:
    numbered = (f"{name}-{count}" for count in itertools.count(2))
    return name if name not in taken else next(other for other in numbered if other not in taken)


def _derived(camera: CameraConfig) -> str:
    source = camera.source
    match kind_of(source):
        case "index":
            return f"cam{source}"
        case "sim":
            return f"sim{camera.member}"
        case "url":
            return _clean(urlsplit(source).hostname or "stream")
        case "device" | "video":
            return _clean(Path(source).stem)
        case "keypoints":
            return _clean(_keypoint_cameras(Path(source))[camera.member])
        case "name":
            return _clean(source)


def _clean(text: str) -> str:
    """Returns text as a camera name, which is part of a topic: letters, digits and ``. _ -``."""
    return re.sub(r"[^\w.-]+", "_", text.strip(), flags=re.ASCII)[:40] or "camera"
