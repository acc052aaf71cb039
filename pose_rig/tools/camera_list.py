"""From what the user typed after ``--cams`` to named cameras, each known to make sense before anything is started."""

import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from pose_rig.config import CameraConfig, Config, load
from pose_rig.errors import UsageError

if TYPE_CHECKING:
    from pose_rig.capture.open import Kind

RESERVED = "fusion"  # the fusion worker's name
MOST_CAMERAS = 16  # a typo such as sim:1000 must not start a thousand processes
_FORMS = (
    "Give an index (0), a device path or name, a URL, a video file, a keypoint file (.npz), sim:4, or one rig.toml."
)


def kind_of(source: str) -> "Kind":
    """Returns what a source is, by its spelling; a file need not exist."""
    from pose_rig.capture import open as opening  # brings OpenCV, which fusion's process has no use for

    return opening.kind_of(source)


def ends_by_itself(camera: CameraConfig) -> bool:
    """Returns whether a camera is a recording or simulated: it ends, and cannot mend as a device or stream may."""
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
        SourceError: A camera is not plugged in, or a keypoint file is not sound.
    """
    if cams.strip().lower().endswith(".toml"):
        path = Path(cams.strip())
        config = load(path)
        entries = [_beside(path, camera) for camera in config.camera]
    else:
        config = Config()
        entries = [_entry(item.strip()) for item in cams.split(",")]
    cameras = _named(entries)
    return msgspec.structs.replace(config, camera=cameras)


def check_readable(config: Config) -> None:
    """Opens every video file and closes it again, so that a run fails before anything is started.

    Raises:
        SourceError: A file is not a video.
    """
    from pose_rig.capture.open import open_source

    for camera in config.camera:
        if kind_of(camera.source) == "video":
            open_source(camera, config.pace, lambda: 0).close()


def _entry(item: str) -> CameraConfig:
    """Returns one item of the list as if it stood in a rig.toml."""
    if not item:
        raise UsageError("--cams has an empty item.", _FORMS)
    if item.lower().endswith(".toml"):
        raise UsageError(f"{item} stands among other cameras.", "A rig.toml describes the whole rig: give it alone.")
    if match := re.fullmatch(r"sim:(\d{1,4})", item):
        return CameraConfig(source="sim", members=int(match[1]))
    return CameraConfig(source=item)


def _beside(toml: Path, camera: CameraConfig) -> CameraConfig:
    """Returns a camera whose file, if it has one, is found from the folder of the rig.toml."""
    if kind_of(camera.source) not in ("keypoints", "video"):
        return camera
    return msgspec.structs.replace(camera, source=str(toml.parent / camera.source))


def _members(entry: CameraConfig) -> tuple[CameraConfig, ...]:
    """Returns the cameras behind one entry: several for simulated rigs and for keypoint files."""
    from pose_rig.capture.open import expand

    if kind_of(entry.source) in ("keypoints", "video") and not Path(entry.source).is_file():
        raise UsageError(f"There is no file {entry.source}.", f"Check the path. {_FORMS}")
    return expand(entry)


def _named(entries: list[CameraConfig]) -> tuple[CameraConfig, ...]:
    """Returns the cameras of all entries with unique names; names that the rig.toml gives stay as they are."""
    given = [entry.name for entry in entries if entry.name]
    taken = [RESERVED, *given]
    for name in given:
        if name != _clean(name):
            raise UsageError(f"{name!r} is no camera name.", f"Try {_clean(name)!r}: letters, digits, . _ and -.")
        if taken.count(name) > 1:
            raise UsageError(f"The camera name {name!r} is taken.", "Give every camera a name of its own.")
    named = []
    for entry in entries:
        members = _members(entry)
        for camera in members:
            own = entry.name if len(members) == 1 else ""
            name = own or _unique(_clean(camera.name or _derived(camera.source)), taken)
            taken.append(name)
            named.append(msgspec.structs.replace(camera, name=name))
    if not 1 <= len(named) <= MOST_CAMERAS:
        raise UsageError(f"These are {len(named)} cameras.", f"A rig has 1 to {MOST_CAMERAS}. {_FORMS}")
    return tuple(named)


def _unique(name: str, taken: list[str]) -> str:
    numbered = (f"{name}-{count}" for count in itertools.count(2))
    return name if name not in taken else next(other for other in numbered if other not in taken)


def _derived(source: str) -> str:
    if kind_of(source) == "url":
        return urlsplit(source).hostname or "stream"  # never its user and password
    return Path(source).stem


def _clean(text: str) -> str:
    """Returns text as a camera name, which is part of a topic: letters, digits and ``. _ -``."""
    return re.sub(r"[^\w.-]+", "_", text.strip(), flags=re.ASCII)[:40] or "camera"
