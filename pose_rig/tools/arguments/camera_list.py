"""The cameras of a rig, from the values of ``--cams`` or a rig.toml: checked and named."""

import itertools
import os
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from pose_rig.config import MAX_CAMERAS, PHONE, CameraConfig, Config, load
from pose_rig.errors import SourceError, UsageError
from pose_rig.names import as_name
from pose_rig.redaction import redacted
from pose_rig.tools.arguments import file_types
from pose_rig.tools.arguments.camera_sources import source_kind, sources
from pose_rig.tools.arguments.inputs import CAMS, check_input
from pose_rig.tools.arguments.value_lists import split_values
from pose_rig.wire.services import RESERVED_NAMES

MOTION_JPEG = (".mjpeg", ".mjpg")  # has the header of a single JPEG
_FORMS = (
    "Give an index (0), a device path or name, a URL, a video file, a folder of videos, a keypoint file (.npz), sim:4, "
    "or one rig.toml."
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of ``--cams``, or one ``[[camera]]`` of a rig.toml.

    Attributes:
        camera: The camera, or all cameras of its source.
        single: Whether it selects one camera of its source.
    """

    camera: CameraConfig
    single: bool = False


def config_of(*cams: str) -> Config:
    """Returns the rig of ``--cams``, its cameras named.

    Args:
        cams: Sources, separated by commas or one by one, or the path of one rig.toml.

    Raises:
        UsageError: A source is invalid, a file does not exist, or two cameras have the same name.
        SourceError: A camera is not plugged in, or a keypoint file is invalid.
    """
    items = sources(cams)
    if len(items) == 1 and items[0].lower().endswith(".toml"):
        path = Path(items[0])
        if path.exists():
            check_input(path, CAMS)
        config = load(path)
        config = replace(config, rig=str(path.parent / config.rig if config.rig else path))
        entries = _entries(path, config)
    else:
        config = Config()
        entries = [_entry(item) for item in items]
    cameras = tuple(itertools.chain.from_iterable(_named(entries)))
    if not config.phones and not 1 <= len(cameras) <= MAX_CAMERAS:
        raise UsageError(f"A rig has 1 to {MAX_CAMERAS} cameras; got {len(cameras)}.", _FORMS)
    return replace(config, camera=cameras)


def with_phones(config: Config) -> Config:
    """Returns a rig with as many phones as it asks for, added after its other cameras named ``phone1`` and so on."""
    missing = config.phones - len(config.phone_cameras)
    taken = [*RESERVED_NAMES, *(camera.name for camera in config.camera)]
    names = (name for name in map(f"{PHONE}{{}}".format, itertools.count(1)) if name not in taken)
    added = tuple(CameraConfig(source=PHONE, name=name) for name in itertools.islice(names, max(missing, 0)))
    return replace(config, camera=(*config.camera, *added))


def cameras_in(path: Path) -> list[tuple[CameraConfig, ...]]:
    """Returns the cameras of every ``[[camera]]`` of a rig.toml, named; one that is not available as it is written.

    Raises:
        UsageError: The file is not a rig.toml, or two of its cameras have the same name.
    """
    return _named(_entries(path, load(path)), allow_missing=True)


def named_cameras(cameras: Iterable[CameraConfig]) -> tuple[CameraConfig, ...]:
    """Returns cameras with unique names that are valid in topics."""
    taken, named = list(RESERVED_NAMES), []
    for camera in cameras:
        taken.append(unique(as_name(camera.name or derived_name(camera.source)), taken))
        named.append(replace(camera, name=taken[-1]))
    return tuple(named)


def mark_moving(cameras: tuple[CameraConfig, ...], *moving: str) -> tuple[CameraConfig, ...]:
    """Returns the cameras, of which exactly those of ``--moving`` are marked as moving.

    Args:
        cameras: All cameras, named.
        moving: Names or indices from 0, separated by commas or one by one; or ``all``.

    Raises:
        UsageError: A camera is unknown.
    """
    items = split_values(moving)
    if items == ("all",):
        return tuple(replace(camera, moving=True) for camera in cameras)
    names = [camera.name for camera in cameras]
    chosen = set()
    for item in items:
        if item not in names and not (item.isdecimal() and int(item) < len(names)):
            known = ", ".join(f"{index} {name}" for index, name in enumerate(names))
            raise UsageError(f"Unknown camera {item!r} in --moving.", f"The cameras are {known}; or all.")
        chosen.add(item if item in names else names[int(item)])
    return tuple(replace(camera, moving=camera.name in chosen) for camera in cameras)


def without_passwords(config: Config) -> Config:
    """Returns a configuration that may be displayed and stored."""
    cameras = tuple(replace(camera, source=redacted(camera.source)) for camera in config.camera)
    return replace(config, camera=cameras, stream=replace(config.stream, token=""))


def check_readable(config: Config) -> None:
    """Opens and closes every video file, so that a damaged one is found before a worker starts.

    Raises:
        SourceError: A file is not a video.
    """
    from pose_rig.capture.source_factory import open_source

    for camera in config.camera:
        if source_kind(camera.source) == "video":
            open_source(camera, config.pace, lambda: 0).close()


def _entries(path: Path, config: Config) -> list[Entry]:
    """Returns the entries of a rig.toml; one with a key ``member`` selects that camera only."""
    written = tomllib.loads(path.read_text("utf-8-sig")).get("camera", ())
    return [
        Entry(_relative_to(path, camera), "member" in table)
        for camera, table in zip(config.camera, written, strict=True)
    ]


def _entry(item: str) -> Entry:
    """Returns the entry of one item of ``--cams``."""
    if not item:
        raise UsageError(
            "--cams has an empty item.", f"Quote names with spaces, and write no space next to a comma. {_FORMS}"
        )
    if item.lower().endswith(".toml"):
        raise UsageError(f"{item} cannot be combined with other cameras.", "Give a rig.toml alone.")
    if match := re.fullmatch(r"sim:(\d{1,4})", item):
        return Entry(CameraConfig(source="sim", members=int(match[1])))
    return Entry(CameraConfig(source=item))


def _relative_to(toml: Path, camera: CameraConfig) -> CameraConfig:
    """Returns a camera whose file, if it has one, is relative to the folder of the rig.toml."""
    if source_kind(camera.source) not in ("keypoints", "video"):
        return camera
    return replace(camera, source=str(toml.parent / os.path.expanduser(camera.source)))


def _members(entry: Entry, *, allow_missing: bool) -> tuple[CameraConfig, ...]:
    """Returns the cameras of one entry: several for simulated rigs and keypoint files."""
    from pose_rig.capture.source_factory import expand

    camera = entry.camera
    try:
        if source_kind(camera.source) in ("keypoints", "video"):
            _check_file(Path(camera.source))
        members = expand(camera)
    except (SourceError, UsageError):
        if allow_missing:
            return (camera,)
        raise
    if entry.single:
        if not 0 <= camera.member < len(members):
            last = len(members) - 1
            raise UsageError(
                f"{camera.source} has no camera {camera.member}.", f"Set member to a value of 0 to {last}."
            )
        return (members[camera.member],)
    if len(members) > 1 and camera.solved:
        raise UsageError(
            f"{camera.source} has {len(members)} cameras, but one [camera.solved] is given.",
            "Remove it; the rig solves all of them again.",
        )
    return members


def _check_file(path: Path) -> None:
    """Checks that a file may be a camera; a video may have any content that is not of another known type.

    Raises:
        UsageError: It does not exist, or is of another type.
    """
    kind = file_types.file_type(path)
    if kind is file_types.MISSING:
        raise UsageError(f"There is no file {path}.", f"Check the path. {_FORMS}")
    if kind is file_types.IMAGE and path.suffix.lower() in MOTION_JPEG:
        return
    check_input(path, CAMS)


def _named(entries: list[Entry], *, allow_missing: bool = False) -> list[tuple[CameraConfig, ...]]:
    """Returns the cameras of every entry with unique names; names in the rig.toml are kept."""
    given = [entry.camera.name for entry in entries if entry.camera.name]
    taken = [*RESERVED_NAMES, *given]
    for name in given:
        if name != as_name(name):
            raise UsageError(
                f"{name[:80]!r} is not a valid camera name.", f"Use letters, digits, . _ and -: {as_name(name)!r}."
            )
        if taken.count(name) > 1:
            raise UsageError(f"The camera name {name!r} is taken.", "Give every camera a name of its own.")
    named = []
    for entry in entries:
        members = _members(entry, allow_missing=allow_missing)
        names = []
        for camera in members:
            own = entry.camera.name if len(members) == 1 else ""
            names.append(own or unique(as_name(camera.name or derived_name(camera.source)), taken))
            taken.append(names[-1])
        named.append(tuple(replace(camera, name=name) for camera, name in zip(members, names, strict=True)))
    return named


def unique(name: str, taken: list[str]) -> str:
    """Returns a name, numbered if it is taken."""
    numbered = (f"{name}-{count}" for count in itertools.count(2))
    return name if name not in taken else next(other for other in numbered if other not in taken)


def derived_name(source: str) -> str:
    """Returns the name of a camera that was given none."""
    if source_kind(source) == "url":
        try:
            return urlsplit(redacted(source)).hostname or "stream"
        except ValueError:  # not a valid URL; opening it reports that
            return "stream"
    return Path(source).stem
