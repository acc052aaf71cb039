"""What an estimator needs to use the cameras that another one has solved.

Axes: V views.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.config import Config
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.rig.camera_properties import CameraProperties
from pose_rig.wire.messages import RigState


@dataclass(frozen=True, slots=True)
class FixedCameras:
    """Cameras that are solved and kept.

    Attributes:
        config: Of the rig.
        solution: The solved rig.
        properties: Of the cameras.
        left_out: (V,) cameras whose detections are not used.
        recorded: The rig of a recording, whose cameras are neither excluded nor placed again; None = there is none.
    """

    config: Config
    solution: RigSolution
    properties: CameraProperties
    left_out: NDArray[np.bool_]
    recorded: RigState | None = None
