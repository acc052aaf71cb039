import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose_rig.capture.keypoint_file import KeypointTrack, load
from pose_rig.capture.source_factory import expand, open_source
from pose_rig.config import CameraConfig
from pose_rig.errors import PoseRigError, SourceError, UsageError
from pose_rig.skeleton import SCHEMAS
from pose_rig.wire.precision import DEPTH_STEP_PX, XY_STEP_PX
from tests.capture.keypoints import FRAMES, VIEWS, arrays, write_keypoints


def people_of(path: Path, member: int = 0) -> list[tuple[int, np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    source = open_source(CameraConfig(source=str(path), member=member), "all", lambda: 0)
    found = []
    while frame := source.read():
        assert frame.detections is not None
        found.append((frame.t_ns, frame.detections.xy, frame.detections.score))
    return found


def test_the_content_of_a_file(tmp_path: Path) -> None:
    path = write_keypoints(tmp_path / "kp.npz")
    content = arrays()
    frames = people_of(path, 1)
    assert len(frames) == FRAMES
    assert [t_ns for t_ns, _, _ in frames] == content["t_ns"][1].tolist()
    np.testing.assert_allclose([xy[0] for _, xy, _ in frames], content["xy"][1], 0, XY_STEP_PX / 2)
    info = KeypointTrack(path, 1).info
    assert (info.size_px, info.landmarks, info.fps, info.total_frames) == (
        (120, 90),
        "coco17",
        25.0,
        FRAMES,
    )


def test_invisible_points_have_score_0_and_invisible_people_are_dropped(tmp_path: Path) -> None:
    content = arrays()
    xy = np.repeat(content["xy"][:, :, None], 3, axis=2)
    score = np.repeat(content["score"][:, :, None], 3, axis=2)
    xy[0, 0, 0, 5] = np.nan
    score[0, 0, 0, 6] = np.nan
    xy[0, 0, 1] = np.nan
    score[0, 0, 2] = 0.0
    score[0, 2, 2] = 0.0
    xy[0, 1] = np.nan
    frames = people_of(write_keypoints(tmp_path / "kp.npz", xy=xy, score=score))
    _, seen_xy, seen_score = frames[0]
    assert seen_xy.shape == (1, 17, 2)
    assert seen_score[0, [5, 6]].tolist() == [0, 0]
    assert seen_xy[0, [5, 6]].tolist() == [[0, 0], [0, 0]]
    assert frames[1][1].shape == (0, 17, 2)
    assert frames[1][2].shape == (0, 17)
    assert frames[2][1].shape == (2, 17, 2)


@pytest.mark.parametrize("landmarks", [np.array("coco17"), np.array(["coco17"]), np.array(SCHEMAS["coco17"])])
def test_landmarks_by_schema_or_by_name(tmp_path: Path, landmarks: Any) -> None:
    assert load(write_keypoints(tmp_path / "kp.npz", landmarks=landmarks)).landmarks in (
        "coco17",
        ",".join(SCHEMAS["coco17"]),
    )


def test_every_view_becomes_a_camera(tmp_path: Path) -> None:
    path = write_keypoints(tmp_path / "kp.npz", cameras=np.array(["left", "right"]), focal_px=np.array([100.0, np.nan]))
    cameras = expand(CameraConfig(source=str(path)))
    assert [(camera.name, camera.member, camera.focal_px) for camera in cameras] == [
        ("left", 0, 100.0),
        ("right", 1, None),
    ]
    unnamed = expand(CameraConfig(source=str(write_keypoints(tmp_path / "two.npz"))))
    assert [camera.name for camera in unnamed] == ["two0", "two1"]


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("xy", np.zeros((0, FRAMES, 17, 2)), "has no cameras"),
        ("xy", None, "key 'xy' is missing"),
        ("landmarks", None, "key 'landmarks' is missing"),
        ("xy", np.zeros((VIEWS, FRAMES, 17)), r"key 'xy' is float64 \(2, 12, 17\), expected numbers"),
        ("xy", np.full((VIEWS, FRAMES, 17, 2), "x"), "key 'xy' is <U1"),
        ("xy", np.full((VIEWS, FRAMES, 17, 2), True), "key 'xy' is bool"),
        ("xy", np.ones((FRAMES, VIEWS, 17, 2)), "and has the frames first: cameras are the first axis"),
        (
            "t_ns",
            np.full((VIEWS, FRAMES), 2**63 + 5, np.uint64),
            "key 't_ns' reaches 9223372036854775813, too large",
        ),
        ("size_px", np.array([[np.nan, 80], [120, 90]]), "expected positive numbers"),
        ("size_px", np.array([[np.inf, 80], [120, 90]]), "expected positive numbers"),
        (
            "focal_px",
            np.array([-100.0, 100.0]),
            "camera 0: a focal length of -100 px is not plausible for images of 100",
        ),
        (
            "score",
            np.zeros((VIEWS, FRAMES, 16)),
            r"key 'score' is float64 \(2, 12, 16\), expected numbers \(2, 12, 17\)",
        ),
        (
            "score",
            np.full((VIEWS, FRAMES, 17), 80.0),
            r"scores reach 80, expected 0–1\. Divide them by 100, as they are",
        ),
        ("t_ns", np.zeros((VIEWS, FRAMES)), "key 't_ns' is float64"),
        ("t_ns", np.zeros((VIEWS, FRAMES), int), r"\(key 't_ns'\) must start at 0 or later and increase"),
        ("t_ns", np.tile(np.arange(FRAMES) - 1, (VIEWS, 1)), r"\(key 't_ns'\) must start at 0 or later"),
        ("size_px", np.array([100, 80]), r"key 'size_px' is int64 \(2,\)"),
        ("size_px", np.zeros((VIEWS, 2), int), "expected positive numbers"),
        ("size_px", np.full((VIEWS, 2), 16385), "16384 at most"),
        ("landmarks", np.array(17), "key 'landmarks' is int64, expected text"),
        ("landmarks", np.array("mediapipe33"), "key 'landmarks' names 33 landmarks, xy has 17"),
        ("cameras", np.array(["one"]), r"key 'cameras' is <U3 \(1,\), expected 2 names"),
        ("focal_px", np.array(["a", "b"]), "key 'focal_px' is <U1"),
        ("depth", np.zeros((VIEWS, FRAMES, 16)), r"key 'depth' is float64 \(2, 12, 16\), expected numbers"),
        ("depth", np.linspace(-1, 1, VIEWS * FRAMES * 17).reshape(VIEWS, FRAMES, 17), "depths are not in pixels"),
    ],
)
def test_an_invalid_key_is_named(tmp_path: Path, key: str, value: Any, text: str) -> None:
    with pytest.raises(SourceError, match=text):
        load(write_keypoints(tmp_path / "kp.npz", **{key: value}))


def test_depths_of_visible_landmarks(tmp_path: Path) -> None:
    depth = np.random.default_rng(1).uniform(-30, 30, (VIEWS, FRAMES, 17))
    xy = arrays()["xy"]
    xy[0, 1, 3] = np.nan  # not visible: its depth does not matter
    depth[0, 1, 3] = depth[0, 2, 4] = np.nan  # of a visible one: the frame has none
    path = write_keypoints(tmp_path / "kp.npz", xy=xy, depth=depth)
    source = open_source(CameraConfig(source=str(path), member=0), "all", lambda: 0)
    frames = [frame.detections for frame in iter(source.read, None) if frame.detections is not None]
    assert [one.depth.shape for one in frames[:4]] == [(1, 17), (1, 17), (0,), (1, 17)]
    np.testing.assert_allclose(frames[0].depth[0], depth[0, 0], atol=DEPTH_STEP_PX / 2)
    assert frames[1].depth[0, 3] == 0


def test_an_unknown_landmark_set(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'coco99' is unknown"):
        load(write_keypoints(tmp_path / "kp.npz", landmarks=np.array("coco99")))


def test_a_missing_view(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"has no view 2\. Its views are 0 to 1"):
        KeypointTrack(write_keypoints(tmp_path / "kp.npz"), 2)


def test_pickled_data_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "kp.npz"
    np.savez(path, **{**arrays(), "xy": np.array([{"a": 1}], dtype=object)})  # type: ignore[arg-type]
    with pytest.raises(SourceError, match=r"cannot be read as npz: Object arrays cannot be loaded"):
        load(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nonsense", b"plain text"])
def test_files_that_are_not_npz(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "kp.npz"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="cannot be read as npz"):
        load(path)


def test_a_single_array_is_not_an_npz(tmp_path: Path) -> None:
    np.save(tmp_path / "kp.npy", np.zeros(3))
    (tmp_path / "kp.npy").rename(tmp_path / "kp.npz")
    with pytest.raises(SourceError, match="is a single array"):
        load(tmp_path / "kp.npz")


def test_damaged_files_raise_content_errors_only(tmp_path: Path) -> None:
    path = write_keypoints(tmp_path / "kp.npz")
    whole = path.read_bytes()
    random = np.random.default_rng(1)
    refused = 0
    for _ in range(200):
        data = bytearray(whole)
        for place in random.integers(0, len(data), 8):
            data[place] = random.integers(0, 256)
        path.write_bytes(data)
        try:
            with warnings.catch_warnings(action="ignore"):  # numpy's, about the nonsense in the header
                load(path)
        except PoseRigError:
            refused += 1
    assert refused > 100


def test_frames_missing_in_a_camera_are_padding(tmp_path: Path) -> None:
    content = arrays()
    content["t_ns"][1, 5] = 0
    content["xy"][1, 5] = np.nan
    path = tmp_path / "padded.npz"
    np.savez(path, **content)  # type: ignore[arg-type]
    track = KeypointTrack(path, 1)
    times = []
    while (instant := track.grab()) is not None:
        times.append(instant.pts_ns)
    assert len(times) == FRAMES - 1
    assert times == sorted(times)


@pytest.mark.parametrize("name", ["COCO", "coco_17", "coco17"])
def test_a_landmark_set_under_another_name_is_recognised(tmp_path: Path, name: str) -> None:
    assert load(write_keypoints(tmp_path / "kp.npz", landmarks=np.array(name))).landmarks == "coco17"


def test_missing_points_with_a_score_are_not_visible(tmp_path: Path) -> None:
    """So YOLO writes them: at the origin, and more or less sure."""
    xy = arrays()["xy"]
    xy[0, 3, 5], xy[0, 3, 6] = 0, (-1, -1)
    _, seen_xy, score = people_of(write_keypoints(tmp_path / "kp.npz", xy=xy))[3]
    assert np.flatnonzero(score[0] == 0).tolist() == [5, 6]
    assert seen_xy[0, [5, 6]].tolist() == [[0, 0], [0, 0]]


def test_unknown_arrays_are_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "kp.npz"
    np.savez(path, **arrays(), notes=np.array([{}], object))  # type: ignore[arg-type]
    assert load(path).landmarks == "coco17"


def test_zeros_with_scores_are_the_same_as_nan(tmp_path: Path) -> None:
    lost = np.random.default_rng(3).random((VIEWS, FRAMES, 17)) < 0.15
    score = np.where(lost, 0.4, 0.8)
    xy = arrays()["xy"]
    zeros = people_of(write_keypoints(tmp_path / "zeros.npz", xy=np.where(lost[..., None], 0, xy), score=score))
    gaps = people_of(write_keypoints(tmp_path / "gaps.npz", xy=np.where(lost[..., None], np.nan, xy), score=score))
    for (_, xy_a, score_a), (_, xy_b, score_b) in zip(zeros, gaps, strict=True):
        np.testing.assert_array_equal(xy_a, xy_b)
        np.testing.assert_array_equal(score_a, score_b)
