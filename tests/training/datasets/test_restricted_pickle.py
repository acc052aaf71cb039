import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose_rig.errors import UsageError
from pose_rig.training.datasets.restricted_pickle import read_npy, read_npz, read_pickle

DATA = {
    "poses": {"54138969": np.arange(12, dtype=np.float32).reshape(2, 3, 2), "b": np.array([1.5, 2.5], ">f8")},
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "subjects": [1, 5, "S9", None, True, 2.5, (1, 2), b"\xff\x00"],
    "ragged": np.array([np.zeros(2), np.ones(3)], object),
    "scalar": np.float64(3.5),
    "text": np.array(["a", "bc"]),
}


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
def test_names_of_older_numpy_are_known(tmp_path: Path, protocol: int) -> None:
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
    with pytest.raises(UsageError, match=r"bad\.pickle wants to run (posix|nt)\.system, which no data need\.") as error:
        read_pickle(path)
    assert error.value.remedy.startswith("Do not open it elsewhere either; write arrays, lists and numbers only")
    assert not mark.exists()


@pytest.mark.parametrize("function", [eval, getattr, np.load, np.memmap, pickle.loads, __import__])
def test_nothing_but_data_is_known(tmp_path: Path, function: Callable[..., Any]) -> None:
    (tmp_path / "bad.pickle").write_bytes(pickle.dumps(Runs(function, "x")))
    with pytest.raises(UsageError, match="which no data need"):
        read_pickle(tmp_path / "bad.pickle")


def test_objects_in_an_npz_that_run_something_are_refused(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    np.savez(tmp_path / "bad.npz", positions_2d=np.array({"S1": Runs(os.system, f"touch {mark}")}, object))
    with pytest.raises(UsageError, match="which no data need"):
        read_npz(tmp_path / "bad.npz")
    assert not mark.exists()


def test_bytes_are_never_taken_for_objects(tmp_path: Path) -> None:
    buffer = np._core.numeric._frombuffer  # type: ignore[attr-defined]
    (tmp_path / "bad.pickle").write_bytes(pickle.dumps(Runs(buffer, b"\x01" * 8, np.dtype(object), (1,), "C")))
    with pytest.raises(UsageError, match=r"cannot be read: dtype\('O'\) is no plain data type"):
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
