from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pose_rig.errors import ContentError, UsageError
from pose_rig.session.keypoints.keypoint_frames import ImportOptions
from pose_rig.session.keypoints.keypoint_reader import read_keypoints

SIZE = [(1920, 1080)]
NAME = "mediapipe_2dData_numCams_numFrames_numTrackedPoints_pixelXY.npy"


def pixels(views: int = 2, frames: int = 5, count: int = 33, channels: int = 2) -> NDArray[np.float64]:
    return np.random.default_rng(0).uniform(300, 1000, (views, frames, count, channels))


def save(path: Path, array: NDArray[Any]) -> Path:
    np.save(path, array)
    return path


@pytest.mark.parametrize("count", [33, 75, 543, 553])
def test_the_body_of_all_cameras_is_read(tmp_path: Path, count: int) -> None:
    array = pixels(count=count)
    array[0, 1, 3] = np.nan
    found = read_keypoints(save(tmp_path / NAME, array), ImportOptions(25.0, SIZE))
    assert (found.cameras, found.landmarks) == (("cam0", "cam1"), "mediapipe33")
    np.testing.assert_array_equal(found.xy[:, :, 0], array[:, :, :33].astype(np.float32))
    assert (found.score == 0).sum() == 1
    assert found.t_ns[1].tolist() == [0, 40_000_000, 80_000_000, 120_000_000, 160_000_000]


def test_a_third_channel_of_depths_is_no_score(tmp_path: Path) -> None:
    array = pixels(channels=3)
    array[..., 2] -= 700
    assert (read_keypoints(save(tmp_path / NAME, array), ImportOptions(25.0, SIZE)).score == 1).all()


def test_a_third_channel_of_0_to_1_is_the_score(tmp_path: Path) -> None:
    array = pixels(count=25, channels=3)
    array[..., 2] = np.linspace(0.1, 1, 25)
    found = read_keypoints(save(tmp_path / "openpose_2dData.npy", array), ImportOptions(25.0, SIZE, "body_25"))
    assert found.landmarks == "body25"
    np.testing.assert_allclose(found.score[0, 0, 0], np.linspace(0.1, 1, 25), rtol=1e-6)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((5, 33, 3)), r"is float64 \(5, 33, 3\), expected pixels \(cameras, frames, landmarks, 2 or 3\)"),
        (np.zeros((2, 5, 33, 4)), "expected pixels"),
        (np.zeros((2, 0, 33, 2)), "has no frames"),
        (np.full((2, 5, 33, 2), "x"), "expected pixels"),
        (np.array([{}], object), "cannot be read as npy: Object arrays cannot be loaded, as they are pickled"),
        (pixels() / 1920, "keypoints are not in pixels"),
        (pixels() * np.nan, "has no visible keypoint in any frame"),
    ],
)
def test_other_arrays_are_named(tmp_path: Path, array: NDArray[Any], reason: str) -> None:
    with pytest.raises(ContentError, match=reason):
        read_keypoints(save(tmp_path / NAME, array), ImportOptions(25.0, SIZE))


def test_an_unknown_number_of_landmarks_must_be_named(tmp_path: Path) -> None:
    path = save(tmp_path / NAME, pixels(count=4))
    with pytest.raises(UsageError, match="has 4 landmarks, which is no known landmark set"):
        read_keypoints(path, ImportOptions(25.0, SIZE))
    names = "left_hip,right_hip,left_shoulder,right_shoulder"
    assert read_keypoints(path, ImportOptions(25.0, SIZE, names)).landmarks == names
    with pytest.raises(UsageError, match="has 4 landmarks, coco17"):
        read_keypoints(path, ImportOptions(25.0, SIZE, "coco17"))
