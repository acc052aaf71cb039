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


def test_results_equal_those_of_the_array_functions() -> None:
    assert multiply(SOME, OTHER) == pytest.approx(humanoid.multiply(np.array(SOME), np.array(OTHER)))
    assert rotate(SOME, (0.1, -2.0, 3.0)) == pytest.approx(humanoid.rotate(np.array(SOME), np.array([0.1, -2.0, 3.0])))
    assert inverse(SOME) == pytest.approx(humanoid.inverse(np.array(SOME)))


def test_rotate_towards_is_limited() -> None:
    wanted = multiply(from_axis_angle(Y, 2.0), SOME)
    step = multiply(rotate_towards(SOME, same_sign(wanted, SOME), 0.5), inverse(SOME))
    assert same_sign(step, IDENTITY) == pytest.approx(from_axis_angle(Y, 0.5))
    assert rotate_towards(SOME, same_sign(wanted, SOME), 2.1) == pytest.approx(same_sign(wanted, SOME))
    assert rotate_towards(SOME, SOME, 0.5) == SOME


@pytest.mark.parametrize("end", [(0.0, 1.0, 0.0), (0.0, 0.6, -0.8), (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0)])
def test_the_shortest_arc_reaches_the_opposite_direction(end: Vector) -> None:
    assert rotate(shortest_arc(X, end), X) == pytest.approx(end, abs=1e-6)


def test_the_shortest_arc_has_no_twist() -> None:
    assert shortest_arc(X, Y) == pytest.approx(from_axis_angle((0.0, 0.0, 1.0), math.pi / 2))


def test_rotation_vectors_convert_back() -> None:
    assert rotation_vector(from_axis_angle(Y, 0.7)) == pytest.approx((0.0, 0.7, 0.0))
    assert rotation_vector(from_axis_angle(Y, 2 * math.pi - 0.7)) == pytest.approx((0.0, -0.7, 0.0))
    assert from_rotation_vector(rotation_vector(SOME)) == pytest.approx(SOME)
    assert from_rotation_vector((0.0, 0.0, 0.0)) == IDENTITY


def test_two_halves_of_a_rotation_are_the_rotation() -> None:
    half = fraction(SOME, 0.5)
    assert multiply(half, half) == pytest.approx(SOME)


def test_same_sign_follows_the_other_quaternion() -> None:
    negative = (-SOME[0], -SOME[1], -SOME[2], -SOME[3])
    assert same_sign(negative, SOME) == pytest.approx(SOME)
    assert same_sign(SOME, SOME) == SOME


def test_a_zero_vector_has_the_fallback_direction() -> None:
    assert normalize((0.0, 0.0, 0.0), Y) == Y
