"""Atomic writes: a file is there as a whole, or not at all."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pose_rig.errors import PoseRigError

PARTIAL = ".partial"  # marks the name of a file that is still being written
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def partial_path(path: Path) -> Path:
    """Returns the name of a recording until it is finished: ``take.mcap.partial``."""
    return path.with_name(path.name + PARTIAL)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yields a temporary path in the same folder, which replaces ``path`` when the block ends without an exception.

    A file that is replaced keeps its permissions; the temporary file is private until then.

    Raises:
        OSError: The folder is missing or not writable, or the disk is full; ``path`` is unchanged.
    """
    partial = path.with_name(f"{path.stem}{PARTIAL}{path.suffix}")  # ezc3d requires the suffix
    try:
        if path.exists():
            partial.touch(0o600)
        yield partial
        if path.exists():
            shutil.copymode(path, partial)
        os.replace(partial, path)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


@contextmanager
def output_file(path: Path) -> Iterator[Path]:
    """Does the same as `atomic_file` for a file that the user asked for.

    Raises:
        PoseRigError: The folder is missing or not writable, or the disk is full; ``path`` is unchanged.
    """
    try:
        with atomic_file(path) as partial:
            yield partial
    except OSError as error:
        full = error.errno in NO_SPACE
        remedy = "Make room, or choose another folder." if full else "Choose a folder that can be written to."
        raise PoseRigError(f"Cannot write {path}: {error.strerror or error}.", remedy) from error
