from pathlib import Path

import numpy as np
import pytest

from pose_rig.errors import ContentError, UsageError
from pose_rig.session.keypoints.keypoint_frames import ImportOptions
from pose_rig.session.keypoints.keypoint_reader import read_keypoints
from pose_rig.skeleton import SCHEMAS

SIZE = [(1920, 1080)]
COCO = SCHEMAS["coco17"]


def table(
    path: Path, parts: tuple[str, ...] = COCO, people: tuple[str, ...] = (), frames: tuple[str, ...] = ("0", "1", "2")
) -> Path:
    """Writes what DeepLabCut writes: of part k x = 100 + k and y = 200 + k, 500 more for each further person."""
    owners = people or ("",)
    rows = [["scorer", *["DLC"] * (3 * len(parts) * len(owners))]]
    if people:
        rows.append(["individuals", *[owner for owner in owners for _ in range(3 * len(parts))]])
    rows.append(["bodyparts", *[part for _ in owners for part in parts for _ in range(3)]])
    rows.append(["coords", *["x", "y", "likelihood"] * (len(parts) * len(owners))])
    numbers = [f for p in range(len(owners)) for k in range(len(parts)) for f in (100 + k + 500 * p, 200 + k, 0.9)]
    rows += [[frame, *map(str, numbers)] for frame in frames]
    path.write_text("\n".join(map(",".join, rows)) + "\n")
    return path


def test_one_animal_is_one_person(tmp_path: Path) -> None:
    found = read_keypoints(table(tmp_path / "leftDLC_resnet50_walkNov1shuffle1_50000.csv"), ImportOptions(10.0, SIZE))
    assert (found.cameras, found.landmarks) == (("left",), "coco17")
    assert found.xy.shape == (1, 3, 1, 17, 2)
    np.testing.assert_array_equal(found.xy[0, 2, 0, 4], [104, 204])
    assert (found.score == np.float32(0.9)).all()
    assert found.t_ns.tolist() == [[0, 100_000_000, 200_000_000]]


def test_individuals_are_people(tmp_path: Path) -> None:
    found = read_keypoints(table(tmp_path / "a.csv", people=("ann", "bob")), ImportOptions(10.0, SIZE))
    assert found.xy.shape == (1, 3, 2, 17, 2)
    np.testing.assert_array_equal(found.xy[0, 0, :, 0], [[100, 200], [600, 200]])


def test_a_folder_has_a_file_for_each_camera(tmp_path: Path) -> None:
    for camera in ("cam10", "cam2"):
        table(tmp_path / f"{camera}DLC_x.csv")
    (tmp_path / "notes.csv").write_text("who,when\n")
    assert read_keypoints(tmp_path, ImportOptions(10.0, SIZE)).cameras == ("cam2", "cam10")


def test_empty_cells_are_not_visible(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv")
    path.write_text("\ufeff" + path.read_text("utf-8").replace("0,100,200,0.9,101,", "0,,,,nan,"), "utf-8")
    found = read_keypoints(path, ImportOptions(10.0, SIZE))
    assert (found.score[0, 0, 0] == 0).tolist() == [True, True, *[False] * 15]


def test_what_was_marked_by_hand_counts_fully(tmp_path: Path) -> None:
    rows = [
        ["scorer", "", "", *["ann"] * 34],
        ["bodyparts", "", "", *[part for part in COCO for _ in range(2)]],
        ["coords", "", "", *["x", "y"] * 17],
        *[["labeled-data", "walk", f"img{n:03d}.png", *["500", "600"] * 17] for n in (7, 9)],
    ]
    (tmp_path / "a.csv").write_text("\n".join(map(",".join, rows)))
    found = read_keypoints(tmp_path / "a.csv", ImportOptions(10.0, SIZE))
    assert (found.score == 1).all()
    assert found.t_ns.tolist() == [[0, 200_000_000]]


@pytest.mark.parametrize(
    "parts",
    [
        ("LHip", "RHip", "LShoulder", "RShoulder"),
        ("hip_left", "hip_right", "shoulder_l", "shoulder_r"),
        ("leftHip", "rightHip", "leftShoulder", "rightShoulder"),
        ("Left Hip", "right-hip", "LEFT_SHOULDER", "r_shoulder"),
    ],
)
def test_body_parts_in_other_spellings(tmp_path: Path, parts: tuple[str, ...]) -> None:
    found = read_keypoints(table(tmp_path / "a.csv", (*parts, "tail")), ImportOptions(10.0, SIZE))
    assert found.landmarks == ",".join((*parts, "tail"))


def test_unknown_body_parts_can_be_named(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", ("hip1", "hip2", "shoulder1", "shoulder2"))
    with pytest.raises(
        UsageError, match="hips and shoulders are not among the body parts hip1, hip2, shoulder1"
    ) as error:
        read_keypoints(path, ImportOptions(10.0, SIZE))
    assert error.value.remedy.startswith("Name all 4 in order with --landmarks NAME,NAME,… Known are nose, and")
    names = "right_hip,left_hip,right_shoulder,left_shoulder"
    assert read_keypoints(path, ImportOptions(10.0, SIZE, names)).landmarks == names


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("coords,", "coordinates,", "is not DeepLabCut's CSV: it does not begin with scorer, bodyparts, coords"),
        ("likelihood", "z", r"has columns \['z', 'z', 'z'\]\. Use x, y, likelihood"),
        ("left_eye", "nose", "has a column twice"),
        ("\n1,", "\n0,", "has the frame 0 twice"),
        ("\n1,", "\nlast,", r"the row \['last'\] has no frame number"),
        ("\n1,100,", "\n1,", "the row '1' has 50 numbers, not 51"),
        ("\n1,100,", "\n1,far,", "the row '1' has an invalid number|other things than numbers"),
        ("100,200,0.9", "100,200,90", "scores reach 90, expected 0–1"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, old: str, new: str, reason: str) -> None:
    path = table(tmp_path / "a.csv")
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ContentError, match=reason):
        read_keypoints(path, ImportOptions(10.0, SIZE))


def test_a_file_without_frames_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"a\.csv has no frames"):
        read_keypoints(table(tmp_path / "a.csv", frames=()), ImportOptions(10.0, SIZE))


def test_cameras_of_other_models_are_refused(tmp_path: Path) -> None:
    table(tmp_path / "a.csv")
    table(tmp_path / "b.csv", COCO[::-1])
    with pytest.raises(ContentError, match=r"the files have different body parts\. Detect all cameras with the"):
        read_keypoints(tmp_path, ImportOptions(10.0, SIZE))
