"""How a bone is turned about itself."""

import math

import pytest

from pose_rig.humanoid.joint_limits import Limits, limits_of
from pose_rig.humanoid.quaternion import NONE, Quaternion, Vector, X, Y, Z, about, dot, times, turn
from pose_rig.humanoid.twist import LARGEST_STEP, Clue, eased, largest_step, off_axis, rolled

FREE = Limits((180, 180, 180), (180, 180, 180), 10)
FRAME_S = 1 / 60


def twist_deg(q: Quaternion) -> float:
    """Of a bone that points to x."""
    return math.degrees(2 * math.atan2(q[0], q[3]))


def seen_at(angle_deg: float) -> Vector:
    """Where z of a bone along x is, turned by an angle."""
    return turn(about(X, math.radians(angle_deg)), Z)


@pytest.mark.parametrize("aim", [X, Y, Z, (-0.6, 0.8, 0.0)])
def test_the_bone_points_where_it_should_whatever_its_twist(aim: Vector) -> None:
    q = rolled(X, aim, NONE, [Clue(Z, (0.3, 0.4, -0.2), 5.0)], 0.1, FREE, FRAME_S)
    assert turn(q, X) == pytest.approx(aim, abs=1e-9)


def test_at_first_a_clue_is_believed() -> None:
    assert twist_deg(rolled(X, X, None, [Clue(Z, seen_at(70), 1.0)], 0.0, FREE, FRAME_S)) == pytest.approx(70)


def test_the_stronger_a_clue_the_sooner_it_is_followed() -> None:
    weak, strong = (
        twist_deg(rolled(X, X, NONE, [Clue(Z, seen_at(20), strength)], 0.0, FREE, FRAME_S)) for strength in (0.1, 10.0)
    )
    assert weak == pytest.approx(20 * (1 - math.exp(-FRAME_S * 0.1 / 0.03)))
    assert 19 < strong < 20


def test_without_clues_the_twist_is_kept_while_the_bone_swings() -> None:
    q = about(X, 0.5)
    for step in range(90):
        aim = turn(about(Z, math.radians(step)), X)
        q = rolled(X, aim, q, [], 0.0, FREE, FRAME_S)
    back_again = times(about(Z, -math.radians(89)), q)
    assert twist_deg(back_again) == pytest.approx(math.degrees(0.5), abs=1e-6)


def test_without_clues_it_goes_back_to_the_natural_one_slowly() -> None:
    q = about(X, 1.0)
    first = rolled(X, X, q, [], 0.1, FREE, FRAME_S)
    assert 0 < math.degrees(1.0) - twist_deg(first) < 4
    for _ in range(300):
        q = rolled(X, X, q, [], 0.1, FREE, FRAME_S)
    assert twist_deg(q) == pytest.approx(0.0, abs=0.1)


def test_a_clue_that_says_the_contrary_makes_no_jump() -> None:
    q = NONE
    for _ in range(20):
        after = rolled(X, X, q, [Clue(Z, seen_at(179), 20.0)], 0.0, FREE, FRAME_S)
        assert abs(twist_deg(after) - twist_deg(q)) <= math.degrees(largest_step(FRAME_S)) + 1e-6
        q = after
    assert twist_deg(q) == pytest.approx(179, abs=0.1)
    assert largest_step(1.0) == LARGEST_STEP


def test_a_clue_along_the_bone_says_nothing() -> None:
    assert rolled(X, X, about(X, 0.4), [Clue(Z, (2.0, 0.0, 0.0), 9.0)], 0.0, FREE, 1.0) == pytest.approx(about(X, 0.4))


def test_twist_is_limited() -> None:
    forearm = limits_of("LeftLowerArm")
    q = NONE
    for _ in range(60):
        q = rolled(X, X, q, [Clue(Z, seen_at(150), 5.0)], 0.0, forearm, FRAME_S)
    assert 85 < twist_deg(q) < 95


def test_a_clue_beyond_the_range_counts_less_than_one_within() -> None:
    both = [Clue(Z, seen_at(160), 1.0), Clue(Z, seen_at(0), 1.0)]
    assert abs(twist_deg(rolled(X, X, None, both, 0.0, limits_of("LeftLowerArm"), FRAME_S))) < 10


def test_of_a_shared_turn_the_bone_takes_its_part() -> None:
    half = [Clue(Z, seen_at(80), 1.0, 0.5)]
    assert twist_deg(rolled(X, X, None, half, 0.0, FREE, FRAME_S)) == pytest.approx(40)
    opposite = [Clue(Z, seen_at(180), 1.0, 0.5), Clue(Z, seen_at(10), 0.1)]
    assert twist_deg(rolled(X, X, None, opposite, 0.0, FREE, FRAME_S)) == pytest.approx(10)


def test_rotations_are_eased() -> None:
    target = about(Y, 1.0)
    assert eased(None, target, 0.1, FRAME_S) == target
    near = eased(NONE, about(Y, 0.1), 3.0, FRAME_S)
    assert near == pytest.approx(about(Y, 0.1 * (1 - math.exp(-FRAME_S * 100))))
    assert dot(turn(eased(NONE, target, 1e6, FRAME_S), Z), Z) == pytest.approx(math.cos(largest_step(FRAME_S)))


def test_the_lever_is_the_distance_from_the_axis() -> None:
    assert off_axis((3.0, 0.3, 0.4), X) == pytest.approx(0.5)
