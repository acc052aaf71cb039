"""Footage with true cameras."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.accuracy.cameras.errors import camera_errors
from benchmarks.accuracy.cameras.footage import load_footage, poses_with, solved
from benchmarks.accuracy.simulated_rigs import rig_take
from pose_rig.errors import UsageError
from pose_rig.graph import Engine
from tests.benchmarks.rigs import walking


def footage_file(path: Path, **changed: object) -> Path:
    rng = np.random.default_rng(0)
    arrays: dict[str, object] = {
        "ref3d_h36m17": rng.normal([0, 0, 4.0], 0.5, (5, 17, 3)), "fps": 25.0,
        "K": np.tile([[900.0, 0, 630], [0, 905, 350], [0, 0, 1]], (2, 1, 1)), "dist": np.full((2, 5), 0.01),
        "R": np.tile(np.eye(3), (2, 1, 1)), "t": np.array([[0.0, 0, 0], [0.2, 0, 0]]),
        "kp2d_full": rng.uniform(0, 700, (2, 5, 33, 2)), "vis_full": rng.uniform(0, 1, (2, 5, 33)),
        "image_size_wh": np.array([[1280, 720], [1280, 720]]),
    }  # fmt: skip
    np.savez(path, **{key: value for key, value in (arrays | changed).items() if value is not None})  # type: ignore[arg-type]
    return path


def test_a_reference_with_detections_is_read(tmp_path: Path) -> None:
    rig = load_footage(footage_file(tmp_path / "set.npz"), "full")
    assert (rig.landmarks, rig.take.fps, rig.take.xy_px.shape) == ("mediapipe33", 25.0, (2, 5, 33, 2))
    K, joints = np.array([[900.0, 0, 630], [0, 905, 350], [0, 0, 1]]), rig.take.joints
    xy, _ = rig.take.cameras.each(lambda values: values[:, None]).project(joints[None])
    want = cv2.projectPoints(joints.reshape(-1, 1, 3), np.zeros(3), np.zeros(3), K, np.full(5, 0.01))[0]
    assert np.abs(xy[0].reshape(-1, 2) - want[:, 0]).max() < 0.004 * 700  # pixels are taken as square


def test_a_missing_array_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no detections: 'kp2d_lite"):
        load_footage(footage_file(tmp_path / "set.npz"), "lite")
    with pytest.raises(UsageError, match="is not a reference"):
        load_footage(footage_file(tmp_path / "set.npz", K=None), "full")


def test_missing_landmarks_are_not_detected(tmp_path: Path) -> None:
    xy = np.full((2, 5, 33, 2), 100.0)
    xy[1, 2:] = np.nan
    rig = load_footage(footage_file(tmp_path / "set.npz", kp2d_full=xy), "full")
    assert [sample is None for sample in rig.samples(3)] == [False, True]
    assert np.isfinite(rig.take.xy_px).all()


def test_a_rig_is_solved_and_its_poses_are_compared(engine: Engine) -> None:
    rig = rig_take([walking(3.0)], 4, 5.0, np.random.default_rng(2), lenses="one", biased=True, area_m=2.0)
    estimator = solved(rig, engine)
    assert estimator.calibration is not None
    errors = camera_errors(estimator.calibration, rig.take.cameras)
    assert np.nanmean(errors.centred_deg) < 2.0
    assert np.nanmean(errors.centre) < 0.1
    poses, truth = poses_with(estimator, rig)
    assert poses.shape == truth.shape
    assert len(poses) > 15
