"""A reading of an instant, seen through a solved rig: where every joint is in the room, and how sure that is.

Axes: V views, J = 17 joints, P points (`bundle.POINTS`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.fusion.bundle import LENGTH_OF, POINTS, SPAN
from pose_rig.fusion.calibration import Calibration
from pose_rig.fusion.fit import fit
from pose_rig.fusion.reading import Reading
from pose_rig.fusion.self_solve import bodies
from pose_rig.fusion.start import LEAST, noise
from pose_rig.fusion.triangulate import Rays
from pose_rig.skeleton import INDEX, J

Floats = NDArray[np.float64]

AGREES = 3.0  # standard deviations at which a detection agrees by a half
LOST = 0.3  # agreement of all views below which the place of an instant ago is given up
_POINTS = list(POINTS)
_MIDDLES = (("pelvis", ("l_hip", "r_hip")), ("thorax", ("l_shoulder", "r_shoulder")))


@dataclass(frozen=True, slots=True)
class SolvedPose:
    """A pose in the room.

    Attributes:
        joints: (J,3) m.
        covariance: (J,3,3) m².
        inlier: (V,J) 0–1, how far each detection was believed.
        agreed: (V,) 0–1, how well what each view saw fits the pose; 0 where it saw nothing of it.
        projected_px: (V,J,2) where each view should see the joints.
        flat: (V,P,2) ideal coordinates of what was seen (P: `bundle.POINTS`), sd: (V,) their standard deviation,
            seen: (V,P) 0–1.
    """

    joints: Floats
    covariance: Floats
    inlier: Floats
    agreed: Floats
    projected_px: Floats
    flat: Floats
    sd: Floats
    seen: Floats

    @property
    def middle(self) -> Floats:
        """(3,) m, where the person is."""
        return np.asarray(self.joints[_POINTS].mean(0))


def solved_pose(
    reading: Reading, calibration: Calibration, length: Floats, trust: Floats, before: Floats | None
) -> SolvedPose:
    """Returns the pose of an instant.

    Args:
        reading: Who was seen where, and what the lifts say.
        calibration: The cameras.
        length: (L,) m, the person's bones.
        trust: (V,) weight of each view.
        before: (3,) m, where the middle of the person was an instant ago; None = unknown.
    """
    flat = calibration.flat(reading.followed_px[:, _POINTS])
    there = reading.followed_score > 0
    weight = there[:, _POINTS] * np.clip(reading.out.inlier[0][:, _POINTS], LEAST, 1.0) * trust[:, None]
    rays = Rays(flat[None], noise(flat, there[:, _POINTS])[None], weight[None])
    body = reading.out.body[0][_POINTS].astype(float)
    size = np.median(length[LENGTH_OF] / np.maximum(np.linalg.norm(SPAN @ body, axis=-1), 1e-6))
    shape = (size * body)[None]
    found = fit(rays, calibration, length, shape, before)
    agreed = _agreed(found.error[0], there[:, _POINTS])
    if before is not None and agreed[trust > 0].max(initial=0.0) < LOST:
        found = fit(rays, calibration, length, shape, None)
        agreed = _agreed(found.error[0], there[:, _POINTS])
    joints = bodies(found.points)[0]
    covariance, inlier = np.zeros((J, 3, 3)), np.zeros((len(trust), J))
    covariance[_POINTS], inlier[:, _POINTS] = found.covariance[0], found.inlier[0] * there[:, _POINTS]
    for middle, sides in _MIDDLES:
        both = [INDEX[side] for side in sides]
        covariance[INDEX[middle]] = covariance[both].mean(0) / 2
        inlier[:, INDEX[middle]] = inlier[:, both].min(1)
    ends = [INDEX["pelvis"], INDEX["thorax"]]
    covariance[INDEX["spine"]], inlier[:, INDEX["spine"]] = covariance[ends].mean(0) / 2, inlier[:, ends].min(1)
    projected, _ = calibration.project(joints)
    sd = np.asarray(rays.sd[0, :, 0])
    return SolvedPose(joints, covariance, inlier, agreed, projected, flat, sd, there[:, _POINTS].astype(float))


def _agreed(error: Floats, there: NDArray[np.bool_]) -> Floats:
    """Returns (V,) the median over the joints seen of how well each fits, from errors (V,P) in standard deviations."""
    agrees = 1 / (1 + (error / AGREES) ** 2)
    return np.array([np.median(row[seen]) if seen.any() else 0.0 for row, seen in zip(agrees, there, strict=True)])
