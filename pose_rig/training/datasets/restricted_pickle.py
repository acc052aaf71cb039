"""Safe reading of pickles, and of npy and npz files with pickled objects, from untrusted sources.

The unpicklers of Python and numpy are not used: a pickle can run code, crash them or exhaust the memory. The opcodes
are executed in Python (`pickle_machine`), and only those of plain data are supported.
"""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from pose_rig.errors import UsageError
from pose_rig.npz import READ_ERRORS, check_members, max_unpacked_bytes, read_body, read_header
from pose_rig.training.datasets.pickle_machine import Bounded, Machine, RefusedError
from pose_rig.training.datasets.pickle_result import resolved

# raised by the machine, pickletools, numpy and zipfile for damaged files
_DAMAGE = (*READ_ERRORS, IndexError, AttributeError)


def read_pickle(path: Path) -> Any:
    """Returns the value of a pickle.

    Raises:
        UsageError: It contains something other than data, or is damaged.
    """
    return _read(path, lambda: _whole(path, _unpickle))


def read_npz(path: Path) -> dict[str, Any]:
    """Returns the arrays of an npz file by name; 0-dimensional arrays of objects (such as dicts) as the object.

    Raises:
        UsageError: It contains something other than data, or is damaged.
    """
    entries: dict[str, Any] = _read(path, lambda: _entries(path))
    return entries


def read_npy(path: Path) -> Any:
    """Returns the array of an npy file; a 0-dimensional array of objects (such as a dict) as the object.

    Raises:
        UsageError: It contains something other than data, or is damaged.
    """
    return _read(path, lambda: _whole(path, _array))


def _whole(path: Path, reader: Callable[[IO[bytes], int, int], Any]) -> Any:
    with path.open("rb") as file:
        return reader(file, path.stat().st_size, max_unpacked_bytes(path))


def _entries(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        check_members(path, members)
        out = {}
        for info in members:
            with archive.open(info) as entry:
                out[info.filename.removesuffix(".npy")] = _array(entry, info.file_size, max_unpacked_bytes(path))
    return out


def _unpickle(file: IO[bytes], left_bytes: int, max_bytes: int) -> Any:
    return resolved(Machine().run(Bounded(file, left_bytes)), max_bytes)


def _array(file: IO[bytes], size_bytes: int, max_bytes: int) -> Any:
    """Returns the array of an npy stream; ``max_bytes`` as in `resolved`."""
    header = read_header(file)
    left_bytes = size_bytes - file.tell()
    array = _unpickle(file, left_bytes, max_bytes) if header.dtype.hasobject else read_body(file, header, left_bytes)
    if not isinstance(array, np.ndarray):
        raise ValueError("it has no array")
    return array.item() if array.ndim == 0 else array


def _read(path: Path, reader: Callable[[], Any]) -> Any:
    """Returns the result of a reader, with its exceptions as errors of the user."""
    try:
        return reader()
    except RefusedError as error:
        raise UsageError(
            f"{path} contains {error}, which is not data.",
            "It may run code when it is opened elsewhere. Save arrays, lists and numbers only.",
        ) from error
    except _DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise UsageError(f"{path} cannot be read: {reason}.", "Copy or download it again.") from error
