"""A hypothesis of an instant, seen through a solved rig: where every joint is in the room, and how sure that is.

Axes: V views, J = 17 joints, P points (`segments.POINTS`).
"""

from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.initialise import MIN_INLIER, RELATIVE_DETECTION_SD, detection_sd
from pose_rig.fusion.calibration.segments import JOINTS_FROM_POINTS, LENGTH_INDEX, POINTS, SEGMENTS
from pose_rig.fusion.calibration.self_solve import RigSolution
from pose_rig.fusion.calibration.triangulate import Rays
from pose_rig.fusion.pose.fit import Fit, TemporalPrior, errors, fit
from pose_rig.fusion.pose.hypothesis import Hypothesis
from pose_rig.skeleton import J

AGREES = 3.0  # standard deviations at which a detection agrees by a half
LEAP = 4.0  # standard deviations from where the joints were expected, their median
ALONE = 3.0  # so many times what any other view sees
FEW = 4  # joints seen
CLEAR = 0.5  # agreement below which a view may have been misread
CLEARLY = 0.2  # by which another hypothesis must agree better
LOST = 0.3  # agreement of all views below which the place of an instant ago is given up
_POINTS = list(POINTS)
_PARTS = np.array([np.resize(np.flatnonzero(row), 4) for row in JOINTS_FROM_POINTS])  # (J,4) points that make a joint


@dataclass(frozen=True, slots=True)
class SolvedPose:
    """A pose in the room.

    Attributes:
        joints: (J,3) m.
        covariance: (J,3,3) m².
        inlier: (V,J) 0–1, how far each detection was believed.
        agreed: (V,) 0–1, how well what each view saw fits the pose; 0 where it saw nothing of it.
        projected_px: (V,J,2) where each view should see the joints.
        ideal_xy: (V,P,2) ideal coordinates of what was seen (P: `segments.POINTS`), sd: (V,) their standard deviation,
            seen: (V,P) 0–1.
    """

    joints: Floats
    covariance: Floats
    inlier: Floats
    agreement: Floats
    projected_px: Floats
    ideal_xy: Floats
    sd: Floats
    visible: Floats

    @property
    def points(self) -> Floats:
        """(P,3) m, the joints that are seen for themselves."""
        return self.joints[_POINTS]

    def temporal_prior(self, elapsed_s: float, velocity: Floats | float = 0.0) -> TemporalPrior:
        """Returns what this pose tells of one that comes so much later; velocity (P,3) m/s."""
        return TemporalPrior.after(elapsed_s, self.points, self.covariance[_POINTS], velocity)


def solved_pose(
    hypothesis: Hypothesis, rig: RigSolution, trust: Floats, before: TemporalPrior | None
) -> tuple[Hypothesis, SolvedPose]:
    """Returns the pose of an instant, and the hypothesis with what the pose has cleared up.

    Args:
        hypothesis: Who was seen where, and what the lifts say.
        rig: The cameras, and the person's bones.
        trust: (V,) weight of each view.
        before: Where the person was an instant ago; None = unknown.
    """
    calibration, length = rig.cameras, rig.bone_length_m
    body = hypothesis.out.body[0][_POINTS].astype(float)
    size = median((length[LENGTH_INDEX] / np.maximum(np.linalg.norm(SEGMENTS @ body, axis=-1), 1e-6)).tolist())
    shape = (size * body)[None]
    rays, there = _seen(hypothesis, calibration)
    believed, used, start = np.clip(hypothesis.out.inlier[0][:, _POINTS].astype(float), MIN_INLIER, 1.0), trust, None
    if before is not None:
        error = errors(rays, calibration, before.expected[None])[0]
        agreed = _agreed(error, there)
        expected = _cleared_up(hypothesis, before.expected, agreed, calibration)
        if expected is not hypothesis:
            believed = np.where((expected.assignment != hypothesis.assignment)[:, None], 1.0, believed)
            hypothesis = expected
            rays, there = _seen(hypothesis, calibration)
            error = errors(rays, calibration, before.expected[None])[0]
            agreed = _agreed(error, there)
        used = trust * ~_sudden(error, there, trust)
        if _at_home(agreed, there, trust):
            start = before.expected[None]

    def fitted(believed: Floats) -> tuple[SolvedPose, Floats]:
        weighed = Rays(rays.ideal_xy, rays.sd, rays.weight * believed)
        found = fit(weighed, calibration, length, shape, before, start)
        agreed = _agreed(found.error[0], there)
        if before is not None and agreed[trust > 0].max(initial=0.0) < LOST:
            elsewhere = fit(weighed, calibration, length, shape)
            agreed_there = _agreed(elsewhere.error[0], there)
            if _at_home(agreed_there, there, trust):
                found, agreed = elsewhere, agreed_there
        return _pose(found, rays, there, agreed, calibration), agreed

    pose, agreed = fitted(believed * used[:, None])
    other = _cleared_up(hypothesis, pose.points, agreed, calibration, trust > 0)
    changed = other.assignment != hypothesis.assignment
    if (changed & (trust > 0)).any():
        hypothesis = other
        rays, there = _seen(hypothesis, calibration)
        pose, _ = fitted(np.where(changed[:, None], trust[:, None], believed * used[:, None]))
    return hypothesis, pose


def _seen(hypothesis: Hypothesis, calibration: Calibration) -> tuple[Rays, NDArray[np.bool_]]:
    """Returns what the person followed looks like, everything trusted, and (V,P) which points are seen."""
    ideal_xy = calibration.flat(hypothesis.xy_px[:, _POINTS])
    there = hypothesis.score[:, _POINTS] > 0
    return Rays(ideal_xy[None], detection_sd(ideal_xy, there)[None], there[None].astype(float)), there


def _at_home(agreed: Floats, there: NDArray[np.bool_], trust: Floats) -> bool:
    """Whether the views that see somebody, or two at least, agree that they are there; one proves nothing to another.

    Args:
        agreed: (V,) of each view.
        there: (V,P) what it sees.
        trust: (V,) weight of each view.
    """
    seeing = (trust > 0) & there.any(1)
    return bool(seeing.any() and (agreed[seeing] > CLEAR).sum() >= min(2, seeing.sum()))


def _sudden(error: Floats, there: NDArray[np.bool_], trust: Floats) -> NDArray[np.bool_]:
    """Returns (V,) which view alone sees a leap: it was bumped, or sees somebody else. People leap in all views.

    Args:
        error: (V,P) distance from where the joints were expected, in standard deviations.
        there: (V,P) which are seen.
        trust: (V,) weight of each view.
    """
    judged = (trust > 0) & (there.sum(1) >= FEW)
    if judged.sum() < 3:
        return np.zeros(len(trust), bool)
    leap = np.where(judged, _medians(error, there), 0.0)
    return np.asarray((leap > LEAP) & (leap > ALONE * np.sort(leap)[-2]))


def _pose(found: Fit, rays: Rays, there: NDArray[np.bool_], agreed: Floats, calibration: Calibration) -> SolvedPose:
    joints = JOINTS_FROM_POINTS @ found.points[0]
    covariance = (JOINTS_FROM_POINTS**2 @ found.covariance[0].reshape(len(_POINTS), 9)).reshape(J, 3, 3)
    inlier = (found.inlier[0] * there)[:, _PARTS].min(-1)
    projected, _ = calibration.project(joints)
    sd = np.asarray(rays.sd[0, :, 0])
    return SolvedPose(joints, covariance, inlier, agreed, projected, rays.ideal_xy[0], sd, there.astype(float))


def _cleared_up(
    hypothesis: Hypothesis,
    points: Floats,
    agreed: Floats,
    calibration: Calibration,
    asked: NDArray[np.bool_] | None = None,
) -> Hypothesis:
    """Returns the hypothesis with those people, or their mirror images, whom a pose bears out clearly better.

    The lifts compare shapes; where a body must appear in a picture tells more.

    Args:
        hypothesis: As the lifts have it.
        points: (P,3) m, the pose.
        agreed: (V,) how well those fit it who are followed.
        calibration: The cameras.
        asked: (V,) of which one must fit ill; None = any.
    """
    unclear = hypothesis.observation.present & (agreed < CLEAR)
    if asked is not None and not (unclear & asked).any():
        return hypothesis
    unclear = unclear & calibration.known
    if not unclear.any():
        return hypothesis
    points_px, _ = calibration.project(points)
    observation = (
        hypothesis.observation if hypothesis.observation.mirrored.any() else hypothesis.observation.with_mirrors()
    )
    assignment = hypothesis.assignment.copy()
    for view in np.flatnonzero(unclear).tolist():
        candidates = observation.candidates_of(view)
        there = observation.score[candidates][:, _POINTS] > 0
        off_px = np.linalg.norm(observation.xy_px[candidates][:, _POINTS] - points_px[view], axis=-1)
        sd_px = np.maximum(RELATIVE_DETECTION_SD * np.ptp(points_px[view], axis=0).max(), 1e-6)
        fits = _agreed(off_px / sd_px, there)
        best = int(np.argmax(fits))
        if fits[best] > max(CLEAR, agreed[view] + CLEARLY):
            assignment[view] = candidates[best]
    return replace(hypothesis, observation=observation, assignment=assignment)


def _agreed(error: Floats, there: NDArray[np.bool_]) -> Floats:
    """Returns (V,) the median over the joints seen of how well each fits, from errors (V,P) in standard deviations."""
    return _medians(1 / (1 + (error / AGREES) ** 2), there)


def _medians(values: Floats, there: NDArray[np.bool_]) -> Floats:
    """Returns (R,) row medians of values (R,N) where a mask (R,N) holds, 0 for none; faster than numpy's on few."""
    ordered = np.sort(np.where(there, values, np.inf), axis=1)
    row, count = np.arange(len(values)), there.sum(1)
    middle = 0.5 * (ordered[row, np.maximum(count - 1, 0) // 2] + ordered[row, count // 2])
    return np.where(count > 0, middle, 0.0)
