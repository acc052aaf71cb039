"""Poses in a known rig with few or wrong detections."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.segments import POINTS
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.initialise import detection_sd
from pose_rig.fusion.calibration.triangulate import Rays
from pose_rig.fusion.pose.fit import LIFT_SD_M, SPEED_SD_M_S, TemporalPrior, fit_pose
from pose_rig.geometry import rotation_from_vector
from pose_rig.skeleton import INDEX
from tests.fusion.simulated import LENGTH_M, acrobat, calibration, images, points_of

PEOPLE = acrobat(12)
TRUE = points_of(PEOPLE)
WRIST = POINTS.index(INDEX["l_wrist"])
ELBOW = POINTS.index(INDEX["l_elbow"])
SURE_M2 = np.tile(0.01**2 * np.eye(3), (len(POINTS), 1, 1))


def rays_of(cameras: Calibration, error: float = 0.0, seed: int = 0) -> Rays:
    """Detections of `PEOPLE`; errors in standard deviations."""
    ideal_xy = cameras.ideal_xy(images(PEOPLE, cameras))[:, :, list(POINTS)]
    sd = detection_sd(ideal_xy, np.ones(ideal_xy.shape[:-1], bool))
    ideal_xy = ideal_xy + error * sd[..., None] * np.random.default_rng(seed).normal(0, 1, ideal_xy.shape)
    return Rays(ideal_xy, sd, np.ones(ideal_xy.shape[:-1]))


def lifted(error_m: float = 0.03, seed: int = 1) -> Floats:
    """(N,P,3) lifted poses: a few centimetres off, at any position."""
    rng = np.random.default_rng(seed)
    return np.asarray(TRUE + error_m * rng.normal(0, 1, TRUE.shape) + rng.normal(0, 5, (len(TRUE), 1, 3)))


def off_m(points: Floats) -> Floats:
    """(N,P)."""
    return np.asarray(np.linalg.norm(points - TRUE, axis=-1))


@pytest.mark.parametrize("views", [2, 3, 4])
def test_poses_visible_in_several_views_are_fitted(views: int) -> None:
    cameras = calibration(views)
    found = fit_pose(rays_of(cameras), cameras, LENGTH_M, lifted())
    assert found.points.shape == TRUE.shape
    assert found.covariance.shape == (*TRUE.shape, 3)
    assert np.median(off_m(found.points)) < 0.008
    assert off_m(found.points).max() < 0.04
    assert found.error.shape == found.inlier.shape == (len(TRUE), views, len(POINTS))
    assert found.inlier.min() > 0.5


def test_an_exact_lift_gives_an_exact_pose() -> None:
    cameras = calibration(3)
    found = fit_pose(rays_of(cameras), cameras, LENGTH_M, lifted(0.0))
    assert off_m(found.points).max() < 2e-3
    assert found.inlier.min() > 0.99


def test_one_view_and_the_body_height_give_the_position() -> None:
    cameras = calibration(3)
    rays = rays_of(cameras)
    alone = replace(rays, weight=rays.weight * (np.arange(3) == 1)[:, None])
    found = fit_pose(alone, cameras, LENGTH_M, lifted(0.0))
    assert np.median(off_m(found.points)) < 0.1
    across = (found.points - TRUE) @ cameras.rotation[1].T
    assert np.abs(across[..., :2]).max() < 0.04
    both = fit_pose(rays, cameras, LENGTH_M, lifted(0.0))
    assert (np.trace(found.covariance, axis1=2, axis2=3) > np.trace(both.covariance, axis1=2, axis2=3)).all()


def test_a_joint_visible_in_one_view_is_uncertain_along_its_ray() -> None:
    cameras = calibration(3)
    rays = rays_of(cameras)
    weight = rays.weight.copy()
    weight[:, 1:, WRIST] = 0.0
    found = fit_pose(replace(rays, weight=weight), cameras, LENGTH_M, lifted())
    assert off_m(found.points)[:, WRIST].max() < 0.2
    sizes = np.trace(found.covariance, axis1=2, axis2=3)
    right = POINTS.index(INDEX["r_wrist"])
    assert (sizes[:, WRIST] > 1.3 * sizes[:, right]).all()
    away = TRUE[:, WRIST] - cameras.centre[0]
    away /= np.linalg.norm(away, axis=-1, keepdims=True)
    along = np.einsum("ni,nij,nj->n", away, found.covariance[:, WRIST], away)
    assert (along > 0.4 * sizes[:, WRIST]).all()


def test_an_invisible_joint_keeps_its_bone_length() -> None:
    cameras = calibration(3)
    rays = rays_of(cameras)
    weight = rays.weight.copy()
    weight[:, :, WRIST] = 0.0
    found = fit_pose(replace(rays, weight=weight), cameras, LENGTH_M, lifted())
    forearm = np.linalg.norm(found.points[:, WRIST] - found.points[:, ELBOW], axis=-1)
    assert forearm == pytest.approx(np.full(len(TRUE), LENGTH_M[5]), abs=0.04)
    assert np.median(off_m(found.points)[:, WRIST]) < 0.08
    sd = np.sqrt(np.trace(found.covariance[:, WRIST], axis1=1, axis2=2))
    assert (sd > 0.5 * LIFT_SD_M).all()
    assert (sd > 1.5 * np.sqrt(np.trace(found.covariance[:, ELBOW], axis1=1, axis2=2))).all()


def test_two_views_overrule_a_wrong_lift_and_one_does_not() -> None:
    cameras = calibration(3)
    rays = rays_of(cameras)
    wrong = lifted(0.0)
    wrong[:, WRIST] += 0.25 * cameras.rotation[0, 2]  # along the axis of camera 0, which does not show it
    views = np.arange(3)[:, None]
    two, one = (
        fit_pose(replace(rays, weight=rays.weight * (views < count)), cameras, LENGTH_M, wrong) for count in (2, 1)
    )
    assert np.median(off_m(two.points)[:, WRIST]) < 0.03
    shape = one.points - one.points[:, [ELBOW]] - (TRUE - TRUE[:, [ELBOW]])
    assert np.median(shape[:, WRIST] @ cameras.rotation[0, 2]) > 0.05
    right = fit_pose(replace(rays, weight=rays.weight * (views < 2)), cameras, LENGTH_M, lifted(0.0))
    others = [i for i in range(len(POINTS)) if i not in (WRIST, ELBOW)]
    assert np.abs(two.points - right.points)[:, others].max() < 0.02


def test_an_outlier_has_little_weight() -> None:
    cameras = calibration(3)
    rays = rays_of(cameras, 0.3)
    wild = rays.ideal_xy.copy()
    wild[:, 2, WRIST] += 25 * rays.sd[:, 2]
    found = fit_pose(replace(rays, ideal_xy=wild), cameras, LENGTH_M, lifted())
    assert found.inlier[:, 2, WRIST].max() < 0.05
    assert found.error[:, 2, WRIST].min() > 8
    assert np.delete(found.inlier, WRIST, axis=2).min() > 0.3
    assert off_m(found.points)[:, WRIST].max() < 0.06


def test_a_joint_wrong_in_two_views_is_constrained_by_its_segments() -> None:
    cameras = calibration(3)
    rays = rays_of(cameras)
    elsewhere = TRUE.copy()
    elsewhere[:, WRIST] += [0.0, 0.0, 0.5]
    seen, _ = cameras.project(elsewhere)
    wrong = rays.ideal_xy.copy()
    wrong[:, :2, WRIST] = cameras.ideal_xy(seen)[:, :2, WRIST]
    bones = fit_pose(replace(rays, ideal_xy=wrong), cameras, LENGTH_M, lifted())
    assert np.median(off_m(bones.points)[:, WRIST]) < 0.25
    assert np.median(off_m(bones.points)[:, ELBOW]) < 0.08


def test_reprojection_errors_are_in_standard_deviations() -> None:
    cameras = calibration(4)
    found = fit_pose(rays_of(cameras, 1.0), cameras, LENGTH_M, lifted())
    assert 0.6 < np.median(found.error) < 1.6


def test_the_covariance_agrees_with_the_errors() -> None:
    cameras = calibration(3)
    square, stated = [], []
    for seed in range(20):
        found = fit_pose(rays_of(cameras, 1.0, seed), cameras, LENGTH_M, lifted(LIFT_SD_M, seed))
        square.append((off_m(found.points) ** 2).mean(0))
        stated.append(np.trace(found.covariance, axis1=2, axis2=3).mean(0))
    ratio = np.sqrt(np.mean(square, 0) / np.mean(stated, 0))
    assert ratio.min() > 0.5
    assert ratio.max() < 1.6


def panned(cameras: Calibration, view: int, deg: float) -> Calibration:
    """Cameras of which one was panned."""
    turn = np.tile(np.eye(3), (len(cameras.known), 1, 1))
    turn[view] = rotation_from_vector(np.radians([0.0, deg, 0.0]))
    return replace(
        cameras, rotation=turn @ cameras.rotation, translation=np.einsum("vij,vj->vi", turn, cameras.translation)
    )


@pytest.mark.parametrize("view", [0, 1, 2])
def test_a_panned_camera_does_not_move_the_person(view: int) -> None:
    cameras = calibration(3)
    before = TemporalPrior.after(1 / 30, TRUE[0], SURE_M2)
    rays = rays_of(panned(cameras, view, 12.0))
    one = Rays(rays.ideal_xy[:1], rays.sd[:1], rays.weight[:1])
    found = fit_pose(one, cameras, LENGTH_M, lifted()[:1], before)
    assert np.linalg.norm(found.points[0] - TRUE[0], axis=-1).max() < 0.08
    assert np.linalg.norm((found.points[0] - TRUE[0]).mean(0)) < 0.02
    others = np.arange(3) != view
    assert np.median(found.inlier[0, others]) > 0.6
    assert np.median(found.inlier[0, view]) < 0.1


def test_the_temporal_prior_does_not_hold_a_moving_person() -> None:
    cameras = calibration(3)
    before = TemporalPrior.after(1 / 30, TRUE[0] + [0.2, 0.0, -0.1], SURE_M2)
    rays = rays_of(cameras)
    found = fit_pose(Rays(rays.ideal_xy[:1], rays.sd[:1], rays.weight[:1]), cameras, LENGTH_M, lifted()[:1], before)
    assert np.median(off_m(found.points)[0]) < 0.02


def test_a_joint_hidden_for_a_moment_stays_near_its_position() -> None:
    cameras = calibration(3)
    rays = rays_of(cameras)
    weight = rays.weight[:1].copy()
    weight[:, :, [ELBOW, WRIST]] = 0.0
    hidden = Rays(rays.ideal_xy[:1], rays.sd[:1], weight)
    before = TemporalPrior.after(1 / 30, TRUE[0], SURE_M2)
    held, free = (fit_pose(hidden, cameras, LENGTH_M, lifted(0.08)[:1], b) for b in (before, None))
    limb = [ELBOW, WRIST]
    assert off_m(held.points)[0, limb].mean() < off_m(free.points)[0, limb].mean()
    sizes = [np.trace(f.covariance[0, WRIST]) for f in (held, free)]
    assert sizes[0] < sizes[1]


def test_the_temporal_prior_weakens_with_time() -> None:
    soon, late = (TemporalPrior.after(elapsed_s, TRUE[0], SURE_M2) for elapsed_s in (0.0, 0.5))
    assert np.linalg.inv(soon.precision) == pytest.approx(SURE_M2)
    sd_m = np.sqrt(np.linalg.inv(late.precision)[:, [0, 1, 2], [0, 1, 2]])
    assert sd_m == pytest.approx(np.full_like(sd_m, 0.5 * SPEED_SD_M_S), rel=1e-3)


def test_without_detections_the_pose_is_finite() -> None:
    cameras = calibration(2)
    rays = rays_of(cameras)
    found = fit_pose(replace(rays, weight=0 * rays.weight), cameras, LENGTH_M, lifted())
    assert np.isfinite(found.points).all()
    assert np.isfinite(found.covariance).all()
