"""The vote of the paper: the views show on a grid where an unsure joint of another view should be. For comparison only.

Cross-View Self-Fusion (Kim, Lee, Oh and Lee, ACCV 2022) as its authors ran it: every unsure joint of a view becomes the
highest point of a grid on which all lifted poses, reprojected into that view, leave a Gaussian blob, and the detections
of the other views leave their epipolar line. The running rig fuses in closed form instead (`pose_rig.lifting.csm`);
benchmarks/accuracy/real_footage.py puts the two side by side.

Other than theirs, so that the comparison is with the idea and not with slips: blobs and lines lie where they belong
rather than on the cell below; views differ in scale, and their pelvis may be off; a line has distances rather than
samples along x, so that steep ones and those of two views count; every view has its own confidences; pelvis, thorax,
nose and head may be corrected too. As theirs, it knows no perspective.

Axes: V views, J joints, N cells of the grid. Lengths in units of the lifter's flat input.
"""

import numpy as np

from pose_rig.arrays import Floats

CELL = 1 / 64
CELLS_PER_SIDE = 80  # theirs are 64, which cuts off the ankles of who stands straight
SURE = 0.85  # joints with this confidence stay as they are
BLOB_SD = 3 * CELL
LINE_SD = 2 * CELL
REACH = 1.0  # standard deviations at which blobs and lines end
DEPTH = 3.0  # a joint lies within this of the pelvis, along its ray
MIN_SCALE, MAX_SCALE = 0.3, 10.0  # of a shape of unit norm; large where the body points at the camera


def _grid() -> Floats:
    """Returns (N,2) the middles of the cells, x fastest."""
    middle = (np.arange(CELLS_PER_SIDE) + 0.5 - 0.5 * CELLS_PER_SIDE) * CELL
    return np.stack(np.meshgrid(middle, middle), -1).reshape(-1, 2)


GRID = _grid()


def vote(flat: Floats, confidence: Floats, lifted: Floats, rotation: Floats) -> Floats:
    """Returns (V,J,2) the 2D poses of one instant, unsure joints replaced by what most views say.

    Args:
        flat: (V,J,2) 2D in each view's ray frame (`pose_rig.geometry.rectify`).
        confidence: (V,J) 0–1, 0 = not seen; a view that is absent has zeros throughout.
        lifted: (V,J,3) each view's own lift, its ray frame, root-relative.
        rotation: (V,3,3) ray_from_body, one body frame for all views.
    """
    shapes = _unit_shapes(lifted, rotation)
    present = confidence.max(-1) > 0
    scale, offset = _placed(flat, confidence, np.median(shapes[present], 0) if present.any() else shapes[0], rotation)
    refined = flat.copy()
    for v, j in np.argwhere((confidence < SURE) & present[:, None]):
        blobs = offset[v] + scale[v] * shapes[:, j] @ rotation[v, :2].T
        near, far = _epipolar(flat[:, j], rotation, scale, offset, int(v))
        others = np.arange(len(flat)) != v
        votes = confidence[:, j] @ _hill(_square_distance(blobs, blobs), BLOB_SD)
        votes += confidence[others, j] @ _hill(_square_distance(near[others], far[others]), LINE_SD)
        if votes.max() > 0:
            refined[v, j] = GRID[np.argmax(votes)]
    return refined


def _unit_shapes(lifted: Floats, rotation: Floats) -> Floats:
    """Returns (V,J,3) the lifts in the body frame, all of norm 1."""
    shapes = lifted @ rotation
    return np.asarray(shapes / np.maximum(np.linalg.norm(shapes, axis=(1, 2), keepdims=True), 1e-9))


def _placed(flat: Floats, confidence: Floats, shape: Floats, rotation: Floats) -> tuple[Floats, Floats]:
    """Returns scale (V,1) and offset (V,2) that lay a shape (J,3) onto the views: regression weighted by confidence."""
    projected = shape @ rotation[:, :2].swapaxes(1, 2)
    share = confidence / np.maximum(confidence.sum(1, keepdims=True), 1e-9)
    seen_middle = np.einsum("vj,vjc->vc", share, flat)
    shape_middle = np.einsum("vj,vjc->vc", share, projected)
    around = projected - shape_middle[:, None]
    up = np.einsum("vj,vjc,vjc->v", share, around, flat)
    down = np.einsum("vj,vjc,vjc->v", share, around, around)
    scale = (up / np.maximum(down, 1e-9)).clip(MIN_SCALE, MAX_SCALE)[:, None]
    return scale, seen_middle - scale * shape_middle


def _epipolar(joint: Floats, rotation: Floats, scale: Floats, offset: Floats, view: int) -> tuple[Floats, Floats]:
    """Returns both ends (V,2) of what every view's ray through a joint (V,2) looks like in one view.

    Two views that look the same way see no line but a point: the ends meet, and the vote is a blob.
    """
    point = (joint - offset) / scale
    view_from = rotation[view] @ rotation.swapaxes(1, 2)
    across = np.einsum("uij,uj->ui", view_from[:, :2, :2], point)
    along = DEPTH * view_from[:, :2, 2]
    return offset[view] + scale[view] * (across - along), offset[view] + scale[view] * (across + along)


def _square_distance(start: Floats, end: Floats) -> Floats:
    """Returns (V,N) squared distances of the cells from the segments between ``start`` (V,2) and ``end`` (V,2)."""
    way = end - start
    gap = GRID - start[:, None]
    part = np.einsum("vnc,vc->vn", gap, way) / np.maximum((way**2).sum(-1), 1e-12)[:, None]
    return np.asarray(((gap - part.clip(0, 1)[..., None] * way[:, None]) ** 2).sum(-1))


def _hill(square_distance: Floats, sd: float) -> Floats:
    """Returns the height of a Gaussian of height 1, cut off at `REACH`."""
    near = square_distance <= (REACH * sd) ** 2
    return np.asarray(np.where(near, np.exp(-0.5 * square_distance / sd**2), 0.0))
