import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import multiply
from pose_rig.session.formats.bvh import zxy_deg
from tests.session.motions import about

X, Y, Z = np.eye(3)


def turned(zxy_deg: Floats) -> Floats:
    """Returns (T,4) Rz · Rx · Ry."""
    z, x, y = (
        about(np.broadcast_to(axis, zxy_deg.shape), np.deg2rad(zxy_deg[:, i])) for i, axis in enumerate([Z, X, Y])
    )
    return multiply(multiply(z, x), y)


def error_deg(a: Floats, b: Floats) -> Floats:
    """Returns (T,) the angle between rotations, exact for small ones too."""
    apart = np.minimum(np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1))
    return np.asarray(np.rad2deg(4 * np.arcsin(apart / 2)))


def test_the_angles_turn_as_the_quaternion() -> None:
    rotation = np.random.default_rng(7).normal(size=(2000, 4))
    rotation /= np.linalg.norm(rotation, axis=-1, keepdims=True)
    np.testing.assert_allclose(error_deg(turned(zxy_deg(rotation)), rotation), 0.0, atol=1e-6)


def test_known_angles_come_back() -> None:
    known = np.array([[0.0, 0.0, 0.0], [10.0, 20.0, 30.0], [-40.0, 60.0, -80.0]])
    np.testing.assert_allclose(zxy_deg(turned(known)), known, atol=1e-9)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_joint_that_keeps_rotating_has_growing_angles(axis: int) -> None:
    known = np.zeros((901, 3))
    known[:, axis] = np.arange(901)
    np.testing.assert_allclose(zxy_deg(turned(known)), known, atol=1e-5)


def test_a_joint_that_starts_beyond_90_degrees_starts_next_to_t_pose() -> None:
    known = np.array([[0.0, 120.0, 0.0], [1.0, 121.0, 1.0]])
    np.testing.assert_allclose(zxy_deg(turned(known)), known, atol=1e-9)


def test_a_joint_that_rests_where_two_axes_fall_together_does_not_flicker() -> None:
    bend = np.concatenate([np.linspace(0, 90, 30), np.full(200, 90.0), np.linspace(90, 40, 30)])
    known = np.stack([np.zeros(260), bend, np.full(260, 25.0)], -1)
    rotation = turned(known) + np.random.default_rng(7).normal(0, 1e-17, (260, 4))
    found = zxy_deg(rotation)
    np.testing.assert_allclose(error_deg(turned(found), rotation), 0.0, atol=1e-5)
    np.testing.assert_allclose(found, known, atol=1e-4)


def test_the_sign_of_the_quaternion_is_irrelevant() -> None:
    rotation = turned(np.linspace([0, 0, 0], [200, 50, -300], 400))
    signs = np.random.default_rng(7).choice([-1.0, 1.0], (400, 1))
    np.testing.assert_allclose(zxy_deg(signs * rotation), zxy_deg(rotation), atol=1e-6)


def test_smooth_movement_has_smooth_angles() -> None:
    """Away from where two axes fall together, that is: nothing jumps by half a turn from one frame to the next."""
    known = np.cumsum(np.random.default_rng(7).normal(0, 1.5, (3000, 3)), axis=0)
    known[:, 1] = 80 * np.sin(known[:, 1] / 80)
    assert np.abs(np.diff(zxy_deg(turned(known)), axis=0)).max() < 10
