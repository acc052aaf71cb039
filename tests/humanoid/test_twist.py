"""Swing and twist of a bone."""

import math

import pytest

from pose_rig.humanoid.joint_limits import JointLimits, limits_of
from pose_rig.humanoid.quaternion import IDENTITY, Quaternion, Vector, X, Y, Z, dot, from_axis_angle, multiply, rotate
from pose_rig.humanoid.twist import MAX_TWIST_STEP_RAD, TwistHint, lever_m, max_twist_step, smoothed, swing_twist

FREE = JointLimits((180, 180, 180), (180, 180, 180), 10)
FRAME_S = 1 / 60


def twist_deg(q: Quaternion) -> float:
    """Returns the twist of a bone along x."""
    return math.degrees(2 * math.atan2(q[0], q[3]))


def measured_at(angle_deg: float) -> Vector:
    """Returns the z axis of a bone along x, rotated by an angle."""
    return rotate(from_axis_angle(X, math.radians(angle_deg)), Z)


@pytest.mark.parametrize("aim", [X, Y, Z, (-0.6, 0.8, 0.0)])
def test_the_bone_points_to_its_aim_with_any_twist(aim: Vector) -> None:
    q = swing_twist(X, aim, IDENTITY, [TwistHint(Z, (0.3, 0.4, -0.2), 5.0)], 0.1, FREE, FRAME_S)
    assert rotate(q, X) == pytest.approx(aim, abs=1e-9)


def test_without_a_previous_rotation_a_hint_is_followed_at_once() -> None:
    assert twist_deg(
        swing_twist(X, X, None, [TwistHint(Z, measured_at(70), 1.0)], 0.0, FREE, FRAME_S)
    ) == pytest.approx(70)


def test_a_hint_of_larger_weight_is_followed_faster() -> None:
    weak, strong = (
        twist_deg(swing_twist(X, X, IDENTITY, [TwistHint(Z, measured_at(20), strength)], 0.0, FREE, FRAME_S))
        for strength in (0.1, 10.0)
    )
    assert weak == pytest.approx(20 * (1 - math.exp(-FRAME_S * 0.1 / 0.03)))
    assert 19 < strong < 20


def test_without_hints_the_twist_is_kept_during_a_swing() -> None:
    q = from_axis_angle(X, 0.5)
    for step in range(90):
        aim = rotate(from_axis_angle(Z, math.radians(step)), X)
        q = swing_twist(X, aim, q, [], 0.0, FREE, FRAME_S)
    back_again = multiply(from_axis_angle(Z, -math.radians(89)), q)
    assert twist_deg(back_again) == pytest.approx(math.degrees(0.5), abs=1e-6)


def test_without_hints_the_twist_decays_to_neutral() -> None:
    q = from_axis_angle(X, 1.0)
    first = swing_twist(X, X, q, [], 0.1, FREE, FRAME_S)
    assert 0 < math.degrees(1.0) - twist_deg(first) < 4
    for _ in range(300):
        q = swing_twist(X, X, q, [], 0.1, FREE, FRAME_S)
    assert twist_deg(q) == pytest.approx(0.0, abs=0.1)


def test_an_opposite_hint_makes_no_jump() -> None:
    q = IDENTITY
    for _ in range(20):
        after = swing_twist(X, X, q, [TwistHint(Z, measured_at(179), 20.0)], 0.0, FREE, FRAME_S)
        assert abs(twist_deg(after) - twist_deg(q)) <= math.degrees(max_twist_step(FRAME_S)) + 1e-6
        q = after
    assert twist_deg(q) == pytest.approx(179, abs=0.1)
    assert max_twist_step(1.0) == MAX_TWIST_STEP_RAD


def test_a_hint_along_the_bone_has_no_weight() -> None:
    assert swing_twist(
        X, X, from_axis_angle(X, 0.4), [TwistHint(Z, (2.0, 0.0, 0.0), 9.0)], 0.0, FREE, 1.0
    ) == pytest.approx(from_axis_angle(X, 0.4))


def test_twist_is_limited() -> None:
    forearm = limits_of("LeftLowerArm")
    q = IDENTITY
    for _ in range(60):
        q = swing_twist(X, X, q, [TwistHint(Z, measured_at(150), 5.0)], 0.0, forearm, FRAME_S)
    assert 85 < twist_deg(q) < 95


def test_a_hint_beyond_the_joint_limits_has_less_weight() -> None:
    both = [TwistHint(Z, measured_at(160), 1.0), TwistHint(Z, measured_at(0), 1.0)]
    assert abs(twist_deg(swing_twist(X, X, None, both, 0.0, limits_of("LeftLowerArm"), FRAME_S))) < 10


def test_a_bone_takes_its_share_of_a_twist() -> None:
    half = [TwistHint(Z, measured_at(80), 1.0, 0.5)]
    assert twist_deg(swing_twist(X, X, None, half, 0.0, FREE, FRAME_S)) == pytest.approx(40)
    opposite = [TwistHint(Z, measured_at(180), 1.0, 0.5), TwistHint(Z, measured_at(10), 0.1)]
    assert twist_deg(swing_twist(X, X, None, opposite, 0.0, FREE, FRAME_S)) == pytest.approx(10)


def test_rotations_are_smoothed() -> None:
    target = from_axis_angle(Y, 1.0)
    assert smoothed(None, target, 0.1, FRAME_S) == target
    near = smoothed(IDENTITY, from_axis_angle(Y, 0.1), 3.0, FRAME_S)
    assert near == pytest.approx(from_axis_angle(Y, 0.1 * (1 - math.exp(-FRAME_S * 100))))
    assert dot(rotate(smoothed(IDENTITY, target, 1e6, FRAME_S), Z), Z) == pytest.approx(
        math.cos(max_twist_step(FRAME_S))
    )


def test_lever_m_is_the_distance_from_the_axis() -> None:
    assert lever_m((3.0, 0.3, 0.4), X) == pytest.approx(0.5)
