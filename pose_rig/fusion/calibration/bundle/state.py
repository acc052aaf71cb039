"""The parameters of bundle adjustment: cameras, a person in every keyframe, segment lengths, detector bias.

Axes: N keyframes, V views, P points (`segments.POINTS`), H people, L lengths, C = 8 parameters per camera: rotation
(3), translation (3), log focal scale, k1; B coefficients of the direction bias (`direction_bias`).
"""

from dataclasses import dataclass, field

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.lens_family import MAX_K1, MIN_K1
from pose_rig.fusion.calibration.bundle.segments import LENGTH_PER_HEIGHT, POINTS
from pose_rig.geometry import rotation_from_vector

C = 8
FOCAL, K1 = 6, 7  # where the last two are
MAX_LOG_FOCAL_SCALE = 1.5


@dataclass(frozen=True, slots=True)
class BundleState:
    """The parameters.

    Attributes:
        rotation: (V,3,3) camera_from_rig, translation: (V,3) m.
        log_focal_scale: (V,) log of focal length over the assumed one.
        k1: (V,) of the lens (`lens_family`).
        points: (N,P,3) m.
        length: (H,L) m, of every person.
        bias: (B,) of the detector, in standard deviations of a detection; (0,) where it is not estimated.
    """

    rotation: Floats
    translation: Floats
    log_focal_scale: Floats
    k1: Floats
    points: Floats
    length: Floats
    bias: Floats = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def from_cameras(
        cls, rotation: Floats, translation: Floats, log_focal_scale: Floats, k1: Floats, *height_m: float
    ) -> "BundleState":
        """Returns a state without points and with the lengths of average people of some body heights."""
        no_points, length = np.zeros((0, len(POINTS), 3)), np.stack([LENGTH_PER_HEIGHT * height for height in height_m])
        return cls(rotation, translation, log_focal_scale, k1, no_points, length)

    def updated(self, cameras: Floats, length: Floats, points: Floats, bias: Floats | None = None) -> "BundleState":
        """Returns the state after a step: cameras (V,C), lengths (H,L), points (N,P,3), bias (B,) if estimated."""
        log_focal_scale = self.log_focal_scale + cameras[:, 6]
        return BundleState(
            rotation_from_vector(cameras[:, :3]) @ self.rotation,
            self.translation + cameras[:, 3:6],
            np.clip(log_focal_scale, -MAX_LOG_FOCAL_SCALE, MAX_LOG_FOCAL_SCALE),
            np.clip(self.k1 + cameras[:, 7], MIN_K1, MAX_K1),
            self.points + points,
            self.length + length,
            self.bias if bias is None else self.bias + bias,
        )
