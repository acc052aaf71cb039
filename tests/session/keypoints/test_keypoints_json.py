import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from pose_rig.capture.keypoint_file import load
from pose_rig.capture.keypoints import is_later
from pose_rig.errors import PoseRigError, SourceError, UsageError
from pose_rig.session.formats.detections_json import write_keypoints_json
from pose_rig.session.keypoints.keypoint_frames import BODY_25B, SET_BY_COUNT, ImportOptions, frame_number
from pose_rig.session.keypoints.keypoints_json import read_keypoints_json
from pose_rig.skeleton import landmarks
from tests.session.posed import keypoints_of

SIZE = [(1920, 1080)]
TAKE = Path(__file__).parents[4] / "shared/data/multiview/pose2sim_demo_4view/pose2sim_single_4view.npz"


def person(count: int = 17, x: float = 100.0) -> list[float]:
    """Returns x, y, score of every landmark; no two are alike."""
    return [number for k in range(count) for number in (x + k, 200.0 + 2 * k, 0.5)]


def frame(path: Path, *people: list[float]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"version": 1.3, "people": [{"pose_keypoints_2d": each} for each in people]}))


def test_openposes_folder_is_one_camera(tmp_path: Path) -> None:
    for number in range(3):
        frame(tmp_path / "left" / f"take1_{number:012d}_keypoints.json", person(x=number))
    found = read_keypoints_json(tmp_path / "left", ImportOptions(25.0, SIZE))
    assert (found.cameras, found.landmarks, found.size_px) == (("left",), "coco17", ((1920, 1080),))
    assert found.focal_px == (None,)
    assert found.xy.shape == (1, 3, 1, 17, 2)
    np.testing.assert_array_equal(found.xy[0, :, 0, 0], [[0, 200], [1, 200], [2, 200]])
    assert (found.score == 0.5).all()
    assert found.t_ns.tolist() == [[0, 40_000_000, 80_000_000]]


def test_a_pose2sim_project_is_all_its_cameras_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for camera in ("cam10", "cam2"):
        frame(tmp_path / "pose-sync" / f"{camera}_json" / f"{camera}_000000.json", person())
    frame(tmp_path / "pose" / "cam2_json" / "cam2_000000.json", person(33))
    assert read_keypoints_json(tmp_path, ImportOptions(25.0, SIZE)).cameras == ("cam2", "cam10")


def test_equal_numbers_are_equal_times_and_a_missing_one_is_a_dropped_frame(tmp_path: Path) -> None:
    for number in (7, 8, 10):
        frame(tmp_path / "a_json" / f"a_{number}.json", person(x=number))
    for number in (8, 9):
        frame(tmp_path / "b_json" / f"b_{number}.json", person(x=number))
    found = read_keypoints_json(tmp_path, ImportOptions(10.0, SIZE))
    real = is_later(found.t_ns)
    assert (found.t_ns[0][real[0]] / 1e8).tolist() == [0, 1, 3]
    assert (found.t_ns[1][real[1]] / 1e8).tolist() == [1, 2]
    assert found.xy[1, real[1], 0, 0, 0].tolist() == [8, 9]
    assert np.isnan(found.xy[~real]).all()


def test_numbers_may_be_longer_than_any_integer_of_a_machine(tmp_path: Path) -> None:
    for number in range(2):
        frame(tmp_path / f"a_{10**20 + number}.json", person())
    assert read_keypoints_json(tmp_path, ImportOptions(10.0, SIZE)).t_ns.tolist() == [[0, 100_000_000]]


def test_people_come_and_go(tmp_path: Path) -> None:
    frame(tmp_path / "a_0.json", person(x=1), person(x=500))
    frame(tmp_path / "a_1.json")
    frame(tmp_path / "a_2.json", person(x=3), [])
    found = read_keypoints_json(tmp_path, ImportOptions(10.0, SIZE))
    assert found.xy.shape == (1, 3, 2, 17, 2)
    assert np.any(found.score[0] > 0, axis=-1).tolist() == [[True, True], [False, False], [True, False]]
    assert np.isnan(found.xy[found.score == 0]).all()


@pytest.mark.parametrize(
    ("name", "number"),
    [("cam2_000012_keypoints.json", 12), ("a/b3/img0007.png", 7), ("12", 12), ("first.jpg", None),
     ("1690000000123456789.png", 1690000000123456789), (f"img{'9' * 5000}.png", 10**40 - 1)],
)  # fmt: skip
def test_the_last_number_in_a_name_is_that_of_the_frame(name: str, number: int | None) -> None:
    assert frame_number(name) == number


@pytest.mark.parametrize(("count", "schema"), SET_BY_COUNT.items())
def test_the_landmark_set_follows_from_the_number_of_landmarks(tmp_path: Path, count: int, schema: str) -> None:
    points = person(count)
    if schema == "body25":
        points[8 * 3 : 8 * 3 + 2] = [(points[9 * 3 + a] + points[12 * 3 + a]) / 2 for a in (0, 1)]
        points[1 * 3 + 1] = -300.0
    frame(tmp_path / "a_0.json", points)
    assert read_keypoints_json(tmp_path, ImportOptions(10.0, SIZE)).landmarks == schema


def test_the_two_sets_of_25_are_distinguished_by_the_hips(tmp_path: Path) -> None:
    points = np.array(person(25)).reshape(25, 3)
    points[landmarks(BODY_25B).names.index("right_elbow"), :2] = [900, 100]
    frame(tmp_path / "a_0.json", points.ravel().tolist())
    assert read_keypoints_json(tmp_path, ImportOptions(10.0, SIZE)).landmarks == BODY_25B


def test_the_set_can_be_named(tmp_path: Path) -> None:
    frame(tmp_path / "a_0.json", person(4))
    names = "left_hip,right_hip,left_shoulder,right_shoulder"
    assert read_keypoints_json(tmp_path, ImportOptions(10.0, SIZE, names)).landmarks == names
    with pytest.raises(UsageError, match=r"people have 4 landmarks, coco17 has 17\. Name another set"):
        read_keypoints_json(tmp_path, ImportOptions(10.0, SIZE, "coco17"))


def test_an_unknown_number_of_landmarks_is_refused(tmp_path: Path) -> None:
    frame(tmp_path / "a_0.json", person(19))
    with pytest.raises(
        UsageError, match=r"no landmark set has 19 landmarks, only 17 \(coco17\), 18 \(coco18\), 25 .*--landmarks"
    ):
        read_keypoints_json(tmp_path, ImportOptions(10.0, SIZE))


def damaged(folder: Path, *, second: Any = None, text: str | None = None, points: list[float] | None = None) -> None:
    frame(folder / "a_0.json", person() if points is None else points)
    if second is not None:
        frame(folder / second, person())
    if text is not None:
        (folder / "a_1.json").write_text(text)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"text": "{"}, r"a_1.json cannot be read as OpenPose's JSON: .*\. Remove it, or run the detector again\."),
        ({"text": "[]"}, "a_1.json cannot be read as OpenPose's JSON: Expected `object`, got `array`"),
        ({"text": '{"people": [{"pose_keypoints": []}]}'}, "missing required field `pose_keypoints_2d`"),
        ({"text": '{"people": [{"pose_keypoints_2d": [1, 2, "x"]}]}'}, "Expected `float`, got `str`"),
        ({"text": '{"people": [{"pose_keypoints_2d": [1, 2]}]}'}, "keypoints are not x, y, score in turn"),
        ({"text": '{"people": [{"pose_keypoints_2d": [1, 2, 0.5]}]}'}, "people have 1 or 17 landmarks"),
        ({"second": "b_0.json"}, r"b_0.json and a_0.json have the same frame number\. Keep one recording"),
        ({"text": '{"people": [{"pose_keypoints_2d": [1, 2, null, "x"]}]}'}, "a_1.json cannot be read"),
        ({"text": '{"else": ' + "[" * 100_000}, "a_1.json cannot be read as OpenPose's JSON: .*recursion"),
        ({"text": '{"people": NaN, "else": ' + "[" * 100_000}, "a_1.json cannot be read as OpenPose's JSON"),
        ({"text": '{"people": [{"pose_keypoints_2d": [NaN, 2'}, "a_1.json cannot be read as OpenPose's JSON"),
        ({"text": json.dumps({"people": [{"pose_keypoints_2d": person(k)} for k in (17, 26)]})}, "have 17 or 26 land"),
        ({"second": "a_2000000000.json"}, r"frame numbers go from 0 to 2000000000\. The last number in a name must"),
        ({"second": "a_20251127113000123456789.json"}, "frame numbers go from 0 to 20251127113000123456789"),
        ({"points": [float("nan")] * 51}, "there is no person in any file"),
        ({"points": []}, "there is no person in any file"),
        ({"points": [0.0, 0.0, 0.0] * 17}, "there is no person in any file"),
        ({"points": [0.1, 0.9, 0.5] * 17}, r"keypoints are not in pixels\. Run OpenPose with --keypoint_scale 0"),
        ({"points": [100.0, 200.0, 7.0] * 17}, "scores reach 7, expected 0–1"),
        ({"points": [100.0, 1200.0, 0.5] * 17}, r"100% of a camera's keypoints lie outside of 1920×1080 px\. Give the"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, damage: dict[str, Any], reason: str) -> None:
    damaged(tmp_path, **damage)
    with pytest.raises(SourceError, match=reason):
        read_keypoints_json(tmp_path, ImportOptions(10.0, SIZE))


@pytest.mark.parametrize("name", ["empty", "absent"])
def test_a_folder_without_keypoints_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty" / "videos").mkdir(parents=True)
    with pytest.raises(SourceError, match=r"holds neither OpenPose's JSON files nor folders \*_json of them"):
        read_keypoints_json(tmp_path / name, ImportOptions(10.0, SIZE))


@pytest.mark.parametrize("fps", [0.0, -5.0, float("nan")])
def test_a_rate_that_is_invalid_is_refused(tmp_path: Path, fps: float) -> None:
    frame(tmp_path / "a_0.json", person())
    with pytest.raises(UsageError, match="frame rate must be between 0 and"):
        read_keypoints_json(tmp_path, ImportOptions(fps, SIZE))


@given(arrays(np.float32, (2, 3, 2, 17, 2), elements=st.floats(2, 1000, width=32)), st.sets(st.integers(0, 5)))
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, xy: NDArray[np.float32], unseen: set[int]
) -> None:
    score = np.full(xy.shape[:-1], 0.75, np.float32)
    score[0, 0].reshape(-1)[list(unseen)] = 0.0
    t_ns = np.arange(3) * 20_000_000
    folder = tmp_path_factory.mktemp("pose")
    write_keypoints_json(folder, [keypoints_of(f"cam{v}", t_ns, xy[v], score[v]) for v in range(2)], 50.0)
    back = read_keypoints_json(folder, ImportOptions(50.0, SIZE))
    np.testing.assert_array_equal(back.t_ns, np.tile(t_ns, (2, 1)))
    np.testing.assert_array_equal(back.score, score)
    np.testing.assert_allclose(back.xy, np.where(score[..., None] > 0, xy, np.nan), atol=6e-4)


@pytest.mark.skipif(not TAKE.exists(), reason="the take of Pose2Sim's demo is not next to the repository")
def test_openpose_of_a_real_take_comes_back(tmp_path: Path) -> None:
    with np.load(TAKE) as take:
        xy, score = take["openpose_kp2d"], np.clip(take["openpose_conf"], 0, 1)
    t_ns = np.round(np.arange(xy.shape[1]) * (1e9 / 60)).astype(np.int64)
    seen = [keypoints_of(f"cam{v}", t_ns, xy[v][:, None], score[v][:, None]) for v in range(len(xy))]
    write_keypoints_json(tmp_path / "pose", seen, 60.0)
    back = read_keypoints_json(tmp_path, ImportOptions(60.0, [(1088, 1920)]))
    assert back.landmarks == BODY_25B
    kept = score > 0
    np.testing.assert_allclose(back.xy[:, :, 0][kept], xy[kept], atol=6e-4)
    np.savez(
        tmp_path / "kp.npz", xy=back.xy, score=back.score, t_ns=back.t_ns, landmarks=np.array(back.landmarks),
        size_px=np.array(back.size_px),
    )  # fmt: skip
    assert load(tmp_path / "kp.npz").landmarks == BODY_25B


def test_an_unknown_schema_is_our_error(tmp_path: Path) -> None:
    frame(tmp_path / "a_0.json", person(2))
    with pytest.raises(PoseRigError, match="is unknown or lacks hips and shoulders"):
        read_keypoints_json(tmp_path, ImportOptions(10.0, SIZE, "nose,head"))


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "null"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_invalid_numbers_are_not_visible(tmp_path: Path, text: str, place: int) -> None:
    """Python's own writer has NaN and Infinity, that of others null."""
    points = [str(number) for number in person()]
    points[3 * 5 + place] = text
    (tmp_path / "a_0.json").write_text(f'{{"people": [{{"pose_keypoints_2d": [{", ".join(points)}]}}]}}')
    found = read_keypoints_json(tmp_path, ImportOptions(10.0, SIZE))
    assert (found.score[0, 0, 0] == 0).tolist() == [k == 5 for k in range(17)]
    assert np.isnan(found.xy[0, 0, 0, 5]).all()


def test_a_byte_order_mark_is_no_damage(tmp_path: Path) -> None:
    frame(tmp_path / "a_0.json", person())
    (tmp_path / "a_0.json").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "a_0.json").read_bytes())
    (tmp_path / "Config.toml").write_text("\ufeff[project]\nframe_rate = 50\n", "utf-8")
    assert read_keypoints_json(tmp_path, ImportOptions(None, SIZE)).score.shape == (1, 1, 1, 17)


def test_points_at_the_origin_are_not_visible_whatever_their_score(tmp_path: Path) -> None:
    points = person()
    points[3 * 5 : 3 * 5 + 3] = [0, 0, 0.4]
    points[3 * 6 : 3 * 6 + 3] = [-2, 100, 0.4]
    frame(tmp_path / "a_0.json", points, [0, 0, 0.3] * 17)
    found = read_keypoints_json(tmp_path, ImportOptions(10.0, SIZE))
    assert (found.score[0, 0, 0] == 0).tolist() == [k in (5, 6) for k in range(17)]
    assert not found.score[0, 0, 1].any()


def test_a_camera_without_files_is_not_left_out(tmp_path: Path) -> None:
    frame(tmp_path / "cam1_json" / "cam1_0.json", person())
    (tmp_path / "cam2_json").mkdir()
    with pytest.raises(SourceError, match=r"cam2_json has no JSON file with a frame number\. Fill it, or move it away"):
        read_keypoints_json(tmp_path, ImportOptions(10.0, SIZE))


def test_folders_that_would_be_called_the_same_are_two_cameras(tmp_path: Path) -> None:
    for name in ("cam1_json", "cam1json"):
        frame(tmp_path / name / "a_0.json", person())
    assert set(read_keypoints_json(tmp_path, ImportOptions(10.0, SIZE)).cameras) == {"cam1_json", "cam1json"}


def test_a_file_too_large_to_be_a_frame_is_refused_unread(tmp_path: Path) -> None:
    frame(tmp_path / "a_0.json", person())
    with (tmp_path / "a_0.json").open("r+b") as file:
        file.truncate(1 << 29)
    with pytest.raises(SourceError, match="it has 537 MB, more than 268 MB"):
        read_keypoints_json(tmp_path, ImportOptions(10.0, SIZE))


def test_more_people_than_can_be_kept_are_refused(tmp_path: Path) -> None:
    for number in range(2):
        frame(tmp_path / f"a_{number}.json")
    crowd = {"people": [{"pose_keypoints_2d": [1] * (3 * 133)}] * 1000}
    (tmp_path / "a_0.json").write_text(json.dumps(crowd))
    for number in range(2, 1500):
        (tmp_path / f"a_{number}.json").write_text('{"people": []}')
    with pytest.raises(SourceError, match="1500 frames of up to 1000 people are too many to read at once"):
        read_keypoints_json(tmp_path, ImportOptions(10.0, SIZE))


def test_the_matching_calibration_may_be_nonsense(tmp_path: Path) -> None:
    frame(tmp_path / "pose" / "cam1_json" / "cam1_0.json", person())
    (tmp_path / "Calib.toml").write_text("[cam1]\nsize = [nan, 1080.0]\nmatrix = [[1.0, 0.0], [0.0, 1.0]]\n")
    with pytest.raises(SourceError, match="is not a calibration of Pose2Sim"):
        read_keypoints_json(tmp_path, ImportOptions(10.0))
