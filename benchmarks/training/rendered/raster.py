"""A z-buffer for small triangles in plain numpy.

Axes: V vertices, F triangles, S samples.
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats

SPACING_PX = 0.7  # of the samples of a triangle
MAX_STEPS = 100  # samples along an edge
NEAR_M = 0.2


def draw(
    image: NDArray[np.float32], vertices: Floats, triangles: NDArray[np.int64], colours: Floats, focal_px: float
) -> None:
    """Draws a mesh over an image; the principal point is its centre.

    Args:
        image: (H,W,3), changed in place.
        vertices: (V,3) m, camera axes.
        triangles: (F,3) indices of vertices.
        colours: (V,3).
        focal_px: Focal length.
    """
    height, width = image.shape[:2]
    xy_px = focal_px * vertices[:, :2] / np.maximum(vertices[:, 2:], NEAR_M) + (width / 2, height / 2)
    values = np.concatenate([xy_px, vertices[:, 2:], colours], 1)
    corners = values[triangles[(vertices[triangles, 2] > NEAR_M).all(1)]]  # (F,3,6)
    edges = np.linalg.norm(corners[:, :, :2] - np.roll(corners[:, :, :2], 1, axis=1), axis=-1).max(1)
    steps = np.minimum(np.ceil(edges / SPACING_PX).astype(int), MAX_STEPS)
    samples = np.concatenate([_samples(corners[steps == n], n) for n in np.unique(steps)])  # (S,6)
    column, row = np.round(samples[:, :2]).astype(int).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    samples, column, row = samples[inside], column[inside], row[inside]
    nearest_last = np.argsort(-samples[:, 2], kind="stable")
    image[row[nearest_last], column[nearest_last]] = samples[nearest_last, 3:]


def normals(vertices: Floats, triangles: NDArray[np.int64]) -> Floats:
    """Returns (V,3) unit normals, the means of the adjacent triangles' by area."""
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    each = np.cross(b - a, c - a)
    out = np.stack(
        [np.bincount(triangles.ravel(), np.repeat(each[:, i], 3), minlength=len(vertices)) for i in range(3)], -1
    )
    return np.asarray(out / np.maximum(np.linalg.norm(out, axis=-1, keepdims=True), 1e-12))


def _samples(corners: Floats, steps: int) -> Floats:
    """Returns (S,6) values at evenly spaced points of triangles (F,3,6)."""
    i, j = np.meshgrid(np.arange(steps + 1), np.arange(steps + 1), indexing="ij")
    a, b = (index[i + j <= steps] / max(steps, 1) for index in (i, j))
    weights = np.stack([a, b, 1 - a - b], -1)
    return np.asarray(np.einsum("sk,fkc->fsc", weights, corners).reshape(-1, corners.shape[-1]))
