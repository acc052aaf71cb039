"""The header of a session: versions, machine, clocks, cameras, configuration."""

import platform
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path

import msgspec
from mcap.records import Metadata

from pose_rig.config import Config, Origin
from pose_rig.errors import SessionError
from pose_rig.names import is_name
from pose_rig.session.mcap.mcap_reader import MAX_UNIX_NS
from pose_rig.session.mcap.recovery_reader import RecoveryReader

CHECKSUM = "crc32"  # of the rest of the record
MAX_HEADER_RECORDS = 20_000  # the header is among these: first in the file, and again after the first chunk
METADATA_NAME = "pose-rig"  # of the metadata record
DAMAGED_REMEDY = "Other MCAP readers may still read its keypoints and poses."
PACKAGES = ("numpy", "mediapipe", "onnxruntime", "opencv-contrib-python", "mcap", "pyzmq", "msgspec", "av")


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """The header of a session.

    Attributes:
        versions: Versions of pose-rig (``pose_rig``), Python and the main packages.
        machine: Host, system and processor.
        started_unix_ns: Start of the recording.
        unix_from_rig_ns: Offset of Unix time to the rig clock (``t_ns`` of all messages).
        cameras: Names.
        origin: ``live``, ``files`` (fused frame by frame) or ``import`` (imported keypoints).
        config_json: The configuration it was recorded with, passwords removed.
        recording: File name of the recording's first part.
        part: Number of the part, from 1; a restarted recorder begins a new one.
    """

    versions: Mapping[str, str]
    machine: str
    started_unix_ns: int
    unix_from_rig_ns: int
    cameras: tuple[str, ...]
    origin: Origin
    config_json: str
    recording: str = ""
    part: int = 1

    @property
    def config(self) -> Config:
        """The configuration it was recorded with.

        Raises:
            SessionError: A newer pose-rig wrote it, with unknown settings.
        """
        try:
            return msgspec.json.decode(self.config_json, type=Config)
        except msgspec.DecodeError as error:
            newer = self.versions.get("pose_rig", "another version")
            raise SessionError(
                f"The session was recorded by pose-rig {newer} with unknown settings: {error}.",
                "Update pose-rig.",
            ) from error

    @property
    def people(self) -> int:
        """How many people were tracked at most, as configured."""
        settings = msgspec.json.decode(self.config_json)
        people = settings.get("people", 1) if isinstance(settings, dict) else 1
        return people if isinstance(people, int) else 1

    def to_metadata(self) -> dict[str, str]:
        """Returns it as a metadata record: text by name."""
        text = {
            "started_unix_ns": str(self.started_unix_ns),  # first: `recover` identifies a session by its first bytes
            "versions": msgspec.json.encode(dict(self.versions)).decode(),
            "machine": self.machine,
            "unix_from_rig_ns": str(self.unix_from_rig_ns),
            "cameras": msgspec.json.encode(self.cameras).decode(),
            "origin": self.origin,
            "config": self.config_json,
            "recording": self.recording,
            "part": str(self.part),
        }
        return text | {CHECKSUM: _checksum(text)}

    @classmethod
    def from_metadata(cls, text: Mapping[str, str]) -> "SessionInfo":
        """Returns the header of a metadata record.

        Raises:
            SessionError: It is damaged or invalid.
        """
        is_earlier = "recording" not in text  # earlier versions have no checksum either
        if text.get(CHECKSUM, _checksum(text) if is_earlier else "") != _checksum(text):
            raise SessionError("The header of the session is damaged.", DAMAGED_REMEDY)
        try:
            msgspec.json.decode(text["config"])  # a damaged length cuts it off, or appends what follows
            info = cls(
                versions=msgspec.json.decode(text["versions"], type=dict[str, str]),
                machine=text["machine"],
                started_unix_ns=int(text["started_unix_ns"]),
                unix_from_rig_ns=int(text["unix_from_rig_ns"]),
                cameras=msgspec.json.decode(text["cameras"], type=tuple[str, ...]),
                origin=msgspec.convert(text["origin"], Origin),
                config_json=text["config"],
                recording=text.get("recording", ""),
                part=int(text.get("part", "1")),
            )
        except (KeyError, ValueError, msgspec.DecodeError, msgspec.ValidationError) as error:
            raise SessionError(f"The header of the session is damaged: {error}.", DAMAGED_REMEDY) from error
        if not (0 <= info.started_unix_ns < MAX_UNIX_NS and abs(info.unix_from_rig_ns) < MAX_UNIX_NS):
            raise SessionError("The header of the session is damaged: a time is out of range.", DAMAGED_REMEDY)
        for camera in info.cameras:
            if not is_name(camera):
                raise SessionError(
                    f"The session has the invalid camera name {camera[:80]!r}.",
                    "Names consist of letters, digits, . _ and -: the file is not from pose-rig, do not trust it.",
                )
        return info


def read_info(path: Path) -> SessionInfo:
    """Returns the header of a session; the second copy if the first is damaged.

    Raises:
        SessionError: There is none.
    """
    fault: SessionError | None = None
    for record in islice(RecoveryReader(path).records(), MAX_HEADER_RECORDS):
        if isinstance(record, Metadata) and record.name == METADATA_NAME:
            try:
                return SessionInfo.from_metadata(record.metadata)
            except SessionError as error:
                fault = error
    if fault:
        raise SessionError(f"{path}: {fault.cause}", fault.remedy) from fault
    raise SessionError(
        f"{path} is an MCAP file, but not a session of pose-rig.",
        "Sessions come from `pose-rig record` and `pose-rig import`.",
    )


def new_info(
    config: Config, origin: Origin, started_unix_ns: int, unix_from_rig_ns: int, recording: str = "", part: int = 1
) -> SessionInfo:
    """Returns the header of a session that begins now on this machine."""
    return SessionInfo(
        versions={"pose_rig": version_of("pose-rig"), "python": platform.python_version()}
        | {name: number for name in PACKAGES if (number := version_of(name))},
        machine=f"{platform.node()}, {platform.system()} {platform.release()}, {platform.machine()}, {sys.byteorder}",
        started_unix_ns=started_unix_ns,
        unix_from_rig_ns=unix_from_rig_ns,
        cameras=tuple(camera.name for camera in config.camera),
        origin=origin,
        config_json=_config_json(config),
        recording=recording,
        part=part,
    )


def _checksum(text: Mapping[str, str]) -> str:
    content = "\0".join(f"{key}\0{value}" for key, value in sorted(text.items()) if key != CHECKSUM)
    return f"{zlib.crc32(content.encode()):08x}"


def version_of(distribution: str) -> str:
    """Returns the version of an installed package, empty if it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _config_json(config: Config) -> str:
    """Returns the settings of a recording; of those that earlier versions do not know, the ones that are in use."""
    settings = msgspec.to_builtins(config)
    unused = {"exact": not config.exact, "people": config.people == 1, "other_heights_m": not config.other_heights_m}
    for name in (name for name, is_unused in unused.items() if is_unused):
        del settings[name]
    return msgspec.json.encode(settings).decode()
