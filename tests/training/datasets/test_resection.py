import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.errors import UsageError
from pose_rig.training.datasets.resection import Camera, resect
from tests.training.datasets.world import Shot, shoot

SIZE = (1000, 1002)
SHOT = shoot(2.0, [SIZE])
MATRIX = np.array([[1145.0, 0, 512.5], [0, 1143.8, 515.5], [0, 0, 1]])
DISTORTION = np.array([-0.207, 0.247, -0.0009, -0.0016, 0.0])  # as strong as lenses of Human3.6M are


def truth(shot: Shot) -> tuple[Camera, Floats]:
    """The camera of a shot, its lens bent, and (T,J,2) what it shows."""
    room, local = shot.room.reshape(-1, 3), shot.local[:, 0].reshape(-1, 3)
    u, _, vt = np.linalg.svd((local - local.mean(0)).T @ (room - room.mean(0)))
    rotation = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
    camera = Camera(MATRIX, DISTORTION, rotation, local.mean(0) - rotation @ room.mean(0))
    return camera, camera.project(shot.room)


def test_a_bent_lens_off_centre_is_found() -> None:
    camera, xy_px = truth(SHOT)
    np.testing.assert_allclose(camera.local(SHOT.room), SHOT.local[:, 0], atol=1e-9)
    found = resect(SHOT.room, xy_px, SIZE, "camera")
    assert found is not None
    np.testing.assert_allclose(found.local(SHOT.room), SHOT.local[:, 0], atol=0.01)
    np.testing.assert_allclose(found.project(SHOT.room), xy_px, atol=0.5)


def test_gaps_do_no_harm() -> None:
    _, xy_px = truth(SHOT)
    xy_px[np.random.default_rng(1).random(xy_px.shape[:2]) < 0.3] = np.nan
    found = resect(SHOT.room, xy_px, SIZE, "camera")
    assert found is not None
    np.testing.assert_allclose(found.local(SHOT.room), SHOT.local[:, 0], atol=0.01)


def test_too_few_points_give_no_camera() -> None:
    xy_px = np.full(SHOT.xy_px[:, 0].shape, np.nan)
    xy_px[0] = SHOT.xy_px[0, 0]
    assert resect(SHOT.room, xy_px, SIZE, "camera") is None


def test_what_does_not_fit_is_refused() -> None:
    xy_px = np.random.default_rng(0).uniform(0, 1000, SHOT.xy_px[:, 0].shape)
    with pytest.raises(
        UsageError, match=r"camera 5: 3D poses and 2D labels do not match; the reprojection error is \d+ px"
    ):
        resect(SHOT.room, xy_px, SIZE, "camera 5")
