"""Vectors and quaternions as plain numbers, against those on arrays."""

import math

import numpy as np
import pytest

from pose_rig.humanoid import bones as humanoid
from pose_rig.humanoid.quaternion import (
    IDENTITY,
    Quaternion,
    Vector,
    X,
    Y,
    fraction,
    from_axis_angle,
    from_rotation_vector,
    inverse,
    multiply,
    normalize,
    rotate,
    rotate_towards,
    rotation_vector,
    same_sign,
    shortest_arc,
)

SOME: Quaternion = from_axis_angle(normalize((1.0, 2.0, -0.5), X), 2.0)
OTHER: Quaternion = from_axis_angle(normalize((-1.0, 0.3, 0.5), X), -1.1)


def test_they_are_those_of_the_arrays() -> None:
    assert multiply(SOME, OTHER) == pytest.approx(humanoid.multiply(np.array(SOME), np.array(OTHER)))
    assert rotate(SOME, (0.1, -2.0, 3.0)) == pytest.approx(humanoid.rotate(np.array(SOME), np.array([0.1, -2.0, 3.0])))
    assert inverse(SOME) == pytest.approx(humanoid.inverse(np.array(SOME)))


def test_a_turn_is_followed_by_so_much_and_no_more() -> None:
    wanted = multiply(from_axis_angle(Y, 2.0), SOME)
    step = multiply(rotate_towards(SOME, same_sign(wanted, SOME), 0.5), inverse(SOME))
    assert same_sign(step, IDENTITY) == pytest.approx(from_axis_angle(Y, 0.5))
    assert rotate_towards(SOME, same_sign(wanted, SOME), 2.1) == pytest.approx(same_sign(wanted, SOME))
    assert rotate_towards(SOME, SOME, 0.5) == SOME


@pytest.mark.parametrize("end", [(0.0, 1.0, 0.0), (0.0, 0.6, -0.8), (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0)])
def test_the_shortest_arc_arrives_also_at_the_opposite(end: Vector) -> None:
    assert rotate(shortest_arc(X, end), X) == pytest.approx(end, abs=1e-6)


def test_the_shortest_arc_has_no_twist() -> None:
    assert shortest_arc(X, Y) == pytest.approx(from_axis_angle((0.0, 0.0, 1.0), math.pi / 2))


def test_a_turn_is_its_rotation_vector() -> None:
    assert rotation_vector(from_axis_angle(Y, 0.7)) == pytest.approx((0.0, 0.7, 0.0))
    assert rotation_vector(from_axis_angle(Y, 2 * math.pi - 0.7)) == pytest.approx((0.0, -0.7, 0.0))
    assert from_rotation_vector(rotation_vector(SOME)) == pytest.approx(SOME)
    assert from_rotation_vector((0.0, 0.0, 0.0)) == IDENTITY


def test_half_of_a_turn_twice_is_the_turn() -> None:
    half = fraction(SOME, 0.5)
    assert multiply(half, half) == pytest.approx(SOME)


def test_a_quaternion_follows_the_sign_of_another() -> None:
    negative = (-SOME[0], -SOME[1], -SOME[2], -SOME[3])
    assert same_sign(negative, SOME) == pytest.approx(SOME)
    assert same_sign(SOME, SOME) == SOME


def test_nothing_has_the_direction_one_says() -> None:
    assert normalize((0.0, 0.0, 0.0), Y) == Y
