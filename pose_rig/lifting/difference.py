"""How far the outputs of one engine are from those of another, and how far they may be."""

from dataclasses import dataclass

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.graph import GraphOutput, Single

NORM_MM = 2000.0  # the 2D norm of an adult
MAX_ROTATION_DEG, MAX_BODY_MM, MAX_HESSIAN_RATIO = 0.1, 0.5, 0.01  # differences from the CPU


@dataclass(frozen=True, slots=True)
class Difference:
    """The largest differences between the outputs of two engines.

    Attributes:
        rotation_deg: Of the rotations of the views.
        body_mm: Of the joints of the fused pose, of an adult.
        hessian_ratio: Of the normal equations of the rotations, relative to their size.
    """

    rotation_deg: float
    body_mm: float
    hessian_ratio: float

    @property
    def small(self) -> bool:
        """Whether another engine with these differences computes the same."""
        return (
            self.rotation_deg < MAX_ROTATION_DEG
            and self.body_mm < MAX_BODY_MM
            and self.hessian_ratio < MAX_HESSIAN_RATIO
        )

    def __str__(self) -> str:
        """Returns for example "rotations 0.001°, joints 0.01 mm, Hessians 0.1 %"."""
        return (
            f"rotations {self.rotation_deg:.2g}°, joints {self.body_mm:.2g} mm, "
            f"Hessians {100 * self.hessian_ratio:.2g} %"
        )


def difference(want: GraphOutput, got: GraphOutput) -> Difference:
    """Returns how far outputs are from those of another engine."""
    size = np.linalg.norm(want.rotation_hessian, axis=-1)
    apart = np.linalg.norm(want.rotation_hessian - got.rotation_hessian, axis=-1)
    return Difference(
        float(_small_angle_deg(want.ray_from_body, got.ray_from_body).max()),
        float(NORM_MM * np.linalg.norm(want.body - got.body, axis=-1).max()),
        float((apart / np.maximum(size, 1e-9)).max()),
    )


def _small_angle_deg(a: Single, b: Single) -> Floats:
    """Returns (...) the angle between two rotations (...,3,3), degrees: |A − B|² = 8 sin²(θ/2).

    In single precision the arc cosine of the trace would be 0.03° off.
    """
    half = np.linalg.norm((a - b).astype(float), axis=(-2, -1)) / np.sqrt(8)
    return np.asarray(np.degrees(2 * np.arcsin(np.minimum(half, 1.0))))
