"""Rates of clocks, given uncertain measurements.

Axes: V views.
"""

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.synchronisation.camera_clock import MAX_RATE

# Of the deviation from 1 before a take is seen, half of the cameras each: clocks, and files that are labelled wrongly.
USUAL_RATE_SD, WRONG_RATE_SD = 6e-5, 6e-4


def likely_rates(deviation: Floats, sd: Floats) -> tuple[Floats, Floats]:
    """Returns the expected deviations (V,) of rates from 1, given measured ones and their standard deviations, and sds.

    Most cameras deviate by less than can be measured in half a minute: the less certain a small deviation is, the less
    of it is believed. Where that is more than `MAX_RATE`, nothing is.
    """
    prior = np.array([[USUAL_RATE_SD], [WRONG_RATE_SD]]) ** 2
    total = prior + sd**2
    log_weight = -0.5 * (deviation**2 / total + np.log(total))
    weight = np.exp(log_weight - log_weight.max(0))
    weight = weight / weight.sum(0)
    mean = deviation * prior / total
    expected = (weight * mean).sum(0)
    variance = (weight * (prior * sd**2 / total + mean**2)).sum(0) - expected**2
    believed = np.abs(expected) < MAX_RATE
    return np.where(believed, expected, 0.0), np.where(believed, np.sqrt(variance), np.hypot(sd, deviation))
