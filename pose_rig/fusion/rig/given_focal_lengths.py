"""Which focal lengths of the configuration seem to be wrong, by where the solved rig has moved them.

The bundle adjustment keeps a given focal length within some percent (`solve_priors.GIVEN_LOG_FOCAL_SD`); detections
that contradict it move it to the edge of that. How far it is off cannot be said, only to which side.

Axes: V views.
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats

# of the logarithm. 20 simulated rigs with biased detectors: right ones (to 1 %) move by 0.018 at most; one that is 20 %
# too small moves by 0.03 to 0.11, one that is 20 % too large by 0.012 to 0.08
MIN_SHIFT = 0.03
MIN_SHARE_OF_LARGEST = 0.8  # one wrong camera moves the others, too
TOO_SMALL, TOO_LARGE = (
    f"its focal_px seems to be too {how}: remove it, and it is estimated" for how in ("small", "large")
)


def focal_note(given_px: Floats, solved_px: Floats, view: int) -> str:
    """Returns what is wrong with a camera's focal length, for display; empty if nothing is.

    Args:
        given_px: (V,) focal lengths of the configuration, NaN where it has none.
        solved_px: (V,) those of the solved rig.
        view: The camera.
    """
    shift = np.nan_to_num(np.log(solved_px / given_px))
    if not _clear(shift)[view]:
        return ""
    return TOO_SMALL if shift[view] > 0 else TOO_LARGE


def _clear(shift: Floats) -> NDArray[np.bool_]:
    size = np.abs(shift)
    return np.asarray((size >= MIN_SHIFT) & (size >= MIN_SHARE_OF_LARGEST * size.max()))
