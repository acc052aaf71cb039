"""What is likely of a lens whose focal length is known and whose distortion is not.

The field of view near the axis, hence the focal length, is found to 1–3 % from a person in the middle of the image; the
distortion, from the borders alone, hardly. But people own few kinds of lenses: perspective ones of usual focal lengths,
action cameras and fisheye lenses whose focal lengths lie between, which some cameras straighten (*linear*), and wide
lenses of phones, which are straightened.

Axes: V views.
"""

import numpy as np

from pose_rig.arrays import Floats

USUAL_K1_SD = 0.1  # about 0
WIDE_K1, WIDE_K1_SD = -0.15, 0.2  # from straightened (0) to equidistant (−0.33)
WIDE_FOCAL_SHARES = (0.4, 0.62)  # focal length over the larger image side; at k1 = −0.25 these are 150° and 90°
LOG_FOCAL_WIDTH = 0.06  # of the change from usual to wide


def lens_prior(focal_share: Floats) -> tuple[Floats, Floats]:
    """Returns mean and standard deviation (V,) of k1, given focal lengths over the larger image side (V,)."""
    low, high = (np.log(focal_share / share) / LOG_FOCAL_WIDTH for share in WIDE_FOCAL_SHARES)
    wide = 1 / (1 + np.exp(-low)) / (1 + np.exp(high))
    return WIDE_K1 * wide, USUAL_K1_SD + (WIDE_K1_SD - USUAL_K1_SD) * wide
