"""Which cameras are of one model: their images have the same size, and their lenses agree.

Phones and webcams of different models often have images of the same size, so the lenses decide: whether what is known
of them is more likely if they are equal than if each comes from the prior by itself (Bayes factor).

Axes: V views.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.priors import Priors
from pose_rig.fusion.calibration.bundle.state import FOCAL, K1, C

# How much more likely equal focal lengths must be, for every camera that joins; the second where ties that it refuses
# are tried and decided by their costs. With 2 there, rigs of different lenses were worse than without ties.
MIN_BAYES_FACTOR, STRICT_BAYES_FACTOR = 2.0, 5.0


def same_model(
    log_focal_scale: Floats,
    covariance: Floats,
    prior_sd: float,
    candidates: NDArray[np.bool_],
    min_bayes_factor: float = MIN_BAYES_FACTOR,
) -> NDArray[np.bool_]:
    """Returns (V,V) which cameras are of one model.

    Args:
        log_focal_scale: (V,) as estimated for each camera by itself.
        covariance: (V,V) of these.
        prior_sd: Of every one of them, already in the estimates.
        candidates: (V,V) which may be of one model.
        min_bayes_factor: How much more likely equal focal lengths must be, for every camera that joins.
    """
    out = np.zeros(candidates.shape, bool)
    left = list(range(len(out)))
    while left:
        members = [left[0], *(view for view in left[1:] if candidates[left[0], view])]
        group = _group(log_focal_scale, covariance, prior_sd, members, min_bayes_factor)
        out[np.ix_(group, group)] = True
        left = [view for view in left if view not in (group or members)]
    return out & ~np.eye(len(out), dtype=bool)


def _group(
    log_focal_scale: Floats, covariance: Floats, prior_sd: float, members: Sequence[int], min_bayes_factor: float
) -> list[int]:
    """Returns the cameras left when those that make equal focal lengths unlikely have gone, empty if it is one."""
    group = list(members)

    def evidence(views: Sequence[int]) -> float:
        rows = np.ix_(views, views)
        factor = log_bayes_factor(log_focal_scale[list(views)], covariance[rows], prior_sd)
        return factor - (len(views) - 1) * float(np.log(min_bayes_factor))

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


def are_tied(cost_of_ties: float, covariance: Floats, priors: Priors, candidates: NDArray[np.bool_]) -> bool:
    """Returns whether all cameras with images of equal size are as likely to be of one model as not.

    The ratio of the probabilities of the tied and the free solution, each taken as normal about its minimum (Laplace):
    that of their costs, and of the volumes that the lenses are free in before and after the data.

    Args:
        cost_of_ties: Cost of the tied solution minus that of the free one, half a sum of squares.
        covariance: (V·C, V·C) of the cameras without ties, at the tied solution.
        priors: Of the lenses.
        candidates: (V,V) which may be of one model.
    """
    gain = 0.0
    for group in {tuple(np.flatnonzero(row).tolist()) for row in candidates if row.sum() > 1}:
        for parameter, prior_sd in ((FOCAL, priors.log_focal_scale_sd), (K1, priors.k1_sd)):
            rows = np.array(group) * C + parameter
            free = covariance[np.ix_(rows, rows)]
            gain += log_bayes_factor(np.zeros(len(group)), free, float(prior_sd[list(group)].mean()))
    return gain > cost_of_ties
