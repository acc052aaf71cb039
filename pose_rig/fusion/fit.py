"""The pose of an instant in a solved rig: rays of all views, bones of known length, and what the lifts say.

Rays decide where two views or more see a joint; bones and lifts decide where they do not.

Axes: N instants, V views, P points (`bundle.POINTS`), S spans.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.fusion.bundle import OUTLIER, bones
from pose_rig.fusion.calibration import NEAREST_M, Calibration
from pose_rig.fusion.triangulate import Rays, planes, triangulate

Floats = NDArray[np.float64]

START_ROUNDS, ROUNDS = 3, 4  # more change nothing
LIFT_SD_M = 0.06  # of a joint in a fused lift about where the body is: 4–8 cm suit simulated takes alike
SPEED_M_S = 3.0  # of joints, now and then; the hands of a thrower do three times that
LOOSE = 8.0  # the first round forgives so much more
KNOWN = 0.25  # share of that if it is known where the person was


@dataclass(frozen=True, slots=True)
class Fit:
    """Poses.

    Attributes:
        points: (N,P,3) m.
        covariance: (N,P,3,3) m².
        inlier: (N,V,P) 0–1, how far each detection was believed.
        error: (N,V,P) its distance, in standard deviations.
    """

    points: Floats
    covariance: Floats
    inlier: Floats
    error: Floats


@dataclass(frozen=True, slots=True)
class Before:
    """Where the person's points were an instant ago.

    Attributes:
        points: (P,3) m.
        precision: (P,3,3) 1/m², how sure it is that they are still there.
        expected: (P,3) m, where they are now if they went on as they did.
    """

    points: Floats
    precision: Floats
    expected: Floats

    @classmethod
    def after(cls, elapsed_s: float, points: Floats, covariance: Floats, velocity: Floats | float = 0.0) -> "Before":
        """Returns what points (P,3) with covariance (P,3,3) m² and velocity (P,3) m/s tell after some time."""
        precision = np.linalg.inv(covariance + (SPEED_M_S * elapsed_s) ** 2 * np.eye(3))
        return cls(points, np.asarray(precision, np.float64), points + velocity * elapsed_s)


def fit(rays: Rays, cameras: Calibration, length: Floats, shape: Floats, before: Before | None = None) -> Fit:
    """Returns the poses that explain detections best.

    Args:
        rays: What was seen.
        cameras: The rig.
        length: (L,) m, the person's bones.
        shape: (N,P,3) m, the pose as the lifts see it, rig axes, anywhere.
        before: Where the points were an instant ago; None = unknown.
    """
    loose = LOOSE if before is None else KNOWN * LOOSE
    x = shape + placed(rays, cameras, shape, before, loose)
    x = triangulate(rays, cameras, x, LIFT_SD_M, START_ROUNDS, loose)
    count, points = x.shape[:2]
    index = np.arange(points)
    for _ in range(ROUNDS):
        inlier, error, by = _reprojection(rays, cameras, x)
        w = rays.weight * inlier
        held = shape + _middle(x - shape, w.sum(1)) - x
        blocks = np.einsum("nvp,nvpki,nvpkj->npij", w, by, by) + np.eye(3) * LIFT_SD_M**-2
        g = np.einsum("nvp,nvpki,nvpk->npi", w, by, error) + held * LIFT_SD_M**-2
        if before is not None:
            blocks = blocks + before.precision
            g = g + np.einsum("pij,npj->npi", before.precision, before.points - x)
        a = np.zeros((count, points, 3, points, 3))
        a[:, index, :, index, :] = blocks.swapaxes(0, 1)
        rows, off, sound = bones(x, length)
        a = a.reshape(count, points * 3, points * 3) + (rows * sound[..., None]).swapaxes(1, 2) @ rows
        g = g.reshape(count, -1) + np.einsum("nsi,ns,ns->ni", rows, sound, off)
        x = x + np.linalg.solve(a, g[..., None])[..., 0].reshape(x.shape)
    inlier, error, _ = _reprojection(rays, cameras, x)
    inverse = np.linalg.inv(a).reshape(count, points, 3, points, 3)
    covariance = np.asarray(inverse[:, index, :, index, :].swapaxes(0, 1))
    return Fit(x, covariance, inlier, np.asarray(np.linalg.norm(error, axis=-1), np.float64))


def _reprojection(rays: Rays, cameras: Calibration, x: Floats) -> tuple[Floats, Floats, Floats]:
    """Returns inlier weights (N,V,P), errors in standard deviations (N,V,P,2), and their derivatives (N,V,P,2,3)."""
    local = np.einsum("vij,npj->nvpi", cameras.rotation, x) + cameras.translation[:, None]
    depth = np.maximum(local[..., 2], NEAREST_M)
    ideal = local[..., :2] / depth[..., None]
    error = (rays.flat - ideal) / rays.sd[..., None]
    inlier = (local[..., 2] > NEAREST_M) * (OUTLIER**2 / (OUTLIER**2 + (error**2).sum(-1))) ** 2
    turn = cameras.rotation[:, None]
    by = (turn[..., :2, :] - ideal[..., None] * turn[..., 2:, :]) / (depth * rays.sd)[..., None, None]
    return inlier, error, by


def placed(rays: Rays, cameras: Calibration, shape: Floats, before: Before | None, loose: float) -> Floats:
    """Returns (N,1,3) where a pose of known shape and size stands, as all rays together say."""
    rows, right = planes(rays.flat, cameras)
    right = right - np.einsum("nvpki,npi->nvpk", rows, shape)
    depth, trust = np.ones_like(rays.weight), rays.weight
    place = np.zeros((len(shape), 3))
    if before is not None:
        place = (before.points - shape).mean(1)
        depth, trust = _misses(rays, cameras, shape + place[:, None], loose)
    for k in range(ROUNDS):
        w = trust / np.maximum(rays.sd * depth, LIFT_SD_M) ** 2
        a = np.einsum("nvp,nvpki,nvpkj->nij", w, rows, rows)
        b = np.einsum("nvp,nvpki,nvpk->ni", w, rows, right)
        hold = (1e-6 * np.trace(a, axis1=1, axis2=2) + 1e-9)[:, None]
        a = a + hold[..., None] * np.eye(3)
        place = np.linalg.solve(a, (b + hold * place)[..., None])[..., 0]
        depth, trust = _misses(rays, cameras, shape + place[:, None], max(1.0, loose * 0.5**k))
    return place[:, None]


def _misses(rays: Rays, cameras: Calibration, points: Floats, loose: float) -> tuple[Floats, Floats]:
    """Returns depths (N,V,P) of points and the trust (N,V,P) in the rays that should meet them."""
    local = np.einsum("vij,npj->nvpi", cameras.rotation, points) + cameras.translation[:, None]
    depth = np.maximum(local[..., 2], NEAREST_M)
    off = np.linalg.norm(local[..., :2] - rays.flat * depth[..., None], axis=-1) / LIFT_SD_M  # at that distance
    trust = rays.weight * (local[..., 2] > NEAREST_M) / (1 + (off / (OUTLIER * loose)) ** 2) ** 2
    return depth, trust + 1e-6 * rays.weight


def _middle(offset: Floats, trust: Floats) -> Floats:
    """Returns (N,1,3) the robust mean of where a shape must be moved, from offsets (N,P,3)."""
    middle = np.median(offset, axis=1, keepdims=True)
    w = trust / (1 + (np.linalg.norm(offset - middle, axis=-1) / LIFT_SD_M) ** 2)
    return np.asarray((w[..., None] * offset).sum(1, keepdims=True) / np.maximum(w.sum(1), 1e-9)[:, None, None])
