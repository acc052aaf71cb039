"""Errors of estimated depths, on people in front of random cameras."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.geometry import ray_depths, rotation_from_vector
from pose_rig.simulation.cameras import Cameras, look_at
from pose_rig.simulation.depth_estimates import LEAN_RAD, OUTLIER_SD, estimated_depths
from pose_rig.simulation.noise import SimulatedDetections, detections
from pose_rig.skeleton import INDEX, LIMBS, MIRROR, J
from tests.fusion.fakes import standing

VIEWS = 3000
FPS = 30.0
_LIMBS = list(LIMBS)


def person() -> Floats:
    """(J,3) m: a person who stands with one arm and one leg forward."""
    joints = standing()
    joints[[INDEX["l_elbow"], INDEX["l_wrist"]]] += [[0.0, 0.15, 0.2], [0.0, 0.4, 0.5]]
    joints[[INDEX["r_knee"], INDEX["r_ankle"]]] += [[0.0, 0.05, 0.2], [0.0, 0.1, 0.25]]
    return joints


def views(azimuth: Floats) -> tuple[Floats, Floats]:
    """(N,1,J,3) m in camera axes, and (N,1,J,2) px, of the person in cameras at azimuths (N,) rad."""
    position = 4.0 * np.stack([np.sin(azimuth), 0 * azimuth + 0.1, np.cos(azimuth)], -1)
    size = np.tile([1280.0, 720.0], (len(azimuth), 1))
    cameras = Cameras(look_at(position, np.zeros(3)), position, np.full(len(azimuth), 900.0), size)
    xy, local = cameras.project(np.tile(person() - person()[0], (len(azimuth), 1, 1)))
    return local[:, None], xy[:, None]


def true_depths(local: Floats) -> Floats:
    """(N,J) of poses (N,1,J,3), along the viewing ray, in units of the 2D norm."""
    pose = local[:, 0] - local[:, 0, :1]
    along = (pose * (local[:, 0, :1] / np.linalg.norm(local[:, 0, :1], axis=-1, keepdims=True))).sum(-1)
    across = np.sqrt((pose**2).sum((1, 2)) - (along**2).sum(1))
    return np.asarray(along / across[:, None])


def estimated(local: Floats, xy: Floats, made: SimulatedDetections, seed: int = 0) -> Floats:
    """(N,J) in units of the 2D norm."""
    depth_px = estimated_depths(local, xy, made, FPS, np.random.default_rng(seed))
    return ray_depths(depth_px[:, 0], xy[:, 0], np.ones((*xy.shape[:1], J)))


AROUND = views(np.random.default_rng(1).uniform(0, 2 * np.pi, VIEWS))


def test_errors_have_the_measured_size() -> None:
    """0.06 as measured, and somewhat more: other people differ."""
    local, xy = AROUND
    found, true = estimated(local, xy, detections(xy, 0.9))[:, _LIMBS], true_depths(local)[:, _LIMBS]
    assert 0.055 < np.median(np.sqrt(((found - true) ** 2).mean(1))) < 0.08
    assert 0.6 < np.corrcoef(found.ravel(), true.ravel())[0, 1] < 0.95


@pytest.mark.parametrize(("azimuth", "sign"), [(0.0, 1), (np.pi, -1)])
def test_people_seem_to_lean_forward(azimuth: float, sign: int) -> None:
    local, xy = views(np.full(VIEWS, azimuth))
    off = estimated(local, xy, detections(xy, 0.9)) - true_depths(local)
    down = xy[:, 0, :, 1] - xy[:, 0, :1, 1]
    norm_px = np.linalg.norm(xy[:, 0] - xy[:, 0, :1], axis=(1, 2))
    feet = [INDEX["l_ankle"], INDEX["l_knee"]]
    lean = (off[:, feet] / (down[:, feet] / norm_px[:, None])).mean()
    assert lean == pytest.approx(sign * LEAN_RAD, abs=0.05)


def test_the_pelvis_has_no_depth_and_the_shoulders_are_around_the_thorax() -> None:
    local, xy = AROUND
    out = estimated(local, xy, detections(xy, 0.9))
    assert (out[:, 0] == 0).all()
    middle = 0.5 * (out[:, INDEX["l_shoulder"]] + out[:, INDEX["r_shoulder"]])
    np.testing.assert_allclose(out[:, INDEX["thorax"]], middle, atol=1e-9)


def test_a_body_taken_for_its_mirror_image_has_front_and_back_exchanged() -> None:
    local, xy = AROUND
    plain = detections(xy, 0.9)
    turned = replace(plain, source=plain.source[..., list(MIRROR)], turned=np.ones_like(plain.turned))
    straight, exchanged = estimated(local, xy, plain), estimated(local, xy, turned)
    np.testing.assert_allclose(exchanged, -straight[:, list(MIRROR)], atol=1e-9)


def test_outliers_have_larger_errors() -> None:
    local, xy = AROUND
    plain = detections(xy, 0.9)
    wrong = plain.wrong.copy()
    wrong[..., INDEX["l_wrist"]] = True
    apart = estimated(local, xy, replace(plain, wrong=wrong)) - estimated(local, xy, plain)
    assert apart[:, INDEX["l_wrist"]].std() == pytest.approx(OUTLIER_SD, rel=0.1)
    assert not np.delete(apart, INDEX["l_wrist"], 1).any()


def test_a_rolled_camera_changes_nothing() -> None:
    local, xy = AROUND
    roll = rotation_from_vector(np.array([0.0, 0.0, 1.1]))
    turned_xy = (xy - [640, 360]) @ roll[:2, :2].T + [640, 360]
    rolled = estimated(local @ roll.T, turned_xy, detections(turned_xy, 0.9))
    np.testing.assert_allclose(rolled, estimated(local, xy, detections(xy, 0.9)), atol=1e-9)


def test_errors_last() -> None:
    """Of 20 views over four seconds."""
    local, xy = (np.repeat(values[:20], 120, 1) for values in AROUND)
    depth = estimated_depths(local, xy, detections(xy, 0.9), FPS, np.random.default_rng(0))
    wrist = depth[..., INDEX["l_wrist"]]
    assert np.diff(wrist, axis=1).std() < 0.3 * wrist.std()
    assert wrist.mean(1).std() > 2 * (wrist - wrist.mean(1, keepdims=True)).std() / np.sqrt(2)
