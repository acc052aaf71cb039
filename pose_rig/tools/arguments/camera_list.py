"""From what the user typed after ``--cams`` to named cameras, each known to make sense before anything is started."""

import itertools
import os
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from pose_rig.config import MOST_CAMERAS, CameraConfig, Config, load
from pose_rig.errors import SourceError, UsageError
from pose_rig.names import as_name
from pose_rig.redaction import redacted
from pose_rig.tools.arguments import file_kinds
from pose_rig.tools.arguments.inputs import CAMS, check_input
from pose_rig.tools.arguments.lists import listed
from pose_rig.tools.arguments.source_list import sources
from pose_rig.wire.services import RESERVED_NAMES

if TYPE_CHECKING:
    from pose_rig.capture.source_factory import Kind

MOTION_JPEG = (".mjpeg", ".mjpg")  # begins as a single JPEG does
_FORMS = (
    "Give an index (0), a device path or name, a URL, a video file, a folder of videos, a keypoint file (.npz), sim:4, "
    "or one rig.toml."
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of ``--cams``, or one ``[[camera]]`` of a rig.toml.

    Attributes:
        camera: What stands there.
        single: Whether it picks one camera of its source; otherwise it stands for all of them.
    """

    camera: CameraConfig
    single: bool = False


def source_kind(source: str) -> "Kind":
    """Returns what a source is, by its spelling; a file need not exist."""
    from pose_rig.capture import source_factory as opening  # brings OpenCV, which fusion's process has no use for

    return opening.source_kind(source)


def ends_by_itself(camera: CameraConfig) -> bool:
    """Returns whether a camera is a recording or simulated: it ends, and cannot mend as a device or stream may."""
    return source_kind(camera.source) in ("sim", "keypoints", "video")


def needs_detector(camera: CameraConfig) -> bool:
    """Returns whether a camera gives pixels; the others bring their own keypoints."""
    return source_kind(camera.source) not in ("sim", "keypoints")


def config_of(*cams: str) -> Config:
    """Returns the rig that ``--cams`` means, its cameras named.

    Args:
        cams: Sources, joined by commas or one by one, or the path of one rig.toml.

    Raises:
        UsageError: A source makes no sense, a file does not exist, or two cameras share a name.
        SourceError: A camera is not plugged in, or a keypoint file is not sound.
    """
    items = sources(cams)
    if len(items) == 1 and items[0].lower().endswith(".toml"):
        path = Path(items[0])
        if path.exists():
            check_input(path, CAMS)
        config = load(path)
        config = msgspec.structs.replace(config, rig=str(path.parent / config.rig if config.rig else path))
        entries = _entries(path, config)
    else:
        config = Config()
        entries = [_entry(item) for item in items]
    cameras = tuple(itertools.chain.from_iterable(_named(entries)))
    if not 1 <= len(cameras) <= MOST_CAMERAS:
        raise UsageError(f"These are {len(cameras)} cameras.", f"A rig has 1 to {MOST_CAMERAS}. {_FORMS}")
    return msgspec.structs.replace(config, camera=cameras)


def cameras_in(path: Path) -> list[tuple[CameraConfig, ...]]:
    """Returns the cameras behind every ``[[camera]]`` of a rig.toml, named; one that is not there stands for itself.

    Raises:
        UsageError: The file is not a rig.toml, or two of its cameras share a name.
    """
    return _named(_entries(path, load(path)), absent_too=True)


def named_cameras(cameras: Iterable[CameraConfig]) -> tuple[CameraConfig, ...]:
    """Returns cameras under names that are unique and may be part of a topic."""
    taken, named = list(RESERVED_NAMES), []
    for camera in cameras:
        taken.append(unique(as_name(camera.name or derived_name(camera.source)), taken))
        named.append(msgspec.structs.replace(camera, name=taken[-1]))
    return tuple(named)


def mark_moving(cameras: tuple[CameraConfig, ...], *moving: str) -> tuple[CameraConfig, ...]:
    """Returns the cameras, those that ``--moving`` means marked and no others.

    Args:
        cameras: All of them, named.
        moving: Names or numbers in the list, from 0, joined by commas or one by one; or ``all``.

    Raises:
        UsageError: There is no such camera.
    """
    items = listed(moving)
    if items == ("all",):
        return tuple(msgspec.structs.replace(camera, moving=True) for camera in cameras)
    names = [camera.name for camera in cameras]
    meant = set()
    for item in items:
        if item not in names and not (item.isdecimal() and int(item) < len(names)):
            known = ", ".join(f"{number} {name}" for number, name in enumerate(names))
            raise UsageError(f"There is no camera {item!r} that could move.", f"Name some of: {known}; or all.")
        meant.add(item if item in names else names[int(item)])
    return tuple(msgspec.structs.replace(camera, moving=camera.name in meant) for camera in cameras)


def without_passwords(config: Config) -> Config:
    """Returns a configuration as it may be shown and kept."""
    cameras = tuple(msgspec.structs.replace(c, source=redacted(c.source)) for c in config.camera)
    return msgspec.structs.replace(config, camera=cameras)


def check_readable(config: Config) -> None:
    """Opens every video file and closes it again, so that a run fails before anything is started.

    Raises:
        SourceError: A file is not a video.
    """
    from pose_rig.capture.source_factory import open_source

    for camera in config.camera:
        if source_kind(camera.source) == "video":
            open_source(camera, config.pace, lambda: 0).close()


def _entries(path: Path, config: Config) -> list[Entry]:
    """Returns the entries of a rig.toml; one that says which ``member`` it is picks that camera only."""
    written = tomllib.loads(path.read_text("utf-8-sig")).get("camera", ())
    return [Entry(_beside(path, camera), "member" in text) for camera, text in zip(config.camera, written, strict=True)]


def _entry(item: str) -> Entry:
    """Returns one item of the list as if it stood in a rig.toml."""
    if not item:
        raise UsageError(
            "--cams has an empty item.", f"Names with spaces need quotes, and no space stands beside a comma. {_FORMS}"
        )
    if item.lower().endswith(".toml"):
        raise UsageError(f"{item} stands among other cameras.", "A rig.toml describes the whole rig: give it alone.")
    if match := re.fullmatch(r"sim:(\d{1,4})", item):
        return Entry(CameraConfig(source="sim", members=int(match[1])))
    return Entry(CameraConfig(source=item))


def _beside(toml: Path, camera: CameraConfig) -> CameraConfig:
    """Returns a camera whose file, if it has one, is found from the folder of the rig.toml."""
    if source_kind(camera.source) not in ("keypoints", "video"):
        return camera
    return msgspec.structs.replace(camera, source=str(toml.parent / os.path.expanduser(camera.source)))


def _members(entry: Entry, *, absent_too: bool) -> tuple[CameraConfig, ...]:
    """Returns the cameras behind one entry: several for simulated rigs and for keypoint files."""
    from pose_rig.capture.source_factory import expand

    camera = entry.camera
    try:
        if source_kind(camera.source) in ("keypoints", "video"):
            _check_file(Path(camera.source))
        members = expand(camera)
    except (SourceError, UsageError):
        if absent_too:
            return (camera,)
        raise
    if entry.single:
        if not 0 <= camera.member < len(members):
            raise UsageError(f"{camera.source} has no camera {camera.member}.", f"It has 0 to {len(members) - 1}.")
        return (members[camera.member],)
    if len(members) > 1 and camera.solved:
        raise UsageError(
            f"{camera.source} stands for {len(members)} cameras, and one `solved` place is given.",
            "Remove it; the rig finds all of them anew.",
        )
    return members


def _check_file(path: Path) -> None:
    """Checks that a file may be a camera's; a video may look like anything that is not known to be something else.

    Raises:
        UsageError: It is not there, or is something else.
    """
    kind = file_kinds.file_kind(path)
    if kind is file_kinds.MISSING:
        raise UsageError(f"There is no file {path}.", f"Check the path. {_FORMS}")
    if kind is file_kinds.IMAGE and path.suffix.lower() in MOTION_JPEG:
        return
    check_input(path, CAMS)


def _named(entries: list[Entry], *, absent_too: bool = False) -> list[tuple[CameraConfig, ...]]:
    """Returns the cameras of every entry with unique names; names that the rig.toml gives stay as they are."""
    given = [entry.camera.name for entry in entries if entry.camera.name]
    taken = [*RESERVED_NAMES, *given]
    for name in given:
        if name != as_name(name):
            raise UsageError(f"{name[:80]!r} is no camera name.", f"Try {as_name(name)!r}: letters, digits, . _ and -.")
        if taken.count(name) > 1:
            raise UsageError(f"The camera name {name!r} is taken.", "Give every camera a name of its own.")
    named = []
    for entry in entries:
        members = _members(entry, absent_too=absent_too)
        names = []
        for camera in members:
            own = entry.camera.name if len(members) == 1 else ""
            names.append(own or unique(as_name(camera.name or derived_name(camera.source)), taken))
            taken.append(names[-1])
        named.append(tuple(msgspec.structs.replace(c, name=name) for c, name in zip(members, names, strict=True)))
    return named


def unique(name: str, taken: list[str]) -> str:
    """Returns a name, numbered if it is taken."""
    numbered = (f"{name}-{count}" for count in itertools.count(2))
    return name if name not in taken else next(other for other in numbered if other not in taken)


def derived_name(source: str) -> str:
    """Returns what a camera is called if nobody named it."""
    if source_kind(source) == "url":
        try:
            return urlsplit(redacted(source)).hostname or "stream"
        except ValueError:  # no address at all, which opening it will tell
            return "stream"
    return Path(source).stem
