"""One person: data association in every view, body scale, motion and the smoothed pose.

Axes: V views, J = 17 joints.
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.config import ASSUMED_HEIGHT_M, Config
from pose_rig.fusion.calibration.body_scale import BodyScale
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.people.step_input import StepInput
from pose_rig.fusion.pose.association import DataAssociation
from pose_rig.fusion.pose.cold_frame import ColdFrame
from pose_rig.fusion.pose.computation import Computations
from pose_rig.fusion.pose.continuity import ContinuousPosition
from pose_rig.fusion.pose.hypothesis import UNASSIGNED, Hypothesis
from pose_rig.fusion.pose.lifts import camera_from_body, own_lifts, reproject
from pose_rig.fusion.pose.motion import PersonMotion
from pose_rig.fusion.pose.observation import Observation
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.pose.smooth import OneEuro
from pose_rig.fusion.pose.solved_pose import SolvedPose, solved_pose
from pose_rig.fusion.pose.uncertainty import inflate_covariance
from pose_rig.fusion.rig.camera_properties import CameraProperties
from pose_rig.fusion.rig.rig_view import RigView
from pose_rig.geometry import nearest_rotation, unrectify_ideal
from pose_rig.skeleton import J
from pose_rig.wire.messages import Mode


class PersonTracker:
    """All state that belongs to one person; several can share a rig."""

    def __init__(self, config: Config) -> None:
        views = len(config.camera)
        self._association = DataAssociation(views, may_switch=config.people == 1)
        self._body_scale = BodyScale(config.height_m or ASSUMED_HEIGHT_M)
        self._smooth = OneEuro(config.fusion.min_cutoff_hz, config.fusion.beta)
        self._motion, self._cold_frame = PersonMotion(views), ColdFrame(views)
        self._position = ContinuousPosition()
        self._was_solved = False
        self._xyz: Floats | None = None  # smoothed, of the last time step
        self._rig_from_cold: tuple[Floats, Floats] | None = (
            None  # while the rig is solved and its cameras lost the person
        )

    @property
    def vertical(self) -> Floats | None:
        """As in `ColdFrame`."""
        return self._cold_frame.vertical

    def may_jump(self, t_ns: int) -> NDArray[np.bool_]:
        """As in `PersonMotion`."""
        return self._motion.may_jump(t_ns)

    def expected(self, t_ns: int) -> Floats | None:
        """As in `PersonMotion`."""
        return self._motion.expected(t_ns)

    def restart_position(self) -> None:
        """Lets the next pose be anywhere."""
        self._position.restart()
        self._motion.restart()

    def estimate(self, given: StepInput) -> Computations[tuple[PoseEstimate, Hypothesis | None, SolvedPose | None]]:
        """Returns the pose at a time step, the data association (None = in no view), and the pose in the solved rig."""
        observation, rig, cameras = given.observation, given.rig, given.cameras
        hypothesis = yield from self._association.associate(observation, given.engine, rig.prior, rig.weight)
        if hypothesis is None:
            return self._untracked(observation, rig.mode, cameras), None, None
        if hypothesis.switched or not self._was_solved:
            self._position.restart()
        self._was_solved |= rig.solution is not None
        if rig.solution is None:
            return self._unsolved(hypothesis, cameras, rig), hypothesis, None
        self._rig_from_cold = None
        weight = rig.weight * rig.known
        prior = self._motion.prior(observation.t_ns)
        may_jump = self._motion.may_jump(observation.t_ns)
        corrected, solved = yield from solved_pose(hypothesis, rig.solution, weight, prior, may_jump)
        self._motion.update(solved, observation.t_ns)
        lifted = own_lifts(hypothesis, corrected)
        pose = yield from self._solved(given, corrected, solved, rig.solution, weight, lifted)
        return pose, hypothesis, solved

    def _solved(
        self,
        given: StepInput,
        hypothesis: Hypothesis,
        pose: SolvedPose,
        solution: RigSolution,
        weight: Floats,
        lifted: Floats,
    ) -> Computations[PoseEstimate]:
        cameras, known, t_ns = given.cameras, given.rig.known, given.t_ns
        used, extra = (weight > 0)[:, None], cameras.extra
        visible = hypothesis.score > 0
        distance = np.linalg.norm(pose.projected_px - hypothesis.xy_px, axis=-1) * visible * used
        score = (hypothesis.score * pose.inlier * used).max(0)
        parts = [(pose.joints, pose.covariance, score)]
        if extra is not None and extra.names:
            placed = yield from extra.triangulate(
                hypothesis, given.samples, cameras.landmarks, solution.cameras, weight, pose.joints, pose.sd
            )
            parts.append(placed)
        raw, covariance, score = (np.concatenate(column) for column in zip(*parts, strict=True))
        sd_m = np.sqrt(np.trace(covariance, axis1=1, axis2=2) / 3)
        centre = solution.cameras.centre
        covariance[:J] = inflate_covariance(pose.covariance, pose.joints, pose.inlier * used, centre)
        if extra is not None:
            covariance[J:] += extra.at_parents(covariance[:J]) * (score[J:] == 0)[:, None, None]
        offset = self._position(t_ns, pose.joints)
        raw, covariance = raw + offset, covariance + np.outer(offset, offset)
        self._xyz = self._smooth(t_ns, raw, sd_m)
        residual = np.zeros(len(raw))
        residual[:J] = distance.sum(0) / np.maximum((visible & used).sum(0), 1)
        or_nan = np.where(known, 1.0, np.nan)
        return PoseEstimate(
            t_ns=t_ns,
            mode="solved",
            tracking=True,
            joints=cameras.joints,
            xyz=self._xyz,
            xyz_raw=raw,
            covariance=covariance,
            smoothing_sd_m=sd_m,
            score=score,
            residual_px=residual,
            person_index=_person_index(hypothesis),
            refined_px=pose.projected_px * or_nan[:, None, None],
            inlier=pose.inlier * or_nan[:, None],
            lifted=lifted,
            camera_from_rig=solution.cameras.rotation * or_nan[:, None, None],
        )

    def _unsolved(self, hypothesis: Hypothesis, cameras: CameraProperties, rig: RigView) -> PoseEstimate:
        observation, out, present = hypothesis.observation, hypothesis.out, hypothesis.present
        candidate, extra, from_body = hypothesis.candidate, cameras.extra, camera_from_body(hypothesis)
        ray_from_camera, norm = observation.ray_from_camera[candidate], observation.norm[candidate]
        rig_from_body = np.eye(3)
        if rig.prior is None:
            upright = out.upright[candidate]
            rig_from_body = self._cold_frame.rig_from_body(from_body, ray_from_camera, upright, present)
        joints = self._body_scale(out.body[0].astype(float) @ rig_from_body.T)
        if rig.lost:
            rig_from_body, joints = self._continued(rig_from_body, joints)
        else:
            self._rig_from_cold = None
        raw = np.concatenate([joints, extra.at_parents(joints)]) if extra is not None else joints
        raw = raw + self._position(observation.t_ns, joints)
        self._xyz = self._smooth(observation.t_ns, raw)
        fused = reproject(out.body[0], out.ray_from_body[0], out.scale[0], out.offset[0], norm)
        ray_xy = np.stack([out.refined[0].astype(float), fused])
        refined, reprojected = rig.intrinsics.pixels(unrectify_ideal(ray_xy, norm, ray_from_camera))
        visible = hypothesis.score > 0
        distance = np.linalg.norm(reprojected - hypothesis.xy_px, axis=-1) * visible
        score, residual = np.zeros(len(raw)), np.zeros(len(raw))
        score[:J] = (hypothesis.score * out.inlier[0]).max(0)
        residual[:J] = distance.sum(0) / np.maximum(visible.sum(0), 1)
        or_nan = np.where(present, 1.0, np.nan)
        return PoseEstimate(
            t_ns=observation.t_ns,
            mode=rig.mode,
            tracking=True,
            joints=cameras.joints,
            xyz=self._xyz,
            xyz_raw=raw,
            covariance=np.full((len(raw), 3, 3), np.nan),
            smoothing_sd_m=np.full(len(raw), np.nan),
            score=score,
            residual_px=residual,
            person_index=_person_index(hypothesis),
            refined_px=refined * or_nan[:, None, None],
            inlier=out.inlier[0] * or_nan[:, None],
            lifted=own_lifts(hypothesis),
            camera_from_rig=from_body @ rig_from_body.T * or_nan[:, None, None],
        )

    def _continued(self, rig_from_body: Floats, joints: Floats) -> tuple[Floats, Floats]:
        """Returns rotation and joints (J,3) m at the last pose: one time step alone has another frame."""
        if self._rig_from_cold is None:
            here = joints if self._xyz is None else self._xyz[:J]
            centred = here - here.mean(0)
            rotation = nearest_rotation(centred.T @ (joints - joints.mean(0)))
            self._rig_from_cold = rotation, here.mean(0) - rotation @ joints.mean(0)
        rotation, origin = self._rig_from_cold
        return rotation @ rig_from_body, joints @ rotation.T + origin

    def _untracked(self, observation: Observation, mode: Mode, cameras: CameraProperties) -> PoseEstimate:
        """Returns the last pose, for a time step at which the person is in no view."""
        views, count = observation.views, len(cameras.joints)
        xyz = self._xyz if self._xyz is not None else np.zeros((count, 3))
        return PoseEstimate(
            t_ns=observation.t_ns,
            mode=mode,
            tracking=False,
            joints=cameras.joints,
            xyz=xyz,
            xyz_raw=xyz,
            covariance=np.full((count, 3, 3), np.nan),
            smoothing_sd_m=np.full(count, np.nan),
            score=np.zeros(count),
            residual_px=np.zeros(count),
            person_index=np.full(views, UNASSIGNED),
            refined_px=np.full((views, J, 2), np.nan),
            inlier=np.full((views, J), np.nan),
            lifted=np.full((views, J, 3), np.nan),
            camera_from_rig=np.full((views, 3, 3), np.nan),
        )


def _person_index(hypothesis: Hypothesis) -> NDArray[np.int64]:
    """Returns (V,) the index of the person in each view's sample."""
    person = hypothesis.observation.person[hypothesis.candidate]
    return np.where(hypothesis.present, person, UNASSIGNED)
