"""The heat-map vote of the paper: other views vote on a grid for a joint with low confidence. For comparison only.

Cross-View Self-Fusion (Kim, Lee, Oh and Lee, ACCV 2022) as in the code of its authors: a joint with low confidence
moves to the maximum of a grid on which all lifted poses, reprojected into that view, add a Gaussian blob, and the
detections of the other views add their epipolar line. The rig uses a closed form instead (`pose_rig.lifting.csm`);
benchmarks/accuracy/real_footage.py compares the two.

Differences to their code, so that the method rather than its implementation is compared: blobs and lines are not
rounded to the cell below; views may differ in scale, and their pelvis may have an error; a line uses distances instead
of samples along x, so that steep lines and those of two views count; every view has its own confidences; pelvis,
thorax, nose and head may be corrected too. As in theirs, the projection has no perspective.

Axes: V views, J joints, N cells of the grid. Lengths in units of ``ray_xy``, the lifter's input.
"""

import numpy as np

from pose_rig.arrays import Floats

CELL_SIZE = 1 / 64
CELLS_PER_SIDE = 80  # theirs are 64, which cuts off the ankles of an upright person
MIN_CONFIDENCE = 0.85  # joints below are corrected
BLOB_SD = 3 * CELL_SIZE
LINE_SD = 2 * CELL_SIZE
CUTOFF_SD = 1.0  # standard deviations at which blobs and lines end
MAX_DEPTH = 3.0  # of a joint relative to the pelvis, along its ray
MIN_SCALE, MAX_SCALE = 0.3, 10.0  # of a shape of unit norm; large where the body points at the camera


def _grid() -> Floats:
    """Returns (N,2) the centres of the cells, x fastest."""
    middle = (np.arange(CELLS_PER_SIDE) + 0.5 - 0.5 * CELLS_PER_SIDE) * CELL_SIZE
    return np.stack(np.meshgrid(middle, middle), -1).reshape(-1, 2)


GRID = _grid()


def vote(ray_xy: Floats, confidence: Floats, lifted: Floats, ray_from_body: Floats) -> Floats:
    """Returns (V,J,2) the 2D poses of one time step, with joints of low confidence corrected by the vote.

    Args:
        ray_xy: (V,J,2) 2D in each view's ray frame (`pose_rig.geometry.rectify`).
        confidence: (V,J) 0–1, 0 = not visible; 0 for all joints of an absent view.
        lifted: (V,J,3) lift of each view in its ray frame, root-relative.
        ray_from_body: (V,3,3), one body frame for all views.
    """
    shapes = _unit_shapes(lifted, ray_from_body)
    present = confidence.max(-1) > 0
    mean_shape = np.median(shapes[present], 0) if present.any() else shapes[0]
    scale, offset = _fit(ray_xy, confidence, mean_shape, ray_from_body)
    refined = ray_xy.copy()
    for v, j in np.argwhere((confidence < MIN_CONFIDENCE) & present[:, None]):
        blobs = offset[v] + scale[v] * shapes[:, j] @ ray_from_body[v, :2].T
        near, far = _epipolar(ray_xy[:, j], ray_from_body, scale, offset, int(v))
        others = np.arange(len(ray_xy)) != v
        votes = confidence[:, j] @ _gaussian(_square_distance(blobs, blobs), BLOB_SD)
        votes += confidence[others, j] @ _gaussian(_square_distance(near[others], far[others]), LINE_SD)
        if votes.max() > 0:
            refined[v, j] = GRID[np.argmax(votes)]
    return refined


def _unit_shapes(lifted: Floats, ray_from_body: Floats) -> Floats:
    """Returns (V,J,3) the lifts in the body frame, with norm 1."""
    shapes = lifted @ ray_from_body
    return np.asarray(shapes / np.maximum(np.linalg.norm(shapes, axis=(1, 2), keepdims=True), 1e-9))


def _fit(ray_xy: Floats, confidence: Floats, shape: Floats, ray_from_body: Floats) -> tuple[Floats, Floats]:
    """Returns scale (V,1) and offset (V,2) that fit a shape (J,3) to the views: regression weighted by confidence."""
    projected = shape @ ray_from_body[:, :2].swapaxes(1, 2)
    weight = confidence / np.maximum(confidence.sum(1, keepdims=True), 1e-9)
    observed_mean = np.einsum("vj,vjc->vc", weight, ray_xy)
    shape_mean = np.einsum("vj,vjc->vc", weight, projected)
    centred = projected - shape_mean[:, None]
    covariance = np.einsum("vj,vjc,vjc->v", weight, centred, ray_xy)
    variance = np.einsum("vj,vjc,vjc->v", weight, centred, centred)
    scale = (covariance / np.maximum(variance, 1e-9)).clip(MIN_SCALE, MAX_SCALE)[:, None]
    return scale, observed_mean - scale * shape_mean


def _epipolar(joint: Floats, ray_from_body: Floats, scale: Floats, offset: Floats, view: int) -> tuple[Floats, Floats]:
    """Returns both ends (V,2) of the epipolar line of every view's ray through a joint (V,2) in one view.

    For two views with the same direction the line degenerates to a point.
    """
    point = (joint - offset) / scale
    view_from_other = ray_from_body[view] @ ray_from_body.swapaxes(1, 2)
    across = np.einsum("uij,uj->ui", view_from_other[:, :2, :2], point)
    along = MAX_DEPTH * view_from_other[:, :2, 2]
    return offset[view] + scale[view] * (across - along), offset[view] + scale[view] * (across + along)


def _square_distance(start: Floats, end: Floats) -> Floats:
    """Returns (V,N) squared distances of the cells from the segments between ``start`` (V,2) and ``end`` (V,2)."""
    direction = end - start
    gap = GRID - start[:, None]
    along = np.einsum("vnc,vc->vn", gap, direction) / np.maximum((direction**2).sum(-1), 1e-12)[:, None]
    return np.asarray(((gap - along.clip(0, 1)[..., None] * direction[:, None]) ** 2).sum(-1))


def _gaussian(square_distance: Floats, sd: float) -> Floats:
    """Returns a Gaussian of height 1, cut off at `CUTOFF_SD`."""
    near = square_distance <= (CUTOFF_SD * sd) ** 2
    return np.asarray(np.where(near, np.exp(-0.5 * square_distance / sd**2), 0.0))
