import cv2
import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.geometry import rotation_from_vector
from pose_rig.simulation.camera_models import CENTRE_SD, LENS_KINDS, WIDE_FIELD_DEG, LensKind, random_models
from pose_rig.simulation.cameras import Cameras
from pose_rig.simulation.lenses import Lenses


def rays(limit_deg: float, count: int = 500) -> Floats:
    """(count,2) x/z, y/z up to an angle to the axis."""
    rng = np.random.default_rng(0)
    angle, radius = rng.uniform(0, 2 * np.pi, count), np.tan(np.radians(rng.uniform(0, limit_deg, count)))
    return np.asarray(radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1))


def test_projection_with_a_lens_agrees_with_opencv() -> None:
    distortion = np.array([-0.1, 0.05, 0.002, -0.001, -0.01])
    lens = Lenses(np.array([12.0, -7.0]), distortion, np.asarray(1.0))
    turn = rotation_from_vector(np.array([0.1, -0.3, 0.2]))
    camera = Cameras(turn, np.array([0.1, 0.2, -3.0]), np.asarray(900.0), np.array([1280.0, 720.0]), lens)
    points = np.random.default_rng(0).uniform(-1, 1, (40, 3))
    matrix = np.array([[900.0, 0, 652.0], [0, 900.0, 353.0], [0, 0, 1]])
    want, _ = cv2.projectPoints(points, cv2.Rodrigues(turn)[0], -turn @ camera.position, matrix, distortion)
    xy, local = camera.project(points)
    np.testing.assert_allclose(xy, want[:, 0], atol=1e-6)
    np.testing.assert_allclose(camera.ideal_xy(xy), local[:, :2] / local[:, 2:], atol=1e-6)


@pytest.mark.parametrize("angle_factor", [1.0, 0.6, 0.32])
def test_wide_lenses_are_inverted_up_to_60_degrees(angle_factor: float) -> None:
    lens = Lenses(np.zeros(2), np.array([0.01, -0.005, 0.001, -0.001, 0.0]), np.asarray(angle_factor))
    ideal = rays(60)
    np.testing.assert_allclose(lens.undistort(lens.distort(ideal)), ideal, atol=1e-4)


def test_near_the_axis_a_wide_lens_has_the_k1_of_its_angle_factor() -> None:
    k1 = -0.28
    lens = Lenses(np.zeros(2), np.zeros(5), np.asarray(np.sqrt(1 + 3 * k1)))
    near = rays(8)
    want = near * (1 + k1 * (near**2).sum(-1, keepdims=True))
    np.testing.assert_allclose(lens.distort(near), want, atol=2e-4)


def test_a_polynomial_never_folds_points_back_into_the_image() -> None:
    lens = Lenses(np.zeros(2), np.array([-0.34, 0.0, 0.0, 0.0, 0.0]), np.asarray(1.0))
    x = np.linspace(0, 6, 400)
    image = lens.distort(np.stack([x, 0 * x], -1))[:, 0]
    assert (np.diff(image) > 0).all()


@pytest.mark.parametrize("kind", LENS_KINDS)
def test_random_models(kind: LensKind) -> None:
    rng = np.random.default_rng(0)
    rigs = [random_models(kind, 3, rng) for _ in range(60)]
    alike = np.mean([rig[0] is rig[1] for rig in rigs])
    wanted = {"one": 1.0, "wide": 1.0, "room": 1.0, "mixed": 0.0}.get(kind)
    assert alike == wanted if wanted is not None else 0.3 < alike < 0.7
    cameras = Cameras.stack([model.camera(rng) for rig in rigs for model in rig])
    edge = np.zeros((len(cameras.focal_px), 1, 2))
    larger = cameras.size_px.argmax(-1)
    edge[np.arange(len(edge)), 0, larger] = cameras.size_px.max(-1)
    edge[np.arange(len(edge)), 0, 1 - larger] = cameras.principal_px[np.arange(len(edge)), 1 - larger]
    both = np.concatenate([edge * (np.arange(2) != larger[:, None])[:, None], edge], 1)
    field = np.degrees(np.arctan(np.linalg.norm(cameras.ideal_xy(both), axis=-1)).sum(-1))
    assert (field > 43).all()
    assert field.max() < 125
    if kind == "wide":
        assert (field > WIDE_FIELD_DEG[0] - 3).all()
    if kind == "centred":
        assert cameras.lenses is None
    else:
        assert cameras.lenses is not None
        share = cameras.lenses.centre_offset_px / cameras.size_px.max(-1)[:, None]
        assert share.std() == pytest.approx(CENTRE_SD, rel=0.2)
