"""Intrinsics of the cameras of a rig: focal lengths, principal points, lenses, image sizes.

Axes: V views, K points, N rows of any views.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.lens import LensTable, distort, monotone_radius

MAX_SHAPE_CHANGE = 0.02  # of an image that is only scaled, to whole pixels


@dataclass(frozen=True)
class Intrinsics:
    """Focal length, principal point and lens of every camera (`pose_rig.lens`).

    Attributes:
        focal_px: (V,).
        size_px: (V,2) image width, height.
        principal_point_px: (V,2).
        dist: (V,5) OpenCV's k1, k2, p1, p2, k3; of a fisheye lens k1, k2, k3, k4, 0.
        fisheye: (V,) whether OpenCV's fisheye model applies.
    """

    focal_px: Floats
    size_px: Floats
    principal_point_px: Floats
    dist: Floats
    fisheye: NDArray[np.bool_]

    def __reduce__(self) -> tuple[type["Intrinsics"], tuple[NDArray[Any], ...]]:
        """Pickles the fields alone: another thread may compute a cached property meanwhile."""
        return Intrinsics, (self.focal_px, self.size_px, self.principal_point_px, self.dist, self.fisheye)

    @classmethod
    def pinhole(cls, focal_px: Floats, size_px: Floats) -> "Intrinsics":
        """Returns cameras without distortion whose principal points are the image centres."""
        views = len(focal_px)
        return cls(focal_px, size_px, 0.5 * size_px, np.zeros((views, 5)), np.zeros(views, bool))

    def at(self, views: NDArray[np.int64]) -> "Intrinsics":
        """Returns the cameras of some views (N,)."""
        return Intrinsics(
            self.focal_px[views],
            self.size_px[views],
            self.principal_point_px[views],
            self.dist[views],
            self.fisheye[views],
        )

    def where(self, chosen: NDArray[np.bool_], otherwise: "Intrinsics") -> "Intrinsics":
        """Returns these cameras where ``chosen`` (V,), others elsewhere."""
        column = chosen[:, None]
        return Intrinsics(
            np.where(chosen, self.focal_px, otherwise.focal_px),
            np.where(column, self.size_px, otherwise.size_px),
            np.where(column, self.principal_point_px, otherwise.principal_point_px),
            np.where(column, self.dist, otherwise.dist),
            np.where(chosen, self.fisheye, otherwise.fisheye),
        )

    def resized(self, size_px: Floats) -> tuple["Intrinsics", NDArray[np.bool_]]:
        """Returns the same cameras with images of other sizes, and (V,) whose images have the same shape as before.

        Focal lengths are in proportion to the longer side, also of a phone that was turned. The principal point of an
        image of another shape is unknown: it is taken to be its centre.

        Args:
            size_px: (V,2).
        """
        scale = size_px.max(-1) / self.size_px.max(-1)
        shape, before = size_px[:, 0] / size_px[:, 1], self.size_px[:, 0] / self.size_px[:, 1]
        alike = np.abs(shape / before - 1) < MAX_SHAPE_CHANGE
        point_px = np.where(alike[:, None], scale[:, None] * self.principal_point_px, 0.5 * size_px)
        return Intrinsics(scale * self.focal_px, size_px, point_px, self.dist, self.fisheye), alike

    @cached_property
    def matrices(self) -> Floats:
        """(V,3,3) K."""
        out = np.tile(np.eye(3), (len(self.focal_px), 1, 1))
        out[:, 0, 0] = out[:, 1, 1] = self.focal_px
        out[:, :2, 2] = self.principal_point_px
        return out

    def ideal_xy(self, xy_px: Floats, view: NDArray[np.int64] | None = None) -> Floats:
        """Returns ideal coordinates x/z, y/z (...,V,K,2) of pixels (...,V,K,2).

        Args:
            xy_px: Pixels; (N,K,2) with ``view``.
            view: (N,) the view of each row; None = one row per view.
        """
        rows = slice(None) if view is None else view
        distorted = (xy_px - self.principal_point_px[rows][:, None]) / self.focal_px[rows][:, None, None]
        return self._table.undistort(distorted, view) if self._has_lens else distorted

    def pixels(self, ideal_xy: Floats, view: NDArray[np.int64] | None = None) -> Floats:
        """Returns pixels of ideal coordinates; the inverse of `ideal_xy`."""
        rows = slice(None) if view is None else view
        if self._has_lens:
            ideal_xy = distort(ideal_xy, self.dist[rows], self.fisheye[rows], self._limit[rows])
        return np.asarray(ideal_xy * self.focal_px[rows][:, None, None] + self.principal_point_px[rows][:, None])

    @cached_property
    def corner_radius(self) -> Floats:
        """(V,) distance of the farthest image corner from the principal point, in focal lengths."""
        reach = np.maximum(self.principal_point_px, self.size_px - self.principal_point_px)
        return np.asarray(np.linalg.norm(reach, axis=-1) / self.focal_px)

    @cached_property
    def _has_lens(self) -> bool:
        return bool(self.dist.any() or self.fisheye.any())

    @cached_property
    def _limit(self) -> Floats:
        return monotone_radius(self.dist, self.fisheye)

    @cached_property
    def _table(self) -> LensTable:
        return LensTable.of(self.dist, self.fisheye, self.corner_radius)
