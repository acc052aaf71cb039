import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pose_rig.errors import ContentError
from pose_rig.npz import MIN_UNPACKED_LIMIT_BYTES, read_arrays, read_npy


def header(descr: Any, shape: tuple[int, ...], fortran: bool = False) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": descr, "fortran_order": fortran, "shape": shape})
    return out.getvalue()


def member(path: Path, content: bytes, name: str = "a.npy") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array([1, 2], ">i2"),
        np.array([1.5, np.nan], ">f8"),
        np.array([True, False]),
        np.array("text"),
        np.array(["é", "ab"]),
        np.zeros((0, 3)),
        np.array([1.5], np.float16),
    ],
)
def test_arrays_are_read_as_written(tmp_path: Path, array: NDArray[Any]) -> None:
    np.savez_compressed(tmp_path / "a.npz", a=array)
    found = read_arrays(tmp_path / "a.npz", "Help.")["a"]
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype
    np.save(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(read_npy(tmp_path / "a.npy", "Help."), array)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (header("|O", (1,)) + b"cos\nsystem\n(S'x'\ntR.", "Object arrays cannot be loaded, as they are pickled"),
        (header([("a", "<f8")], (1,)) + bytes(8), "neither numbers nor text"),
        (header([("a", "<f8"), ("b", "|O")], (1,)) + bytes(16), "records with objects"),
        (header("<c16", (1,)) + bytes(16), "neither numbers nor text"),
        (header("<M8[s]", (1,)) + bytes(8), "neither numbers nor text"),
        (header("<f8", (-1,)) + bytes(8), "has a negative side"),
        (header("<f8", (1 << 40, 1 << 40)), "has 9671406556917033397649408 bytes, not 0"),
        (header("<f8", (3,)) + bytes(8), r"an array of \(3,\) has 24 bytes, not 8"),
        (header("<f8", (3,)) + bytes(32), "has 24 bytes, not 32"),
        (header("<U1", (1,)) + b"\xff\xff\xff\x7f", "text has invalid code points"),
        (header("<f8", (3,))[:20], "cannot be read as npz"),
        (b"\x93NUMPY\x09\x00", "version"),
        (b"no array", "cannot be read as npz"),
        (b"", "cannot be read as npz"),
    ],
)
def test_invalid_arrays_are_rejected(tmp_path: Path, content: bytes, reason: str) -> None:
    path = member(tmp_path / "a.npz", content)
    with warnings.catch_warnings(action="ignore"), pytest.raises(ContentError, match=reason) as error:
        read_arrays(path, "Help.")
    assert (error.value.remedy, error.value.exit_code) == ("Help.", 2)


def test_a_file_that_unpacks_to_too_much_is_rejected_unread(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("xy.npy", "w") as entry:
            entry.write(header("<f8", (MIN_UNPACKED_LIMIT_BYTES // 8,)))
            for _ in range(MIN_UNPACKED_LIMIT_BYTES >> 20):
                entry.write(bytes(1 << 20))
        archive.writestr("t.npy", header("<f8", (1,)) + bytes(8))
    reason = r"bomb\.npz cannot be read as npz: its 0\.13. MB would unpack to 134 MB, which is too much\. Help\."
    with pytest.raises(ContentError, match=reason):
        read_arrays(tmp_path / "bomb.npz", "Help.")
    assert list(read_arrays(tmp_path / "bomb.npz", "Help.", ["t"])) == ["t"]


def test_only_the_wanted_arrays_are_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.arange(3), objects=np.array([{}], object))
    assert list(read_arrays(tmp_path / "a.npz", "Help.", ["a", "absent"])) == ["a"]


def test_an_encrypted_file_is_rejected(tmp_path: Path) -> None:
    path = member(tmp_path / "a.npz", header("<f8", (1,)) + bytes(8))
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(ContentError, match="is encrypted, password required"):
        read_arrays(path, "Help.")


@pytest.mark.parametrize("name", ["absent.npz", "."])
def test_a_missing_file_or_folder_is_rejected(tmp_path: Path, name: str) -> None:
    with pytest.raises(ContentError, match=r"cannot be read as npz: .*(No such file|Is a directory)"):
        read_arrays(tmp_path / name, "Help.")


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_other_compressions_are_rejected(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
        archive.writestr("a.npy", header("<f8", (1,)) + bytes(8))
    with pytest.raises(ContentError, match="its compression is not deflate"):
        read_arrays(tmp_path / "a.npz", "Help.")
