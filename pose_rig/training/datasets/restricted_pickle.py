"""Pickles and npz files with objects in them, from anywhere: arrays, numbers, text, containers, nothing that runs."""

import pickle
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from pose_rig.errors import UsageError

# what the unpickler, numpy and zipfile raise about damaged files
_DAMAGE = (
    pickle.UnpicklingError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, TypeError, KeyError, IndexError,
    AttributeError, ImportError, OverflowError, MemoryError, NotImplementedError, RecursionError, OSError,
)  # fmt: skip
_KINDS = "biufcSU"  # an array of objects is filled by the unpickler itself, any other from bytes


def read_pickle(path: Path) -> Any:
    """Returns what a pickle holds.

    Raises:
        UsageError: It holds more than data, or is damaged.
    """
    return _read(path, _unpickle)


def read_npz(path: Path) -> dict[str, Any]:
    """Returns the arrays of an npz by name; one of no axes (what numpy makes of a dict) as the object within.

    Raises:
        UsageError: It holds more than data, or is damaged.
    """
    entries: dict[str, Any] = _read(path, _entries)
    return entries


def read_npy(path: Path) -> Any:
    """Returns the array of an npy file; one of no axes (what numpy makes of a dict) as the object within.

    Raises:
        UsageError: It holds more than data, or is damaged.
    """
    return _read(path, _array)


class _RefusedError(Exception):
    """A pickle asks for something that is no data."""


class _Unpickler(pickle.Unpickler):
    """Knows how arrays are put together, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Returns what a pickle may call."""
        found = _KNOWN.get((module.replace("numpy.core.", "numpy._core."), name))
        if found is None:
            raise _RefusedError(f"{module}.{name}")
        return found


def _plain(dtype: Any) -> np.dtype[Any]:
    """Returns the dtype if its values are bytes that mean nothing but numbers or text."""
    if not isinstance(dtype, np.dtype) or dtype.kind not in _KINDS:
        raise ValueError(f"{dtype!r} is no plain data type")
    return dtype


def _dtype(code: str, *_flags: Any) -> np.dtype[Any]:
    return np.dtype(code, align=False, copy=True)  # a copy, as the pickle then sets its byte order


def _empty_array(_subtype: Any, _shape: Any, _code: Any) -> Any:
    return np.ndarray((0,), "i1")  # the pickle then sets its state


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> Any:
    return np.frombuffer(data, _plain(dtype)).reshape(shape, order=order)


def _scalar(dtype: Any, data: Any) -> Any:
    content = data.encode("latin1") if isinstance(data, str) else data
    return np.frombuffer(content, _plain(dtype))[0]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Returns the bytes that protocol 2 wrote as text."""
    if encoding != "latin1":
        raise ValueError(f"bytes are written as latin1, not {encoding!r}")
    return text.encode("latin1")


_NDARRAY = "ndarray"  # is named as the kind of array to make, and never called
_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _dtype,
    ("numpy._core.multiarray", "_reconstruct"): _empty_array,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("_codecs", "encode"): _encode,
}


def _unpickle(file: IO[bytes]) -> Any:
    return _Unpickler(file, encoding="latin1").load()


def _array(file: IO[bytes]) -> Any:
    """Returns the array of an npy stream."""
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    dtype = read_header(file)[2]
    if dtype.hasobject:
        array = _unpickle(file)
    else:
        file.seek(0)
        array = np.lib.format.read_array(file, allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise ValueError("there is no array in it")
    return array.item() if array.ndim == 0 else array


def _entries(file: IO[bytes]) -> dict[str, Any]:
    out = {}
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            with archive.open(name) as entry:
                out[name.removesuffix(".npy")] = _array(entry)
    return out


def _read(path: Path, reader: Callable[[IO[bytes]], Any]) -> Any:
    """Returns what the reader makes of a file."""
    try:
        with path.open("rb") as file:
            return reader(file)
    except _RefusedError as error:
        raise UsageError(
            f"{path} wants to run {error}, which no data need.",
            "Do not open it elsewhere either; write arrays, lists and numbers only, or get the file from its source.",
        ) from error
    except _DAMAGE as error:
        raise UsageError(f"{path} cannot be read: {error}.", "Copy or download it again.") from error
