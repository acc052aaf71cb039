"""The pose at one time step, and what it was made of.

Axes: V views, J = 17 joints, A = those and the detector's further landmarks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.wire.messages import Mode


@dataclass(frozen=True, slots=True)
class PoseEstimate:
    """All that is known of one instant. NaN where a view has nothing to say.

    Attributes:
        t_ns: The instant.
        mode: How the rotations were known.
        tracking: False when nobody was seen: the pose is then the last one known.
        joints: (A) names: the 17 joints, then the detector's other landmarks.
        xyz: (A,3) m, rig frame, smoothed; xyz_raw: before.
        covariance: (A,3,3) m² of ``xyz_raw``; NaN where it is not known: until the rig is solved.
        score: (A,) 0–1, 0 = guessed.
        residual_px: (A,) mean distance of the detections; 0 for what is no joint of the 17.
        followed: (V,) index of the person followed in each view's sample, −1 for none.
        refined_px: (V,J,2).
        inlier: (V,J).
        lifted: (V,J,3) each view's own lift, camera axes, root-relative, unit scale.
        rotation: (V,3,3) camera_from_rig.
    """

    t_ns: int
    mode: Mode
    tracking: bool
    joints: tuple[str, ...]
    xyz: Floats
    xyz_raw: Floats
    covariance: Floats
    score: Floats
    residual_px: Floats
    followed: NDArray[np.int64]
    refined_px: Floats
    inlier: Floats
    lifted: Floats
    rotation: Floats
