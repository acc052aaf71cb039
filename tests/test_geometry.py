import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.geometry import (
    angle_deg,
    complete_root,
    nearest_rotation,
    normalised_coordinates,
    quarter_turn,
    rectify,
    rotation_from_vector,
    rotation_to_z,
    unrectify,
)
from pose_rig.skeleton import INDEX, J
from tests.fusion.fakes import standing

SIZE = np.array([1280.0, 720.0])
FOCAL = np.array(1100.0)
Z = np.array([0.0, 0.0, 1.0])
# camera_from_room of an upright camera that points along the room's −z: x right, y down
FRONT = np.diag([1.0, -1.0, -1.0])


def image_of(at: Floats, roll_deg: float = 0.0) -> Floats:
    """A standing person whose pelvis is at ``at`` in the axes of an upright camera, which is then rolled. (J,2) px."""
    local = (standing() @ FRONT.T + at) @ rotation_from_vector(Z * np.radians(roll_deg)).T
    return np.asarray(local[:, :2] / local[:, 2:] * FOCAL + SIZE / 2)


def random_rotations(count: int, seed: int) -> Floats:
    return nearest_rotation(np.random.default_rng(seed).normal(size=(count, 3, 3)))


def exponential(vector: Floats) -> Floats:
    """The matrix exponential by its series."""
    x, y, z = vector
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    out, term = np.eye(3), np.eye(3)
    for n in range(1, 60):
        term = term @ k / n
        out = out + term
    return out


def test_normalised_coordinates_are_zero_at_the_centre() -> None:
    xy = np.array([[640.0, 360.0], [640.0 + 1100.0, 360.0 - 1100.0]])
    assert np.allclose(normalised_coordinates(xy, FOCAL, SIZE), [[0, 0], [1, -1]])
    assert normalised_coordinates(np.zeros((4, 2, 17, 2)), np.ones((4, 2)), np.ones((4, 2, 2))).shape == (4, 2, 17, 2)


def test_rotation_to_z_is_the_smallest_rotation() -> None:
    axis = np.random.default_rng(0).normal(size=(50, 3))
    axis[:, 2] = np.abs(axis[:, 2])
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    turn = rotation_to_z(axis)
    assert np.allclose(np.einsum("nij,nj->ni", turn, axis), Z)
    assert np.allclose(turn @ turn.swapaxes(1, 2), np.eye(3))
    assert np.allclose(np.linalg.det(turn), 1)
    assert np.allclose(angle_deg(turn, np.eye(3)), np.degrees(np.arccos(axis[:, 2])))
    assert np.allclose(rotation_to_z(Z), np.eye(3))


@pytest.mark.parametrize("roll_deg", [0.0, 20.0, 90.0, 180.0, 270.0])
def test_rectify_puts_the_pelvis_on_the_axis_and_the_head_up(roll_deg: float) -> None:
    xy = image_of(np.array([1.2, 0.4, 4.0]), roll_deg)
    ray_xy, norm, frame = rectify(xy, np.ones(J), FOCAL, SIZE)
    assert np.allclose(ray_xy[0], 0)
    assert np.linalg.norm(ray_xy) == pytest.approx(1)
    assert ray_xy[INDEX["head"], 1] < -0.2  # image axes: up is −y
    assert np.linalg.det(frame) == pytest.approx(1)
    root = np.array([*normalised_coordinates(xy, FOCAL, SIZE)[0], 1.0])
    assert np.allclose(frame @ root / np.linalg.norm(root), Z)
    assert 1 / norm == pytest.approx(np.linalg.norm([1.2, 0.4, 4.0]) / 2.0, rel=0.4)  # a person's norm is about 2 m


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_camera_on_its_side_gives_the_same_ray_coordinates(quarters: int) -> None:
    upright, _, frame = rectify(image_of(np.array([0.0, 0.0, 4.0])), np.ones(J), FOCAL, SIZE)
    turned, _, turned_frame = rectify(image_of(np.array([0.0, 0.0, 4.0]), 90.0 * quarters), np.ones(J), FOCAL, SIZE)
    assert np.allclose(turned, upright)
    assert angle_deg(turned_frame, frame) == pytest.approx(180 if quarters == 2 else 90)


def test_quarter_turn_counts_clockwise_in_the_image() -> None:
    ray_xy = np.zeros((4, J, 2))
    for turn, up in enumerate([(0, -1), (-1, 0), (0, 1), (1, 0)]):
        ray_xy[turn, [INDEX["thorax"], INDEX["nose"], INDEX["head"]]] = up
    assert quarter_turn(ray_xy, np.ones((4, J), bool)).tolist() == [0, 1, 2, 3]


def test_quarter_turn_needs_no_head() -> None:
    ray_xy, _, _ = rectify(image_of(np.array([0.0, 0.0, 4.0]), 90.0), np.ones(J), FOCAL, SIZE)
    seen = np.ones(J, bool)
    seen[[INDEX["nose"], INDEX["head"], INDEX["l_knee"], INDEX["r_knee"]]] = False
    assert quarter_turn(ray_xy, seen) == 0


@pytest.mark.parametrize("roll_deg", [0.0, 90.0, 200.0])
def test_unrectify_undoes_rectify(roll_deg: float) -> None:
    xy = np.stack([image_of(np.array([x, 0.3, 3.5]), roll_deg) for x in (-1.0, 0.2, 1.3)])
    focal, size = np.full(3, 1100.0), np.tile(SIZE, (3, 1))
    ray_xy, norm, frame = rectify(xy, np.ones((3, J)), focal, size)
    assert (ray_xy.shape, norm.shape, frame.shape) == ((3, J, 2), (3,), (3, 3, 3))
    assert np.allclose(unrectify(ray_xy, norm, frame, focal, size), xy)


def test_missing_joints_are_zero_and_change_neither_scale_nor_frame_much() -> None:
    xy, score = image_of(np.array([0.3, 0.0, 4.0])), np.ones(J)
    _, norm, frame = rectify(xy, score, FOCAL, SIZE)
    missing = [INDEX["l_wrist"], INDEX["r_elbow"]]
    score[missing] = 0
    garbled = xy.copy()
    garbled[missing] = 1e6
    ray_xy, partial_norm, partial_frame = rectify(garbled, score, FOCAL, SIZE)
    assert np.allclose(ray_xy[missing], 0)
    assert np.allclose(partial_frame, frame)
    assert partial_norm == pytest.approx(norm, rel=0.05)
    seen = score > 0
    assert np.allclose(unrectify(ray_xy, partial_norm, partial_frame, FOCAL, SIZE)[seen], xy[seen])


def test_rectify_is_finite_for_no_or_one_point() -> None:
    for xy, score in ((image_of(np.array([0.0, 0.0, 4.0])), np.zeros(J)), (np.full((J, 2), 300.0), np.ones(J))):
        ray_xy, norm, frame = rectify(xy, score, FOCAL, SIZE)
        assert np.isfinite(ray_xy).all()
        assert np.isfinite(frame).all()
        assert norm > 0
        assert np.allclose(ray_xy, 0, atol=1e-6)


def test_nearest_rotation_is_proper_and_recovers_noisy_rotations() -> None:
    exact = random_rotations(30, 1)
    noisy = 3 * exact + np.random.default_rng(2).normal(0, 0.05, exact.shape)
    found = nearest_rotation(noisy)
    assert np.allclose(np.linalg.det(found), 1)
    assert np.allclose(found @ found.swapaxes(1, 2), np.eye(3))
    assert angle_deg(found, exact).max() < 5
    assert np.allclose(nearest_rotation(exact), exact)


@pytest.mark.parametrize("matrix", [-np.eye(3), np.diag([3.0, 2.0, -1.0]), np.zeros((3, 3)), np.diag([1.0, 0, 0])])
def test_nearest_rotation_of_reflections_and_singular_matrices_is_proper(matrix: Floats) -> None:
    found = nearest_rotation(matrix)
    assert np.linalg.det(found) == pytest.approx(1)
    assert np.allclose(found @ found.T, np.eye(3))


def test_nearest_rotation_is_the_nearest() -> None:
    matrix = np.random.default_rng(3).normal(size=(3, 3))
    best = np.linalg.norm(nearest_rotation(matrix) - matrix)
    others = random_rotations(2000, 4)
    assert best <= np.linalg.norm(others - matrix, axis=(1, 2)).min()


def test_nearest_rotation_refuses_nan() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        nearest_rotation(np.full((3, 3), np.nan))


@pytest.mark.parametrize("degrees", [0.0, 1e-5, 1.0, 90.0, 179.0, 180.0])
def test_angle_of_a_known_turn(degrees: float) -> None:
    start = random_rotations(1, 5)[0]
    axis = np.array([2.0, -1.0, 2.0]) / 3
    turned = rotation_from_vector(axis * np.radians(degrees)) @ start
    assert angle_deg(turned, start) == pytest.approx(degrees, abs=2e-6)
    assert angle_deg(np.stack([start, turned]), start).shape == (2,)


@pytest.mark.parametrize("length", [0.0, 1e-12, 1e-9, 1e-7, 1e-3, 0.5, 3.0, 7.0])
def test_rotation_from_vector_is_the_exponential(length: float) -> None:
    vector = length * np.array([0.36, -0.48, 0.8])
    found = rotation_from_vector(vector)
    assert np.allclose(found, exponential(vector), atol=1e-12)
    assert np.linalg.det(found) == pytest.approx(1)
    assert rotation_from_vector(np.tile(vector, (4, 2, 1))).shape == (4, 2, 3, 3)


def test_complete_root_keeps_a_visible_pelvis() -> None:
    xy = image_of(np.array([0.3, 0.0, 4.0]))
    out, there = complete_root(xy, np.ones(J))
    assert np.array_equal(out, xy)
    assert there
    score = np.ones(J)
    score[INDEX["thorax"]] = 0
    assert not complete_root(xy, score)[1]


@pytest.mark.parametrize(
    ("missing", "near"),
    [
        (("pelvis", "r_hip"), 0.25),
        (("pelvis", "l_hip"), 0.25),
        (("pelvis", "l_hip", "r_hip", "spine"), 0.35),
        (("pelvis", "l_hip", "r_hip", "spine", "head"), 0.35),
    ],
)
def test_complete_root_extrapolates_a_hidden_pelvis(missing: tuple[str, ...], near: float) -> None:
    xy, score = image_of(np.array([0.3, 0.0, 4.0])), np.ones(J)
    hidden = [INDEX[name] for name in missing]
    score[hidden] = 0
    garbled = xy.copy()
    garbled[hidden] = 0
    out, there = complete_root(garbled, score)
    assert there
    trunk = np.linalg.norm(xy[INDEX["thorax"]] - xy[0])
    assert np.linalg.norm(out[0] - xy[0]) < near * trunk
    assert np.array_equal(np.delete(out, 0, 0), np.delete(garbled, 0, 0))
    assert (garbled[0] == 0).all()


def test_complete_root_fails_without_hips_and_face() -> None:
    score = np.ones((2, J))
    score[0, [INDEX[name] for name in ("pelvis", "l_hip", "r_hip", "nose", "head")]] = 0
    out, there = complete_root(np.zeros((2, J, 2)), score)
    assert there.tolist() == [False, True]
    assert np.isfinite(out).all()
