"""A person's position that does not jump, even where that of the cameras does.

While a camera that was moved is not excluded yet, or a single view determines the distance, the fitted pose may jump by
metres. A body cannot: what the trunk moves beyond what `MAX_ACCELERATION_M_S2` allows is kept as an offset of the whole
pose, which is taken back slowly. Games join animations in this way ("inertialization", Bollo, GDC 2018).
"""

from math import sqrt

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.skeleton import INDEX

VELOCITY_AVERAGING_S = 0.1
# of a trunk over that time; 19 at most in 149,000 captured frames, 10 in a sprinter's start
MAX_ACCELERATION_M_S2 = 20.0
NOISE_M = 0.02  # of the fitted position of the trunk between two time steps
OFFSET_DECAY_S = 0.3
MAX_OFFSET_SPEED_M_S = 1.5  # at which an offset is taken back: walking pace
MIN_OFFSET_M = 1e-3  # a smaller one is none
MIN_STEP_S = 1e-3  # two poses that are nearer, as while all cameras are late, give no velocity
MAX_GAP_S = 0.5  # after a longer gap the person may be anywhere
_TRUNK = [INDEX[name] for name in ("l_hip", "r_hip", "l_shoulder", "r_shoulder")]


class ContinuousPosition:
    """Follows the position of one person.

    Attributes:
        offset: (3,) m, of the last pose.
    """

    def __init__(self) -> None:
        self._trunk: Floats | None = None
        self._t_ns = self._start_ns = 0
        self._velocity = self.offset = np.zeros(3)

    def restart(self) -> None:
        """Lets the next pose be anywhere, for example because it is of another person."""
        self._trunk = None

    def __call__(self, t_ns: int, joints: Floats) -> Floats:
        """Returns the offset (3,) m of a pose, given its joints (J,3) m; 0 if the time does not increase."""
        trunk, before, elapsed_s = joints[_TRUNK].mean(0), self._trunk, (t_ns - self._t_ns) * 1e-9
        if before is not None and 0 < elapsed_s < MIN_STEP_S:
            return self.offset - _beyond(trunk - before, NOISE_M)
        self._trunk, self._t_ns = trunk, t_ns
        if before is None or not 0 < elapsed_s <= MAX_GAP_S:
            self._start_ns = t_ns
            self._velocity = self.offset = np.zeros(3)
            return self.offset
        step, age_s = trunk - before, (t_ns - self._start_ns) * 1e-9
        # the velocity is unknown at first
        largest_m = _largest_m(elapsed_s) if age_s > max(VELOCITY_AVERAGING_S, elapsed_s) else np.inf
        excess = _beyond(step - self._velocity * elapsed_s, largest_m)
        self.offset = _decayed(self.offset, elapsed_s) - excess
        share = elapsed_s / min(VELOCITY_AVERAGING_S + elapsed_s, age_s)
        self._velocity = self._velocity + share * ((step - excess) / elapsed_s - self._velocity)
        return self.offset


def _largest_m(elapsed_s: float) -> float:
    """Returns by how much a body can deviate from its averaged velocity."""
    return NOISE_M + MAX_ACCELERATION_M_S2 * VELOCITY_AVERAGING_S * elapsed_s


def _beyond(deviation: Floats, largest_m: float) -> Floats:
    """Returns the part of a deviation (3,) m that is beyond the largest one."""
    size_m = sqrt(deviation @ deviation)
    return deviation * (1 - largest_m / size_m) if size_m > largest_m else np.zeros(3)


def _decayed(offset: Floats, elapsed_s: float) -> Floats:
    size_m = sqrt(offset @ offset)
    if size_m < MIN_OFFSET_M:
        return np.zeros(3)
    return offset * max(float(np.exp(-elapsed_s / OFFSET_DECAY_S)), 1 - MAX_OFFSET_SPEED_M_S * elapsed_s / size_m)
