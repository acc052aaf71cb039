"""Robust triangulation under full perspective, by iteratively reweighted least squares.

Axes: V views, P points; any leading axes (keyframes).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.geometry import MIN_DEPTH_M, length2

ITERATIONS = 6
OUTLIER_SD = 3.0  # standard deviations at which a ray has a quarter of its weight
INITIAL_RELAXATION = 8.0  # factor of OUTLIER_SD in the first iteration, halved in each (graduated non-convexity)
EYE3 = np.eye(3)


class Extrinsics(Protocol):
    """Extrinsics of several cameras."""

    @property
    def rotation(self) -> Floats:
        """(V,3,3) camera_from_rig."""

    @property
    def translation(self) -> Floats:
        """(V,3) m, camera frame."""


@dataclass(frozen=True)
class Rays:
    """2D measurements.

    Attributes:
        ideal_xy: (...,V,P,2) ideal coordinates x/z, y/z.
        sd: (...,V,1) or (...,V,P) their standard deviation.
        weight: (...,V,P), 0 = not visible.
    """

    ideal_xy: Floats
    sd: Floats
    weight: Floats

    @cached_property
    def by_point(self) -> tuple[Floats, Floats, Floats]:
        """``ideal_xy`` (...,P,V,2), ``sd`` (...,1,V) or (...,P,V), and ``weight`` (...,P,V)."""
        ideal_xy, sd, weight = self.ideal_xy.swapaxes(-3, -2), self.sd.swapaxes(-1, -2), self.weight.swapaxes(-1, -2)
        return np.ascontiguousarray(ideal_xy), sd, np.ascontiguousarray(weight)


def to_camera_frames(cameras: Extrinsics, points: Floats) -> Floats:
    """Returns points (...,P,3) in the frames of the cameras, (...,P,V,3)."""
    rotated = points @ cameras.rotation.reshape(-1, 3).T
    return np.asarray(rotated.reshape(*points.shape[:-1], -1, 3) + cameras.translation)


def dlt_rows(ideal_xy: Floats, cameras: Extrinsics) -> Floats:
    """Returns (...,P,V,2,4) two planes per ray, ``row · (x, 1) = 0`` (direct linear transform, H&Z 12.2).

    From ideal coordinates (...,P,V,2). For other points the product is the error in m × depth.
    """
    frame = np.concatenate([cameras.rotation, cameras.translation[..., None]], -1)
    return np.asarray(ideal_xy[..., None] * frame[:, 2:] - frame[:, :2])


def normal_equations(rows: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Returns matrix (...,P,3,3) and right side (...,P,3) from `dlt_rows` (...,P,V,2,4) and weights (...,P,V)."""
    stacked = rows.reshape(*rows.shape[:-3], -1, 4)
    weighted = (rows * weight[..., None, None]).reshape(stacked.shape)
    product = weighted[..., :3].swapaxes(-1, -2) @ stacked
    return product[..., :3], -product[..., 3]


@dataclass(frozen=True, slots=True)
class Triangulation:
    """Triangulated points.

    Attributes:
        points: (...,P,3) m.
        information: (...,P,3,3) 1/m².
        weight: (...,V,P) robust weight of each ray.
    """

    points: Floats
    information: Floats
    weight: Floats

    @property
    def covariance(self) -> Floats:
        """(...,P,3,3) m²."""
        return np.asarray(np.linalg.inv(self.information), np.float64)


def triangulate(
    rays: Rays,
    cameras: Extrinsics,
    prior: Floats | None = None,
    prior_sd_m: float | Floats = 1.0,
    iterations: int = ITERATIONS,
    relaxation: float = INITIAL_RELAXATION,
) -> Triangulation:
    """Returns points with their information matrices.

    Args:
        rays: 2D measurements.
        cameras: Their extrinsics.
        prior: (...,P,3) prior mean; None = no prior.
        prior_sd_m: Its standard deviation, broadcast to (...,P).
        iterations: Of the reweighting.
        relaxation: Factor of the outlier threshold in the first iteration.
    """
    ideal_xy, sd, weight = rays.by_point
    rows = dlt_rows(ideal_xy, cameras)
    depth, robust = np.ones_like(weight), weight
    points = np.zeros((*ideal_xy.shape[:-2], 3))
    information = np.zeros(1) if prior is None else np.asarray(prior_sd_m, float) ** -2.0
    right = 0.0 if prior is None else information[..., None] * prior
    first = 0 if prior is None else 1
    if prior is not None:
        depth, robust = _reweighted(ideal_xy, sd, weight, cameras, prior, relaxation)
    for k in range(iterations):
        a, b = normal_equations(rows, robust / (sd * depth) ** 2)
        a = a + (information + 1e-9 * (a[..., 0, 0] + a[..., 1, 1] + a[..., 2, 2]) + 1e-9)[..., None, None] * EYE3
        points = np.asarray(np.linalg.solve(a, (b + right)[..., None])[..., 0], np.float64)
        relaxed = max(1.0, relaxation * 0.5 ** (k + first))
        depth, robust = _reweighted(ideal_xy, sd, weight, cameras, points, relaxed)
    return Triangulation(points, a, robust.swapaxes(-1, -2))


def _reweighted(
    ideal_xy: Floats, sd: Floats, weight: Floats, cameras: Extrinsics, points: Floats, relaxation: float
) -> tuple[Floats, Floats]:
    """Returns depths (...,P,V) of points (...,P,3) and the robust weights (...,P,V) of their rays."""
    local = to_camera_frames(cameras, points)
    depth = np.maximum(local[..., 2], MIN_DEPTH_M)
    square = length2((local[..., :2] / depth[..., None] - ideal_xy) / sd[..., None])
    robust = (local[..., 2] > MIN_DEPTH_M) / (1 + square / (OUTLIER_SD * relaxation) ** 2) ** 2 + 1e-6
    return depth, weight * robust
