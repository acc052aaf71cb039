"""Pickles and npz files with objects in them, from anywhere: arrays, numbers, text, containers, nothing that runs.

Python's unpickler is not used, nor numpy's part of it: a pickle can make them crash, or fill the memory. The opcodes
are gone through in Python (`pickle_machine`), and only those of data are known.
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

# what the machine, pickletools, numpy and zipfile raise about damaged files
_DAMAGE = (*READ_ERRORS, IndexError, AttributeError)


def read_pickle(path: Path) -> Any:
    """Returns what a pickle holds.

    Raises:
        UsageError: It holds more than data, or is damaged.
    """
    return _read(path, lambda: _whole(path, _unpickle))


def read_poses(path: Path) -> dict[str, Any]:
    """Returns the arrays of an npz by name; one of no axes (what numpy makes of a dict) as the object within.

    Raises:
        UsageError: It holds more than data, or is damaged.
    """
    entries: dict[str, Any] = _read(path, lambda: _entries(path))
    return entries


def read_npy(path: Path) -> Any:
    """Returns the array of an npy file; one of no axes (what numpy makes of a dict) as the object within.

    Raises:
        UsageError: It holds more than data, or is damaged.
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


def _unpickle(file: IO[bytes], left_bytes: int, most: int) -> Any:
    return resolved(Machine().run(Bounded(file, left_bytes)), most)


def _array(file: IO[bytes], size_bytes: int, most: int) -> Any:
    """Returns the array of an npy stream of a size; ``most`` as in `resolved`."""
    header = read_header(file)
    left_bytes = size_bytes - file.tell()
    array = _unpickle(file, left_bytes, most) if header.dtype.hasobject else read_body(file, header, left_bytes)
    if not isinstance(array, np.ndarray):
        raise ValueError("there is no array in it")
    return array.item() if array.ndim == 0 else array


def _read(path: Path, reader: Callable[[], Any]) -> Any:
    """Returns what the reader makes of a file."""
    try:
        return reader()
    except RefusedError as error:
        raise UsageError(
            f"{path} wants to run {error}, which no data need.",
            "Do not open it elsewhere either; write arrays, lists and numbers only, or get the file from its source.",
        ) from error
    except _DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise UsageError(f"{path} cannot be read: {reason}.", "Copy or download it again.") from error
