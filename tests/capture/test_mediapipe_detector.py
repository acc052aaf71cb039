"""The real MediaPipe on the demo clip."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose_rig.arrays import Image
from pose_rig.assets.catalog import demo_clip, detector_model
from pose_rig.capture.mediapipe_detector import MediaPipeDetector, depths_px
from pose_rig.capture.source import Detections
from pose_rig.config import DetectorConfig
from pose_rig.errors import AssetError
from pose_rig.wire.precision import SCORE_STEP, XY_STEP_PX

FRAMES = 12
pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def images() -> list[Image]:
    """The first frames of the demo clip's camera 1, at half size."""
    try:
        clip = demo_clip(lambda text: None)
    except AssetError as error:
        pytest.skip(str(error))
    device = cv2.VideoCapture(str(clip[0]))
    found = [cv2.resize(device.read()[1], (540, 960)).astype(np.uint8) for _ in range(FRAMES)]
    device.release()
    return found


@pytest.fixture(scope="module")
def model() -> str:
    try:
        return str(detector_model("full", lambda text: None))
    except AssetError as error:
        pytest.skip(str(error))


@pytest.fixture
def detector(model: str) -> Iterator[MediaPipeDetector]:
    opened = MediaPipeDetector(DetectorConfig(model=model, people=2))
    yield opened
    opened.close()


def detect_all(detector: MediaPipeDetector, images: list[Image], start_ns: int = 0) -> list[Detections]:
    return [detector.detect(image, start_ns + index * 16_666_667) for index, image in enumerate(images)]


def bones(people: Detections, person: int) -> float:
    """Height of the nose over the mid-ankles, px."""
    return float(people.xy[person, [27, 28], 1].mean() - people.xy[person, 0, 1])


def test_depths_at_the_scale_of_the_image() -> None:
    """World landmarks of a person 400 px per metre large, as a camera anywhere shows them."""
    world = np.random.default_rng(0).normal(0, 0.4, (2, 33, 3))
    world -= world[:, [23, 24]].mean(1, keepdims=True)
    xy = 400 * world[..., :2] + [[[300.0, 900.0]], [[-50.0, 20.0]]]
    np.testing.assert_allclose(depths_px(xy, world), 400 * world[..., 2])
    assert depths_px(np.zeros((0, 33, 2)), np.zeros((0, 33, 3))).shape == (0, 33)
    assert np.isfinite(depths_px(xy, np.zeros_like(world))).all()


def test_one_person_is_detected_in_pixels(detector: MediaPipeDetector, images: list[Image]) -> None:
    for people in detect_all(detector, images):
        assert people.xy.shape == (1, 33, 2)
        assert people.score.shape == people.depth.shape == (1, 33)
        assert 0.1 * bones(people, 0) < np.ptp(people.depth) < bones(people, 0)
        assert 250 < bones(people, 0) < 400
        assert people.score[0, [11, 12, 23, 24]].min() > 0.9


def test_warm_up_does_not_change_results(model: str, images: list[Image]) -> None:
    runs = []
    for warm in (False, True):
        detector = MediaPipeDetector(DetectorConfig(model=model, people=2))
        if warm:
            detector.warm_up((images[0].shape[1], images[0].shape[0]))
        runs.append([people.xy.tobytes() + people.depth.tobytes() for people in detect_all(detector, images, 10**12)])
        detector.close()
    assert runs[0] == runs[1]


def test_two_runs_are_identical_to_the_bit(model: str, images: list[Image]) -> None:
    runs = []
    for _ in range(2):
        detector = MediaPipeDetector(DetectorConfig(model=model, people=2))
        runs.append([people.xy.tobytes() + people.depth.tobytes() for people in detect_all(detector, images)])
        detector.close()
    assert runs[0] == runs[1]


def test_two_people_are_detected_and_tracked(detector: MediaPipeDetector, images: list[Image]) -> None:
    doubled = [np.concatenate([image, image[:, ::-1]], axis=1) for image in images]
    for people in detect_all(detector, doubled):
        assert people.xy.shape == (2, 33, 2)
        left, right = sorted(people.xy[:, 0, 0])
        assert left < 540 < right


def test_blue_and_red_are_not_swapped(detector: MediaPipeDetector, images: list[Image], model: str) -> None:
    """MediaPipe itself returns the same for the image converted to RGB by hand."""
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=model), running_mode=vision.RunningMode.VIDEO
    )
    with vision.PoseLandmarker.create_from_options(options) as landmarker:
        rgb = np.ascontiguousarray(images[0][..., ::-1])
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=rgb)
        marks = landmarker.detect_for_video(image, 0).pose_landmarks[0]
    people = detector.detect(images[0], 0)
    np.testing.assert_allclose(people.xy[0], [(mark.x * 540, mark.y * 960) for mark in marks], 0, XY_STEP_PX / 2)
    np.testing.assert_allclose(people.score[0], [mark.visibility for mark in marks], 0, SCORE_STEP)


def test_no_person(detector: MediaPipeDetector) -> None:
    people = detector.detect(np.zeros((96, 54, 3), np.uint8), 0)
    assert people.xy.shape == (0, 33, 2)
    assert people.score.shape == (0, 33)


def test_repeated_and_decreasing_timestamps_are_accepted(detector: MediaPipeDetector, images: list[Image]) -> None:
    for t_ns in (5_000_000, 5_000_000, 0):
        people = detector.detect(images[0], t_ns)
        assert len(people.xy) == 1


def test_a_file_that_is_not_a_model(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.task"
    path.write_bytes(b"nonsense")
    with pytest.raises(AssetError, match=r"MediaPipe does not accept the model bad\.task"):
        MediaPipeDetector(DetectorConfig(model=str(path)))
    assert capfd.readouterr().err == ""


def test_nothing_is_written_to_stderr(model: str, images: list[Image], capfd: pytest.CaptureFixture[str]) -> None:
    detector = MediaPipeDetector(DetectorConfig(model=model, people=2))
    detect_all(detector, images)
    detector.close()
    assert capfd.readouterr().err == ""
