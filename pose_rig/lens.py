"""OpenCV's two lens models: five coefficients of a perspective lens, four of a fisheye lens.

Both move a point along the ray from the principal point by an odd polynomial, ``ρ (1 + a ρ² + b ρ⁴ + c ρ⁶ [+ d ρ⁸])``:
of ρ = r, the tangent of the angle θ to the optical axis, or of ρ = θ itself. A polynomial may turn back at some angle;
beyond, a model means nothing, and points there are taken as at that angle.

Coefficients (…,5): perspective k1, k2, p1, p2, k3 (``cv2.projectPoints``); fisheye k1, k2, k3, k4, 0
(``cv2.fisheye.projectPoints``).

Axes: V lenses, K points, S samples of a table.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats

COEFFICIENTS = 5
MAX_ANGLE = np.radians(85.0)  # between optical axis and ray; beyond, ideal coordinates grow without bound
SAMPLES = 2048  # of an inverse over the image: below 0.002 px
FINE_SAMPLES = 4096  # of the lens that is inverted
MARGIN = 1.3  # of the inverse over the image
TANGENTIAL_ITERATIONS = 3  # the error falls by a factor of a hundred in each


def five_coefficients(distortion: Sequence[float]) -> tuple[float, ...]:
    """Returns distortion coefficients with zeros for those missing."""
    return (*distortion, *[0.0] * (COEFFICIENTS - len(distortion)))


def radial(radius: Floats, dist: Floats, fisheye: NDArray[np.bool_]) -> Floats:
    """Returns distorted radii (...,V,K) of ideal ones, the tangents of the angles, without tangential distortion.

    Args:
        radius: (...,V,K).
        dist: (V,5).
        fisheye: (V,).
    """
    rho = np.where(fisheye[:, None], np.arctan(radius), radius) if fisheye.any() else radius
    square = rho * rho
    first, second, third, fourth = _radial_terms(dist, fisheye)
    return np.asarray(rho * (1 + square * (first + square * (second + square * (third + square * fourth)))))


def _radial_terms(dist: Floats, fisheye: NDArray[np.bool_]) -> list[Floats]:
    """Returns the coefficients of ρ³, ρ⁵, ρ⁷, ρ⁹, (V,1) each."""
    zero = np.zeros(len(dist))
    third = np.where(fisheye, dist[:, 2], dist[:, 4])
    fourth = np.where(fisheye, dist[:, 3], zero)
    return [column[:, None] for column in (dist[:, 0], dist[:, 1], third, fourth)]


def tangential(ideal_xy: Floats, dist: Floats, fisheye: NDArray[np.bool_]) -> Floats:
    """Returns the tangential part (...,V,K,2) of the distortion at ideal coordinates."""
    x, y = ideal_xy[..., 0], ideal_xy[..., 1]
    p1, p2 = (np.where(fisheye, 0.0, dist[:, column])[:, None] for column in (2, 3))
    square = x * x + y * y
    moved = [2 * p1 * x * y + p2 * (square + 2 * x * x), p1 * (square + 2 * y * y) + 2 * p2 * x * y]
    return np.stack(moved, -1)


def monotone_radius(dist: Floats, fisheye: NDArray[np.bool_]) -> Floats:
    """Returns (V,) the largest ideal radius up to which distorted radii grow, at most that of `MAX_ANGLE`."""
    angle = np.linspace(0.0, MAX_ANGLE, FINE_SAMPLES)
    grows = np.diff(radial(np.tan(angle) + np.zeros((len(dist), 1)), dist, fisheye), axis=-1) > 0
    last = np.where(grows.all(-1), FINE_SAMPLES - 1, np.argmin(grows, -1))
    return np.asarray(np.tan(angle[last]))


@dataclass(frozen=True, slots=True)
class LensTable:
    """The inverse of lenses, sampled: the radial part exactly, the tangential part by iteration.

    Attributes:
        stretch: (V,S + 1) ideal over distorted radius at multiples of ``step``.
        step: (V,) of the distorted radius.
        dist: (V,5), fisheye: (V,).
    """

    stretch: Floats
    step: Floats
    dist: Floats
    fisheye: NDArray[np.bool_]

    @classmethod
    def of(cls, dist: Floats, fisheye: NDArray[np.bool_], max_radius: Floats) -> "LensTable":
        """Returns the inverse up to distorted radii ``max_radius`` (V,); beyond, radii grow in proportion."""
        limit = monotone_radius(dist, fisheye)
        angle = np.linspace(0.0, 1.0, FINE_SAMPLES) * np.arctan(limit)[:, None]
        ideal = np.tan(angle)
        distorted = radial(ideal, dist, fisheye)
        step = np.minimum(MARGIN * max_radius, distorted[:, -1]) / SAMPLES
        samples = np.arange(1, SAMPLES + 1) * step[:, None]
        angles = [np.interp(at, one, tilt) for at, one, tilt in zip(samples, distorted, angle, strict=True)]
        stretch = np.concatenate([np.ones((len(dist), 1)), np.tan(np.stack(angles)) / samples], 1)
        return cls(stretch, step, dist, fisheye)

    def undistort(self, distorted: Floats, view: NDArray[np.int64] | None = None) -> Floats:
        """Returns ideal coordinates (...,V,K,2) of distorted ones; ``view`` (N,) = the lens of each of N rows."""
        view = np.arange(len(self.step)) if view is None else view
        dist, fisheye = self.dist[view], self.fisheye[view]
        ideal_xy = self._without_radial(distorted, view)
        if (dist[~fisheye, 2:4] != 0).any():
            for _ in range(TANGENTIAL_ITERATIONS):
                ideal_xy = self._without_radial(distorted - tangential(ideal_xy, dist, fisheye), view)
        return ideal_xy

    def _without_radial(self, distorted: Floats, view: NDArray[np.int64]) -> Floats:
        radius = np.sqrt(distorted[..., 0] ** 2 + distorted[..., 1] ** 2)
        at = np.fmin(radius / self.step[view][:, None], SAMPLES)  # NaN stays in the point only
        index = np.minimum(at.astype(np.int64), SAMPLES - 1)
        low = view[:, None] * (SAMPLES + 1) + index
        flat = self.stretch.ravel()
        before = flat[low]
        return np.asarray(distorted * (before + (at - index) * (flat[low + 1] - before))[..., None])


def distort(ideal_xy: Floats, dist: Floats, fisheye: NDArray[np.bool_], limit: Floats) -> Floats:
    """Returns distorted coordinates (...,V,K,2) of ideal ones; ``limit`` (V,) is `monotone_radius`."""
    radius = np.sqrt(ideal_xy[..., 0] ** 2 + ideal_xy[..., 1] ** 2)
    safe = np.maximum(radius, 1e-12)
    inside = np.minimum(safe, limit[:, None])
    out = ideal_xy * (radial(inside, dist, fisheye) / safe)[..., None]
    if (dist[~fisheye, 2:4] != 0).any():
        out = out + tangential(ideal_xy * (inside / safe)[..., None], dist, fisheye)
    return np.asarray(out)
