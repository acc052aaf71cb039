"""Which cameras are of one model: their images have the same size, and their focal lengths agree.

Phones and webcams of different models often have images of the same size, so the focal lengths decide: whether what is
known of them is more likely if they are equal than if each comes from the prior by itself (Bayes factor).

Axes: V views.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats

# How much more likely equal focal lengths must be, for every camera that joins. With 1, rigs of different lenses were
# worse than without ties as long as the focal lengths were uncertain; with 4, rigs of equal ones were tied too late.
MIN_BAYES_FACTOR = 2.0


def same_model(
    log_focal_scale: Floats, covariance: Floats, prior_sd: float, candidates: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Returns (V,V) which cameras are of one model.

    Args:
        log_focal_scale: (V,) as estimated for each camera by itself.
        covariance: (V,V) of these.
        prior_sd: Of every one of them, already in the estimates.
        candidates: (V,V) which may be of one model.
    """
    out = np.zeros(candidates.shape, bool)
    left = list(range(len(out)))
    while left:
        members = [left[0], *(view for view in left[1:] if candidates[left[0], view])]
        group = _group(log_focal_scale, covariance, prior_sd, members)
        out[np.ix_(group, group)] = True
        left = [view for view in left if view not in (group or members)]
    return out & ~np.eye(len(out), dtype=bool)


def _group(log_focal_scale: Floats, covariance: Floats, prior_sd: float, members: Sequence[int]) -> list[int]:
    """Returns the cameras left when those that make equal focal lengths unlikely have gone, empty if it is one."""
    group = list(members)

    def evidence(views: Sequence[int]) -> float:
        rows = np.ix_(views, views)
        factor = log_bayes_factor(log_focal_scale[list(views)], covariance[rows], prior_sd)
        return factor - (len(views) - 1) * float(np.log(MIN_BAYES_FACTOR))

    while len(group) > 1:
        smaller = [[view for view in group if view != gone] for gone in group]
        best = max(smaller, key=evidence)
        if evidence(group) > max(0.0, evidence(best)):
            return group
        group = best
    return []


def log_bayes_factor(log_focal_scale: Floats, covariance: Floats, prior_sd: float) -> float:
    """Returns the log of how much more likely the data are if all of some focal lengths (V,) are equal.

    It is the ratio of the densities of their differences at zero, after and before the data (Savage–Dickey).
    """
    difference = np.eye(len(covariance))[1:] - np.eye(len(covariance))[:1]
    found, after = difference @ log_focal_scale, difference @ covariance @ difference.T
    before = prior_sd**2 * difference @ difference.T
    volume = np.linalg.slogdet(before)[1] - np.linalg.slogdet(after)[1]
    return 0.5 * float(volume - found @ np.linalg.solve(after, found))
