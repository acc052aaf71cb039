"""What a calibrated rig makes of the same detections: robust triangulation through the true cameras.

Axes: V views, T instants, L joints.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats

LEAST_SCORE = 0.02  # of a joint that was seen at all
INLIER = 0.01  # focal lengths: residuals beyond this count less than half
ROUNDS = 8
WIDE, NARROWING = 8.0, 0.6  # the first rounds forgive more
NEAREST = 0.2  # of the median depth: nearer joints weigh no more than those there


def triangulate(cameras: Floats, flat: Floats, score: Floats) -> Floats:
    """Returns (T,L,3) where rays meet best, in the room, views that disagree counting less.

    Iteratively reweighted DLT, weights Cauchy in the reprojection error and inverse in the depth.

    Args:
        cameras: (V,3,4) camera_from_room without intrinsics.
        flat: (V,T,L,2) undistorted, focal length 1; NaN where a view has nothing to say.
        score: (V,T,L) 0–1.
    """
    seen = np.asarray(np.isfinite(flat).all(-1))
    weight = np.where(seen, np.maximum(np.nan_to_num(score), LEAST_SCORE), 0.0)
    flat = np.where(seen[..., None], flat, 0.0)
    points = _meet(cameras, flat, weight)
    for k in range(ROUNDS):
        local = np.einsum("vij,tlj->vtli", cameras[..., :3], points) + cameras[:, None, None, :, 3]
        error = np.linalg.norm(local[..., :2] / local[..., 2:] - flat, axis=-1)
        depth = np.abs(local[..., 2])
        near = np.maximum(depth / np.median(depth, axis=(1, 2), keepdims=True), NEAREST)
        inlier = INLIER * max(1.0, WIDE * NARROWING**k)
        points = _meet(cameras, flat, weight / (1 + (error / inlier) ** 2) / near)
    return points


def enough_seen(score: Floats) -> NDArray[np.bool_]:
    """Returns (T,) the instants at which two views at least see each joint, scores (V,T,L)."""
    return np.asarray(((score > 0).sum(0) > 1).all(-1))


def cameras_of(rotation: Floats, translation: Floats | Sequence[Floats]) -> Floats:
    """Returns (V,3,4) from rotations (V,3,3) camera_from_room and translations (V,3), x_camera = R x + t."""
    return np.concatenate([rotation, np.asarray(translation)[..., None]], -1)


def _meet(cameras: Floats, flat: Floats, weight: Floats) -> Floats:
    """Returns (T,L,3) the weighted least-squares intersections (direct linear transform)."""
    rows = flat[..., None] * cameras[:, None, None, 2:3] - cameras[:, None, None, :2]  # (V,T,L,2,4)
    rows = np.moveaxis(weight[..., None, None] * rows, 0, 2).reshape(*flat.shape[1:3], -1, 4)
    point = np.linalg.svd(rows)[2][..., -1, :]
    return np.asarray(point[..., :3] / point[..., 3:])
