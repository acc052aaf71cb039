"""What a session says of itself: who recorded it, when, with what."""

import platform
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import msgspec

from pose_rig.config import Config, Origin
from pose_rig.errors import SessionError
from pose_rig.names import is_name

CHECKSUM = "crc32"  # of all else that the record holds
MAX_UNIX_NS = 1 << 62  # the year 2116; differences of two still fit 64 bits
NAME = "pose-rig"  # of the metadata record in the file
DAMAGED = "Its keypoints and poses may still be there for other readers of MCAP."
PACKAGES = ("numpy", "mediapipe", "onnxruntime", "opencv-contrib-python", "mcap", "pyzmq", "msgspec", "av")


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """The head of a session.

    Attributes:
        versions: Version of pose-rig (``pose_rig``), of Python and of the packages that matter.
        machine: Host, system and processor.
        started_unix_ns: Time of day at which it began.
        unix_from_rig_ns: What turns the rig clock (``t_ns`` of all messages) into the time of day.
        cameras: Names, in their order.
        origin: ``live``, ``files`` (fused frame by frame) or ``import`` (keypoints from elsewhere).
        config_json: The configuration it was recorded with, passwords removed.
        recording: File name of the recording; of a part that a recorder began when it was started again, still that.
        part: Which part of it, from 1.
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
            SessionError: A newer pose-rig wrote it, with settings that this one does not know.
        """
        try:
            return msgspec.json.decode(self.config_json, type=Config)
        except msgspec.DecodeError as error:
            newer = self.versions.get("pose_rig", "another version")
            raise SessionError(
                f"The session was recorded by pose-rig {newer}, whose settings are not understood: {error}.",
                "Update pose-rig.",
            ) from error

    def to_metadata(self) -> dict[str, str]:
        """Returns it as MCAP keeps it: text by name."""
        text = {
            "started_unix_ns": str(self.started_unix_ns),  # first: `recover` knows a session by its first bytes
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
        """Returns what MCAP kept.

        Raises:
            SessionError: It is not what `to_metadata` gave.
        """
        is_earlier = "recording" not in text  # sessions of earlier versions have no checksum either
        if text.get(CHECKSUM, _checksum(text) if is_earlier else "") != _checksum(text):
            raise SessionError("The head of the session is damaged.", DAMAGED)
        try:
            msgspec.json.decode(text["config"])  # of a damaged length it holds what follows it, or lacks its end
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
            raise SessionError(f"The head of the session is damaged: {error}.", DAMAGED) from error
        if not (0 <= info.started_unix_ns < MAX_UNIX_NS and abs(info.unix_from_rig_ns) < MAX_UNIX_NS):
            raise SessionError("The head of the session is damaged: it has a time that cannot be.", DAMAGED)
        for camera in info.cameras:
            if not is_name(camera):
                raise SessionError(
                    f"The session has a camera called {camera[:80]!r}, which is no name.",
                    "No pose-rig recorded this: names have letters, digits, . _ and - only. Do not trust the file.",
                )
        return info


def new_info(
    config: Config, origin: Origin, started_unix_ns: int, unix_from_rig_ns: int, recording: str = "", part: int = 1
) -> SessionInfo:
    """Returns the head of a session that begins now, on this machine."""
    return SessionInfo(
        versions={"pose_rig": version_of("pose-rig"), "python": platform.python_version()}
        | {name: number for name in PACKAGES if (number := version_of(name))},
        machine=f"{platform.node()}, {platform.system()} {platform.release()}, {platform.machine()}, {sys.byteorder}",
        started_unix_ns=started_unix_ns,
        unix_from_rig_ns=unix_from_rig_ns,
        cameras=tuple(camera.name for camera in config.camera),
        origin=origin,
        config_json=msgspec.json.encode(config).decode(),
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
