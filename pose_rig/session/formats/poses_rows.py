"""The rows of a poses file while a run goes on: a line that says what they are, then one row for every instant.

Axes: V views, K landmarks, J = 17 joints; ``xyz`` has further ones where the detector knows more.
"""

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pose_rig.atomic_file import PARTIAL
from pose_rig.names import is_label, is_name
from pose_rig.skeleton import J

MOST_HEAD_BYTES = 1 << 16


class Head(msgspec.Struct, frozen=True):
    """What the rows of a partial file are.

    Attributes:
        cameras: Names.
        landmarks: Names of the detector's landmarks.
        joints: Names.
        height_m: Stature the scale rests on; height_assumed: whether nobody gave it.
    """

    cameras: tuple[str, ...]
    landmarks: tuple[str, ...]
    joints: tuple[str, ...]
    height_m: float
    height_assumed: bool

    @property
    def row(self) -> np.dtype[Any]:
        """One instant."""
        views, count, joints = len(self.cameras), len(self.landmarks), len(self.joints)
        return np.dtype(
            [
                ("t_ns", "<i8"),
                ("mode", "i1"),
                ("xyz", "<f4", (joints, 3)),
                ("xyz_raw", "<f4", (joints, 3)),
                ("covariance", "<f4", (joints, 3, 3)),
                ("score", "<f4", (joints,)),
                ("xy", "<f4", (views, count, 2)),
                ("xy_score", "<f4", (views, count)),
                ("xy_refined", "<f4", (views, J, 2)),
                ("lifted", "<f4", (views, J, 3)),
                ("rotation", "<f4", (views, 3, 3)),
            ]
        )


class Rows:
    """Writes rows. Where the disk is full, they go on in the folder for temporary files.

    Args:
        path: Where.
        before: What an earlier fusion has left; it is gone on with if its rows are the same.

    Attributes:
        path: Where they are by now.
        count: Rows written.
        lost: Rows that could not be.
        fault: What the disk said, empty if all is well.

    Raises:
        OSError: The folder cannot be written to.
    """

    def __init__(self, path: Path, before: Path | None) -> None:
        self.path, self._before = path, before
        self.count = self.lost = 0
        self.fault = ""
        self._begin = self._good = self._size = 0  # bytes: of the first line, so far, of a row
        self._file: IO[bytes] = path.open("w+b", buffering=0)

    def begin(self, head: Head) -> None:
        """Says what the rows are."""
        line = msgspec.json.encode(head) + b"\n"
        self._begin, self._size = len(line), head.row.itemsize
        if self._before is None or _first_line(self._before) != line:
            self._put(line)
            return
        self._file.close()
        os.replace(self._before, self.path)
        self.count = (self.path.stat().st_size - self._begin) // self._size
        self._good = self._begin + self.count * self._size
        os.truncate(self.path, self._good)
        self._file = self.path.open("r+b", buffering=0)
        self._file.seek(self._good)

    def add(self, row: bytes) -> None:
        """Adds a row."""
        if self._put(row):
            self.count += 1
        else:
            self.lost += 1

    def written(self, row: np.dtype[Any]) -> NDArray[Any]:
        """Returns the rows as they lie on the disk, even if their folder is gone; changing them changes the file."""
        if not self.count:
            return np.zeros(0, row)
        return np.memmap(self._file, row, "r+", self._begin, (self.count,))

    def close(self) -> None:
        """Ends writing."""
        self._file.close()

    def remove(self) -> None:
        """Ends writing and frees the disk."""
        self.close()
        with suppress(OSError):
            self.path.unlink()

    def _put(self, data: bytes) -> bool:
        """Writes bytes, here or, if the disk is full, elsewhere; returns whether that was possible."""
        if self.lost:
            return False
        try:
            if self._file.write(data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self.fault = error.strerror or str(error)
            return self._move() and self._put(data)
        self._good += len(data)
        return True

    def _move(self) -> bool:
        """Goes on in the folder for temporary files; returns whether that is possible."""
        folder = Path(tempfile.gettempdir())
        if self.path.parent == folder:
            return False
        place: Path | None = None
        try:
            number, name = tempfile.mkstemp(PARTIAL, f"{self.path.name.removesuffix(PARTIAL)}-", folder)
            place, file = Path(name), os.fdopen(number, "w+b", buffering=0)
            if self._good:
                file.write(np.memmap(self._file, np.uint8, "r", 0, (self._good,)).data)
        except OSError:
            if place is not None:
                place.unlink(missing_ok=True)
            return False
        self._file.close()
        with suppress(OSError):
            self.path.unlink()
        self.path, self._file = place, file
        return True


def read_rows(path: Path) -> tuple[Head, NDArray[Any]]:
    """Returns what was written, the rows as they lie on the disk; changing them changes the file.

    Raises:
        OSError: It cannot be read.
        ValueError: These are no rows, or there are none.
    """
    line = _first_line(path)
    try:
        head = msgspec.json.decode(line, type=Head)
    except msgspec.DecodeError as error:
        raise ValueError("it does not say what its rows are") from error
    if not (all(map(is_name, head.cameras)) and all(map(is_label, (*head.landmarks, *head.joints)))):
        raise ValueError("it names what has no name")
    count = (path.stat().st_size - len(line)) // head.row.itemsize
    if count < 1:
        raise ValueError("it has no rows")
    return head, np.memmap(path, head.row, "r+", len(line), (count,))


def _first_line(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.readline(MOST_HEAD_BYTES)
