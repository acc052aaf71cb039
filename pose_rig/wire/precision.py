"""How finely numbers travel and are kept: what is finer is noise, and noise is what recordings cannot pack.

An hour of four cameras takes 115 MB of keypoints rather than 164.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

XY_STEP_PX = 1 / 64  # no detector is right to a hundredth of this
SCORE_STEP = 1 / 1024
_SHORT = np.int32(-(1 << 15))  # keeps sign, exponent and 8 bits: half a percent, for what is an estimate of an error


def quantize(values: NDArray[np.floating[Any]], step: float) -> NDArray[np.float32]:
    """Returns the nearest multiples of a step, a power of two, as float32."""
    return (np.round(values / step) * step).astype(np.float32)


def truncate_mantissa(values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Returns values cut to eight binary digits, as float32; symmetric matrices stay symmetric."""
    return (values.astype(np.float32).view(np.int32) & _SHORT).view(np.float32)
