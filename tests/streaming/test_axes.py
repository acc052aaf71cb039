import numpy as np
import pytest

from pose_rig.humanoid.bones import forward_kinematics, multiply, rotate
from pose_rig.streaming.axes import AXES, BLENDER, GODOT, RIG, UNITY, UNREAL, Axes
from tests.streaming.people import person

# directions of a person who faces camera 0: left hand, up, forward
LEFT, UP, AHEAD = np.eye(3)


@pytest.mark.parametrize(
    ("axes", "left", "up", "ahead"),
    [
        (RIG, (1, 0, 0), (0, 1, 0), (0, 0, 1)),
        (GODOT, (1, 0, 0), (0, 1, 0), (0, 0, 1)),
        (UNITY, (-1, 0, 0), (0, 1, 0), (0, 0, 1)),
        (UNREAL, (100, 0, 0), (0, 0, 100), (0, 100, 0)),
        (BLENDER, (1, 0, 0), (0, 0, 1), (0, -1, 0)),
    ],
    ids=lambda value: value.name if isinstance(value, Axes) else "",
)
def test_a_person_faces_like_the_characters_of_the_engine(
    axes: Axes, left: tuple[float, ...], up: tuple[float, ...], ahead: tuple[float, ...]
) -> None:
    assert axes.points(np.stack([LEFT, UP, AHEAD])).tolist() == [list(left), list(up), list(ahead)]


@pytest.mark.parametrize("axes", AXES.values(), ids=lambda axes: axes.name)
def test_handedness_up_and_forward_are_right(axes: Axes) -> None:
    def named(vector: np.ndarray) -> str:
        place = int(np.abs(vector).argmax())
        return "+-"[int(vector[place] < 0)] + "xyz"[place]

    x, y, z = axes.points(np.eye(3)) / axes.per_m
    assert np.linalg.det(np.stack([x, y, z])) == (1 if axes.handedness == "right" else -1)
    assert (named(y), named(z)) == (axes.up, axes.forward)
    assert (axes.unit, axes.per_m) in {("m", 1.0), ("cm", 100.0)}


@pytest.mark.parametrize("axes", AXES.values(), ids=lambda axes: axes.name)
def test_rotation_and_conversion_commute(axes: Axes) -> None:
    rng = np.random.default_rng(1)
    q = rng.normal(size=(2, 50, 4))
    q /= np.linalg.norm(q, axis=-1, keepdims=True)
    vector = rng.normal(size=(50, 3))
    turned = rotate(axes.rotations(q[0]), axes.points(vector))
    np.testing.assert_allclose(turned, axes.points(rotate(q[0], vector)), atol=1e-9)
    together = multiply(axes.rotations(q[0]), axes.rotations(q[1]))
    np.testing.assert_allclose(together, axes.rotations(multiply(q[0], q[1])), atol=1e-9)


@pytest.mark.parametrize("axes", AXES.values(), ids=lambda axes: axes.name)
def test_forward_kinematics_in_engine_axes_gives_the_converted_skeleton(axes: Axes) -> None:
    subject = person(3, seconds=0.5)
    place, turned = forward_kinematics(subject.rest, subject.root, subject.rotation)
    there = type(subject.rest)(axes.points(subject.rest.offset), axes.points(subject.rest.tip))
    their_place, their_turn = forward_kinematics(there, axes.points(subject.root), axes.rotations(subject.rotation))
    np.testing.assert_allclose(their_place, axes.points(place), atol=1e-6)
    np.testing.assert_allclose(their_turn, axes.rotations(turned), atol=1e-9)
