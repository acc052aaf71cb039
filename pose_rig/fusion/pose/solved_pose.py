"""The pose of one time step in a solved rig, and the assignment of candidates that it supports.

Axes: V views, J = 17 joints, P points (`segments.POINTS`).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.segments import JOINTS_FROM_POINTS, POINTS, with_segment_lengths
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.initialise import MIN_INLIER, RELATIVE_DETECTION_SD, detection_sd
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.triangulate import Rays, to_camera_frames
from pose_rig.fusion.pose.computation import Computations
from pose_rig.fusion.pose.fit import Fit, PoseFit, TemporalPrior, reprojection_errors
from pose_rig.fusion.pose.hypothesis import Hypothesis
from pose_rig.geometry import MIN_DEPTH_M
from pose_rig.skeleton import J

AGREEMENT_SCALE_SD = 3.0  # Cauchy scale: reprojection error at which the agreement is one half
MIN_JUMP_SD = 4.0  # median reprojection error against the predicted joints
MIN_JUMP_RATIO = 3.0  # to the second largest one among the views
MIN_JUMP_JOINTS = 4  # visible
MAX_SPEED_CHANGE_M_S = 3.0  # of the median joint, which the only view may show: 99.9 % of captured movement is below 2
MIN_AGREEMENT = 0.5  # below, another candidate is considered
MIN_GAIN = 0.2  # in agreement, for another candidate
LOST_AGREEMENT = 0.3  # of all views, below which the temporal prior is dropped
_POINTS = list(POINTS)
_POINTS_OF_JOINT = np.array([np.resize(np.flatnonzero(row), 4) for row in JOINTS_FROM_POINTS])  # (J,4)


@dataclass(frozen=True, slots=True)
class SolvedPose:
    """A pose in the room.

    Attributes:
        joints: (J,3) m.
        covariance: (J,3,3) m².
        inlier: (V,J) 0–1, robust weight of each detection.
        agreement: (V,) 0–1, of each view's detections with the pose; 0 where nothing is visible.
        projected_px: (V,J,2) the joints projected into the views.
        ideal_xy: (V,P,2) ideal coordinates of the detections, sd: (V,) their standard deviation, visible: (V,P) 0–1.
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
        """(P,3) m, the joints that detectors measure directly."""
        return self.joints[_POINTS]

    def temporal_prior(self, elapsed_s: float, velocity: Floats | float = 0.0) -> TemporalPrior:
        """Returns the prior for the pose after some time; velocity (P,3) m/s."""
        return TemporalPrior.after(elapsed_s, self.points, self.covariance[_POINTS], velocity)


_Fitted = Computations[tuple[SolvedPose, Floats]]  # the annotations of inner functions are evaluated in every call


def lifted_shape(hypothesis: Hypothesis, length: Floats) -> Floats:
    """Returns (P,3) m the lifted pose, rig axes, of a person with segment lengths (L,) m."""
    return with_segment_lengths(hypothesis.out.body[0][_POINTS].astype(float), length)


def solved_pose(
    hypothesis: Hypothesis,
    rig: RigSolution,
    view_weight: Floats,
    prior: TemporalPrior | None,
    may_jump: NDArray[np.bool_] | None = None,
) -> Computations[tuple[Hypothesis, SolvedPose]]:
    """Returns the hypothesis, with candidates reassigned where the pose supports others, and the pose.

    Args:
        hypothesis: Assignment and graph output.
        rig: The cameras, and the person's bones.
        view_weight: (V,).
        prior: From the previous time step; None = no prior.
        may_jump: (V,) views that agreed until now (`PersonMotion.may_jump`); None = none.
    """
    cameras, length = rig.cameras, rig.bone_length_m
    shape = lifted_shape(hypothesis, length)[None]
    rays, visible = _rays(hypothesis)
    inlier = np.clip(hypothesis.out.inlier[0][:, _POINTS].astype(float), MIN_INLIER, 1.0)
    used, initial = view_weight, None
    if prior is not None:
        error = reprojection_errors(rays, cameras, prior.expected[None])[0]
        agreement = _agreement(error, visible)
        expected = _reassigned(hypothesis, prior.expected, agreement, cameras)
        if expected is not hypothesis:
            inlier = np.where((expected.assignment != hypothesis.assignment)[:, None], 1.0, inlier)
            hypothesis = expected
            rays, visible = _rays(hypothesis)
            error = reprojection_errors(rays, cameras, prior.expected[None])[0]
            agreement = _agreement(error, visible)
        moved_sd = _speed_change_sd(prior, rays, cameras)
        used = view_weight * ~_jumping(error, visible, view_weight, may_jump, moved_sd)
        if not (used[:, None] * visible).any() or _is_supported(agreement, visible, used):
            initial = prior.expected[None]

    waits = may_jump is not None and bool(may_jump.any()) and ((view_weight > 0) & visible.any(1)).sum() == 1

    def fitted(inlier: Floats) -> _Fitted:
        weighted = Rays(rays.ideal_xy, rays.sd, rays.weight * inlier)
        found = yield PoseFit(weighted, cameras, length, shape, prior, initial)
        agreement = _agreement(found.error[0], visible)
        if prior is not None and not waits and agreement[view_weight > 0].max(initial=0.0) < LOST_AGREEMENT:
            without_prior = yield PoseFit(weighted, cameras, length, shape)
            agreement_without = _agreement(without_prior.error[0], visible)
            if _is_supported(agreement_without, visible, view_weight):
                found, agreement = without_prior, agreement_without
        return _pose(found, rays, visible, agreement, cameras), agreement

    pose, agreement = yield from fitted(inlier * used[:, None])
    other = _reassigned(hypothesis, pose.points, agreement, cameras, view_weight > 0)
    changed = other.assignment != hypothesis.assignment
    if (changed & (view_weight > 0)).any():
        hypothesis = other
        rays, visible = _rays(hypothesis)
        pose, _ = yield from fitted(np.where(changed[:, None], view_weight[:, None], inlier * used[:, None]))
    return hypothesis, pose


def _rays(hypothesis: Hypothesis) -> tuple[Rays, NDArray[np.bool_]]:
    """Returns the rays of the person assigned, all of weight 1, and (V,P) which points are visible."""
    ideal_xy = hypothesis.ideal_xy[:, _POINTS]
    visible = hypothesis.score[:, _POINTS] > 0
    return Rays(ideal_xy[None], detection_sd(ideal_xy, visible)[None], visible[None].astype(float)), visible


def _is_supported(agreement: Floats, visible: NDArray[np.bool_], view_weight: Floats) -> bool:
    """Whether two views, or the only one with detections (V,P), agree (V,) with a pose."""
    used = (view_weight > 0) & visible.any(1)
    return bool(used.any() and (agreement[used] > MIN_AGREEMENT).sum() >= min(2, used.sum()))


def _speed_change_sd(prior: TemporalPrior, rays: Rays, cameras: Calibration) -> Floats:
    """Returns (V,) how far a person who changes speed may be from the prediction in each view, in sd of a detection."""
    depth = to_camera_frames(cameras, prior.expected)[..., 2].mean(0)
    sd_m = np.maximum(depth, MIN_DEPTH_M) * rays.sd[0, :, 0]
    return np.asarray(MAX_SPEED_CHANGE_M_S * prior.elapsed_s / np.maximum(sd_m, 1e-6))


def _jumping(
    error: Floats,
    visible: NDArray[np.bool_],
    view_weight: Floats,
    may_jump: NDArray[np.bool_] | None,
    speed_change_sd: Floats,
) -> NDArray[np.bool_]:
    """Returns (V,) the views that jump: their camera was moved, or another person was detected.

    That is one which jumps alone among three, one of two that agreed until now while the other still does, or the only
    one, as long as there is a recent pose.

    Args:
        error: (V,P) reprojection errors of the predicted joints, in standard deviations.
        visible: (V,P).
        view_weight: (V,).
        may_jump: (V,) views that agreed until now; None = none.
        speed_change_sd: (V,) of the person, as of `_speed_change_sd`; other views show it, too, if there are any.
    """
    used = (view_weight > 0) & (visible.sum(1) >= MIN_JUMP_JOINTS)
    jump = np.where(used, _masked_medians(error, visible), 0.0)
    far = used & (jump > MIN_JUMP_SD)
    alone = far & (used.sum() > 2) & (jump > MIN_JUMP_RATIO * np.sort(jump)[-2:][0])
    if may_jump is None:
        return np.asarray(alone)
    if used.sum() == 1:  # for a moment it may show another person, or only parts of this one
        return np.asarray(far & (jump > MIN_JUMP_SD + speed_change_sd) & may_jump.any())
    other_agrees = (used & (jump < MIN_JUMP_SD / MIN_JUMP_RATIO)).any()
    return np.asarray(alone | far & may_jump & (used.sum() == 2) & other_agrees)


def _pose(found: Fit, rays: Rays, visible: NDArray[np.bool_], agreement: Floats, cameras: Calibration) -> SolvedPose:
    joints = JOINTS_FROM_POINTS @ found.points[0]
    covariance = (JOINTS_FROM_POINTS**2 @ found.covariance[0].reshape(len(_POINTS), 9)).reshape(J, 3, 3)
    inlier = (found.inlier[0] * visible)[:, _POINTS_OF_JOINT].min(-1)
    projected, _ = cameras.project(joints)
    sd = np.asarray(rays.sd[0, :, 0])
    return SolvedPose(joints, covariance, inlier, agreement, projected, rays.ideal_xy[0], sd, visible.astype(float))


def _reassigned(
    hypothesis: Hypothesis,
    points: Floats,
    agreement: Floats,
    cameras: Calibration,
    required: NDArray[np.bool_] | None = None,
) -> Hypothesis:
    """Returns the hypothesis with those candidates, or their mirror images, that agree clearly better with a pose.

    The graph compares shapes; the position in the image is more specific. The pose is given by its points (P,3) m, the
    agreement (V,) is that of the candidates assigned. At least one of the views required (V,) must disagree.
    """
    observation = hypothesis.observation
    disagrees = observation.present & (agreement < MIN_AGREEMENT)
    if required is not None and not (disagrees & required).any():
        return hypothesis
    disagrees = disagrees & cameras.known
    if not disagrees.any():
        return hypothesis
    points_px, _ = cameras.project(points)
    if not observation.mirrored.any():
        observation = observation.with_mirrors()
    assignment = hypothesis.assignment.copy()
    for view in np.flatnonzero(disagrees).tolist():
        candidates = observation.candidates_of(view)
        visible = observation.score[candidates][:, _POINTS] > 0
        error_px = np.linalg.norm(observation.xy_px[candidates][:, _POINTS] - points_px[view], axis=-1)
        sd_px = np.maximum(RELATIVE_DETECTION_SD * np.ptp(points_px[view], axis=0).max(), 1e-6)
        candidate_agreement = _agreement(error_px / sd_px, visible)
        best = int(np.argmax(candidate_agreement))
        if candidate_agreement[best] > max(MIN_AGREEMENT, agreement[view] + MIN_GAIN):
            assignment[view] = candidates[best]
    return replace(hypothesis, observation=observation, assignment=assignment)


def _agreement(error: Floats, visible: NDArray[np.bool_]) -> Floats:
    """Returns (V,) medians over the visible points of Cauchy weights, from errors (V,P) in standard deviations."""
    return _masked_medians(1 / (1 + (error / AGREEMENT_SCALE_SD) ** 2), visible)


def _masked_medians(values: Floats, mask: NDArray[np.bool_]) -> Floats:
    """Returns (R,) row medians of values (R,N) where a mask (R,N) holds, 0 for none; faster than `numpy.ma`."""
    ordered = np.sort(np.where(mask, values, np.inf), axis=1)
    row, count = np.arange(len(values)), mask.sum(1)
    middle = 0.5 * (ordered[row, np.maximum(count - 1, 0) // 2] + ordered[row, count // 2])
    return np.where(count > 0, middle, 0.0)
