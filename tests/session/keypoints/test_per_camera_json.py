import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose_rig.errors import ContentError, UsageError
from pose_rig.session.keypoints.keypoint_frames import ImportOptions
from pose_rig.session.keypoints.keypoint_reader import read_keypoints
from pose_rig.session.keypoints.per_camera_json import read_results

SIZE = [(1920, 1080)]


def flat(count: int = 17, x: float = 100.0, score: float = 0.5) -> list[float]:
    """Returns x, y, score of every landmark; no two are alike."""
    return [number for k in range(count) for number in (x + k, 200.0 + 2 * k, score)]


def result(image: int | str, count: int = 17, x: float = 100.0) -> dict[str, Any]:
    """One person as AlphaPose writes them."""
    return {"image_id": image, "category_id": 1, "keypoints": flat(count, x), "score": 2.9, "box": [1, 2, 3, 4]}


def instance(count: int = 17, x: float = 100.0) -> dict[str, Any]:
    """One person as MMPose writes them."""
    points = np.array(flat(count, x)).reshape(-1, 3)
    return {"keypoints": points[:, :2].tolist(), "keypoint_scores": points[:, 2].tolist(), "bbox": [[1, 2, 3, 4]]}


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


FORMS: dict[str, Any] = {
    "AlphaPose": [result("1.jpg"), result("1.jpg", x=700.0), result("3.jpg", x=300.0), result("4.jpg")],
    "COCO results": [result(1), result(1, x=700.0), result(3, x=300.0), result(4)],
    "MMPose": [
        {"frame_id": 1, "instances": [instance(), instance(x=700.0)]},
        {"frame_id": 2, "instances": []},
        {"frame_id": 3, "instances": [instance(x=300.0)]},
        {"frame_id": 4, "instances": [instance()]},
    ],
    "AlphaPose, cmu": {
        "img_1.jpg": {"version": "AlphaPose v0.3", "bodies": [{"joints": flat()}, {"joints": flat(x=700.0)}]},
        "img_3.jpg": {"version": "AlphaPose v0.3", "bodies": [{"joints": flat(x=300.0)}]},
        "img_4.jpg": {"version": "AlphaPose v0.3", "bodies": [{"joints": flat()}]},
    },
    "AlphaPose, open": {
        "1.jpg": {
            "version": "AlphaPose v0.3",
            "people": [{"pose_keypoints_2d": flat()}, {"pose_keypoints_2d": flat(x=700.0)}],
        },
        "3.jpg": {"version": "AlphaPose v0.3", "people": [{"pose_keypoints_2d": flat(x=300.0)}]},
        "4.jpg": {"version": "AlphaPose v0.3", "people": [{"pose_keypoints_2d": flat()}]},
    },
}
FORMS["MMPose's demo"] = {"meta_info": {"dataset_name": "coco"}, "instance_info": FORMS["MMPose"]}


@pytest.mark.parametrize("form", FORMS)
def test_results_of_one_camera_are_read(tmp_path: Path, form: str) -> None:
    found = read_keypoints(write(tmp_path / "left.json", FORMS[form]), ImportOptions(10.0, SIZE))
    assert (found.cameras, found.landmarks, found.size_px) == (("left",), "coco17", ((1920, 1080),))
    assert found.t_ns.tolist() == [[0, 100_000_000, 200_000_000, 300_000_000]]
    assert found.xy.shape == (1, 4, 2, 17, 2)
    assert np.all(found.score[0] > 0, axis=-1).tolist() == [[True, True], [False, False], [True, False], [True, False]]
    np.testing.assert_array_equal(found.xy[0, 0, 1, 3], [703, 206])
    np.testing.assert_array_equal(found.xy[0, 2, 0, 0], [300, 200])


def test_a_folder_has_a_file_for_each_camera(tmp_path: Path) -> None:
    for camera in ("cam10", "cam2"):
        write(tmp_path / f"{camera}.json", [result(f"{frame}.jpg") for frame in range(3)])
    assert read_keypoints(tmp_path, ImportOptions(10.0, SIZE)).cameras == ("cam2", "cam10")


def test_alphapose_keeps_a_folder_for_each_camera(tmp_path: Path) -> None:
    write(tmp_path / "north" / "alphapose-results.json", [result("0.jpg"), result("1.jpg")])
    write(tmp_path / "south" / "alphapose-results.json", [result("1.jpg"), result("2.jpg")])
    found = read_keypoints(tmp_path, ImportOptions(10.0, SIZE))
    assert found.cameras == ("north", "south")
    assert (found.t_ns // 10**8).tolist() == [[0, 1], [1, 2]]


@pytest.mark.parametrize(
    ("count", "landmarks"), [(17, "coco17"), (18, "coco18"), (26, "halpe26"), (133, "wholebody133"), (136, "halpe136")]
)
def test_the_landmark_set_follows_from_the_number_of_landmarks(tmp_path: Path, count: int, landmarks: str) -> None:
    path = write(tmp_path / "a.json", [result("0.jpg", count)])
    assert read_keypoints(path, ImportOptions(10.0, SIZE)).landmarks == landmarks


def test_images_of_every_fifth_frame_leave_no_gaps(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", [result(f"{frame}.jpg") for frame in (0, 5, 15)])
    found = read_keypoints(path, ImportOptions(50.0, SIZE))
    assert (found.t_ns // 10**8).tolist() == [[0, 1, 2, 3]]
    assert found.score.any((2, 3)).tolist() == [[True, True, False, True]]


def test_numbers_far_apart_are_no_gaps(tmp_path: Path) -> None:
    assert list(read_results(write(tmp_path / "a.json", [result(3), result(10**9)]))) == [3, 10**9]


def test_nan_and_null_are_not_visible(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([result("0.jpg")]).replace("100.0", "NaN", 1).replace("101.0", "null", 1))
    found = read_keypoints(path, ImportOptions(10.0, SIZE))
    assert (found.score[0, 0, 0] == 0).tolist() == [True, True, *[False] * 15]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], r"there is no person in any frame\. Check the detector"),
        ([{"image_id": "0.jpg", "keypoints": [1, 2]}], "keypoints are not x, y, score in turn"),
        ([{"image_id": "0.jpg", "keypoints": []}], "keypoints are not x, y, score in turn"),
        ([{"image_id": "0.jpg", "keypoints": ["a"]}], "Expected `float`, got `str`"),
        ([result("0.jpg"), result("1.jpg", 26)], "people have 17 or 26 landmarks. Detect all people with the same"),
        ([result("first.jpg")], r"the image 'first\.jpg' has no number\. Name images by frame number"),
        ([7], "Expected `object`, got `int`"),
        (
            {"images": [], "annotations": []},
            "is a COCO data set of annotations. Give files of one camera",
        ),
        ([{"frame_id": 0, "instances": [{"keypoints": [[1, 2]], "keypoint_scores": []}]}], "1 keypoints have 0 scores"),
    ],
)
def test_other_files_are_named(tmp_path: Path, content: Any, reason: str) -> None:
    path = write(tmp_path / "a.json", content)
    with pytest.raises(ContentError, match=reason):
        read_keypoints(path, ImportOptions(10.0, SIZE))


@pytest.mark.parametrize("text", ["[", '[{"image_id": "0.jpg", "keypoints": [1,', "[" * 100_000, "\xff[]"])
def test_damaged_files_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ContentError, match=r"a\.json (has no known format|is a single frame)"):
        read_keypoints(tmp_path / "a.json", ImportOptions(10.0, SIZE))


def test_a_file_too_large_to_be_one_is_refused_unread(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", [])
    with path.open("r+b") as file:
        file.truncate(1 << 29)
    with pytest.raises(ContentError, match="it has 537 MB, more than 268 MB"):
        read_results(path)


def test_the_set_must_be_known(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", [result("0.jpg", 19)])
    with pytest.raises(UsageError, match=r"no landmark set has 19 landmarks, only 17 \(coco17\)"):
        read_keypoints(path, ImportOptions(10.0, SIZE))
