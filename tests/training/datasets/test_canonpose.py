import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.errors import UsageError
from pose_rig.skeleton import INDEX
from pose_rig.training.datasets.layout import CANONPOSE_16, CANONPOSE_LEFT_16, PAPER_16
from pose_rig.training.datasets.load import load
from pose_rig.training.datasets.mat import read_h5
from pose_rig.training.datasets.protocol import HUMAN36M, SKIPOSE
from tests.training.datasets.world import as_file, shoot

SUBJECTS = [1, 5, 5, 9, 11, 5, 6, 9]
PAPER = [i for name, i in INDEX.items() if name != "spine"]
SHOT = shoot(len(SUBJECTS) / 50, HUMAN36M.size_px)


def planar(joints: Floats, places: dict[str, int]) -> Floats:
    """(N, 16·C) all x, then all y, …"""
    return as_file(joints, places, 16).swapaxes(1, 2).reshape(len(joints), -1)


def flat_file() -> dict[str, Any]:
    """As bastianwandt/CanonPose reads it, with truth in mm."""
    cameras = list(enumerate(HUMAN36M.cameras))
    return {
        "subjects": list(SUBJECTS),
        "poses_2d_pred": {camera: planar(SHOT.xy_px[:, v], CANONPOSE_16) for v, camera in cameras},
        "confidences": {camera: np.linspace(0.1, 1.6, 8 * 16).reshape(8, 16) for _, camera in cameras},
        "poses_3d": {camera: planar(1000 * SHOT.local[:, v], CANONPOSE_16) for v, camera in cameras},
    }


def deep_file() -> dict[str, Any]:
    """As the paper's code reads it."""
    cameras = list(enumerate(HUMAN36M.cameras))
    return {
        "subjects": np.array(SUBJECTS),
        "poses_2d_pred": {camera: as_file(SHOT.xy_px[:, v] + 3, PAPER_16, 16) for v, camera in cameras},
        "confidences": {camera: np.full((8, 16, 1), 0.7) for _, camera in cameras},
        "p2d_gt": {camera: as_file(SHOT.xy_px[:, v], PAPER_16, 16) for v, camera in cameras},
        "p3d_gt": {camera: as_file(1000 * SHOT.local[:, v], PAPER_16, 16) for v, camera in cameras},
        "images": {camera: ["a.jpg"] * 8 for _, camera in cameras},
    }


def write(path: Path, data: Any) -> None:
    path.write_bytes(pickle.dumps(data, pickle.HIGHEST_PROTOCOL))


def test_flat_rows_are_subjects_views_and_our_joints(tmp_path: Path) -> None:
    write(tmp_path / "h36m_detections.pickle", flat_file())
    takes = load("human36m", tmp_path, "train")
    assert [(take.name, take.subject, take.frames) for take in takes] == [
        ("human36m S5", "S5", 3),
        ("human36m S6", "S6", 1),
    ]
    five, rows = takes[0], [1, 2, 5]
    np.testing.assert_allclose(five.xy_px[:, :, PAPER], SHOT.xy_px[rows][:, :, PAPER], rtol=1e-6)
    trunk = [INDEX[name] for name in ("l_hip", "r_hip", "l_shoulder", "r_shoulder")]
    np.testing.assert_allclose(five.xy_px[:, :, INDEX["spine"]], SHOT.xy_px[rows][:, :, trunk].mean(2), rtol=1e-6)
    assert five.truth is not None
    np.testing.assert_allclose(five.truth.joints[:, :, PAPER], SHOT.local[rows][:, :, PAPER], atol=1e-5)
    np.testing.assert_allclose(five.truth.xy_px, five.xy_px)
    confidence = flat_file()["confidences"][HUMAN36M.cameras[0]]
    assert five.score[0, 0, INDEX["l_wrist"]] == pytest.approx(confidence[1, 15])
    assert five.score[1, 0, INDEX["r_hip"]] == pytest.approx(confidence[2, 0])
    assert takes[1].score.max() == 1.0  # above 1 in the file
    assert five.size_px.tolist() == [[1000, 1002], [1000, 1000], [1000, 1000], [1000, 1002]]
    assert five.focal_px == pytest.approx([901.8, 900, 900, 901.8])
    assert not five.moving
    assert five.camera_from_rig is None
    assert [take.subject for take in load("human36m", tmp_path, "test")] == ["S9", "S11"]
    assert [take.subject for take in load("human36m", tmp_path, "morphing")] == ["S1"]


@pytest.mark.parametrize("suffix", ["pickle", "npy", "h5"])
def test_rows_of_joints_with_labels_in_every_kind_of_file(tmp_path: Path, suffix: str) -> None:
    data = deep_file()
    path = tmp_path / f"alphapose.{suffix}"
    if suffix == "pickle":
        write(path, data)
    elif suffix == "npy":
        np.save(path, np.array(data, object))
    else:
        with h5py.File(path, "w") as file:
            file["subjects"] = data["subjects"]
            for key in ("poses_2d_pred", "confidences", "p2d_gt", "p3d_gt"):
                for camera, values in data[key].items():
                    file[f"{key}/{camera}"] = values
    nine = load("human36m", tmp_path, "test")[0]
    rows = [3, 7]
    np.testing.assert_allclose(nine.xy_px[:, :, PAPER], SHOT.xy_px[rows][:, :, PAPER] + 3, rtol=1e-6)
    assert nine.truth is not None
    np.testing.assert_allclose(nine.truth.xy_px[:, :, PAPER], SHOT.xy_px[rows][:, :, PAPER], rtol=1e-6)
    np.testing.assert_allclose(nine.truth.joints[:, :, PAPER], SHOT.local[rows][:, :, PAPER], atol=1e-5)
    assert np.unique(nine.score) == pytest.approx([0.7])


def test_a_missing_camera_and_a_missing_joint_have_score_0(tmp_path: Path) -> None:
    data = deep_file()
    del data["poses_2d_pred"][HUMAN36M.cameras[2]]
    data["poses_2d_pred"][HUMAN36M.cameras[0]][6, PAPER_16["nose"]] = np.nan
    write(tmp_path / "a.pkl", data)
    six = load("human36m", tmp_path, "train")[1]
    assert six.score[:, 2].max() == 0
    assert six.xy_px[:, 2].max() == 0
    assert np.flatnonzero(six.score[0, 0] == 0).tolist() == [INDEX["nose"]]


def test_the_file_of_the_split_is_taken(tmp_path: Path) -> None:
    data = deep_file()
    write(tmp_path / "h36m_train.pickle", data)
    write(tmp_path / "h36m_test.pickle", data | {"subjects": [11] * 8})
    assert [take.frames for take in load("human36m", tmp_path, "train")] == [3, 1]
    assert [take.frames for take in load("human36m", tmp_path, "test")] == [8]


def test_mpi_inf_3dhp_in_this_layout_has_the_left_arm_first(tmp_path: Path) -> None:
    cameras = ["cam0", "cam2", "cam7", "cam8"]
    write(
        tmp_path / "train_mpi.pickle",
        {
            "subjects": [1, 2, 2, 3, 4, 5, 6, 8],
            "poses_2d_pred": {camera: planar(SHOT.xy_px[:, v], CANONPOSE_LEFT_16) for v, camera in enumerate(cameras)},
        },
    )
    takes = load("mpi-inf-3dhp", tmp_path, "train")
    assert [take.subject for take in takes] == ["S2", "S3", "S4", "S5", "S6", "S8"]
    np.testing.assert_allclose(takes[0].xy_px[:, :, PAPER], SHOT.xy_px[1:3][:, :, PAPER], rtol=1e-6)
    assert takes[0].score.min() == 1
    assert takes[0].truth is None


def test_skipose_in_this_layout_goes_joint_after_joint(tmp_path: Path) -> None:
    shot = shoot(0.1, SKIPOSE.size_px)
    cameras = {f"cam_0{v}": as_file(shot.xy_px[:, v], PAPER_16, 16).reshape(5, 32) for v in range(6)}
    write(tmp_path / "ski.pickle", {"subjects": [103, 103, 110, 110, 110], "poses_2d_pred": cameras})
    takes = load("skipose", tmp_path, "train")
    assert [(take.subject, take.views, take.moving) for take in takes] == [("S103", 6, True), ("S110", 6, True)]
    np.testing.assert_allclose(takes[1].xy_px[:, :, PAPER], shot.xy_px[2:][:, :, PAPER], rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"subjects": None}, "subjects are not numbers"),
        ({"poses_2d_pred": np.zeros((8, 32))}, "poses_2d_pred is not a dict of cameras"),
        ({"poses_2d_pred": {"cam9": np.zeros((8, 32))}}, "poses_2d_pred has none of the cameras"),
        ({"poses_2d_pred": {HUMAN36M.cameras[0]: np.zeros((8, 34))}}, r"has the shape \(8, 34\)"),
        ({"poses_2d_pred": {HUMAN36M.cameras[0]: np.zeros((7, 32))}}, r"has the shape \(7, 32\)"),
        ({"confidences": {HUMAN36M.cameras[0]: np.zeros((8, 17))}}, r"confidences .* have the shape \(8, 17\)"),
    ],
)
def test_files_of_another_form_are_refused(tmp_path: Path, change: dict[str, Any], text: str) -> None:
    write(tmp_path / "a.pickle", flat_file() | change)
    with pytest.raises(UsageError, match=text):
        load("human36m", tmp_path, "train")


def test_a_file_without_poses_is_refused(tmp_path: Path) -> None:
    for content in ([1, 2], {"subjects": [5]}):
        write(tmp_path / "a.pickle", content)
        with pytest.raises(UsageError, match="has no entry"):
            load("human36m", tmp_path, "train")


def test_a_small_h5_that_unpacks_to_very_much_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "bomb.h5", "w") as file:
        file.create_dataset("poses/of", (1 << 20, 1 << 10), "f4", chunks=True, compression="gzip")
    with pytest.raises(UsageError, match=r"bomb\.h5 cannot be read as HDF5: its .* MB would unpack to 4295 MB"):
        read_h5(tmp_path / "bomb.h5")
