"""The rest pose of a person."""

import numpy as np
import pytest

from pose_rig.humanoid.bones import BONES, INDEX, forward_kinematics
from pose_rig.humanoid.rest_pose import (
    BODY_PROPORTIONS,
    SAMPLE_INTERVAL_S,
    UPDATE_TIMES_S,
    RestPoseEstimator,
    rest_pose,
)
from pose_rig.skeleton import JOINTS
from tests.streaming.live import HZ, pose3d
from tests.streaming.people import ALL, person

SUBJECT = person(1, seconds=3)
THIGH = INDEX["LeftLowerLeg"]
ALL_MEASURED = np.ones(SUBJECT.xyz.shape[:2])
LIMBS = ("UpperArm", "LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot")


def test_limb_lengths_are_measured() -> None:
    rest = rest_pose(ALL, SUBJECT.xyz, ALL_MEASURED, SUBJECT.height_m)
    for bone in ("LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot"):
        for side in ("Left", "Right"):
            i = INDEX[side + bone]
            assert rest.offset[i] == pytest.approx(SUBJECT.rest.offset[i], abs=1e-6)


def test_outliers_and_guessed_joints_are_ignored() -> None:
    rng, xyz, score = np.random.default_rng(0), SUBJECT.xyz.copy(), ALL_MEASURED.copy()
    xyz += rng.normal(0, 0.01, xyz.shape)
    xyz[:40] = np.nan
    xyz[40:60, ALL.index("l_wrist")] += 1.0
    score[60:100, ALL.index("r_knee")] = 0
    xyz[60:100, ALL.index("r_knee")] -= 0.3
    rest = rest_pose(ALL, xyz, score, SUBJECT.height_m)
    for bone in ("LeftHand", "RightHand", "LeftLowerLeg", "RightFoot"):
        assert rest.offset[INDEX[bone]] == pytest.approx(SUBJECT.rest.offset[INDEX[bone]], abs=0.005)


def test_it_is_a_symmetric_t_pose_on_the_floor() -> None:
    rest = rest_pose(ALL, SUBJECT.xyz, ALL_MEASURED, SUBJECT.height_m)
    none = np.tile([0.0, 0.0, 0.0, 1.0], (len(BONES), 1))
    begin, _ = forward_kinematics(rest, rest.offset[0], none)
    at = {bone: begin[i] for bone, i in INDEX.items()}
    assert at["LeftHand"][0] > at["LeftLowerArm"][0] > at["LeftUpperArm"][0] > at["LeftShoulder"][0] > 0
    assert np.ptp([at[f"Left{bone}"][1] for bone in ("Shoulder", "UpperArm", "LowerArm", "Hand")]) < 1e-9
    assert at["LeftToes"][1] == pytest.approx(0, abs=1e-9)
    assert at["LeftToes"][2] > 0.05
    assert at["Head"][1] > at["Neck"][1] > at["LeftShoulder"][1] > at["Chest"][1] > at["Spine"][1] > at["Hips"][1]
    for bone in ("Shoulder", "Hand", "Foot", "Toes"):
        assert at[f"Right{bone}"] == pytest.approx(at[f"Left{bone}"] * [-1, 1, 1])


def test_the_ankle_height_is_measured() -> None:
    rest = rest_pose(ALL, SUBJECT.xyz, ALL_MEASURED, SUBJECT.height_m)
    toes = INDEX["LeftToes"]
    assert rest.offset[toes, 1] == pytest.approx(SUBJECT.rest.offset[toes, 1], abs=1e-6)
    assert rest.offset[toes, 2] + rest.tip[toes, 2] == pytest.approx(
        SUBJECT.rest.offset[toes, 2] + 0.04 * SUBJECT.height_m, abs=1e-6
    )


@pytest.mark.parametrize("no_person", [SUBJECT.xyz[:0], np.full_like(SUBJECT.xyz, np.nan), 0 * SUBJECT.xyz])
def test_without_measurements_it_is_an_average_person(no_person: np.ndarray) -> None:
    rest = rest_pose(ALL, no_person, np.ones(no_person.shape[:2]), 1.8)
    assert -rest.offset[INDEX["RightFoot"], 1] == pytest.approx(1.8 * BODY_PROPORTIONS["shank"])
    top = sum(rest.offset[INDEX[bone]] for bone in ("Hips", "Spine", "Chest", "Neck", "Head")) + rest.tip[INDEX["Head"]]
    assert top[1] == pytest.approx(1.8, abs=0.05)


def test_seventeen_joints_suffice() -> None:
    rest = rest_pose(JOINTS, SUBJECT.xyz[:, :17], ALL_MEASURED[:, :17], SUBJECT.height_m)
    assert rest.offset[INDEX["LeftToes"], 1] == pytest.approx(-BODY_PROPORTIONS["ankle"] * SUBJECT.height_m)
    assert np.isfinite(rest.offset).all()
    assert np.isfinite(rest.tip).all()


def test_a_stooped_person_has_the_neck_forward_at_rest() -> None:
    xyz = SUBJECT.xyz.copy()
    trunk = xyz[:, ALL.index("thorax")] - xyz[:, 0]
    across = xyz[:, ALL.index("l_shoulder")] - xyz[:, ALL.index("r_shoulder")]
    ahead = np.cross(across, trunk)
    xyz[:, ALL.index("head")] += 0.08 * ahead / np.linalg.norm(ahead, axis=-1, keepdims=True)
    head, before = (rest_pose(ALL, a, ALL_MEASURED, SUBJECT.height_m).offset[INDEX["Head"]] for a in (xyz, SUBJECT.xyz))
    assert np.arctan2(head[2], head[1]) > np.arctan2(before[2], before[1]) + 0.2


def test_it_starts_with_an_average_person_of_that_height() -> None:
    tall, small = RestPoseEstimator(1.9).rest.offset, RestPoseEstimator(1.5).rest.offset
    np.testing.assert_allclose(tall / 1.9, small / 1.5, atol=1e-12)
    assert tall[0, 1] > 0.9


def test_lengths_are_measured_within_seconds() -> None:
    subject = person(1, seconds=6.0)
    estimator = RestPoseEstimator(subject.height_m)
    for i in range(len(subject.t_ns)):
        estimator.update(ALL, pose3d(subject, i))
    np.testing.assert_allclose(estimator.rest.offset[THIGH], subject.rest.offset[THIGH], atol=2e-3)


def test_it_returns_whether_lengths_changed_and_updates_rarely() -> None:
    subject = person(1, seconds=60.0, rate_hz=1 / SAMPLE_INTERVAL_S)
    estimator, before, times = RestPoseEstimator(subject.height_m), [], 0
    for i in range(len(subject.t_ns)):
        before.append(estimator.rest)
        changed = estimator.update(ALL, pose3d(subject, i))
        assert changed == (estimator.rest is not before[-1])
        times += changed
    assert times == len(UPDATE_TIMES_S)


def test_lengths_before_the_rig_was_solved_are_dropped() -> None:
    small, tall = person(1, seconds=3.0), person(2, seconds=6.0)
    estimator = RestPoseEstimator(tall.height_m)
    for i in range(len(small.t_ns)):
        estimator.update(ALL, pose3d(small, i, mode="settled"))
    for i in range(len(tall.t_ns)):
        estimator.update(ALL, pose3d(tall, i, t_ns=int((3 + i / HZ) * 1e9)))
    np.testing.assert_allclose(estimator.rest.offset[THIGH], tall.rest.offset[THIGH], atol=2e-3)
