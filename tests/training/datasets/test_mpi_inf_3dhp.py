from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io

from pose_rig.errors import UsageError
from pose_rig.training.datasets.layout import MPI_INF_3DHP_17, MPI_INF_3DHP_28
from pose_rig.training.datasets.load import load
from tests.training.datasets.world import as_file, shoot

CAMERAS = 14
CHOSEN = [0, 2, 7, 8]
SHOT = shoot(0.44, [(2048, 2048)] * CAMERAS)


def cells(values: Any, axes: int) -> Any:
    """14×1 cells of N×(28·axes)."""
    out = np.empty((CAMERAS, 1), object)
    for camera in range(CAMERAS):
        out[camera, 0] = as_file(values[:, camera], MPI_INF_3DHP_28, 28).reshape(-1, 28 * axes).astype(np.float32)
    return out


def write_train(folder: Path, subject: str = "S2", **change: Any) -> None:
    path = folder / subject / "Seq1"
    path.mkdir(parents=True)
    content = {
        "annot2": cells(SHOT.xy_px, 2),
        "annot3": cells(1000 * SHOT.local, 3),
        "univ_annot3": cells(900 * SHOT.local, 3),
        "frames": np.arange(22)[:, None],
        "cameras": np.arange(14)[None],
    }
    scipy.io.savemat(path / "annot.mat", content | change)


def write_test(folder: Path, subject: str = "TS5", **change: Any) -> None:
    (folder / subject).mkdir(parents=True)
    content = {
        "annot2": as_file(SHOT.xy_px[:, :1], MPI_INF_3DHP_17, 17),
        "annot3": as_file(1000 * SHOT.local[:, :1], MPI_INF_3DHP_17, 17),
        "univ_annot3": as_file(950 * SHOT.local[:, :1], MPI_INF_3DHP_17, 17),
        "valid_frame": (np.arange(22) % 3 > 0).astype(float)[:, None],
    }
    with h5py.File(folder / subject / "annot_data.mat", "w") as file:
        for key, value in (content | change).items():
            file[key] = value


def test_training_takes_four_cameras_and_every_fifth_frame(tmp_path: Path) -> None:
    write_train(tmp_path / "mpi_inf_3dhp")
    write_train(tmp_path / "mpi_inf_3dhp", "S1")
    (take,) = load("mpi-inf-3dhp", tmp_path, "train")
    assert (take.name, take.subject, take.frames, take.views) == ("mpi-inf-3dhp S2", "S2", 5, 4)
    np.testing.assert_allclose(take.xy_px, SHOT.xy_px[::5, CHOSEN], rtol=1e-5)
    assert take.truth is not None
    np.testing.assert_allclose(take.truth.joints, SHOT.local[::5, CHOSEN], atol=1e-5)
    np.testing.assert_array_equal(take.truth.xy_px, take.xy_px)
    assert take.size_px.tolist() == [[2048, 2048]] * 4
    assert not take.moving
    assert [one.subject for one in load("mpi-inf-3dhp", tmp_path, "morphing")] == ["S1"]


def test_the_test_takes_valid_frames_and_the_common_skeleton(tmp_path: Path) -> None:
    write_test(tmp_path)
    write_test(tmp_path, "TS1")
    one, five = load("mpi-inf-3dhp", tmp_path, "test")
    valid = np.arange(22) % 3 > 0
    assert (one.subject, five.subject, five.views, five.frames) == ("TS1", "TS5", 1, valid.sum())
    assert five.truth is not None
    np.testing.assert_allclose(five.xy_px, SHOT.xy_px[valid, :1], rtol=1e-5)
    np.testing.assert_allclose(five.truth.joints, 0.95 * SHOT.local[valid, :1], atol=1e-5)
    assert (one.size_px.tolist(), five.size_px.tolist()) == ([[2048, 2048]], [[1920, 1080]])
    assert five.focal_px.tolist() == [1728]


def test_a_joint_without_a_label_has_score_0(tmp_path: Path) -> None:
    xy_px = SHOT.xy_px.copy()
    xy_px[5, 7, 3] = np.nan
    write_train(tmp_path, annot2=cells(xy_px, 2))
    (take,) = load("mpi-inf-3dhp", tmp_path, "train")
    assert np.argwhere(take.score == 0).tolist() == [[1, 2, 3]]
    assert take.xy_px[1, 2, 3].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"annot2": np.zeros((22, 56))}, "has no cells named 'annot2'"),
        ({"annot2": cells(SHOT.xy_px, 2)[:5]}, r"annot2 has the shapes \[\(22, 56\).* 14 cells of N × 56 are required"),
        ({"annot3": cells(SHOT.xy_px, 2)}, r"annot3 has the shapes \[\(22, 56\).* 14 cells of N × 84 are required"),
    ],
)
def test_training_files_of_another_form_are_refused(tmp_path: Path, change: Any, text: str) -> None:
    write_train(tmp_path, **change)
    with pytest.raises(UsageError, match=text):
        load("mpi-inf-3dhp", tmp_path, "train")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"annot2": np.zeros((22, 17, 2))}, r"has \{'annot2': \(22, 17, 2\)"),
        ({"univ_annot3": np.zeros((21, 1, 17, 3))}, r"'univ_annot3': \(21, 1, 17, 3\)"),
        ({"valid_frame": np.zeros((21, 1))}, "has 21 valid_frame for 22 frames"),
    ],
)
def test_test_files_of_another_form_are_refused(tmp_path: Path, change: Any, text: str) -> None:
    write_test(tmp_path, **change)
    with pytest.raises(UsageError, match=text):
        load("mpi-inf-3dhp", tmp_path, "test")


def test_damaged_files_are_named(tmp_path: Path) -> None:
    write_train(tmp_path)
    write_test(tmp_path)
    (tmp_path / "S2" / "Seq1" / "annot.mat").write_bytes(b"nothing")
    (tmp_path / "TS5" / "annot_data.mat").write_bytes(b"nothing")
    with pytest.raises(UsageError, match=r"annot\.mat cannot be read as a MATLAB file: .* Copy or download it again"):
        load("mpi-inf-3dhp", tmp_path, "train")
    with pytest.raises(UsageError, match=r"annot_data\.mat cannot be read as HDF5: .* Copy or download it again"):
        load("mpi-inf-3dhp", tmp_path, "test")
