import io
import os
import pickle
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose_rig.errors import UsageError
from pose_rig.training.datasets.restricted_pickle import read_npy, read_npz, read_pickle
from tests.training.datasets.crafted_pickles import CRAFTED, crafted, record_with_object

DATA = {
    "poses": {"54138969": np.arange(12, dtype=np.float32).reshape(2, 3, 2), "b": np.array([1.5, 2.5], ">f8")},
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "subjects": [1, 5, "S9", None, True, 2.5, (1, 2), b"\xff\x00"],
    "ragged": np.array([np.zeros(2), np.ones(3)], object),
    "scalar": np.float64(3.5),
    "text": np.array(["a", "bc"]),
}

OPEN_ALL = """
import sys
from pathlib import Path
from pose_rig.training.datasets.load import load
from pose_rig.training.datasets.restricted_pickle import read_pickle
for number in range(int(sys.argv[2])):
    try:
        print("READ", type(read_pickle(Path(sys.argv[1], f"{number}.pickle"))), flush=True)
    except Exception as error:
        print(f"{type(error).__name__}: {error}".replace("\\n", " "), flush=True)
try:
    print("READ", load("human36m", Path(sys.argv[1]), "train"))
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


class Runs:
    """What a hostile pickle is."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


def assert_is_data(found: Any) -> None:
    np.testing.assert_equal(list(found.pop("ragged")), [np.zeros(2), np.ones(3)])
    np.testing.assert_equal(found, {key: value for key, value in DATA.items() if key != "ragged"})
    assert found["poses"]["54138969"].dtype == np.float32


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_and_containers_are_read(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "data.pickle"
    path.write_bytes(pickle.dumps(DATA, protocol))
    assert_is_data(read_pickle(path))


@pytest.mark.parametrize("protocol", [0, 2])
def test_names_of_older_numpy_are_supported(tmp_path: Path, protocol: int) -> None:
    content = pickle.dumps(DATA, protocol)
    assert b"numpy._core" in content
    (tmp_path / "old.pickle").write_bytes(content.replace(b"numpy._core", b"numpy.core"))
    assert_is_data(read_pickle(tmp_path / "old.pickle"))


def test_pickles_of_python_2_are_read(tmp_path: Path) -> None:
    (tmp_path / "two.pickle").write_bytes(b"\x80\x02}U\x05posesU\x02\xff\x00s.")
    assert read_pickle(tmp_path / "two.pickle") == {"poses": "\xff\x00"}


def test_objects_in_npz_and_npy_are_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", positions_2d=np.array(DATA, object), plain=np.arange(3))
    found = read_npz(tmp_path / "a.npz")
    assert_is_data(found["positions_2d"])
    np.testing.assert_equal(found["plain"], np.arange(3))
    np.save(tmp_path / "b.npy", np.array(DATA, object))
    assert_is_data(read_npy(tmp_path / "b.npy"))


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_that_runs_something_is_refused(tmp_path: Path, protocol: int) -> None:
    path, mark = tmp_path / "bad.pickle", tmp_path / "mark"
    path.write_bytes(pickle.dumps({"poses_2d_pred": [np.zeros(3), Runs(os.system, f"touch {mark}")]}, protocol))
    with pytest.raises(UsageError, match=r"bad\.pickle contains (posix|nt)\.system, which is not data\.") as error:
        read_pickle(path)
    assert error.value.remedy.startswith(
        "It may run code when it is opened elsewhere. Save arrays, lists and numbers only"
    )
    assert not mark.exists()


@pytest.mark.parametrize("function", [eval, getattr, np.load, np.memmap, pickle.loads, __import__])
def test_only_data_is_supported(tmp_path: Path, function: Callable[..., Any]) -> None:
    (tmp_path / "bad.pickle").write_bytes(pickle.dumps(Runs(function, "x")))
    with pytest.raises(UsageError, match="which is not data"):
        read_pickle(tmp_path / "bad.pickle")


def test_objects_in_an_npz_that_run_something_are_refused(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    np.savez(tmp_path / "bad.npz", positions_2d=np.array({"S1": Runs(os.system, f"touch {mark}")}, object))
    with pytest.raises(UsageError, match="which is not data"):
        read_npz(tmp_path / "bad.npz")
    assert not mark.exists()


def test_bytes_are_never_taken_for_objects(tmp_path: Path) -> None:
    buffer = np._core.numeric._frombuffer  # type: ignore[attr-defined]
    (tmp_path / "bad.pickle").write_bytes(pickle.dumps(Runs(buffer, b"\x01" * 8, np.dtype(object), (1,), "C")))
    with pytest.raises(UsageError, match=r"cannot be read: dtype\('O'\) is not a plain data type"):
        read_pickle(tmp_path / "bad.pickle")


def test_an_array_cannot_be_called_into_being(tmp_path: Path) -> None:
    (tmp_path / "bad.pickle").write_bytes(pickle.dumps(Runs(np.ndarray, (1,), np.dtype(object))))
    with pytest.raises(UsageError, match="cannot be read: 'str' object is not callable"):
        read_pickle(tmp_path / "bad.pickle")


@pytest.mark.parametrize("keep", [0, 1, 40, -1])
def test_damaged_files_are_named(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "short.pickle"
    path.write_bytes(pickle.dumps(DATA)[:keep])
    with pytest.raises(UsageError, match=r"short\.pickle cannot be read: .*\. Copy or download it again\."):
        read_pickle(path)
    path.rename(tmp_path / "short.npz")
    with pytest.raises(UsageError, match=r"short\.npz cannot be read: "):
        read_npz(tmp_path / "short.npz")


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The message for each crafted pickle, from a separate process, which might crash."""
    folder = tmp_path_factory.mktemp("crafted")
    for number, content in enumerate(crafted().values()):
        (folder / f"{number}.pickle").write_bytes(content)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": ()})
    with zipfile.ZipFile(folder / "data_2d_h36m_gt.npz", "w") as archive:
        archive.writestr("positions_2d.npy", header.getvalue() + crafted()["fields that are objects"])
    done = subprocess.run(
        [sys.executable, "-c", OPEN_ALL, str(folder), str(len(crafted()))], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return dict(zip([*crafted(), "data set"], done.stdout.splitlines(), strict=True))


@pytest.mark.parametrize("crime", CRAFTED)
def test_crafted_pickles_are_refused_in_a_sentence(answers: dict[str, str], crime: str) -> None:
    assert re.fullmatch(
        r"UsageError: .*\.pickle (cannot be read: .+\. Copy|contains .+, which is not data\. It may run).*",
        answers[crime],
    )


def test_crafted_pickles_fill_no_memory(answers: dict[str, str]) -> None:
    assert "MemoryError" not in answers.values()
    assert "would unpack to more than" in answers["a billion laughs"]
    assert "nested more than 32 deep" in answers["very deep"]


def test_records_are_no_plain_data(tmp_path: Path) -> None:
    (tmp_path / "bad.pickle").write_bytes(record_with_object())
    with pytest.raises(UsageError, match="is not a plain data type"):
        read_pickle(tmp_path / "bad.pickle")
    np.save(tmp_path / "bad.npy", np.array([(1.0, {})], [("a", "f8"), ("b", "O")]))
    with pytest.raises(UsageError, match="it holds records with objects in them"):
        read_npy(tmp_path / "bad.npy")


def test_a_crafted_pickle_in_a_data_set_is_refused_in_a_sentence(answers: dict[str, str]) -> None:
    assert "data_2d_h36m_gt.npz cannot be read: dtype('V8') is not a plain data type" in answers["data set"]


def test_lists_that_share_a_list_are_read(tmp_path: Path) -> None:
    shared = [np.arange(3.0)]
    (tmp_path / "shared.pickle").write_bytes(pickle.dumps([shared] * 5))
    found = read_pickle(tmp_path / "shared.pickle")
    assert len(found) == 5
    np.testing.assert_array_equal(found[4][0], [0, 1, 2])
    assert found[4][0].flags.writeable


def test_arrays_of_python_2_in_text_are_read(tmp_path: Path) -> None:
    content = (
        b"cnumpy.core.multiarray\n_reconstruct\np1\n(cnumpy\nndarray\np2\n(I0\ntp3\nS'b'\np4\ntp5\nRp6\n(I1\n(I2\ntp7\n"
        b"cnumpy\ndtype\np8\n(S'f4'\np9\nI0\nI1\ntp10\nRp11\n(I3\nS'<'\np12\nNNNI-1\nI-1\nI0\ntp13\nbI00\n"
        b"S'\\x00\\x00\\x80?\\x00\\x00\\x00\\xc0'\np14\ntp15\nb."
    )
    (tmp_path / "two.pickle").write_bytes(content)
    found = read_pickle(tmp_path / "two.pickle")
    assert (found.tolist(), found.dtype) == ([1.0, -2.0], np.float32)


def test_a_small_file_that_unpacks_to_very_much_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", positions_2d=np.zeros(1 << 25))
    with pytest.raises(UsageError, match=r"MB would unpack to 268 MB, which is too much\. Copy or download it again"):
        read_npz(tmp_path / "bomb.npz")
