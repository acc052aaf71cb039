"""Files that are there whole or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pose_rig.errors import SessionError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Gives a path beside ``path`` to write to; what was written takes the place of ``path`` when the block ends well.

    Args:
        path: Where the file is wanted.

    Raises:
        SessionError: The folder is missing or not writable, or the disk is full; nothing is left behind then.
    """
    partial = path.with_name(f"{path.stem}.partial{path.suffix}")  # the ending stays: ezc3d insists on it
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        reason = error.strerror or error
        room = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        remedy = "Make room, or choose another folder." if room else "Choose a folder that can be written to."
        raise SessionError(f"Cannot write {path}: {reason}.", remedy) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
