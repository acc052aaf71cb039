"""The state of the cameras at one time step.

Axes: V views.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.pose.hypothesis import RotationPrior
from pose_rig.intrinsics import Intrinsics
from pose_rig.wire.messages import Mode


@dataclass(frozen=True, slots=True)
class RigView:
    """The cameras as the pose of one time step uses them.

    Attributes:
        mode: ``cold``, ``settled`` or ``solved``.
        intrinsics: Solved, else given or assumed.
        prior: Their rotations; None where the time step alone must give them.
        weight: (V,) 0–1, how much each view counts.
        known: (V,) whose pose is known and trusted.
        solution: The solved cameras and bones, None until then.
        lost: Whether the rig is solved, but no camera with a known pose detects the person at this time step.
    """

    mode: Mode
    intrinsics: Intrinsics
    prior: RotationPrior | None
    weight: Floats
    known: NDArray[np.bool_]
    solution: RigSolution | None
    lost: bool = False

    def for_views(self, present: NDArray[np.bool_]) -> "RigView":
        """Returns the cameras as cold where no view that detects a person (V,) has a known pose."""
        if self.prior is None or not present.any() or self.weight[present].any():
            return self
        return replace(
            self, mode="cold", prior=None, weight=np.ones(len(present)), solution=None, lost=self.solution is not None
        )
