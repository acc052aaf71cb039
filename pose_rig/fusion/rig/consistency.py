"""How well each camera agrees with the others, and for how long it has not.

Axes: V views.
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats

AVERAGING_TIME_S = 0.5
MIN_AGREEMENT = 0.5  # a camera below this is reported, and counts less
LOWEST_AGREEMENT = 0.01  # above 0, which means that no person is detected


class Consistency:
    """Agreement of the cameras, averaged over `AVERAGING_TIME_S`.

    Attributes:
        agreement: (V,) 0–1; 0 = no person detected.
        inconsistent_s: (V,) for how long a camera has been below `MIN_AGREEMENT`.
        present: (V,) whether a person is detected.
        steps: (V,) time steps with a person.
    """

    def __init__(self, views: int) -> None:
        self.agreement, self.inconsistent_s = np.zeros(views), np.zeros(views)
        self.present = np.zeros(views, bool)
        self.steps, self._total = np.zeros(views, int), np.zeros(views)
        self._last_ns = 0

    def update(self, t_ns: int, present: NDArray[np.bool_], agreement: Floats) -> None:
        """Adds a time step: in which views (V,) a person is detected, and the agreement (V,) of the keypoints, 0–1."""
        elapsed_s = min(max((t_ns - self._last_ns) * 1e-9, 0.0), AVERAGING_TIME_S)
        self._last_ns = t_ns
        share = elapsed_s / AVERAGING_TIME_S
        blended = np.where(self.agreement > 0, self.agreement + share * (agreement - self.agreement), agreement)
        self.agreement = np.where(present, np.maximum(blended, LOWEST_AGREEMENT), 0.0)
        self.present = present
        self.steps += present
        self._total += np.where(present, agreement, 0.0)
        inconsistent = present & (self.agreement < MIN_AGREEMENT)
        self.inconsistent_s = np.where(inconsistent, self.inconsistent_s + elapsed_s, 0.0)

    def mean(self, view: int) -> float | None:
        """Returns the mean agreement over all time steps with a person, None if there was none."""
        return float(self._total[view] / self.steps[view]) if self.steps[view] else None

    def no_person(self) -> None:
        """Adds a time step at which no camera detects a person."""
        self.present = np.zeros_like(self.present)
        self.agreement = np.zeros_like(self.agreement)

    def reset(self, view: int) -> None:
        """Starts a camera over."""
        self.agreement[view], self.inconsistent_s[view] = 0.0, 0.0
