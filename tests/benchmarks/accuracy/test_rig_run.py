"""A simulated rig's run and its score."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.accuracy.rig_run import LIMB, Run, calibrated_poses, camera_miss
from benchmarks.accuracy.similarity import Similarity
from benchmarks.accuracy.simulated_rigs import rig_take
from pose_rig.graph import Engine
from pose_rig.wire.messages import CameraState
from tests.benchmarks.rigs import walking


@pytest.fixture(scope="module")
def run(engine: Engine) -> Run:
    return Run(rig_take([walking()], 3, 2.0, np.random.default_rng(2)), engine).finish()


def test_a_rig_is_scored_next_to_the_calibrated_one(run: Run) -> None:
    score = run.score(1.0, 2.0)
    assert score is not None
    assert 5 < score.calibrated_pa_mm < 200
    assert 5 < score.pa_mm < 100
    assert score.ratio_pa == score.pa_mm / score.calibrated_pa_mm
    assert score.settled_s is not None
    assert 0.9 < score.settled_s < 2.0
    assert len(score.cameras) == 3
    assert not score.mirrored
    assert 0.2 < score.ratio_usual < 2


def test_where_nothing_can_be_compared_there_is_no_score(run: Run) -> None:
    assert run.score(2.0, 3.0) is None


def test_the_calibrated_rig_is_right_when_the_detections_are(run: Run) -> None:
    take = run.rig.take
    xy, _ = take.cameras.project(take.joints[:, None])
    exact = replace(take, xy_px=xy.swapaxes(0, 1), score=np.ones_like(take.score))
    np.testing.assert_allclose(calibrated_poses(replace(run.rig, take=exact)), take.joints[:, LIMB], atol=1e-5)


def test_a_camera_is_compared_in_the_room(run: Run) -> None:
    true = run.rig.take.cameras
    room_from_rig = Similarity(2.0, np.eye(3), np.array([1.0, 0.0, 0.0]))
    position = (true.position[1] + [0.0, 0.3, 0.0] - room_from_rig.shift) / 2.0
    state = CameraState(
        name="cam1",
        rotation=tuple(true.rotation[1].ravel().tolist()),
        translation_m=tuple((-true.rotation[1] @ position).tolist()),
        focal_px=1.1 * float(true.focal_px[1]),
    )
    miss = camera_miss(true, 1, room_from_rig, state)
    assert miss is not None
    assert (miss.rotation_deg, miss.position_m, miss.focal) == pytest.approx((0.0, 0.3, 0.1), abs=1e-4)
    assert camera_miss(true, 1, room_from_rig, CameraState(name="cam1", focal_px=1000.0)) is None
