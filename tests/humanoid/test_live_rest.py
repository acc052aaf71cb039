import numpy as np

from pose_rig.humanoid.bones import INDEX
from pose_rig.humanoid.live_rest import EVERY_S, LOOKS_S, LiveRest
from tests.streaming.live import HZ, pose3d
from tests.streaming.people import ALL, person

THIGH = INDEX["LeftLowerLeg"]


def test_it_begins_with_an_average_person_of_that_stature() -> None:
    tall, small = LiveRest(1.9).rest.offset, LiveRest(1.5).rest.offset
    np.testing.assert_allclose(tall / 1.9, small / 1.5, atol=1e-12)
    assert tall[0, 1] > 0.9


def test_bones_become_those_of_the_person_within_seconds() -> None:
    somebody = person(1, seconds=6.0)
    bones = LiveRest(somebody.height_m)
    for i in range(len(somebody.t_ns)):
        bones.take(ALL, pose3d(somebody, i))
    np.testing.assert_allclose(bones.rest.offset[THIGH], somebody.rest.offset[THIGH], atol=2e-3)


def test_it_says_when_they_are_other_ones_and_looks_only_so_often() -> None:
    somebody = person(1, seconds=60.0, rate_hz=1 / EVERY_S)
    bones, before, times = LiveRest(somebody.height_m), [], 0
    for i in range(len(somebody.t_ns)):
        before.append(bones.rest)
        changed = bones.take(ALL, pose3d(somebody, i))
        assert changed == (bones.rest is not before[-1])
        times += changed
    assert times == len(LOOKS_S)


def test_lengths_before_the_rig_was_solved_are_forgotten() -> None:
    small, tall = person(1, seconds=3.0), person(2, seconds=6.0)
    bones = LiveRest(tall.height_m)
    for i in range(len(small.t_ns)):
        bones.take(ALL, pose3d(small, i, mode="settled"))
    for i in range(len(tall.t_ns)):
        bones.take(ALL, pose3d(tall, i, t_ns=int((3 + i / HZ) * 1e9)))
    np.testing.assert_allclose(bones.rest.offset[THIGH], tall.rest.offset[THIGH], atol=2e-3)
