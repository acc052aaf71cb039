"""Which joints of a person are hidden behind other people.

A body is made of capsules: segments between joints with a radius. A joint is hidden if it is projected into the
capsule of a nearer body.

Axes: V views, T frames, N people, M bodies, J = 17 joints, S body parts.
"""

from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.skeleton import INDEX

BODY_PARTS = {  # joints: radius in m
    ("pelvis", "thorax"): 0.13, ("l_shoulder", "r_shoulder"): 0.09, ("l_hip", "r_hip"): 0.11,
    ("l_shoulder", "l_hip"): 0.08, ("r_shoulder", "r_hip"): 0.08, ("thorax", "head"): 0.07, ("head", "nose"): 0.09,
    ("l_hip", "l_knee"): 0.075, ("r_hip", "r_knee"): 0.075, ("l_knee", "l_ankle"): 0.05, ("r_knee", "r_ankle"): 0.05,
    ("l_shoulder", "l_elbow"): 0.045, ("r_shoulder", "r_elbow"): 0.045,
    ("l_elbow", "l_wrist"): 0.04, ("r_elbow", "r_wrist"): 0.04,
}  # fmt: skip
START, END = (np.array([INDEX[pair[side]] for pair in BODY_PARTS]) for side in (0, 1))
RADIUS_M = np.array(list(BODY_PARTS.values()))
MAX_RADIUS_M = float(RADIUS_M.max())
MARGIN_M = 0.05  # a joint hides behind what is nearer by this much
MIN_DEPTH_M = 0.1


def hidden_behind(xy_px: Floats, depth_m: Floats, focal_px: Floats) -> NDArray[np.int64]:
    """Returns (V,T,N,J) behind which person each joint is, the nearest one; −1 = it is not hidden by any.

    Args:
        xy_px: (V,T,N,J,2) true projections.
        depth_m: (V,T,N,J) in camera axes.
        focal_px: (V,) px.
    """
    by = np.full(depth_m.shape, -1)
    nearest = np.full(depth_m.shape, np.inf)
    low, high = xy_px.min(-2), xy_px.max(-2)
    reach = (MAX_RADIUS_M * focal_px[:, None, None] / np.maximum(depth_m.min(-1), MIN_DEPTH_M))[..., None]
    for n, other in permutations(range(xy_px.shape[2]), 2):
        near = (low[:, :, n] < (high + reach)[:, :, other]) & (high[:, :, n] > (low - reach)[:, :, other])
        at = np.nonzero(near.all(-1) & (depth_m[:, :, other].min(-1) < depth_m[:, :, n].max(-1)))
        cover = covering_depth(xy_px[:, :, n][at], xy_px[:, :, other][at], depth_m[:, :, other][at], focal_px[at[0]])
        closer = (cover < depth_m[:, :, n][at] - MARGIN_M) & (cover < nearest[:, :, n][at])
        nearest[:, :, n][at] = np.where(closer, cover, nearest[:, :, n][at])
        by[:, :, n][at] = np.where(closer, other, by[:, :, n][at])
    return by


def covering_depth(points_px: Floats, xy_px: Floats, depth_m: Floats, focal_px: Floats) -> Floats:
    """Returns (M,J) the depth of a body where it covers points of the image; infinite where it does not.

    Args:
        points_px: (M,J,2).
        xy_px: (M,J,2) the joints of the body.
        depth_m: (M,J) theirs.
        focal_px: (M,).
    """
    start, end = xy_px[:, None, START], xy_px[:, None, END]  # (M,1,S,2)
    along = end - start
    length = np.maximum((along**2).sum(-1), 1e-9)
    offset = points_px[:, :, None] - start
    share = ((offset * along).sum(-1) / length).clip(0, 1)  # (M,J,S)
    distance = np.linalg.norm(offset - share[..., None] * along, axis=-1)
    from_depth, to_depth = depth_m[:, None, START], depth_m[:, None, END]
    depth = from_depth + share * (to_depth - from_depth)
    radius_px = RADIUS_M * focal_px[:, None, None] / np.maximum(depth, MIN_DEPTH_M)
    covered = (distance < radius_px) & (np.minimum(from_depth, to_depth) > MIN_DEPTH_M)
    return np.asarray(np.where(covered, depth, np.inf).min(-1))
