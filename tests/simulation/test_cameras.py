import cv2
import numpy as np
import pytest

from pose_rig.geometry import angle_deg, rectify, rotation_from_vector
from pose_rig.simulation.cameras import SIZES_PX, Cameras, look_at, random_cameras, truth
from pose_rig.skeleton import J
from tests.fusion.fakes import standing


def test_projection_agrees_with_opencv() -> None:
    people = np.repeat(standing()[None], 6, 0)
    cameras = random_cameras((6,), np.zeros((6, 3)), np.random.default_rng(0))
    xy, local = cameras.project(people)
    assert (xy.shape, local.shape) == ((6, J, 2), (6, J, 3))
    for i in range(6):
        focal, (width, height) = cameras.focal_px[i], cameras.size_px[i]
        matrix = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
        turn = cv2.Rodrigues(cameras.rotation[i])[0]
        want, _ = cv2.projectPoints(people[i], turn, -cameras.rotation[i] @ cameras.position[i], matrix, None)
        assert np.allclose(xy[i], want[:, 0], atol=1e-6)


def test_a_point_behind_the_camera_stays_finite() -> None:
    cameras = Cameras(np.eye(3), np.zeros(3), np.array(1000.0), np.array([640.0, 480.0]))
    xy, local = cameras.project(np.array([[0.0, 0.0, -2.0], [0.0, 0.0, 0.0]]))
    assert np.isfinite(xy).all()
    assert local[0, 2] == -2


def test_look_at_is_upright_and_centred() -> None:
    position = np.array([[3.0, 1.5, 0.0], [0.0, 0.2, -4.0], [-2.0, 3.0, 2.0]])
    target = np.array([0.0, 0.9, 0.0])
    rotation = look_at(position, target)
    assert np.allclose(np.linalg.det(rotation), 1)
    assert np.allclose(rotation @ rotation.swapaxes(1, 2), np.eye(3))
    ahead = np.einsum("nij,nj->ni", rotation, target - position)
    assert np.allclose(ahead[:, :2], 0)
    assert (ahead[:, 2] > 0).all()
    assert np.allclose(rotation[:, 0, 1], 0)  # the horizon is level
    assert (rotation[:, 1, 1] < 0).all()  # the image's y goes down


def test_looking_straight_down_is_finite() -> None:
    assert np.isfinite(look_at(np.array([0.0, 3.0, 0.0]), np.zeros(3))).all()


def test_random_cameras_are_all_around_the_person() -> None:
    count = 3000
    cameras = random_cameras((count,), np.zeros((count, 3)), np.random.default_rng(1))
    xy, local = cameras.project(np.repeat(standing()[None], count, 0))
    assert (local[..., 2] > 0.2).mean() > 0.99
    inside = ((xy > 0) & (xy < cameras.size_px[:, None])).all(-1).mean()
    assert inside > 0.8
    distance = np.linalg.norm(cameras.position, axis=-1)
    assert distance.min() > 1.3
    assert distance.max() < 9.1
    azimuth = np.arctan2(cameras.position[:, 0], cameras.position[:, 2])
    assert np.allclose(np.histogram(azimuth, 8, (-np.pi, np.pi))[0] / count, 1 / 8, atol=0.03)
    assert {tuple(size) for size in cameras.size_px} == {tuple(size) for size in SIZES_PX.astype(float)}
    sideways = np.abs(cameras.rotation[:, 1, 1]) < 0.5
    assert 0.01 < sideways.mean() < 0.15


def test_no_camera_is_on_its_side_without_upside() -> None:
    cameras = random_cameras((500,), np.zeros((500, 3)), np.random.default_rng(2), upside=0.0)
    assert (cameras.rotation[:, 1, 1] < -0.5).all()


@pytest.mark.parametrize("quarter", [0, 1, 2, 3])
def test_truth_is_in_the_units_of_the_flat_input(quarter: int) -> None:
    """Without noise and with the right focal length, xy / (1 + norm·z) of the shape is the flat input."""
    cameras = random_cameras((200,), np.zeros((200, 3)), np.random.default_rng(3), upside=0.0)
    roll = rotation_from_vector(np.array([0.0, 0.0, quarter * np.pi / 2]))
    cameras = Cameras(roll @ cameras.rotation, cameras.position, cameras.focal_px, cameras.size_px)
    xy, local = cameras.project(np.repeat(standing()[None], 200, 0))
    flat, norm, frame = rectify(xy, np.ones(xy.shape[:-1]), cameras.focal_px, cameras.size_px)
    shape, exact = truth(local, norm, frame, np.ones(200))
    assert np.allclose(exact, frame, atol=1e-9)
    assert np.allclose(shape[..., :2] / (1 + norm[:, None, None] * shape[..., 2:]), flat, atol=1e-9)
    assert np.allclose(shape[:, 0], 0)


def test_the_true_pose_of_a_wrong_focal_length_is_in_the_true_ray_frame() -> None:
    cameras = random_cameras((200,), np.zeros((200, 3)), np.random.default_rng(4))
    xy, local = cameras.project(np.repeat(standing()[None], 200, 0))
    flat, norm, frame = rectify(xy, np.ones(xy.shape[:-1]), cameras.focal_px / 1.3, cameras.size_px)
    shape, exact = truth(local, norm, frame, np.full(200, 1.3))
    root = local[:, 0] / np.linalg.norm(local[:, 0], axis=-1, keepdims=True)
    assert np.allclose(np.einsum("nij,nj->ni", exact, root), [0, 0, 1])
    assert angle_deg(exact, frame).max() < 20
    near = flat * (1 + norm[:, None, None] * shape[..., 2:])
    assert np.median(np.linalg.norm(near - shape[..., :2], axis=-1)) < 0.02
