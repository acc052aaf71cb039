"""Secrets of this machine: files in the user's configuration folder that no other user may read."""

import os
import stat
from contextlib import suppress
from pathlib import Path

import platformdirs

from pose_rig.errors import PoseRigError

MODE = 0o600
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def config_folder() -> Path:
    """Returns the folder of pose-rig in the user's configuration folder; it need not exist."""
    return platformdirs.user_config_path("pose-rig", appauthor=False)


def read_private(path: Path) -> bytes | None:
    """Returns the content of a file, None if there is none.

    Raises:
        PoseRigError: It cannot be read, or other users may read it (on Windows, its folder protects it).
    """
    try:
        with path.open("rb") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & OTHERS:
                raise PoseRigError(f"Other users may read {path}.", f"Replace it, or run: chmod 600 {path}.")
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PoseRigError(f"Cannot read {path}: {error.strerror}.", "Check its owner and permissions.") from error


def write_private(path: Path, data: bytes) -> None:
    """Writes a file that only this user may read; it is replaced as a whole.

    Raises:
        PoseRigError: The folder is not writable.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(partial, path)
    except OSError as error:
        raise PoseRigError(f"Cannot write {path}: {error.strerror}.", "Check the permissions of its folder.") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
