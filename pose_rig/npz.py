"""Arrays in files that may come from anywhere, and be damaged or made up in any way.

Nothing is allocated before it is known that the file has the bytes for it, and nothing is unpickled.
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

# what numpy and zipfile raise about damaged files
READ_ERRORS = (
    OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, SyntaxError, KeyError,
    MemoryError, OverflowError, tokenize.TokenError,
)  # fmt: skip
PLAIN = re.compile(r"[<>|=]?(?:[biuf][1248]|[SU]\d{1,9})")  # numbers, truth values, text
NPY = b"\x93NUMPY"  # how a single array begins
# What a file may unpack to: keypoints, poses and motion compress two- to tenfold, empty people up to a hundredfold.
MIN_UNPACKED_LIMIT_BYTES, MAX_COMPRESSION_RATIO = 1 << 27, 32


@dataclass(frozen=True, slots=True)
class Header:
    """What an npy stream says about its array.

    Attributes:
        shape: Sides, none of them negative.
        fortran: Whether the first axis runs fastest.
        dtype: Numbers, truth values or text; or objects, which are pickled.
        size_bytes: Of the array; of objects 0.
    """

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    size_bytes: int


def max_unpacked_bytes(path: Path) -> int:
    """Returns how much a file may unpack to."""
    return max(MIN_UNPACKED_LIMIT_BYTES, MAX_COMPRESSION_RATIO * path.stat().st_size)


def read_header(file: IO[bytes]) -> Header:
    """Returns the header of an npy stream, which then stands at the array.

    Raises:
        ValueError: It is none, or its values are neither numbers nor text nor objects.
    """
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of npy is not known")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if not dtype.hasobject and not PLAIN.fullmatch(dtype.str):
        raise ValueError(f"{dtype} are neither numbers nor text")
    if dtype.hasobject and dtype != np.dtype(object):
        raise ValueError("it holds records with objects in them")
    if any(side < 0 for side in shape):
        raise ValueError(f"the shape {shape} has a negative side")
    return Header(shape, fortran, dtype, 0 if dtype.hasobject else math.prod(shape) * dtype.itemsize)


def read_body(file: IO[bytes], header: Header, left_bytes: int) -> NDArray[Any]:
    """Returns the array that follows a header.

    Args:
        file: Stands at the array.
        header: Of numbers or text.
        left_bytes: What the stream still has.

    Raises:
        ValueError: The stream has more or less than the header says.
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
    """Refuses text of numbers that are no characters.

    Raises:
        ValueError: There are such.
    """
    if array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        codes = np.frombuffer(array.tobytes(), array.dtype.str[0] + "u4")
        if (codes > sys.maxunicode).any():
            raise ValueError("text has numbers that are no characters")


def load_npz(path: Path, wanted: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
    """Returns the arrays of an npz by name.

    Args:
        path: The file.
        wanted: Names of those that are read, the others are not looked at; None = all.

    Raises:
        ValueError: It cannot be read, or unpacks to more than such files do; tells the reason only.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(NPY)) == NPY:
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
        remedy: What helps if it cannot be read, for people.
        wanted: Names of those that are read; None = all.

    Raises:
        SourceError: It cannot be read.
    """
    try:
        return load_npz(path, wanted)
    except ValueError as error:
        raise ContentError(f"{path} cannot be read as npz: {error}.", remedy) from error


def read_npy(path: Path, remedy: str) -> NDArray[Any]:
    """Returns the array of an npy file.

    Raises:
        SourceError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            header = _plain(read_header(file))
            return read_body(file, header, path.stat().st_size - file.tell())
    except READ_ERRORS as error:
        reason = str(error) or type(error).__name__
        raise ContentError(f"{path} cannot be read as npy: {reason}.", remedy) from error


def check_members(path: Path, members: Iterable[zipfile.ZipInfo]) -> None:
    """Refuses members of an archive that unpack to too much, or are compressed as no array is.

    Raises:
        ValueError: There are such.
    """
    infos = list(members)
    if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in infos):
        raise ValueError("it is compressed in another way than arrays are")  # LZMA takes what memory a file asks for
    check_unpacked(path, sum(info.file_size for info in infos))


def check_unpacked(path: Path, size_bytes: int) -> None:
    """Refuses a small file that unpacks to very much.

    Raises:
        ValueError: It is one.
    """
    if size_bytes > max_unpacked_bytes(path):
        raise ValueError(
            f"its {path.stat().st_size / 1e6:.3g} MB would unpack to {size_bytes / 1e6:.0f} MB, as no such file does"
        )


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as file:
        header = _plain(read_header(file))
        return read_body(file, header, info.file_size - file.tell())


def _plain(header: Header) -> Header:
    if header.dtype.hasobject:
        raise ValueError("Object arrays cannot be loaded, as they are pickled")
    return header
