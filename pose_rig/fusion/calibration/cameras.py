"""Estimated cameras: rotations, translations, intrinsics, and their standard deviations.

Axes: V views.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.geometry import MIN_DEPTH_M
from pose_rig.intrinsics import Intrinsics


@dataclass(frozen=True, slots=True)
class Calibration:
    """Cameras: ``xy_px = K distort(xy / z)`` of points in the camera frame (`pose_rig.intrinsics`).

    Attributes:
        rotation: (V,3,3) camera_from_rig.
        translation: (V,3) m, camera frame.
        intrinsics: Focal lengths, principal points, lenses and image sizes.
        known: (V,) False for cameras whose pose is not known; the rest of their row is meaningless.
        rotation_sd: (V,) radians, translation_sd: (V,) m, focal_sd: (V,) as a share of the focal length.
    """

    rotation: Floats
    translation: Floats
    intrinsics: Intrinsics
    known: NDArray[np.bool_]
    rotation_sd: Floats
    translation_sd: Floats
    focal_sd: Floats

    @property
    def focal_px(self) -> Floats:
        """(V,) focal lengths."""
        return self.intrinsics.focal_px

    @property
    def size_px(self) -> Floats:
        """(V,2) image width, height."""
        return self.intrinsics.size_px

    @property
    def principal_point_px(self) -> Floats:
        """(V,2)."""
        return self.intrinsics.principal_point_px

    @property
    def centre(self) -> Floats:
        """(V,3) m, the camera centres in the rig frame."""
        return np.asarray(-np.einsum("vji,vj->vi", self.rotation, self.translation))

    def ideal_xy(self, xy_px: Floats) -> Floats:
        """Returns ideal coordinates x/z, y/z (...,V,K,2) of pixels (...,V,K,2)."""
        return self.intrinsics.ideal_xy(xy_px)

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Returns pixels (...,V,K,2) and depths (...,V,K) m of points (...,K,3) m in the rig."""
        local = np.einsum("vij,...kj->...vki", self.rotation, points) + self.translation[:, None]
        depth = local[..., 2]
        return self.intrinsics.pixels(local[..., :2] / np.maximum(depth, MIN_DEPTH_M)[..., None]), depth

    def transformed(self, rotation: Floats, origin: Floats, scale: float) -> "Calibration":
        """Returns the same cameras in another rig frame: ``x_new = scale rotation (x_old − origin)``."""
        camera_from_new = self.rotation @ rotation.T
        translation = scale * (self.translation + self.rotation @ origin)
        return Calibration(
            camera_from_new, translation, self.intrinsics, self.known,
            self.rotation_sd, scale * self.translation_sd, self.focal_sd,
        )  # fmt: skip
