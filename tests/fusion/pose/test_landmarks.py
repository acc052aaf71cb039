"""Feet, hands and faces in a known rig."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.initialise import detection_sd
from pose_rig.fusion.pose.computation import Computations, alone, together
from pose_rig.fusion.pose.hypothesis import Hypothesis
from pose_rig.fusion.pose.landmarks import MAX_SD_M, PRIOR_SD_M, ExtraLandmarks
from pose_rig.fusion.pose.sync import Sample
from pose_rig.skeleton import INDEX, J, Landmarks, landmarks, parent_of
from tests.fusion.simulated import acrobat, calibration, hypothesis_of, images

BODY = acrobat(1, seed=3)[0]
FULL, FEW = landmarks("mediapipe33"), landmarks("coco17")
CAMERAS = calibration(3)
ALL = np.ones(3)
SD = detection_sd(CAMERAS.ideal_xy(images(BODY[None], CAMERAS)[0]), np.ones((3, J), bool))[:, 0]
_OWN = {"left": "l", "right": "r"}


def places() -> Floats:
    """(33,3) m: joints, and other landmarks some centimetres from their parent joint."""
    rng = np.random.default_rng(0)
    out = np.zeros((33, 3))
    for k, name in enumerate(FULL.names):
        side, _, part = name.partition("_")
        joint = name if name in INDEX else f"{_OWN.get(side, '')}_{part}"
        away = rng.normal(0, 1, 3)
        out[k] = BODY[INDEX[joint]] if joint in INDEX else BODY[INDEX[parent_of(name)]] + 0.07 * away / 2
    return out


PLACES = places()


def sample(view: int, marks: Landmarks, lost: Sequence[str] = ()) -> Sample:
    """Detections of the body in a view."""
    columns = [FULL.names.index(name) for name in marks.names]
    xy = images(PLACES[None], CAMERAS)[0, view][columns]
    return Sample(0, xy[None], np.array([[0.0 if name in lost else 0.8 for name in marks.names]]))


def look(
    samples: Sequence[Sample | None], sets: Sequence[Landmarks], weight: Floats = ALL
) -> tuple[tuple[str, ...], Floats, Floats, Floats, Hypothesis]:
    """Names, positions, covariance and scores of the extra landmarks."""
    extras = ExtraLandmarks(sets)
    hypothesis = hypothesis_of(samples, sets, BODY - BODY[0], CAMERAS)
    return (extras.names, *alone(extras.triangulate(hypothesis, samples, sets, CAMERAS, weight, BODY, SD)), hypothesis)


def true(names: Sequence[str]) -> Floats:
    return PLACES[[FULL.names.index(name) for name in names]]


def test_the_names_are_those_of_all_views_once() -> None:
    extras = ExtraLandmarks([FEW, None, FULL])
    assert extras.names[:4] == ("left_eye", "right_eye", "left_ear", "right_ear")
    assert len(set(extras.names)) == len(extras.names) == 20
    assert ExtraLandmarks([None, None]).names == ()


def test_unmeasured_landmarks_are_at_their_joints() -> None:
    extras = ExtraLandmarks([FULL])
    parents = extras.at_parents(BODY)
    assert parents[extras.names.index("left_heel")] == pytest.approx(BODY[INDEX["l_ankle"]])
    assert parents[extras.names.index("right_thumb")] == pytest.approx(BODY[INDEX["r_wrist"]])
    assert parents[extras.names.index("mouth_left")] == pytest.approx(BODY[INDEX["head"]])


def test_landmarks_visible_in_three_views_are_triangulated() -> None:
    names, points, covariance, score, _ = look([sample(v, FULL) for v in range(3)], [FULL] * 3)
    assert np.linalg.norm(points - true(names), axis=-1).max() < 0.01
    assert covariance.shape == (20, 3, 3)
    assert np.sqrt(np.trace(covariance, axis1=1, axis2=2)).max() < MAX_SD_M
    assert (score > 0.5).all()


def test_a_landmark_visible_in_one_view_has_score_0_near_its_joint() -> None:
    samples = [sample(0, FULL), *(sample(v, FULL, ["left_heel"]) for v in (1, 2))]
    names, points, covariance, score, _ = look(samples, [FULL] * 3)
    heel = names.index("left_heel")
    assert score[heel] == 0
    assert np.sqrt(np.trace(covariance[heel])) > MAX_SD_M
    assert np.linalg.norm(points[heel] - BODY[INDEX["l_ankle"]]) < 2 * PRIOR_SD_M
    assert (np.delete(score, heel) > 0.5).all()


def test_an_invisible_landmark_is_at_its_joint() -> None:
    names, points, _, score, _ = look([sample(v, FULL, ["right_index"]) for v in range(3)], [FULL] * 3)
    finger = names.index("right_index")
    assert score[finger] == 0
    assert points[finger] == pytest.approx(BODY[INDEX["r_wrist"]], abs=1e-6)


def test_a_landmark_wrong_in_one_view_is_triangulated_from_the_others() -> None:
    cameras = calibration(3)
    samples = [sample(v, FULL) for v in range(3)]
    wrong = samples[2].xy_px.copy()
    wrong[0, FULL.names.index("left_ear")] += 150.0
    names, points, _, score, _ = look([*samples[:2], replace(samples[2], xy_px=wrong)], [FULL] * 3)
    ear = names.index("left_ear")
    assert np.linalg.norm(points[ear] - true(names)[ear]) < 0.03
    assert score[ear] > 0.3
    assert len(cameras.known) == 3


def test_cameras_may_have_different_detectors() -> None:
    sets = [FULL, FULL, FEW]
    names, points, covariance, score, _ = look([sample(v, marks) for v, marks in enumerate(sets)], sets)
    assert np.linalg.norm(points - true(names), axis=-1).max() < 0.02
    assert (score > 0.5).all()
    sizes = np.trace(covariance, axis1=1, axis2=2)
    assert sizes[names.index("left_ear")] < sizes[names.index("mouth_left")]


def test_a_view_without_weight_or_person_has_no_effect() -> None:
    samples = [sample(v, FULL) for v in range(3)]
    elsewhere = replace(samples[2], xy_px=samples[2].xy_px + 300.0)
    names, points, *_ = look([*samples[:2], elsewhere], [FULL] * 3, np.array([1.0, 1.0, 0.0]))
    assert np.linalg.norm(points - true(names), axis=-1).max() < 0.02
    names, points, _, score, _ = look([*samples[:2], None], [FULL] * 3)
    assert np.linalg.norm(points - true(names), axis=-1).max() < 0.02
    assert (score > 0.5).all()


def test_in_a_mirrored_candidate_left_is_right() -> None:
    """A detector that confuses front and back exchanges the heels."""
    swapped = [name.replace("left", "?").replace("right", "left").replace("?", "right") for name in FULL.names]
    samples = [sample(v, FULL) for v in range(3)]
    columns = [FULL.names.index(name) for name in swapped]
    samples[1] = Sample(0, samples[1].xy_px[:, columns], samples[1].score)
    extras = ExtraLandmarks([FULL] * 3)
    hypothesis = hypothesis_of(samples, [FULL] * 3, BODY - BODY[0], CAMERAS)
    observation = hypothesis.observation.with_mirrors()
    mirrored = replace(hypothesis, observation=observation, assignment=np.array([0, 4, 2]))
    assert observation.mirrored[4]
    points, _, score = alone(extras.triangulate(mirrored, samples, [FULL] * 3, CAMERAS, ALL, BODY, SD))
    assert np.linalg.norm(points - true(extras.names), axis=-1).max() < 0.01
    assert (score > 0.5).all()


def test_several_poses_at_once_are_those_one_by_one() -> None:
    def step(weight: Floats, lost: Sequence[str]) -> Computations[tuple[Floats, Floats, Floats]]:
        samples, sets = [sample(view, FULL, lost) for view in range(3)], [FULL] * 3
        hypothesis = hypothesis_of(samples, sets, BODY - BODY[0], CAMERAS)
        return ExtraLandmarks(sets).triangulate(hypothesis, samples, sets, CAMERAS, weight, BODY, SD)

    cases = [(ALL, []), (np.array([1.0, 0.3, 0.0]), []), (ALL, ["left_heel", "nose"])]
    for one, found in zip(cases, together([step(*case) for case in cases]), strict=True):
        for wanted, value in zip(alone(step(*one)), found, strict=True):
            np.testing.assert_allclose(value, wanted, atol=1e-9)
