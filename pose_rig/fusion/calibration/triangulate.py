"""Where rays of several views meet: robust, in full perspective.

Axes: V views, P points; leading axes are anything (instants).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.cameras import NEAREST_M

ROUNDS = 6
OUTLIER = 3.0  # standard deviations at which a ray counts a quarter
LOOSE = 8.0  # the first round forgives so much more
EYE3 = np.eye(3)


class Posed(Protocol):
    """Cameras that stand somewhere."""

    @property
    def rotation(self) -> Floats:
        """(V,3,3) camera_from_rig."""

    @property
    def translation(self) -> Floats:
        """(V,3) m, camera frame."""


@dataclass(frozen=True)
class Rays:
    """What was seen.

    Attributes:
        ideal_xy: (...,V,P,2) ideal coordinates x/z, y/z.
        sd: (...,V,1) or (...,V,P) their standard deviation.
        weight: (...,V,P) trust, 0 = not seen.
    """

    ideal_xy: Floats
    sd: Floats
    weight: Floats

    @cached_property
    def by_point(self) -> tuple[Floats, Floats, Floats]:
        """``ideal_xy`` (...,P,V,2), ``sd`` (...,1,V) or (...,P,V), and ``weight`` (...,P,V)."""
        ideal_xy, sd, weight = self.ideal_xy.swapaxes(-3, -2), self.sd.swapaxes(-1, -2), self.weight.swapaxes(-1, -2)
        return np.ascontiguousarray(ideal_xy), sd, np.ascontiguousarray(weight)


def seen_from(cameras: Posed, points: Floats) -> Floats:
    """Returns points (...,P,3) in the frames of the cameras, (...,P,V,3)."""
    turned = points @ cameras.rotation.reshape(-1, 3).T
    return np.asarray(turned.reshape(*points.shape[:-1], -1, 3) + cameras.translation)


def planes(ideal_xy: Floats, cameras: Posed) -> Floats:
    """Returns (...,P,V,2,4) the two planes of every ray: ``rows · (x, 1) = 0``; off them it is the error in m × depth.

    Args:
        ideal_xy: (...,P,V,2) ideal coordinates.
        cameras: From where.
    """
    frame = np.concatenate([cameras.rotation, cameras.translation[..., None]], -1)
    return np.asarray(ideal_xy[..., None] * frame[:, 2:] - frame[:, :2])


def normal_equations(rows: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Returns (...,P,3,3) and (...,P,3): the matrix and the right side for points that lie on all their planes.

    Args:
        rows: (...,P,V,2,4).
        weight: (...,P,V).
    """
    flat_rows = rows.reshape(*rows.shape[:-3], -1, 4)
    weighed = (rows * weight[..., None, None]).reshape(flat_rows.shape)
    product = weighed[..., :3].swapaxes(-1, -2) @ flat_rows
    return product[..., :3], -product[..., 3]


def triangulate(
    rays: Rays,
    cameras: Posed,
    prior: Floats | None = None,
    prior_sd_m: float | Floats = 1.0,
    rounds: int = ROUNDS,
    loose: float = LOOSE,
) -> Floats:
    """Returns points (...,P,3) where the rays meet.

    Args:
        rays: What was seen.
        cameras: From where.
        prior: (...,P,3) where the points are thought to be; None = nothing is known.
        prior_sd_m: How sure that is, broadcast to (...,P).
        rounds: How often outliers are weighed anew.
        loose: How much more the first round forgives.
    """
    return _meet(rays, cameras, prior, prior_sd_m, rounds, loose)[0]


def triangulate_with_covariance(
    rays: Rays,
    cameras: Posed,
    prior: Floats | None = None,
    prior_sd_m: float | Floats = 1.0,
    rounds: int = ROUNDS,
    loose: float = LOOSE,
) -> tuple[Floats, Floats, Floats]:
    """Returns points as `triangulate`, their covariance (...,P,3,3) m², and the trust (...,V,P) in each ray."""
    points, information, trust = _meet(rays, cameras, prior, prior_sd_m, rounds, loose)
    return points, np.asarray(np.linalg.inv(information), np.float64), trust


def _meet(
    rays: Rays, cameras: Posed, prior: Floats | None, prior_sd_m: float | Floats, rounds: int, loose: float
) -> tuple[Floats, Floats, Floats]:
    """Returns points, their information (...,P,3,3) 1/m², and the trust in each ray."""
    ideal_xy, sd, weight = rays.by_point
    rows = planes(ideal_xy, cameras)
    depth, trust = np.ones_like(weight), weight
    points = np.zeros((*ideal_xy.shape[:-2], 3))
    hold = np.zeros(1) if prior is None else np.asarray(prior_sd_m, float) ** -2.0
    held = 0.0 if prior is None else hold[..., None] * prior
    known = 0 if prior is None else 1
    if prior is not None:
        depth, trust = _met(ideal_xy, sd, weight, cameras, prior, loose)
    for k in range(rounds):
        a, b = normal_equations(rows, trust / (sd * depth) ** 2)
        a = a + (hold + 1e-9 * (a[..., 0, 0] + a[..., 1, 1] + a[..., 2, 2]) + 1e-9)[..., None, None] * EYE3
        points = np.asarray(np.linalg.solve(a, (b + held)[..., None])[..., 0], np.float64)
        depth, trust = _met(ideal_xy, sd, weight, cameras, points, max(1.0, loose * 0.5 ** (k + known)))
    return points, a, trust.swapaxes(-1, -2)


def _met(
    ideal_xy: Floats, sd: Floats, weight: Floats, cameras: Posed, points: Floats, loose: float
) -> tuple[Floats, Floats]:
    """Returns depths (...,P,V) of points (...,P,3) and the trust (...,P,V) in the rays that should meet them."""
    local = seen_from(cameras, points)
    depth = np.maximum(local[..., 2], NEAREST_M)
    square = length2((local[..., :2] / depth[..., None] - ideal_xy) / sd[..., None])
    trust = (local[..., 2] > NEAREST_M) / (1 + square / (OUTLIER * loose) ** 2) ** 2 + 1e-6
    return depth, weight * trust


def length2(vectors: Floats) -> Floats:
    """Returns (...) the squared lengths of vectors (...,2)."""
    x, y = vectors[..., 0], vectors[..., 1]
    return np.asarray(x * x + y * y)
