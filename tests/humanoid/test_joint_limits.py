"""Joint limits."""

import math
from itertools import pairwise

import numpy as np
import pytest

from pose_rig.humanoid.bones import BONES
from pose_rig.humanoid.joint_limits import LEFT_LIMITS, limits_of, soft_limit
from pose_rig.humanoid.quaternion import X, Y, Z, dot, from_axis_angle, rotate, rotation_vector, scale


def test_the_soft_limit_is_continuous() -> None:
    angles = np.linspace(0, 3, 301)
    out = np.array([soft_limit(angle, 1.0, 0.2) for angle in angles.tolist()])
    assert np.array_equal(out[angles <= 1], angles[angles <= 1])
    assert (np.diff(out) >= 0).all()
    assert np.diff(out).max() < 0.0101
    assert 1.19 < out[-1] < 1.2


@pytest.mark.parametrize(("side", "sense"), [("Left", -1.0), ("Right", 1.0)])
def test_an_elbow_bends_one_way(side: str, sense: float) -> None:
    elbow, rest = limits_of(f"{side}LowerArm"), X if side == "Left" else scale(X, -1.0)
    bent = rotate(from_axis_angle(Y, sense * math.radians(120)), rest)
    assert elbow.limit_aim(rest, bent) == bent
    broken = elbow.limit_aim(rest, rotate(from_axis_angle(Y, -sense * math.radians(60)), rest))
    assert 10 < math.degrees(math.acos(dot(broken, rest))) < 18


def test_a_knee_bends_one_way() -> None:
    rest = (0.0, -1.0, 0.0)
    bent, broken = (rotate(from_axis_angle(X, math.radians(angle)), rest) for angle in (130, -60))
    assert limits_of("LeftLowerLeg").limit_aim(rest, bent) == bent
    assert math.degrees(math.acos(dot(limits_of("RightLowerLeg").limit_aim(rest, broken), rest))) < 18


def test_thighs_abduct_further_than_they_adduct() -> None:
    rest = (0.0, -1.0, 0.0)
    for side, out in (("Left", 1.0), ("Right", -1.0)):
        reach = [
            abs(rotation_vector(from_axis_angle(Z, angle))[2])
            for angle in (out * math.radians(60), -out * math.radians(60))
            if limits_of(f"{side}UpperLeg").limit_aim(rest, rotate(from_axis_angle(Z, angle), rest))
            == rotate(from_axis_angle(Z, angle), rest)
        ]
        assert len(reach) == 1
        outwards = rotate(from_axis_angle(Z, out * math.radians(60)), rest)
        assert limits_of(f"{side}UpperLeg").limit_aim(rest, outwards) == outwards


def test_a_twist_is_limited_both_ways() -> None:
    forearm = limits_of("LeftLowerArm")
    assert forearm.limit_twist(1.0) == 1.0
    assert math.degrees(forearm.limit_twist(math.pi)) == pytest.approx(95, abs=1)
    assert forearm.limit_twist(-3.0) == -forearm.limit_twist(3.0)


def test_every_limit_belongs_to_a_bone() -> None:
    assert {name for bone in BONES for name in (bone, bone.removeprefix("Left"))} >= set(LEFT_LIMITS)


def test_mirrored_twice_is_the_same() -> None:
    assert limits_of("LeftUpperArm").mirrored().mirrored() == limits_of("LeftUpperArm")


def test_limits_are_continuous() -> None:
    round_and_round = np.radians(np.linspace(0, 360, 721))
    for bone in ("LeftUpperArm", "RightLowerLeg", "LeftFoot", "RightShoulder"):
        limits, rest = limits_of(bone), (0.0, -1.0, 0.0)
        for axis in (X, Z, (0.6, 0.0, 0.8)):
            aims = [
                limits.limit_aim(rest, rotate(from_axis_angle(axis, angle), rest)) for angle in round_and_round.tolist()
            ]
            steps = [math.degrees(math.acos(min(dot(a, b), 1.0))) for a, b in pairwise(aims)]
            assert max(steps) < 3, bone
