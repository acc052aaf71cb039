from dataclasses import replace

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.triangulate import Rays, dlt_rows, triangulate
from tests.fusion.simulated import acrobat, calibration, images

SD = 0.005


def rays_of(people: Floats, views: int, *, noise: float = 0.0, seed: int = 0) -> Rays:
    cameras = calibration(views)
    ideal_xy = cameras.ideal_xy(images(people, cameras))
    ideal_xy = ideal_xy + np.random.default_rng(seed).normal(0, 1, ideal_xy.shape) * noise
    return Rays(ideal_xy, np.full((*ideal_xy.shape[:2], 1), SD), np.ones(ideal_xy.shape[:-1]))


def test_both_planes_of_a_ray_contain_its_point() -> None:
    people, cameras = acrobat(3), calibration(3)
    rows = dlt_rows(rays_of(people, 3).by_point[0], cameras)
    assert rows.shape == (3, 17, 3, 2, 4)
    assert np.einsum("npvki,npi->npvk", rows[..., :3], people) == pytest.approx(-rows[..., 3])


def test_off_its_plane_the_error_is_in_metres_times_depth() -> None:
    people, cameras = acrobat(1), calibration(2)
    rows = dlt_rows(rays_of(people, 2).by_point[0], cameras)
    aside = people + 0.1 * cameras.rotation[0, 0]  # 10 cm to the right in camera 0's view
    off = np.einsum("npvki,npi->npvk", rows[..., :3], aside) + rows[..., 3]
    assert off[0, :, 0] == pytest.approx(np.tile([-0.1, 0.0], (17, 1)))


@pytest.mark.parametrize("views", [2, 3, 5])
def test_exact_rays_are_triangulated_exactly(views: int) -> None:
    people = acrobat(4)
    assert triangulate(rays_of(people, views), calibration(views)).points == pytest.approx(people, abs=1e-6)


def test_any_leading_axes() -> None:
    people = acrobat(3)
    rays = rays_of(people, 3)
    one = triangulate(Rays(rays.ideal_xy[1], rays.sd[1], rays.weight[1]), calibration(3))
    assert one.points == pytest.approx(people[1], abs=1e-6)


def test_an_outlier_ray_has_little_weight() -> None:
    people, cameras = acrobat(4), calibration(4)
    rays = rays_of(people, 4, noise=0.2 * SD)
    wrong = rays.ideal_xy.copy()
    wrong[:, 2, 5] += [0.12, -0.08]
    found = triangulate(replace(rays, ideal_xy=wrong), cameras)
    points, ray_weight = found.points, found.weight
    assert np.linalg.norm(points[:, 5] - people[:, 5], axis=-1).max() < 0.02
    assert ray_weight[:, 2, 5].max() < 0.05
    assert ray_weight[:, [0, 1, 3], 5].min() > 0.7


def test_a_ray_without_weight_has_no_effect() -> None:
    people, cameras = acrobat(4), calibration(3)
    rays = rays_of(people, 3)
    wrong, weight = rays.ideal_xy.copy(), rays.weight.copy()
    wrong[:, 1], weight[:, 1] = 0.7, 0.0
    assert triangulate(Rays(wrong, rays.sd, weight), cameras).points == pytest.approx(people, abs=1e-5)


def test_the_more_accurate_view_has_more_weight() -> None:
    people = acrobat(1)
    rays = rays_of(people, 4)
    ideal_xy = rays.ideal_xy.copy()
    ideal_xy[:, 0] += [2 * SD, 0.0]
    errors = []
    for factor in (0.3, 3.0):
        sd = rays.sd.copy()
        sd[:, 0] *= factor
        errors.append(
            np.linalg.norm(triangulate(Rays(ideal_xy, sd, rays.weight), calibration(4), iterations=2).points - people)
        )
    assert errors[1] < 0.5 * errors[0]


def test_visible_in_one_view_a_point_is_on_its_ray_near_the_prior() -> None:
    people, cameras = acrobat(3), calibration(3)
    rays = rays_of(people, 3)
    weight = rays.weight * (np.arange(3) == 1)[:, None]
    prior = people + 0.2 * cameras.rotation[1, 2] + 0.1 * cameras.rotation[1, 0]
    found = triangulate(replace(rays, weight=weight), cameras, prior, 0.3).points
    seen, _ = cameras.project(found)
    assert cameras.ideal_xy(seen)[:, 1] == pytest.approx(rays.ideal_xy[:, 1], abs=0.003)
    off = (found - people) @ cameras.rotation[1].T
    assert off[..., 2] == pytest.approx(0.2, abs=0.06)


def test_visible_in_no_view_a_point_equals_its_prior() -> None:
    people, cameras = acrobat(2), calibration(3)
    rays = replace(rays_of(people, 3), weight=np.zeros((2, 3, 17)))
    sd_m = np.linspace(0.1, 0.5, 17)
    found = triangulate(rays, cameras, people, sd_m)
    points, covariance, ray_weight = found.points, found.covariance, found.weight
    assert points == pytest.approx(people)
    assert covariance == pytest.approx(np.tile(sd_m[:, None, None] ** 2 * np.eye(3), (2, 1, 1, 1)), rel=1e-6)
    assert not ray_weight.any()


def test_without_rays_and_prior_the_result_is_finite() -> None:
    rays = replace(rays_of(acrobat(2), 2), weight=np.zeros((2, 2, 17)))
    assert np.isfinite(triangulate(rays, calibration(2)).points).all()


def test_the_covariance_equals_the_scatter_of_points() -> None:
    people, cameras = np.tile(acrobat(1), (400, 1, 1)), calibration(3)
    found = triangulate(rays_of(people, 3, noise=SD), cameras)
    points, covariance = found.points, found.covariance
    off = points - people
    scatter = np.einsum("npi,npj->pij", off, off) / len(off)
    stated = covariance.mean(0)
    ratio = np.trace(scatter, axis1=1, axis2=2) / np.trace(stated, axis1=1, axis2=2)
    assert ratio.min() > 0.6
    assert ratio.max() < 1.4


def test_parallel_views_are_uncertain_along_their_rays() -> None:
    cameras = calibration(2, step_deg=8.0)
    people = acrobat(1)
    ideal_xy = cameras.ideal_xy(images(people, cameras))
    rays = Rays(ideal_xy, np.full((1, 2, 1), SD), np.ones(ideal_xy.shape[:-1]))
    covariance = triangulate(rays, cameras).covariance
    spread, axes = np.linalg.eigh(covariance[0])
    assert (spread[:, 2] > 25 * spread[:, 1]).all()
    away = people[0] - cameras.centre.mean(0)
    away /= np.linalg.norm(away, axis=-1, keepdims=True)
    assert np.abs(np.einsum("pi,pi->p", axes[:, :, 2], away)).min() > 0.99


def test_a_ray_from_behind_has_no_weight() -> None:
    people, cameras = acrobat(1), calibration(4)
    rays = rays_of(people, 4)
    away = replace(cameras, translation=cameras.translation.copy(), rotation=cameras.rotation.copy())
    turned = np.diag([-1.0, 1.0, -1.0])  # camera 3 turned around: what it claims to see lies behind it
    away.rotation[3], away.translation[3] = turned @ cameras.rotation[3], turned @ cameras.translation[3]
    found = triangulate(rays, away)
    points, ray_weight = found.points, found.weight
    assert points == pytest.approx(people, abs=5e-3)
    assert ray_weight[0, 3].max() < 1e-3
