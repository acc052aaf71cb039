"""Uncertainty of joints that no view or only one view shows.

The fit treats the error of the lifted pose as independent at every time step; for a hidden limb, and for a person in a
single view, it stays the same. The published covariance therefore has additional terms: for hidden joints a share of
the bones to the nearest visible joint, for joints and people visible in one view a term along the ray. Measured per
axis in known rigs (docs/fusion.md has the figures).

Axes: V views, J = 17 joints.
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.skeleton import INDEX, PARENTS, J

MIN_INLIER = 0.1  # of a detection that counts as visible
# standard deviation per axis that a hidden bone adds, as a share of its length
HIDDEN_BONE_SD = {"knee": 0.21, "ankle": 0.19, "elbow": 0.43, "wrist": 0.58, "head": 0.36, "nose": 0.36}
SINGLE_VIEW_SD_M = 0.1  # along the ray of a joint visible in one view: the depth error of lifted poses
RELATIVE_DISTANCE_SD = 0.08  # along the ray of a person visible in one view
MIN_TWO_VIEW_JOINTS = 3  # that determine a person's position
_CHAIN = tuple(  # joint, parent, share; parents before children
    (i, PARENTS[i], HIDDEN_BONE_SD[joint.split("_")[-1]])
    for joint, i in INDEX.items()
    if joint.split("_")[-1] in HIDDEN_BONE_SD
)
_HEAD = [INDEX["head"], INDEX["nose"]]


def inflate_covariance(covariance: Floats, joints: Floats, inlier: Floats, centre: Floats) -> Floats:
    """Returns the covariance (J,3,3) m² of a pose, larger for joints visible in fewer than two views.

    Args:
        covariance: (J,3,3) m² of the fit.
        joints: (J,3) m.
        inlier: (V,J) 0–1, robust weight of each detection, 0 = not visible, or in a view of weight 0.
        centre: (V,3) m, camera centres.
    """
    count = (inlier >= MIN_INLIER).sum(0)
    hidden_sd = _hidden_sd_m(joints, count == 0)
    ray_sd = np.where(count == 1, SINGLE_VIEW_SD_M, 0.0)
    ray = joints - centre[inlier.argmax(0)]
    distance = np.linalg.norm(ray, axis=-1)
    if (count > 1).sum() < MIN_TWO_VIEW_JOINTS:
        ray = np.broadcast_to(joints[0] - centre[inlier.sum(1).argmax()], ray.shape)
        ray_sd = np.full(J, RELATIVE_DISTANCE_SD * np.linalg.norm(ray[0]))
        distance = np.linalg.norm(ray, axis=-1)
    along = ray * (ray_sd / np.maximum(distance, 1e-9))[:, None]
    return np.asarray(covariance + hidden_sd[:, None, None] ** 2 * np.eye(3) + along[:, :, None] * along[:, None])


def _hidden_sd_m(joints: Floats, hidden: NDArray[np.bool_]) -> Floats:
    """Returns (J,) m by how much the standard deviations of hidden joints grow."""
    hidden, added = hidden.copy(), np.zeros(J)
    hidden[_HEAD] = hidden[_HEAD].all()  # ears and nose determine each other
    for joint, parent, share in _CHAIN:
        if hidden[joint]:
            added[joint] = added[parent] + share * np.linalg.norm(joints[joint] - joints[parent])
    return added
