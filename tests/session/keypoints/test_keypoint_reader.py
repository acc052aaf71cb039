import json
from pathlib import Path

import pytest

from pose_rig.errors import ContentError, UsageError
from pose_rig.session.keypoints.keypoint_frames import ImportOptions
from pose_rig.session.keypoints.keypoint_reader import read_keypoints
from tests.capture.keypoints import write_keypoints


def test_a_keypoint_file_is_read(tmp_path: Path) -> None:
    assert read_keypoints(write_keypoints(tmp_path / "KP.NPZ".lower()), ImportOptions()).landmarks == "coco17"


@pytest.mark.parametrize(
    "options", [{"fps": 30.0}, {"sizes_px": [(100, 80)]}, {"schema": "coco17"}], ids=["fps", "size", "landmarks"]
)
def test_options_that_a_keypoint_file_contains_are_refused(tmp_path: Path, options: dict[str, float]) -> None:
    path = write_keypoints(tmp_path / "kp.npz")
    with pytest.raises(UsageError, match=r"contains its frame rate.* Leave out --fps, --size and --landmarks"):
        read_keypoints(path, ImportOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("walkDLC.h5", r"is HDF5, as DeepLabCut and SLEAP write it\. Export CSV: deeplabcut"),
        ("walk.slp", "is a project of SLEAP"),
        ("walk.pickle", "is pickled data, which may run anything when it is opened. Give a keypoint file"),
        ("walk.trc", "is 3D markers, not 2D keypoints"),
        ("walk.csv", "is not DeepLabCut's CSV, which begins with scorer"),
        ("walk.docx", "is not a known format of 2D keypoints. Give a keypoint file"),
    ],
)
def test_forms_that_are_not_read_are_named(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / name).write_text("something")
    with pytest.raises(ContentError, match=reason):
        read_keypoints(tmp_path / name, ImportOptions(30.0, [(100, 80)]))


def test_a_single_frame_of_openpose_is_a_folder_too_few(tmp_path: Path) -> None:
    path = tmp_path / "walk_000000000000_keypoints.json"
    path.write_text(json.dumps({"version": 1.3, "people": []}))
    with pytest.raises(ContentError, match=r"is a single frame of OpenPose\. Give its folder, /.*0\.$"):
        read_keypoints(path, ImportOptions(30.0, [(100, 80)]))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no file or folder .*absent\.json\. Check the path\. Give a"):
        read_keypoints(tmp_path / "absent.json", ImportOptions())
