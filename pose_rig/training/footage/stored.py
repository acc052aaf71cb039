"""Footage in files, so that a session is read once in a run: what became of it, under a name that its content decides.

A session that cannot be used has a text file with the reason instead.
"""

import hashlib
from dataclasses import fields
from pathlib import Path

import numpy as np

from pose_rig.atomic_file import atomic_file
from pose_rig.errors import SessionError
from pose_rig.training.footage.footage import Footage, GroundTruth

VERSION = "1"  # of how sessions are read; files of another one are not used
FOOTAGE, REASON = ".npz", ".txt"
_OPTIONAL = ("camera_from_rig", "depth_px")


class StoredFootage:
    """The footage of sessions, or why they cannot be used, in the files of a folder.

    Args:
        folder: Of the files; made by the first one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, session: Path) -> bool:
        """Returns whether a session was read."""
        return any(self._path(session, suffix).exists() for suffix in (FOOTAGE, REASON))

    def load(self, session: Path) -> Footage:
        """Returns the footage of a session that was read.

        Raises:
            SessionError: It cannot be used.
        """
        reason = self._path(session, REASON)
        if reason.exists():
            raise SessionError(reason.read_text("utf-8").strip(), "Leave it out.")
        with np.load(self._path(session, FOOTAGE), allow_pickle=False) as file:
            values = dict(file)
        joints = values.pop("joints", None)
        truth = None if joints is None else GroundTruth(joints, values["xy_px"])
        name, subject, moving = (values.pop(key).item() for key in ("name", "subject", "moving"))
        return Footage(name=name, subject=subject, moving=moving, truth=truth, **values)

    def store(self, session: Path, footage: Footage) -> None:
        """Stores the footage of a session, with poses that are known from its own keypoints."""
        values = {one.name: getattr(footage, one.name) for one in fields(footage) if one.name != "truth"}
        values = {key: value for key, value in values.items() if value is not None or key not in _OPTIONAL}
        if footage.truth is not None:
            values["joints"] = footage.truth.joints
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_file(self._path(session, FOOTAGE)) as partial, partial.open("wb") as file:
            np.savez(file, **values)

    def refused(self) -> list[str]:
        """Returns why sessions cannot be used, of all that were read."""
        return sorted(path.read_text("utf-8").strip() for path in self.folder.glob("*" + REASON))

    def refuse(self, session: Path, reason: str) -> None:
        """Stores why a session cannot be used."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_file(self._path(session, REASON)) as partial:
            partial.write_text(reason + "\n", "utf-8")

    def _path(self, session: Path, suffix: str) -> Path:
        try:
            now = session.stat()
            content = f"{now.st_size} {now.st_mtime_ns}"
        except OSError:  # the reason is stored
            content = "missing"
        name = hashlib.sha256(f"{VERSION} {session.resolve()} {content}".encode()).hexdigest()[:24]
        return self.folder / (name + suffix)
