"""A reading of an instant, seen through a solved rig: where every joint is in the room, and how sure that is.

Axes: V views, J = 17 joints, P points (`bundle.POINTS`).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.fusion.bundle import LENGTH_OF, POINTS, SPAN
from pose_rig.fusion.calibration import NEAREST_M, Calibration
from pose_rig.fusion.fit import Before, Fit, fit
from pose_rig.fusion.reading import Reading
from pose_rig.fusion.self_solve import Solved, bodies
from pose_rig.fusion.start import LEAST, NOISE, noise
from pose_rig.fusion.triangulate import Rays
from pose_rig.skeleton import INDEX, J

Floats = NDArray[np.float64]

AGREES = 3.0  # standard deviations at which a detection agrees by a half
LEAP = 4.0  # standard deviations from where the joints were expected, their median
STEADY = 2.0  # the same, of the other views
FEW = 4  # joints seen
CLEAR = 0.5  # agreement below which a view may have been misread
CLEARLY = 0.2  # by which another reading must agree better
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
    def points(self) -> Floats:
        """(P,3) m, the joints that are seen for themselves."""
        return self.joints[_POINTS]

    def before(self, elapsed_s: float, velocity: Floats | float = 0.0) -> Before:
        """Returns what this pose tells of one that comes so much later; velocity (P,3) m/s."""
        return Before.after(elapsed_s, self.points, self.covariance[_POINTS], velocity)


def solved_pose(reading: Reading, rig: Solved, trust: Floats, before: Before | None) -> tuple[Reading, SolvedPose]:
    """Returns the pose of an instant, and the reading with what the pose has cleared up.

    Args:
        reading: Who was seen where, and what the lifts say.
        rig: The cameras, and the person's bones.
        trust: (V,) weight of each view.
        before: Where the person was an instant ago; None = unknown.
    """
    calibration, length = rig.calibration, rig.length
    body = reading.out.body[0][_POINTS].astype(float)
    size = np.median(length[LENGTH_OF] / np.maximum(np.linalg.norm(SPAN @ body, axis=-1), 1e-6))
    shape = (size * body)[None]

    used = trust if before is None else trust * ~_sudden(reading, calibration, trust, before)

    def fitted(way: Reading, believed: Floats) -> tuple[SolvedPose, Floats]:
        rays, there = _rays(way, calibration, believed)
        found = fit(rays, calibration, length, shape, before)
        agreed = _agreed(found.error[0], there)
        if before is not None and agreed[trust > 0].max(initial=0.0) < LOST:
            found = fit(rays, calibration, length, shape, None)
            agreed = _agreed(found.error[0], there)
        return _pose(found, rays, there, agreed, calibration), agreed

    believed = np.clip(reading.out.inlier[0][:, _POINTS].astype(float), LEAST, 1.0)
    pose, agreed = fitted(reading, believed * used[:, None])
    if (reading.observation.present & (trust > 0) & (agreed < CLEAR)).any():
        other = _cleared_up(reading, pose, agreed, calibration)
        changed = other.pick != reading.pick
        if (changed & (trust > 0)).any():
            reading = other
            pose, _ = fitted(reading, np.where(changed[:, None], trust[:, None], believed * used[:, None]))
    return reading, pose


def _rays(reading: Reading, calibration: Calibration, trust: Floats) -> tuple[Rays, NDArray[np.bool_]]:
    """Returns what the person followed looks like, and (V,P) which points are seen; trust (V,P)."""
    flat = calibration.flat(reading.followed_px[:, _POINTS])
    there = reading.followed_score[:, _POINTS] > 0
    return Rays(flat[None], noise(flat, there)[None], (there * trust)[None]), there


def _sudden(reading: Reading, calibration: Calibration, trust: Floats, before: Before) -> NDArray[np.bool_]:
    """Returns (V,) which view alone sees a leap: it was bumped, or sees somebody else. People leap in all views."""
    rays, there = _rays(reading, calibration, np.ones((len(trust), len(_POINTS))))
    local = np.einsum("vij,pj->vpi", calibration.rotation, before.expected) + calibration.translation[:, None]
    off = np.linalg.norm(local[..., :2] / np.maximum(local[..., 2:], NEAREST_M) - rays.flat[0], axis=-1) / rays.sd[0]
    judged = (trust > 0) & (there.sum(1) >= FEW)
    leap = np.array(
        [np.median(row[seen]) if judges else 0.0 for row, seen, judges in zip(off, there, judged, strict=True)]
    )
    alone = (leap > LEAP) & (judged.sum() > 2)
    return np.asarray(alone & (np.sort(leap)[-2] < STEADY))


def _pose(found: Fit, rays: Rays, there: NDArray[np.bool_], agreed: Floats, calibration: Calibration) -> SolvedPose:
    joints = bodies(found.points)[0]
    covariance, inlier = np.zeros((J, 3, 3)), np.zeros((len(there), J))
    covariance[_POINTS], inlier[:, _POINTS] = found.covariance[0], found.inlier[0] * there
    for middle, sides in _MIDDLES:
        both = [INDEX[side] for side in sides]
        covariance[INDEX[middle]] = covariance[both].mean(0) / 2
        inlier[:, INDEX[middle]] = inlier[:, both].min(1)
    ends = [INDEX["pelvis"], INDEX["thorax"]]
    covariance[INDEX["spine"]], inlier[:, INDEX["spine"]] = covariance[ends].mean(0) / 2, inlier[:, ends].min(1)
    projected, _ = calibration.project(joints)
    sd = np.asarray(rays.sd[0, :, 0])
    return SolvedPose(joints, covariance, inlier, agreed, projected, rays.flat[0], sd, there.astype(float))


def _cleared_up(reading: Reading, pose: SolvedPose, agreed: Floats, calibration: Calibration) -> Reading:
    """Returns the reading with those people, or their mirror images, whom the pose bears out clearly better.

    The lifts compare shapes; where a body must appear in a picture tells more.
    """
    observation = reading.observation if reading.observation.mirrored.any() else reading.observation.with_mirrors()
    pick = reading.pick.copy()
    for view in np.flatnonzero(observation.present & calibration.known & (agreed < CLEAR)).tolist():
        candidates = observation.of(view)
        there = observation.score[candidates][:, _POINTS] > 0
        off_px = np.linalg.norm(observation.xy_px[candidates] - pose.projected_px[view], axis=-1)[:, _POINTS]
        sd_px = np.maximum(NOISE * np.ptp(pose.projected_px[view], axis=0).max(), 1e-6)
        fits = _agreed(off_px / sd_px, there)
        best = int(np.argmax(fits))
        if fits[best] > max(CLEAR, agreed[view] + CLEARLY):
            pick[view] = candidates[best]
    return replace(reading, observation=observation, pick=pick)


def _agreed(error: Floats, there: NDArray[np.bool_]) -> Floats:
    """Returns (V,) the median over the joints seen of how well each fits, from errors (V,P) in standard deviations."""
    agrees = 1 / (1 + (error / AGREES) ** 2)
    return np.array([np.median(row[seen]) if seen.any() else 0.0 for row, seen in zip(agrees, there, strict=True)])
