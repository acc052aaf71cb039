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
ALONE = 3.0  # so many times what any other view sees
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

    believed, used = np.clip(reading.out.inlier[0][:, _POINTS].astype(float), LEAST, 1.0), trust
    if before is not None:
        error, there = _errors(reading, calibration, before.expected)
        expected_px, _ = calibration.project(before.expected)
        expected = _cleared_up(reading, expected_px, _agreed(error, there), calibration)
        if expected is not reading:
            believed = np.where((expected.pick != reading.pick)[:, None], 1.0, believed)
            reading = expected
            error, there = _errors(reading, calibration, before.expected)
        used = trust * ~_sudden(error, there, trust)

    def fitted(way: Reading, believed: Floats) -> tuple[SolvedPose, Floats]:
        rays, there = _rays(way, calibration, believed)
        found = fit(rays, calibration, length, shape, before)
        agreed = _agreed(found.error[0], there)
        if before is not None and agreed[trust > 0].max(initial=0.0) < LOST:
            elsewhere = fit(rays, calibration, length, shape, None)
            agreed_there = _agreed(elsewhere.error[0], there)
            seeing = (trust > 0) & there.any(1)
            if (agreed_there[seeing] > CLEAR).sum() >= min(2, seeing.sum()):  # one against another proves nothing
                found, agreed = elsewhere, agreed_there
        return _pose(found, rays, there, agreed, calibration), agreed

    pose, agreed = fitted(reading, believed * used[:, None])
    if (reading.observation.present & (trust > 0) & (agreed < CLEAR)).any():
        other = _cleared_up(reading, pose.projected_px[:, _POINTS], agreed, calibration)
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


def _errors(reading: Reading, calibration: Calibration, points: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Returns (V,P) how far detections are from points (P,3) m, in standard deviations, and which points are seen."""
    rays, there = _rays(reading, calibration, np.ones((len(reading.pick), len(_POINTS))))
    local = np.einsum("vij,pj->vpi", calibration.rotation, points) + calibration.translation[:, None]
    ideal = local[..., :2] / np.maximum(local[..., 2:], NEAREST_M)
    return np.asarray(np.linalg.norm(ideal - rays.flat[0], axis=-1) / rays.sd[0]), there


def _sudden(error: Floats, there: NDArray[np.bool_], trust: Floats) -> NDArray[np.bool_]:
    """Returns (V,) which view alone sees a leap: it was bumped, or sees somebody else. People leap in all views.

    Args:
        error: (V,P) distance from where the joints were expected, in standard deviations.
        there: (V,P) which are seen.
        trust: (V,) weight of each view.
    """
    judged = (trust > 0) & (there.sum(1) >= FEW)
    leap = np.array(
        [np.median(row[seen]) if judges else 0.0 for row, seen, judges in zip(error, there, judged, strict=True)]
    )
    return np.asarray((leap > LEAP) & (leap > ALONE * np.sort(leap)[-2]) & (judged.sum() > 2))


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


def _cleared_up(reading: Reading, points_px: Floats, agreed: Floats, calibration: Calibration) -> Reading:
    """Returns the reading with those people, or their mirror images, whom a pose bears out clearly better.

    The lifts compare shapes; where a body must appear in a picture tells more.

    Args:
        reading: As the lifts have it.
        points_px: (V,P,2) where the pose should be seen.
        agreed: (V,) how well those fit it who are followed.
        calibration: The cameras.
    """
    if not (reading.observation.present & calibration.known & (agreed < CLEAR)).any():
        return reading
    observation = reading.observation if reading.observation.mirrored.any() else reading.observation.with_mirrors()
    pick = reading.pick.copy()
    for view in np.flatnonzero(observation.present & calibration.known & (agreed < CLEAR)).tolist():
        candidates = observation.of(view)
        there = observation.score[candidates][:, _POINTS] > 0
        off_px = np.linalg.norm(observation.xy_px[candidates][:, _POINTS] - points_px[view], axis=-1)
        sd_px = np.maximum(NOISE * np.ptp(points_px[view], axis=0).max(), 1e-6)
        fits = _agreed(off_px / sd_px, there)
        best = int(np.argmax(fits))
        if fits[best] > max(CLEAR, agreed[view] + CLEARLY):
            pick[view] = candidates[best]
    return replace(reading, observation=observation, pick=pick)


def _agreed(error: Floats, there: NDArray[np.bool_]) -> Floats:
    """Returns (V,) the median over the joints seen of how well each fits, from errors (V,P) in standard deviations."""
    agrees = 1 / (1 + (error / AGREES) ** 2)
    return np.array([np.median(row[seen]) if seen.any() else 0.0 for row, seen in zip(agrees, there, strict=True)])
