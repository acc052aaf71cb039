"""Whether the images of each camera contain the whole body of the person, or end at the legs or at the neck.

Axes: V views, J = 17 joints.
"""

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.skeleton import INDEX
from pose_rig.wire.messages import STEP_BACK

AVERAGING_S = 4.0
MOSTLY = 0.5  # of the last seconds
PARTS = {
    "feet": [INDEX["l_ankle"], INDEX["r_ankle"]],
    "head": [INDEX["head"], INDEX["nose"]],
}


class BodyInView:
    """Averages for how much of the last seconds feet and head were outside of each camera's images.

    Args:
        views: How many cameras there are.
    """

    def __init__(self, views: int) -> None:
        self._outside = np.zeros((len(PARTS), views))  # share of the time
        self._last_ns = 0

    def update(self, t_ns: int, xy_px: Floats, score: Floats, size_px: Floats) -> None:
        """Adds a time step.

        Args:
            t_ns: Time.
            xy_px: (V,J,2) of the person; detectors guess where joints are outside of the image.
            score: (V,J), 0 = not visible: where the joint is, is then unknown.
            size_px: (V,2) width, height.
        """
        elapsed_s = min(max((t_ns - self._last_ns) * 1e-9, 0.0), 1.0)
        self._last_ns = t_ns
        beyond = ((xy_px < 0) | (xy_px > size_px[:, None])).any(-1)
        outside = beyond & (score > 0)
        now = np.stack([outside[:, joints].all(1) for joints in PARTS.values()])
        share = (1 - np.exp(-elapsed_s / AVERAGING_S)) * (score > 0).any(1)
        self._outside += share * (now - self._outside)

    def note(self, view: int) -> str:
        """Returns what to do where a camera mostly shows no feet or no head, for display; empty where it shows both."""
        missing = [part for part, share in zip(PARTS, self._outside[:, view], strict=True) if share > MOSTLY]
        return f"shows no {' and no '.join(missing)}: {STEP_BACK}" if missing else ""
