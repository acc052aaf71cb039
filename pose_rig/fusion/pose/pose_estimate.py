"""The pose of a person at one time step, and what it was made of.

Axes: V views, J = 17 joints, A = those and the detector's further landmarks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.wire.messages import Mode


@dataclass(frozen=True, slots=True)
class PoseEstimate:
    """The pose of a person at one time step. NaN where a view has no value.

    Attributes:
        t_ns: The time step.
        mode: How the cameras were known.
        tracking: False while the person is in no view: the pose is then the last one.
        joints: (A) names: the 17 joints, then the detector's other landmarks.
        xyz: (A,3) m, rig frame, smoothed; xyz_raw: before.
        covariance: (A,3,3) m² of ``xyz_raw``; NaN until the rig is solved.
        smoothing_sd_m: (A,) by which it is smoothed; NaN until the rig is solved.
        score: (A,) 0–1, 0 = guessed.
        residual_px: (A,) mean reprojection error; 0 for landmarks beyond the 17 joints.
        person_index: (V,) which of the people in each view's sample it is, −1 for none.
        refined_px: (V,J,2).
        inlier: (V,J) 0–1.
        lifted: (V,J,3) each view's own lift, camera axes, root-relative, unit scale.
        camera_from_rig: (V,3,3).
        person: Identity of the person, 0 for the first one.
    """

    t_ns: int
    mode: Mode
    tracking: bool
    joints: tuple[str, ...]
    xyz: Floats
    xyz_raw: Floats
    covariance: Floats
    smoothing_sd_m: Floats
    score: Floats
    residual_px: Floats
    person_index: NDArray[np.int64]
    refined_px: Floats
    inlier: Floats
    lifted: Floats
    camera_from_rig: Floats
    person: int = 0
