"""Estimated cameras: rotation, translation, focal length, one radial distortion term, and their standard deviations.

Axes: V views.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.geometry import MIN_DEPTH_M

UNDISTORT_ITERATIONS = 5
MIN_STRETCH = 0.5  # of the undistortion


@dataclass(frozen=True, slots=True)
class Calibration:
    """Perspective cameras: ``xy_px = focal (p + k1 |p|² p) + centre`` with ``p = xy / z`` in the camera frame.

    Attributes:
        rotation: (V,3,3) camera_from_rig.
        translation: (V,3) m, camera frame.
        focal_px: (V,).
        k1: (V,) radial term.
        size_px: (V,2); the principal point is the centre.
        known: (V,) False for cameras whose pose is not known; the rest of their row is meaningless.
        rotation_sd: (V,) radians, translation_sd: (V,) m, focal_sd: (V,) as a share of the focal length.
    """

    rotation: Floats
    translation: Floats
    focal_px: Floats
    k1: Floats
    size_px: Floats
    known: NDArray[np.bool_]
    rotation_sd: Floats
    translation_sd: Floats
    focal_sd: Floats

    @property
    def centre(self) -> Floats:
        """(V,3) m, the camera centres in the rig frame."""
        return np.asarray(-np.einsum("vji,vj->vi", self.rotation, self.translation))

    def ideal_xy(self, xy_px: Floats) -> Floats:
        """Returns ideal coordinates x/z, y/z (...,V,K,2) of pixels (...,V,K,2)."""
        distorted = (xy_px - 0.5 * self.size_px[:, None]) / self.focal_px[:, None, None]
        return undistort(distorted, self.k1[:, None])

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Returns pixels (...,V,K,2) and depths (...,V,K) m of points (...,K,3) m in the rig."""
        local = np.einsum("vij,...kj->...vki", self.rotation, points) + self.translation[:, None]
        depth = local[..., 2]
        ideal = local[..., :2] / np.maximum(depth, MIN_DEPTH_M)[..., None]
        distorted = ideal * (1 + self.k1[:, None] * (ideal**2).sum(-1))[..., None]
        return distorted * self.focal_px[:, None, None] + 0.5 * self.size_px[:, None], depth

    def transformed(self, rotation: Floats, origin: Floats, scale: float) -> "Calibration":
        """Returns the same cameras in another rig frame: ``x_new = scale rotation (x_old − origin)``."""
        camera_from_new = self.rotation @ rotation.T
        translation = scale * (self.translation + self.rotation @ origin)
        return Calibration(
            camera_from_new, translation, self.focal_px, self.k1, self.size_px, self.known,
            self.rotation_sd, scale * self.translation_sd, self.focal_sd,
        )  # fmt: skip


def undistort(distorted: Floats, k1: Floats) -> Floats:
    """Returns ideal coordinates (...,K,2) of distorted ones, by fixed-point iteration.

    Args:
        distorted: (...,K,2) in focal lengths.
        k1: (...,1) or (...,K).
    """
    if not np.any(k1):
        return distorted
    x, y = distorted[..., 0], distorted[..., 1]
    bend = k1 * (x * x + y * y)
    stretch = np.ones_like(bend)
    for _ in range(UNDISTORT_ITERATIONS):
        stretch = np.maximum(1 + bend / (stretch * stretch), MIN_STRETCH)
    return np.asarray(distorted / stretch[..., None])
