"""Lenses of simulated cameras: principal points, distortion and wide angles.

Axes: any leading axes (views, frames), J points.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pose_rig.arrays import Floats

MAX_RADIUS = 4.0  # focal lengths
RADIUS_STEP = 0.01
MIN_SLOPE = 0.1  # of distorted radius over ideal radius; beyond, an image point has several rays
UNDISTORT_ITERATIONS = 40


@dataclass(frozen=True, slots=True)
class Lenses:
    """How rays become image points: first ``r = tan(s θ) / s`` of the angle θ to the axis, then OpenCV's distortion.

    With s = 1 the first step is perspective, with s = 0.5 stereographic, towards 0 equidistant. Near the axis it is a
    distortion of k1 = (s² − 1) / 3, and other than that polynomial it can be inverted at every angle.

    Attributes:
        centre_offset_px: (...,2) principal point, from the middle of the image.
        distortion: (...,5) k1, k2, p1, p2, k3 as in OpenCV.
        angle_factor: (...) s, above 0 and at most 1.
    """

    centre_offset_px: Floats
    distortion: Floats
    angle_factor: Floats

    @classmethod
    def stack(cls, lenses: Sequence["Lenses"]) -> "Lenses":
        """Returns lenses (...) as one (V,...)."""
        arrays = ("centre_offset_px", "distortion", "angle_factor")
        return cls(*(np.stack([np.asarray(getattr(lens, name)) for lens in lenses]) for name in arrays))

    def each(self, function: Callable[[Floats], Floats]) -> "Lenses":
        """Returns the lenses with a function applied to every array."""
        return Lenses(*(function(values) for values in (self.centre_offset_px, self.distortion, self.angle_factor)))

    def distort(self, ideal_xy: Floats) -> Floats:
        """Returns image points (...,J,2) in focal lengths, from the principal point, of rays x/z, y/z (...,J,2)."""
        s = self.angle_factor[..., None, None]
        radius = np.linalg.norm(ideal_xy, axis=-1, keepdims=True)
        bent = np.tan(s * np.arctan(radius)) / s
        return self._polynomial(ideal_xy * np.where(radius > 0, bent / np.maximum(radius, 1e-12), 1.0))

    def undistort(self, image_xy: Floats) -> Floats:
        """Returns rays x/z, y/z (...,J,2) of image points (...,J,2) in focal lengths."""
        xy = image_xy
        for _ in range(UNDISTORT_ITERATIONS):
            factor, shift = self._factor_and_shift(xy)
            xy = (image_xy - shift) / factor
        s = self.angle_factor[..., None, None]
        radius = np.linalg.norm(xy, axis=-1, keepdims=True)
        ray = np.tan(np.minimum(np.arctan(s * radius) / s, np.arctan(MAX_RADIUS)))
        return np.asarray(xy * np.where(radius > 0, ray / np.maximum(radius, 1e-12), 1.0))

    def _polynomial(self, xy: Floats) -> Floats:
        factor, shift = self._factor_and_shift(xy)
        return np.asarray(factor * xy + shift)

    def _factor_and_shift(self, xy: Floats) -> tuple[Floats, Floats]:
        """Returns the radial factor (...,J,1) and tangential shift (...,J,2), held constant where it would fold."""
        k1, k2, p1, p2, k3 = (self.distortion[..., None, i] for i in range(5))
        limit = self._radius_limit()[..., None]
        length = np.hypot(xy[..., 0], xy[..., 1])
        x, y = (xy[..., axis] * np.minimum(1.0, limit / np.maximum(length, 1e-12)) for axis in range(2))
        r2 = x**2 + y**2
        factor = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        shift = np.stack([2 * p1 * x * y + p2 * (r2 + 2 * x**2), p1 * (r2 + 2 * y**2) + 2 * p2 * x * y], -1)
        return factor[..., None], shift

    def _radius_limit(self) -> Floats:
        """Returns (...) the radius up to which the distorted radius grows with the ideal one."""
        k1, k2, k3 = (self.distortion[..., i, None] for i in (0, 1, 4))
        radius = np.arange(0.0, MAX_RADIUS, RADIUS_STEP)
        slope = 1 + 3 * k1 * radius**2 + 5 * k2 * radius**4 + 7 * k3 * radius**6
        folds = slope < MIN_SLOPE
        return np.where(folds.any(-1), radius[np.argmax(folds, -1)], MAX_RADIUS)
