"""Reading npz and npy files from untrusted sources.

Memory is allocated only after a check that the file has that many bytes; pickled objects are never loaded.
"""

import math
import re
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import ContentError

# what numpy and zipfile raise for damaged files
READ_ERRORS = (
    OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, SyntaxError, KeyError,
    MemoryError, OverflowError, tokenize.TokenError,
)  # fmt: skip
ALLOWED_DTYPES = re.compile(r"[<>|=]?(?:[biuf][1248]|[SU]\d{1,9})")  # numbers, booleans, text
NPY_MAGIC = b"\x93NUMPY"
# Limit of the unpacked size. Keypoints, poses and motion compress 2 to 10 times, absent people up to 100 times.
MIN_UNPACKED_LIMIT_BYTES, MAX_COMPRESSION_RATIO = 1 << 27, 32


@dataclass(frozen=True, slots=True)
class Header:
    """The header of an npy stream.

    Attributes:
        shape: As in numpy.
        fortran: Whether the data is in Fortran order.
        dtype: Numbers, booleans or text; or objects, which are pickled.
        size_bytes: Size of the array; 0 for objects.
    """

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    size_bytes: int


def max_unpacked_bytes(path: Path) -> int:
    """Returns the limit of the unpacked size of a file."""
    return max(MIN_UNPACKED_LIMIT_BYTES, MAX_COMPRESSION_RATIO * path.stat().st_size)


def read_header(file: IO[bytes]) -> Header:
    """Returns the header of an npy stream, and moves the stream to the array.

    Raises:
        ValueError: The header is invalid, or the dtype is neither numbers nor text nor objects.
    """
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of npy is not known")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if not dtype.hasobject and not ALLOWED_DTYPES.fullmatch(dtype.str):
        raise ValueError(f"{dtype} are neither numbers nor text")
    if dtype.hasobject and dtype != np.dtype(object):
        raise ValueError("it holds records with objects in them")
    if any(side < 0 for side in shape):
        raise ValueError(f"the shape {shape} has a negative side")
    return Header(shape, fortran, dtype, 0 if dtype.hasobject else math.prod(shape) * dtype.itemsize)


def read_body(file: IO[bytes], header: Header, left_bytes: int) -> NDArray[Any]:
    """Returns the array that follows a header.

    Args:
        file: Stream at the array.
        header: Its header; numbers or text.
        left_bytes: Remaining bytes of the stream.

    Raises:
        ValueError: The remaining bytes do not match the header.
    """
    if header.size_bytes != left_bytes:
        raise ValueError(f"an array of {header.shape} has {header.size_bytes} bytes, not {left_bytes}")
    data = bytearray(file.read(left_bytes))
    if len(data) != left_bytes:
        raise EOFError("it ends in the middle of an array")
    order: Literal["F", "C"] = "F" if header.fortran else "C"
    if not data:
        return np.zeros(header.shape, header.dtype, order)
    array: NDArray[Any] = np.frombuffer(data, header.dtype).reshape(header.shape, order=order)
    check_text(array)
    return array


def check_text(array: NDArray[Any]) -> None:
    """Checks that text has valid Unicode code points.

    Raises:
        ValueError: It has others.
    """
    if array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        codes = np.frombuffer(array.tobytes(), array.dtype.str[0] + "u4")
        if (codes > sys.maxunicode).any():
            raise ValueError("text has invalid code points")


def load_npz(path: Path, wanted: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
    """Returns the arrays of an npz by name.

    Args:
        path: The file.
        wanted: Names of the arrays to read; None = all.

    Raises:
        ValueError: The file cannot be read, or unpacks to more than `max_unpacked_bytes`.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(NPY_MAGIC)) == NPY_MAGIC:
                raise ValueError("it is a single array")
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            chosen = {name: info for name, info in members.items() if wanted is None or name in wanted}
            check_members(path, chosen.values())
            return {name: _member(archive, info) for name, info in chosen.items()}
    except READ_ERRORS as error:
        raise ValueError(str(error) or type(error).__name__) from error


def read_arrays(path: Path, remedy: str, wanted: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
    """Returns the arrays of an npz by name, as `load_npz` does.

    Args:
        path: The file.
        remedy: Remedy of the error.
        wanted: Names of the arrays to read; None = all.

    Raises:
        ContentError: The file cannot be read.
    """
    try:
        return load_npz(path, wanted)
    except ValueError as error:
        raise ContentError(f"{path} cannot be read as npz: {error}.", remedy) from error


def read_npy(path: Path, remedy: str) -> NDArray[Any]:
    """Returns the array of an npy file.

    Raises:
        ContentError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            header = _plain(read_header(file))
            return read_body(file, header, path.stat().st_size - file.tell())
    except READ_ERRORS as error:
        reason = str(error) or type(error).__name__
        raise ContentError(f"{path} cannot be read as npy: {reason}.", remedy) from error


def check_members(path: Path, members: Iterable[zipfile.ZipInfo]) -> None:
    """Checks the unpacked size and the compression of members of an archive.

    Raises:
        ValueError: The size is above `max_unpacked_bytes`, or the compression is not deflate.
    """
    infos = list(members)
    if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in infos):
        raise ValueError("its compression is not deflate")  # LZMA allocates as much memory as the file requests
    check_unpacked(path, sum(info.file_size for info in infos))


def check_unpacked(path: Path, size_bytes: int) -> None:
    """Checks the unpacked size of a file.

    Raises:
        ValueError: It is above `max_unpacked_bytes`.
    """
    if size_bytes > max_unpacked_bytes(path):
        raise ValueError(
            f"its {path.stat().st_size / 1e6:.3g} MB would unpack to {size_bytes / 1e6:.0f} MB, which is too much"
        )


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as file:
        header = _plain(read_header(file))
        return read_body(file, header, info.file_size - file.tell())


def _plain(header: Header) -> Header:
    if header.dtype.hasobject:
        raise ValueError("Object arrays cannot be loaded, as they are pickled")
    return header
