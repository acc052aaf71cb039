"""What becomes a keyframe."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.fusion.rig.calibrator import Calibrator
from pose_rig.lifting.engine import DEFAULT_WEIGHTS, OrtEngine
from pose_rig.skeleton import INDEX, LIMBS, landmarks
from tests.fusion.simulated import acrobat, calibration, hypothesis_of, images


def test_a_head_that_is_one_ear_is_left_out() -> None:
    """The other ear is hidden from the side; one alone is centimetres off the middle of the head."""
    marks, cameras, pose = landmarks("coco17"), calibration(2), acrobat(1)
    joints = images(pose, cameras)[0]
    score = np.ones((2, len(marks.names)))
    xy_px = np.stack([marks.weights.T @ view / marks.weights.sum(0)[:, None].clip(1e-9) for view in joints])
    score[1, marks.names.index("left_ear")] = 0.0
    samples = [Sample(0, xy_px[view][None], score[view][None]) for view in range(2)]
    hypothesis = hypothesis_of(samples, [marks, marks], pose[0], cameras)
    with ThreadPoolExecutor(1) as executor:
        calibrator = Calibrator(OrtEngine(DEFAULT_WEIGHTS, "cpu"), BackgroundCompute(executor))
        calibrator.add(hypothesis, None, np.ones(2, bool))
    (keyframe,) = calibrator.keyframes
    assert (hypothesis.score[:, INDEX["head"]] > 0).all()
    assert keyframe.score[0, INDEX["head"]] > 0
    assert keyframe.score[1, INDEX["head"]] == 0
    assert (keyframe.score[:, list(LIMBS)] > 0).all()
