"""Medians of what is there, many rows at once: `numpy.median` takes its time over small arrays."""

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats


def medians(values: Floats, there: NDArray[np.bool_]) -> Floats:
    """Returns (R,) the median of those values (R,N) that are there (R,N); 0 where none is."""
    ordered = np.sort(np.where(there, values, np.inf), axis=1)
    row, count = np.arange(len(values)), there.sum(1)
    middle = 0.5 * (ordered[row, np.maximum(count - 1, 0) // 2] + ordered[row, count // 2])
    return np.where(count > 0, middle, 0.0)
