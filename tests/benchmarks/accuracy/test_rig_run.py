"""The run of a simulated rig and its score."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.accuracy.rig_run import LIMB, RigRun, calibrated_poses, camera_error
from benchmarks.accuracy.similarity import Similarity
from benchmarks.accuracy.simulated_rigs import rig_take
from pose_rig.graph import Engine
from pose_rig.wire.messages import CameraState
from tests.benchmarks.rigs import walking


@pytest.fixture(scope="module")
def run(engine: Engine) -> RigRun:
    return RigRun(rig_take([walking()], 3, 2.0, np.random.default_rng(2)), engine).run()


def test_a_rig_is_compared_with_the_calibrated_one(run: RigRun) -> None:
    score = run.score(1.0, 2.0)
    assert score is not None
    assert 5 < score.calibrated_pa_mm < 200
    assert 5 < score.pa_mm < 100
    assert score.ratio_pa == score.pa_mm / score.calibrated_pa_mm
    assert score.settled_s is not None
    assert 0.9 < score.settled_s < 2.0
    assert len(score.cameras) == 3
    assert not score.mirrored
    assert 0.2 < score.median_ratio < 2


def test_without_comparable_time_steps_there_is_no_score(run: RigRun) -> None:
    assert run.score(2.0, 3.0) is None


def test_the_calibrated_rig_is_exact_for_exact_detections(run: RigRun) -> None:
    take = run.rig.take
    xy, _ = take.cameras.project(take.joints[:, None])
    exact = replace(take, xy_px=xy.swapaxes(0, 1), score=np.ones_like(take.score))
    np.testing.assert_allclose(calibrated_poses(replace(run.rig, take=exact)), take.joints[:, LIMB], atol=1e-5)


def test_a_camera_error_is_measured_in_the_room(run: RigRun) -> None:
    true = run.rig.take.cameras
    room_from_rig = Similarity(2.0, np.eye(3), np.array([1.0, 0.0, 0.0]))
    position = (true.position[1] + [0.0, 0.3, 0.0] - room_from_rig.translation) / 2.0
    state = CameraState(
        name="cam1",
        rotation=tuple(true.rotation[1].ravel().tolist()),
        translation_m=tuple((-true.rotation[1] @ position).tolist()),
        focal_px=1.1 * float(true.focal_px[1]),
    )
    error = camera_error(true, 1, room_from_rig, state)
    assert error is not None
    assert (error.rotation_deg, error.position_m, error.focal) == pytest.approx((0.0, 0.3, 0.1), abs=1e-4)
    assert camera_error(true, 1, room_from_rig, CameraState(name="cam1", focal_px=1000.0)) is None
