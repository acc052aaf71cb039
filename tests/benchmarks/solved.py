"""Solved cameras for the tests of their errors."""

import numpy as np

from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.intrinsics import Intrinsics
from pose_rig.simulation.cameras import Cameras


def exact(cameras: Cameras) -> Calibration:
    """Solved cameras without an error, standard deviations of 1°, 1 % and 0.1 m."""
    translation = -np.einsum("vij,vj->vi", cameras.rotation, cameras.position)
    sd, ones = np.ones(len(translation)), np.ones(len(translation), bool)
    return Calibration(
        rotation=cameras.rotation.copy(), translation=translation,
        intrinsics=Intrinsics.pinhole(cameras.focal_px.copy(), cameras.size_px),
        known=ones, rotation_sd=np.radians(sd), translation_sd=0.1 * sd, focal_sd=0.01 * sd,
    )  # fmt: skip
