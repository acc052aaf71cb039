"""The rows of a poses file while a run is in progress: a header line in JSON, then binary rows.

Axes: V views, K landmarks, J joints.
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
from pose_rig.session.formats.poses_file import KEYS

ROW_KEYS = (
    "person", "t_ns", "mode", "xyz", "xyz_raw", "covariance", "score",
    "xy", "xy_score", "xy_refined", "lifted", "rotation",
)  # fmt: skip
ROW_DTYPES = {"iu": "<i8", "U": "i1", "f": "<f4"}  # dtype in a row by dtype kinds in the file; a mode is its number
MAX_HEADER_BYTES = 1 << 16


class RowHeader(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the rows contain.

    Attributes:
        cameras: Names.
        landmarks: Names of the detector's landmarks.
        joints: Names.
        height_m: Body height that sets the scale.
        height_assumed: Whether it is the default rather than given.
        people: Whether rows are of several people, and name theirs.
        further_heights_m: Body heights of further people by identity, as far as they were given.
    """

    cameras: tuple[str, ...]
    landmarks: tuple[str, ...]
    joints: tuple[str, ...]
    height_m: float
    height_assumed: bool
    people: bool = False
    further_heights_m: dict[int, float] = {}

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of a row."""
        sizes = {"V": len(self.cameras), "K": len(self.landmarks), "J": len(self.joints)}
        fields = []
        for key in ROW_KEYS[0 if self.people else 1 :]:
            kinds, (_, *axes) = KEYS[key]
            fields.append(
                (key, ROW_DTYPES[kinds], tuple(sizes[axis] if isinstance(axis, str) else axis for axis in axes))
            )
        return np.dtype(fields)


class RowFile:
    """Writes rows. When the disk is full, the file moves to the folder for temporary files.

    Args:
        path: Where.
        previous: Rows of an earlier process of the run, which are continued if their header is the same.

    Attributes:
        path: Where the rows are now.
        count: Rows written.
        lost: Rows that could not be written.
        error: Why, as the operating system puts it; else empty.

    Raises:
        OSError: The folder cannot be written to.
    """

    def __init__(self, path: Path, previous: Path | None) -> None:
        self.path, self._previous = path, previous
        self.count = self.lost = 0
        self.error = ""
        self._header_bytes = self._valid_bytes = self._row_bytes = 0
        self._file: IO[bytes] = path.open("w+b", buffering=0)

    def begin(self, header: RowHeader) -> None:
        """Writes the header."""
        line = msgspec.json.encode(header) + b"\n"
        self._header_bytes, self._row_bytes = len(line), header.dtype.itemsize
        if self._previous is None or _first_line(self._previous) != line:
            self._write(line)
            return
        self._file.close()
        os.replace(self._previous, self.path)
        self.count = (self.path.stat().st_size - self._header_bytes) // self._row_bytes
        self._valid_bytes = self._header_bytes + self.count * self._row_bytes
        os.truncate(self.path, self._valid_bytes)
        self._file = self.path.open("r+b", buffering=0)
        self._file.seek(self._valid_bytes)

    def add(self, row: bytes) -> None:
        """Adds a row."""
        if self._write(row):
            self.count += 1
        else:
            self.lost += 1

    def read(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Returns the rows, mapped from the file even if its folder was removed; changes go to the file."""
        if not self.count:
            return np.zeros(0, dtype)
        return np.memmap(self._file, dtype, "r+", self._header_bytes, (self.count,))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def remove(self) -> None:
        """Closes and deletes the file."""
        self.close()
        with suppress(OSError):
            self.path.unlink()

    def _write(self, data: bytes) -> bool:
        """Writes bytes, elsewhere if the disk is full; returns whether that succeeded."""
        if self.lost:
            return False
        try:
            if self._file.write(data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self.error = error.strerror or str(error)
            return self._move() and self._write(data)
        self._valid_bytes += len(data)
        return True

    def _move(self) -> bool:
        """Moves the file to the folder for temporary files; returns whether that succeeded."""
        folder = Path(tempfile.gettempdir())
        if self.path.parent == folder:
            return False
        place: Path | None = None
        try:
            number, name = tempfile.mkstemp(PARTIAL, f"{self.path.name.removesuffix(PARTIAL)}-", folder)
            place, file = Path(name), os.fdopen(number, "w+b", buffering=0)
            if self._valid_bytes:
                file.write(np.memmap(self._file, np.uint8, "r", 0, (self._valid_bytes,)).data)
        except OSError:
            if place is not None:
                place.unlink(missing_ok=True)
            return False
        self._file.close()
        with suppress(OSError):
            self.path.unlink()
        self.path, self._file = place, file
        return True


def read_rows(path: Path) -> tuple[RowHeader, NDArray[Any]]:
    """Returns the header and the rows, mapped from the file; changes go to the file.

    Raises:
        OSError: The file cannot be read.
        ValueError: It has no header or no rows.
    """
    line = _first_line(path)
    try:
        header = msgspec.json.decode(line, type=RowHeader)
    except msgspec.DecodeError as error:
        raise ValueError("it has no valid header") from error
    if not (all(map(is_name, header.cameras)) and all(map(is_label, (*header.landmarks, *header.joints)))):
        raise ValueError("its header has invalid names")
    count = (path.stat().st_size - len(line)) // header.dtype.itemsize
    if count < 1:
        raise ValueError("it has no rows")
    return header, np.memmap(path, header.dtype, "r+", len(line), (count,))


def _first_line(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.readline(MAX_HEADER_BYTES)
