"""How well each camera agrees with the others, and since when it does not.

Axes: V views.
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats

MEMORY_S = 0.5
DISAGREES = 0.5  # agreement below this is named, and weighs less
LEAST = 0.01


class Consistency:
    """Agreement of the cameras, averaged over half a second.

    Attributes:
        value: (V,) 0–1; 0 = sees nobody.
        ill_s: (V,) for how long a camera has disagreed, seconds.
        present: (V,) whether it sees anybody.
        seen: (V,) instants at which it saw somebody.
    """

    def __init__(self, views: int) -> None:
        self.value, self.ill_s = np.zeros(views), np.zeros(views)
        self.present = np.zeros(views, bool)
        self.seen, self._agreed = np.zeros(views, int), np.zeros(views)
        self._last_ns = 0

    def update(self, t_ns: int, present: NDArray[np.bool_], agreed: Floats) -> None:
        """Takes in an instant: who saw somebody, and the agreement (V,) of what was seen, 0–1."""
        elapsed_s = min(max((t_ns - self._last_ns) * 1e-9, 0.0), MEMORY_S)
        self._last_ns = t_ns
        share = elapsed_s / MEMORY_S
        blended = np.where(self.value > 0, self.value + share * (agreed - self.value), agreed)
        self.value = np.where(present, np.maximum(blended, LEAST), 0.0)
        self.present = present
        self.seen += present
        self._agreed += np.where(present, agreed, 0.0)
        self.ill_s = np.where(present & (self.value < DISAGREES), self.ill_s + elapsed_s, 0.0)

    def mean(self, view: int) -> float | None:
        """Returns the agreement over all the instants at which a camera saw somebody; None if there was none."""
        return float(self._agreed[view] / self.seen[view]) if self.seen[view] else None

    def nobody(self) -> None:
        """Takes in an instant at which no camera saw anybody."""
        self.present = np.zeros_like(self.present)
        self.value = np.zeros_like(self.value)

    def anew(self, view: int) -> None:
        """Forgives a camera what was."""
        self.value[view], self.ill_s[view] = 0.0, 0.0
