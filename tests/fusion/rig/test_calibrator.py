"""What becomes a keyframe."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from pose_rig.fusion.calibration.keyframes import KEYFRAME_INTERVAL_NS
from pose_rig.fusion.pose.hypothesis import Hypothesis
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.fusion.rig.calibrator import MAX_GAP_NS, Calibrator
from pose_rig.lifting.engine import DEFAULT_WEIGHTS, OrtEngine
from pose_rig.skeleton import INDEX, JOINT_SET, LIMBS, J, landmarks
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


def calibrator_of(executor: ThreadPoolExecutor) -> Calibrator:
    return Calibrator(OrtEngine(DEFAULT_WEIGHTS, "cpu"), BackgroundCompute(executor))


def at(t_ns: int) -> Hypothesis:
    marks, cameras, pose = landmarks(JOINT_SET), calibration(2), acrobat(1)
    xy_px = images(pose, cameras)[0]
    samples = [Sample(t_ns, xy_px[view][None], np.ones((1, J))) for view in range(2)]
    found = hypothesis_of(samples, [marks, marks], pose[0], cameras)
    return replace(found, observation=replace(found.observation, t_ns=t_ns))


def test_everybody_has_keyframes_in_their_own_intervals() -> None:
    used = np.ones(2, bool)
    with ThreadPoolExecutor(1) as executor:
        calibrator = calibrator_of(executor)
        for person in (0, 2):
            assert calibrator.is_due(0, person)
            calibrator.add(at(0), None, used, person=person)
        assert not calibrator.is_due(KEYFRAME_INTERVAL_NS - 1)
        assert not calibrator.is_due(KEYFRAME_INTERVAL_NS - 1, 2)
        calibrator.add(at(KEYFRAME_INTERVAL_NS), None, used, person=2)
        assert calibrator.is_due(KEYFRAME_INTERVAL_NS)
        assert not calibrator.is_due(KEYFRAME_INTERVAL_NS, 2)
        assert calibrator.is_due(KEYFRAME_INTERVAL_NS, 1)
        assert [(one.t_ns, one.person) for one in calibrator.keyframes] == [(0, 0), (0, 2), (KEYFRAME_INTERVAL_NS, 2)]
        assert calibrator.count == 2
        late_ns = MAX_GAP_NS + KEYFRAME_INTERVAL_NS
        assert calibrator.is_outdated(late_ns)
        assert not calibrator.is_outdated(late_ns, 2)
        assert not calibrator.is_outdated(late_ns, 1)


def test_people_get_other_identities() -> None:
    used = np.ones(2, bool)
    with ThreadPoolExecutor(1) as executor:
        calibrator = calibrator_of(executor)
        for person in (0, 1, 2):
            calibrator.add(at(person * KEYFRAME_INTERVAL_NS), None, used, person=person)
        changes = calibrator.changes
        calibrator.rename({0: 2, 1: 0})
        assert calibrator.changes == changes + 1
        times_ns = {one.person: one.t_ns for one in calibrator.keyframes}  # without the one who was 2 before
        assert times_ns == {2: 0, 0: KEYFRAME_INTERVAL_NS}
        assert calibrator.is_due(KEYFRAME_INTERVAL_NS, 2)
        assert not calibrator.is_due(KEYFRAME_INTERVAL_NS + 1, 0)
        calibrator.replace_keyframes(calibrator.keyframes)
        assert [one.person for one in calibrator.keyframes] == [2, 0]
