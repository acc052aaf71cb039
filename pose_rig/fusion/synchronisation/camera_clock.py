"""The clock of one camera."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_RATE = 1.5e-3  # deviation from 1 that is believed; 60 frames labelled as 59.94 are 1e-3


@dataclass(frozen=True, slots=True)
class CameraClock:
    """A linear clock: rig time = camera time · rate + offset; the default is the clock of the rig.

    Attributes:
        offset_ns: Rig time of camera time 0.
        rate: Rig seconds per camera second. At exactly 1 times are shifted in whole nanoseconds, without rounding.
    """

    offset_ns: int = 0
    rate: float = 1.0

    def rig_ns(self, t_ns: int) -> int:
        """Returns the rig time of a camera time."""
        return t_ns + self.offset_ns + round(t_ns * (self.rate - 1.0))

    def rig_times_ns(self, t_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the rig times of camera times."""
        return np.asarray(t_ns + self.offset_ns + np.rint(t_ns * (self.rate - 1.0)).astype(np.int64))

    def camera_ns(self, rig_ns: float) -> float:
        """Returns the camera time of a rig time."""
        return (rig_ns - self.offset_ns) / self.rate


RIG_CLOCK = CameraClock()


def clocks_of(offset_s: Iterable[float], rate: Iterable[float] | None = None) -> list[CameraClock]:
    """Returns the clocks (V) of offsets (V) and rates (V); None = all are 1."""
    offsets_ns = [round(offset * 1e9) for offset in offset_s]
    rates = [1.0] * len(offsets_ns) if rate is None else [float(one) for one in rate]
    return [CameraClock(*values) for values in zip(offsets_ns, rates, strict=True)]
