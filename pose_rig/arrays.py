"""Array types."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Image = np.ndarray[Any, np.dtype[np.uint8]]  # (H,W,3) BGR
