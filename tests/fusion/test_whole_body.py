"""Hands, face and feet of COCO-WholeBody in a known rig."""

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.initialise import detection_sd
from pose_rig.fusion.pose.computation import alone
from pose_rig.fusion.pose.landmarks import MAX_SD_M, ExtraLandmarks
from pose_rig.fusion.pose.sync import Sample
from pose_rig.skeleton import INDEX, J, landmarks, parent_of
from tests.fusion.simulated import acrobat, calibration, hypothesis_of, images

BODY = acrobat(1, seed=3)[0]
WHOLE = landmarks("wholebody133")
CAMERAS = calibration(3)
FARTHEST_M = 0.19  # from the wrist to the tip of the middle finger


def places() -> Floats:
    """(133,3) m: joints where they are, the others up to a hand's length from the joint that they hang on."""
    random = np.random.default_rng(0)
    out = np.zeros((133, 3))
    for k, name in enumerate(WHOLE.names):
        side, _, part = name.partition("_")
        joint = name if name in INDEX else f"{side[0]}_{part}"
        away = random.normal(0, 1, 3)
        away *= random.uniform(0.02, FARTHEST_M) / np.linalg.norm(away)
        out[k] = BODY[INDEX[joint]] if joint in INDEX else BODY[INDEX[parent_of(name)]] + away
    return out


def test_fingers_and_faces_that_three_views_see_are_placed() -> None:
    true = places()
    xy = images(true[None], CAMERAS)[0]
    samples = [Sample(0, xy[view][None], np.full((1, 133), 0.8)) for view in range(3)]
    sets = [WHOLE] * 3
    sd = detection_sd(CAMERAS.ideal_xy(images(BODY[None], CAMERAS)[0]), np.ones((3, J), bool))[:, 0]
    extras = ExtraLandmarks(sets)
    hypothesis = hypothesis_of(samples, sets, BODY - BODY[0], CAMERAS)
    points, covariance, score = alone(extras.triangulate(hypothesis, samples, sets, CAMERAS, np.ones(3), BODY, sd))
    wanted = true[[WHOLE.names.index(name) for name in extras.names]]
    assert len(extras.names) == 120
    assert np.linalg.norm(points - wanted, axis=-1).max() < 0.015
    assert np.sqrt(np.trace(covariance, axis1=1, axis2=2)).max() < MAX_SD_M
    assert (score > 0.5).all()
