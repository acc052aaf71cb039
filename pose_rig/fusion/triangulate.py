"""Where rays of several views meet: robust, in full perspective.

Axes: V views, P points; leading axes are anything (instants).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pose_rig.fusion.calibration import NEAREST_M

Floats = NDArray[np.float64]

ROUNDS = 6
OUTLIER = 3.0  # standard deviations at which a ray counts a quarter
LOOSE = 8.0  # the first round forgives so much more


class Posed(Protocol):
    """Cameras that stand somewhere."""

    @property
    def rotation(self) -> Floats:
        """(V,3,3) camera_from_rig."""

    @property
    def translation(self) -> Floats:
        """(V,3) m, camera frame."""


@dataclass(frozen=True, slots=True)
class Rays:
    """What was seen.

    Attributes:
        flat: (...,V,P,2) ideal coordinates x/z, y/z.
        sd: (...,V,1) or (...,V,P) their standard deviation.
        weight: (...,V,P) trust, 0 = not seen.
    """

    flat: Floats
    sd: Floats
    weight: Floats


def planes(flat: Floats, cameras: Posed) -> tuple[Floats, Floats]:
    """Returns (...,V,P,2,3) and (...,V,P,2): the two planes of every ray, ``rows · x = right``; errors in m × depth."""
    turn, step = cameras.rotation[:, None], cameras.translation[:, None]
    return flat[..., None] * turn[..., 2:, :] - turn[..., :2, :], step[..., :2] - flat * step[..., 2:]


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
) -> tuple[Floats, Floats, Floats]:
    """Returns points as `triangulate`, their covariance (...,P,3,3) m², and the trust (...,V,P) in each ray."""
    points, information, trust = _meet(rays, cameras, prior, prior_sd_m, rounds, LOOSE)
    return points, np.asarray(np.linalg.inv(information), np.float64), trust


def _meet(
    rays: Rays, cameras: Posed, prior: Floats | None, prior_sd_m: float | Floats, rounds: int, loose: float
) -> tuple[Floats, Floats, Floats]:
    """Returns points, their information (...,P,3,3) 1/m², and the trust in each ray."""
    rows, right = planes(rays.flat, cameras)
    depth, trust = np.ones_like(rays.weight), rays.weight
    points = np.zeros((*rays.flat.shape[:-3], rays.flat.shape[-2], 3))
    hold = np.zeros(1) if prior is None else np.asarray(prior_sd_m, float) ** -2.0
    held = 0.0 if prior is None else hold[..., None] * prior
    known = 0 if prior is None else 1
    if prior is not None:
        depth, trust = _met(rays, cameras, prior, loose)
    for k in range(rounds):
        w = trust / (rays.sd * depth) ** 2
        a = np.einsum("...vp,...vpki,...vpkj->...pij", w, rows, rows)
        b = np.einsum("...vp,...vpki,...vpk->...pi", w, rows, right) + held
        a = a + (hold + 1e-9 * np.trace(a, axis1=-2, axis2=-1) + 1e-9)[..., None, None] * np.eye(3)
        points = np.linalg.solve(a, b[..., None])[..., 0]
        depth, trust = _met(rays, cameras, points, max(1.0, loose * 0.5 ** (k + known)))
    return points, a, trust


def _met(rays: Rays, cameras: Posed, points: Floats, loose: float) -> tuple[Floats, Floats]:
    """Returns depths (...,V,P) of points and the trust (...,V,P) in the rays that should meet them."""
    local = np.einsum("vij,...pj->...vpi", cameras.rotation, points) + cameras.translation[:, None]
    depth = np.maximum(local[..., 2], NEAREST_M)
    error = np.linalg.norm(local[..., :2] / depth[..., None] - rays.flat, axis=-1) / rays.sd
    trust = (local[..., 2] > NEAREST_M) / (1 + (error / (OUTLIER * loose)) ** 2) ** 2 + 1e-6
    return depth, rays.weight * trust
