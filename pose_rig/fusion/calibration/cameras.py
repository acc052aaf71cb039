"""Cameras as a solved rig knows them: places, directions, focal lengths, one radial term, and how sure all that is.

Axes: V views.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats

NEAREST_M = 0.1  # a point is taken to be at least so far before a camera
UNDISTORT_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Calibration:
    """Perspective cameras: ``seen = focal (p + k1 |p|² p) + centre`` with ``p = xy / z`` in the camera frame.

    Attributes:
        rotation: (V,3,3) camera_from_rig.
        translation: (V,3) m, camera frame.
        focal_px: (V,).
        k1: (V,) radial term.
        size_px: (V,2); the principal point is the centre.
        known: (V,) False for views whose place is not known; the rest of their row means nothing.
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
        """(V,3) where the cameras stand, m, rig frame."""
        return np.asarray(-np.einsum("vji,vj->vi", self.rotation, self.translation))

    def flat(self, xy_px: Floats) -> Floats:
        """Returns ideal coordinates x/z, y/z (...,V,K,2) of pixels (...,V,K,2)."""
        seen = (xy_px - 0.5 * self.size_px[:, None]) / self.focal_px[:, None, None]
        return undistort(seen, self.k1[:, None])

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Returns pixels (...,V,K,2) and depths (...,V,K) m of points (...,K,3) m in the rig."""
        local = np.einsum("vij,...kj->...vki", self.rotation, points) + self.translation[:, None]
        depth = local[..., 2]
        ideal = local[..., :2] / np.maximum(depth, NEAREST_M)[..., None]
        seen = ideal * (1 + self.k1[:, None] * (ideal**2).sum(-1))[..., None]
        return seen * self.focal_px[:, None, None] + 0.5 * self.size_px[:, None], depth

    def moved(self, turn: Floats, origin: Floats, scale: float) -> "Calibration":
        """Returns the same cameras in another rig frame: ``x_new = scale turn (x_old − origin)``."""
        rotation = self.rotation @ turn.T
        translation = scale * (self.translation + self.rotation @ origin)
        return Calibration(
            rotation, translation, self.focal_px, self.k1, self.size_px, self.known,
            self.rotation_sd, scale * self.translation_sd, self.focal_sd,
        )  # fmt: skip


def undistort(seen: Floats, k1: Floats) -> Floats:
    """Returns ideal coordinates (...,K,2) of distorted ones, by fixed-point iteration.

    Args:
        seen: (...,K,2) in focal lengths.
        k1: (...,1) or (...,K).
    """
    if not np.any(k1):
        return seen
    x, y = seen[..., 0], seen[..., 1]
    bent = k1 * (x * x + y * y)
    stretch = np.ones_like(bent)
    for _ in range(UNDISTORT_ROUNDS):
        stretch = np.maximum(1 + bent / (stretch * stretch), 0.5)
    return np.asarray(seen / stretch[..., None])
