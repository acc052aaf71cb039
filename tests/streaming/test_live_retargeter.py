from itertools import pairwise

import numpy as np
import pytest
from msgspec import structs

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import forward_kinematics
from pose_rig.humanoid.predict import MAX_LEAD_MS
from pose_rig.streaming.live_pose import LivePose
from pose_rig.streaming.live_retargeter import HOLD_S, TO_REST_S, LiveRetargeter
from pose_rig.wire.services import POSE_STALE_S
from tests.streaming.live import HZ, pose3d
from tests.streaming.people import Person, angles_deg, person

MS, S = 1_000_000, 1_000_000_000
AGE_MS = 20.0


def at(i: int) -> int:
    """Returns when pose ``i`` comes."""
    return S + round(i * S / HZ)


def played(retargeter: LiveRetargeter, subject: Person, first: int, count: int, **more: object) -> LivePose:
    """Plays poses as they come, and returns the last one."""
    pose = retargeter.pose_at(at(first))
    for i in range(first, first + count):
        retargeter.add(pose3d(subject, i, **more), at(i))  # type: ignore[arg-type]
        pose = retargeter.pose_at(at(i))
    return pose


def places(pose: LivePose) -> Floats:
    return forward_kinematics(pose.rest, pose.root, pose.rotation)[0]


def test_before_the_first_pose_the_rest_pose_is_sent() -> None:
    pose = LiveRetargeter().pose_at(S)
    assert (pose.index, pose.tracking, pose.mode) == (-1, 0, "cold")
    np.testing.assert_allclose(pose.rotation, np.tile([0, 0, 0, 1.0], (21, 1)))
    assert pose.root[1] == pose.rest.offset[0, 1] > 0.8


def test_an_avatar_follows_the_person() -> None:
    subject = person(1, seconds=4.0)
    pose = played(LiveRetargeter(), subject, 0, 200)
    wanted, _ = forward_kinematics(subject.rest, subject.root[199], subject.rotation[199])
    off_m = np.linalg.norm(places(pose) - wanted, axis=-1)
    assert np.median(off_m) < 0.02
    assert (pose.index, pose.tracking, pose.age_ms) == (199, 1, AGE_MS)


def test_a_pose_that_was_sent_is_not_new() -> None:
    retargeter, subject = LiveRetargeter(), person(1, seconds=1.0)
    news = [retargeter.has_new]
    retargeter.add(pose3d(subject, 0), at(0))
    news.append(retargeter.has_new)
    retargeter.pose_at(at(0))
    assert [*news, retargeter.has_new] == [False, True, False]


def test_a_repeated_pose_is_identical() -> None:
    retargeter, subject = LiveRetargeter(), person(1, seconds=2.0)
    pose = played(retargeter, subject, 0, 60)
    again = retargeter.pose_at(at(59) + 10 * MS)
    np.testing.assert_array_equal(again.rotation, pose.rotation)
    assert again.age_ms == pytest.approx(pose.age_ms + 10)


def test_a_lost_person_is_held_and_blended_to_rest_without_a_jump() -> None:
    retargeter, subject = LiveRetargeter(), person(1, seconds=3.0)
    held = played(retargeter, subject, 0, 60)
    poses = []
    for i in range(60, 60 + int((HOLD_S + TO_REST_S + 1.0) * HZ)):
        retargeter.add(pose3d(subject, 59, t_ns=at(i), tracking=0), at(i))
        poses.append(retargeter.pose_at(at(i)))
    assert all(pose.tracking == 0 for pose in poses)
    np.testing.assert_array_equal(poses[int((HOLD_S - 0.1) * HZ)].rotation, held.rotation)
    np.testing.assert_allclose(np.abs(poses[-1].rotation[:, 3]), 1.0)
    assert poses[-1].root[1] == pytest.approx(poses[-1].rest.offset[0, 1])
    np.testing.assert_allclose(poses[-1].root[[0, 2]], held.root[[0, 2]])
    steps = [angles_deg(b.rotation, a.rotation).max() for a, b in pairwise(poses)]
    assert max(steps) < 8.0
    assert all(np.isfinite(pose.rotation).all() for pose in poses)


def test_a_returning_person_is_followed_without_a_jump() -> None:
    retargeter, subject = LiveRetargeter(), person(1, seconds=6.0)
    played(retargeter, subject, 0, 30)
    gone = 30 + int((HOLD_S + TO_REST_S + 0.5) * HZ)
    before = played(retargeter, subject, 30, gone - 30, tracking=0)
    steps = []
    for i in range(gone, gone + 40):
        retargeter.add(pose3d(subject, i), at(i))
        pose = retargeter.pose_at(at(i))
        steps.append(angles_deg(pose.rotation, before.rotation).max())
        before = pose
    assert before.tracking == 1
    assert max(steps) < 25.0
    wanted, _ = forward_kinematics(subject.rest, subject.root[gone + 39], subject.rotation[gone + 39])
    assert np.median(np.linalg.norm(places(before) - wanted, axis=-1)) < 0.05


def test_without_new_poses_no_person_is_tracked() -> None:
    retargeter, subject = LiveRetargeter(), person(1, seconds=1.0)
    played(retargeter, subject, 0, 30)
    now = at(29)
    assert retargeter.pose_at(now + round((POSE_STALE_S - 0.05) * S)).tracking == 1
    assert retargeter.pose_at(now + round((POSE_STALE_S + 0.05) * S)).tracking == 0
    rest = [retargeter.pose_at(now + i * 20 * MS) for i in range(200)][-1]
    np.testing.assert_allclose(np.abs(rest.rotation[:, 3]), 1.0)


def test_prediction_reduces_the_error_of_the_avatar() -> None:
    subject = person(3, seconds=6.0)
    late = round(0.05 * HZ)
    off: dict[object, list[float]] = {}
    for lead in (0.0, 50.0, "auto"):
        retargeter = LiveRetargeter(lead)
        for i in range(300):
            retargeter.add(structs.replace(pose3d(subject, i), age_ns=50 * MS), at(i))
            pose = retargeter.pose_at(at(i))
            if i > 120:
                wanted, _ = forward_kinematics(subject.rest, subject.root[i + late], subject.rotation[i + late])
                off.setdefault(lead, []).append(float(np.linalg.norm(places(pose) - wanted, axis=-1).mean()))
    assert np.median(off[50.0]) < 0.6 * np.median(off[0.0])
    assert np.median(off["auto"]) < 0.6 * np.median(off[0.0])


def test_auto_predicts_by_the_age_of_the_pose_up_to_the_maximum() -> None:
    retargeter, subject = LiveRetargeter("auto"), person(1, seconds=1.0)
    played(retargeter, subject, 0, 30)
    assert retargeter.pose_at(at(29) + 10 * MS).lead_ms == pytest.approx(AGE_MS + 10)
    assert retargeter.pose_at(at(29) + 400 * MS).lead_ms == MAX_LEAD_MS


def test_another_body_height_starts_over() -> None:
    retargeter = LiveRetargeter()
    small, tall = person(1, seconds=1.0), person(2, seconds=1.0)
    played(retargeter, small, 0, 40)
    pose = played(retargeter, tall, 0, 3)
    assert pose.height_m == tall.height_m
    assert np.isfinite(pose.rotation).all()


def test_a_replay_that_restarts_is_followed() -> None:
    retargeter, subject = LiveRetargeter(), person(1, seconds=3.0)
    played(retargeter, subject, 60, 60)
    for i in range(30):
        retargeter.add(pose3d(subject, i), at(200 + i))
        pose = retargeter.pose_at(at(200 + i))
    wanted, _ = forward_kinematics(subject.rest, subject.root[29], subject.rotation[29])
    assert np.median(np.linalg.norm(places(pose) - wanted, axis=-1)) < 0.06
