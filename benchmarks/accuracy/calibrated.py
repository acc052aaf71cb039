"""A calibrated rig for comparison: robust triangulation of the same detections with the true cameras.

Axes: V views, T time steps, L joints.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats

MIN_SCORE = 0.02  # of a visible joint
CAUCHY_SCALE = 0.01  # of the reprojection error, focal lengths: weight 0.5 there
ITERATIONS = 8
INITIAL_SCALE_FACTOR, SCALE_DECAY = 8.0, 0.6  # the first iterations use a larger Cauchy scale
MIN_DEPTH_RATIO = 0.2  # to the median depth; limits the weight of near joints


def triangulate(cameras: Floats, ideal_xy: Floats, score: Floats) -> Floats:
    """Returns (T,L,3) triangulated joints in the room.

    Iteratively reweighted DLT, with Cauchy weights of the reprojection error and inverse depth.

    Args:
        cameras: (V,3,4) camera_from_room without intrinsics.
        ideal_xy: (V,T,L,2) undistorted, focal length 1; NaN = not visible.
        score: (V,T,L) 0–1.
    """
    visible = np.asarray(np.isfinite(ideal_xy).all(-1))
    weight = np.where(visible, np.maximum(np.nan_to_num(score), MIN_SCORE), 0.0)
    ideal_xy = np.where(visible[..., None], ideal_xy, 0.0)
    points = _dlt(cameras, ideal_xy, weight)
    for k in range(ITERATIONS):
        local = np.einsum("vij,tlj->vtli", cameras[..., :3], points) + cameras[:, None, None, :, 3]
        error = np.linalg.norm(local[..., :2] / local[..., 2:] - ideal_xy, axis=-1)
        depth = np.abs(local[..., 2])
        relative_depth = np.maximum(depth / np.median(depth, axis=(1, 2), keepdims=True), MIN_DEPTH_RATIO)
        scale = CAUCHY_SCALE * max(1.0, INITIAL_SCALE_FACTOR * SCALE_DECAY**k)
        points = _dlt(cameras, ideal_xy, weight / (1 + (error / scale) ** 2) / relative_depth)
    return points


def is_triangulable(score: Floats) -> NDArray[np.bool_]:
    """Returns (T,) whether at least two views detect every joint; scores (V,T,L)."""
    return np.asarray(((score > 0).sum(0) > 1).all(-1))


def cameras_of(rotation: Floats, translation: Floats | Sequence[Floats]) -> Floats:
    """Returns (V,3,4) from rotations (V,3,3) camera_from_room and translations (V,3), x_camera = R x + t."""
    return np.concatenate([rotation, np.asarray(translation)[..., None]], -1)


def _dlt(cameras: Floats, ideal_xy: Floats, weight: Floats) -> Floats:
    """Returns (T,L,3) the weighted least-squares solutions (direct linear transform)."""
    rows = ideal_xy[..., None] * cameras[:, None, None, 2:3] - cameras[:, None, None, :2]  # (V,T,L,2,4)
    rows = np.moveaxis(weight[..., None, None] * rows, 0, 2).reshape(*ideal_xy.shape[1:3], -1, 4)
    point = np.linalg.svd(rows)[2][..., -1, :]
    return np.asarray(point[..., :3] / point[..., 3:])
