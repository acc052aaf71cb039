"""Samples of many views at one instant → one pose. No clocks, no sockets: live, files and tests walk the same way.

Axes: V views, C candidates, J = 17 joints.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.config import ASSUMED_HEIGHT_M, FOCAL_PER_LARGER_SIDE, Config
from pose_rig.fusion.calibration.body_scale import BodyScale
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.rotation_averaging import AssumedIntrinsics, gravity_aligned_rotation
from pose_rig.fusion.calibration.self_solve import RigSolution, SolveTask
from pose_rig.fusion.pose.association import PersonTracker
from pose_rig.fusion.pose.fit import TemporalPrior
from pose_rig.fusion.pose.hypothesis import UNASSIGNED, Hypothesis, run_graph
from pose_rig.fusion.pose.landmarks import ExtraLandmarks
from pose_rig.fusion.pose.observation import observe
from pose_rig.fusion.pose.smooth import OneEuro
from pose_rig.fusion.pose.solved_pose import SolvedPose, solved_pose
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.pose.uncertainty import inflate_covariance
from pose_rig.fusion.pose_estimate import PoseEstimate
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.fusion.rig.rig import Rig
from pose_rig.fusion.rig.setup import setup_of
from pose_rig.fusion.rig.solved_rig import SolvedRig
from pose_rig.geometry import nearest_rotation, unrectify
from pose_rig.graph import Engine
from pose_rig.skeleton import JOINTS, J, Landmarks, landmarks
from pose_rig.wire.messages import Mode, RigState
from pose_rig.wire.records import Learned

UP_LEARNED_OVER = 60  # cold instants after which one more moves the vertical by a sixtieth
STEADY_NS = 100_000_000  # a person goes on as they did for about so long
STAYS_NS = 200_000_000  # where a person was tells where they are for this long


class Estimator:
    """The state of one rig.

    Args:
        config: Cameras named.
        engine: Runs the graph.
        background: Where long computations run; None = within `step`, which makes runs repeatable.
        fixed: A solved rig to use from the start and to keep.
    """

    def __init__(
        self,
        config: Config,
        engine: Engine,
        background: BackgroundCompute | None = None,
        fixed: RigSolution | None = None,
    ) -> None:
        self._config, self._engine, self._background = config, engine, background or BackgroundCompute()
        self._fixed = fixed
        self.restart()

    def restart(self) -> None:
        """Discards everything but the configuration and fixed cameras."""
        cameras = self._config.camera
        self._given_focal = np.array([camera.focal_px or np.nan for camera in cameras])
        self._size_px = np.ones((len(cameras), 2))
        self.landmarks: list[Landmarks | None] = [None] * len(cameras)
        self._rig = Rig(setup_of(self._config, self._fixed), self._engine, self._background)
        self._rig.intrinsics = self._intrinsics
        self._tracker = PersonTracker(len(cameras))
        self._body_scale = BodyScale(self._config.height_m or ASSUMED_HEIGHT_M)
        self._smooth = OneEuro(self._config.fusion.min_cutoff_hz, self._config.fusion.beta)
        self._up = np.zeros((len(cameras), 3))
        self._first_from = np.zeros((len(cameras), 3, 3))
        self._instants = 0
        self._extra: ExtraLandmarks | None = None
        self._last = np.zeros((J, 3))
        self._pose: SolvedPose | None = None  # an instant ago
        self._pose_ns = 0
        self._velocity = np.zeros((0, 3))

    def fix_cameras(self) -> None:
        """Solves the rig from all keyframes, then restarts with its cameras, which are kept from then on.

        Where it cannot be solved, it starts over as it was; the reason stays in the note of `rig_state`.
        """
        self._fixed, note = self._rig.finish(), self._rig.note
        self.restart()
        self._rig.note = note

    @property
    def mode(self) -> Mode:
        """How the cameras are known."""
        return self._rig.mode

    def rig_state(self, t_ns: int = 0) -> RigState:
        """Returns all that is known of the cameras; ``t_ns`` is the time in the message."""
        rig = self._rig
        return RigState(t_ns=t_ns, mode=rig.mode, cameras=rig.states(), note=rig.note, bones_m=rig.bones_m)

    def solve_task(self) -> SolveTask:
        """Returns the task of solving the rig from all keyframes."""
        return self._rig.task()

    def view_weights(self, t_ns: int) -> Floats:
        """Returns (V,) 0–1, how much each view counts."""
        return self._rig.trust(t_ns)

    def rig_changed(self) -> bool:
        """Returns whether the cameras or bones in use have changed since this was last called."""
        return self._rig.changed()

    def background_results(self) -> list[Learned]:
        """Returns which results of background computations were used since this was last called."""
        return self._rig.news()

    def expect(self, result: Learned) -> None:
        """Adds when a background result was used in the run that is replayed."""
        self._rig.expect(result)

    def follow(self, state: RigState) -> None:
        """Uses the recorded cameras and bones from now on."""
        self._rig.follow(state)

    @property
    def _intrinsics(self) -> AssumedIntrinsics:
        assumed = FOCAL_PER_LARGER_SIDE * self._size_px.max(-1)
        return AssumedIntrinsics(np.where(np.isfinite(self._given_focal), self._given_focal, assumed), self._size_px)

    @property
    def joints(self) -> tuple[str, ...]:
        """The names of what is placed: the 17 joints, then the landmarks that only a solved rig can place."""
        return JOINTS + (() if self._extra is None else self._extra.names)

    @property
    def calibration(self) -> Calibration | None:
        """The solved cameras, None until then; those that are out are not known."""
        solved = self._rig.solved
        return None if solved is None else replace(solved.rig.cameras, known=solved.known)

    def set_camera(self, view: int, size_px: tuple[int, int], schema: str) -> None:
        """Sets a camera's image size and landmark set, which are known from its first frame on.

        Raises:
            UsageError: The landmark set is unknown.
        """
        marks = landmarks(schema)
        if marks is not self.landmarks[view] or tuple(self._size_px[view]) != size_px:
            self.landmarks[view] = marks
            self._size_px = self._size_px.copy()
            self._size_px[view] = size_px
            self._rig.intrinsics = self._intrinsics

    def step(self, t_ns: int, samples: Sequence[Sample | None]) -> PoseEstimate:
        """Returns the pose at an instant from what each view saw then."""
        focal_px = self._rig.focal_px
        observation = observe(t_ns, samples, self.landmarks, focal_px, self._size_px)
        if self._extra is None and any(marks is not None for marks in self.landmarks):
            self._extra = ExtraLandmarks(self.landmarks)
            self._last = np.zeros((len(self.joints), 3))
        prior, mode, trust, solved = self._rig.prior(t_ns), self._rig.mode, self._rig.trust(t_ns), self._rig.solved
        if (
            prior is not None and observation.present.any() and not trust[observation.view].any()
        ):  # only views are left whose place nobody knows
            prior, mode, trust, solved = None, "cold", np.ones(observation.views), None
        hypothesis = self._tracker.associate(observation, self._engine, prior, trust)
        if hypothesis is None:
            self._rig.nobody()
            return self._nobody(t_ns, mode)
        guess = hypothesis if prior is None else None
        if self._rig.wants_guess(observation.present, t_ns):
            out = run_graph(
                self._engine, hypothesis.observation, hypothesis.assignment[None], None, np.ones(observation.views)
            )
            guess = Hypothesis(hypothesis.observation, hypothesis.assignment, out)
        pose = None
        if solved is not None:
            trust = trust * solved.known
            cleared, pose = solved_pose(hypothesis, solved.rig, trust, self._before(t_ns))
            self._go_on(pose, t_ns)
            instant = self._solved_instant(cleared, pose, solved, trust, samples, own_lifts(hypothesis, cleared))
        else:
            instant = self._instant(hypothesis, mode, focal_px, settled=prior is not None)
        self._rig.learn(hypothesis, guess, pose)
        return instant

    def _before(self, t_ns: int) -> TemporalPrior | None:
        """Returns what the last pose in the solved rig tells of this instant."""
        elapsed_ns = t_ns - self._pose_ns
        if self._pose is None or not 0 <= elapsed_ns <= STAYS_NS:
            return None
        return self._pose.temporal_prior(elapsed_ns * 1e-9, self._velocity)

    def _go_on(self, pose: SolvedPose, t_ns: int) -> None:
        """Takes note of where the person is, and how they move."""
        elapsed_ns = t_ns - self._pose_ns
        if self._pose is None or not 0 < elapsed_ns <= STAYS_NS:
            self._velocity = np.zeros_like(pose.points)
        else:
            share = min(elapsed_ns / STEADY_NS, 1.0)
            self._velocity += share * ((pose.points - self._pose.points) / (elapsed_ns * 1e-9) - self._velocity)
        self._pose, self._pose_ns = pose, t_ns

    def _solved_instant(
        self,
        hypothesis: Hypothesis,
        pose: SolvedPose,
        solved: SolvedRig,
        trust: Floats,
        samples: Sequence[Sample | None],
        lifted: Floats,
    ) -> PoseEstimate:
        cameras = solved.rig.cameras
        seen = hypothesis.score > 0
        distance = np.linalg.norm(pose.projected_px - hypothesis.xy_px, axis=-1) * seen * (trust > 0)[:, None]
        score = (hypothesis.score * pose.inlier * (trust > 0)[:, None]).max(0)
        parts = [(pose.joints, pose.covariance, score)]
        if self._extra is not None and self._extra.names:
            parts.append(
                self._extra.triangulate(hypothesis, samples, self.landmarks, cameras, trust, pose.joints, pose.sd)
            )
        raw, covariance, score = (np.concatenate(column) for column in zip(*parts, strict=True))
        sd_m = np.sqrt(np.trace(covariance, axis1=1, axis2=2) / 3)
        believed = pose.inlier * (trust > 0)[:, None]
        covariance[:J] = inflate_covariance(pose.covariance, pose.joints, believed, cameras.centre)
        if self._extra is not None:
            covariance[J:] += self._extra.at_parents(covariance[:J]) * (score[J:] == 0)[:, None, None]
        self._last = self._smooth(hypothesis.observation.t_ns, raw, sd_m)
        nothing = np.where(solved.known, 1.0, np.nan)
        residual = np.zeros(len(raw))
        residual[:J] = distance.sum(0) / np.maximum((seen & (trust > 0)[:, None]).sum(0), 1)
        return PoseEstimate(
            t_ns=hypothesis.observation.t_ns,
            mode="solved",
            tracking=True,
            joints=self.joints,
            xyz=self._last,
            xyz_raw=raw,
            covariance=covariance,
            score=score,
            residual_px=residual,
            followed=np.where(hypothesis.present, hypothesis.observation.person[hypothesis.candidate], UNASSIGNED),
            refined_px=pose.projected_px * nothing[:, None, None],
            inlier=pose.inlier * nothing[:, None],
            lifted=lifted,
            rotation=cameras.rotation * nothing[:, None, None],
        )

    def _instant(self, hypothesis: Hypothesis, mode: Mode, focal_px: Floats, *, settled: bool) -> PoseEstimate:
        observation, out, present, chosen = (
            hypothesis.observation,
            hypothesis.out,
            hypothesis.present,
            hypothesis.candidate,
        )
        frame = observation.ray_from_camera[chosen]
        turned = frame.swapaxes(-1, -2) @ out.ray_from_body[0].astype(float)  # camera_from_body
        rig_from_body = np.eye(3) if settled else self._rig_from_body(turned, frame, out.upright[chosen], present)
        joints = self._body_scale(out.body[0].astype(float) @ rig_from_body.T)
        raw = np.concatenate([joints, self._extra.at_parents(joints)]) if self._extra is not None else joints
        self._last = self._smooth(observation.t_ns, raw)
        norm = observation.norm[chosen]
        fused = reproject(out.body[0], out.ray_from_body[0], out.scale[0], out.offset[0], norm)
        flat = np.stack([out.refined[0].astype(float), fused])
        refined, reprojected = unrectify(flat, norm, frame, focal_px, self._size_px)
        seen = hypothesis.score > 0
        distance = np.linalg.norm(reprojected - hypothesis.xy_px, axis=-1) * seen
        nothing = np.where(present, 1.0, np.nan)
        score, residual = np.zeros(len(raw)), np.zeros(len(raw))
        score[:J] = (hypothesis.score * out.inlier[0]).max(0)
        residual[:J] = distance.sum(0) / np.maximum(seen.sum(0), 1)
        return PoseEstimate(
            t_ns=observation.t_ns,
            mode=mode,
            tracking=True,
            joints=self.joints,
            xyz=self._last,
            xyz_raw=raw,
            covariance=np.full((len(raw), 3, 3), np.nan),
            score=score,
            residual_px=residual,
            followed=np.where(present, observation.person[chosen], UNASSIGNED),
            refined_px=refined * nothing[:, None, None],
            inlier=out.inlier[0] * nothing[:, None],
            lifted=own_lifts(hypothesis),
            rotation=turned @ rig_from_body.T * nothing[:, None, None],
        )

    def _nobody(self, t_ns: int, mode: Mode) -> PoseEstimate:
        views, count = len(self.landmarks), len(self._last)
        return PoseEstimate(
            t_ns=t_ns,
            mode=mode,
            tracking=False,
            joints=self.joints,
            xyz=self._last,
            xyz_raw=self._last,
            covariance=np.full((count, 3, 3), np.nan),
            score=np.zeros(count),
            residual_px=np.zeros(count),
            followed=np.full(views, UNASSIGNED),
            refined_px=np.full((views, J, 2), np.nan),
            inlier=np.full((views, J), np.nan),
            lifted=np.full((views, J, 3), np.nan),
            rotation=np.full((views, 3, 3), np.nan),
        )

    def _rig_from_body(
        self, turned: Floats, frame: Floats, upright: NDArray[np.float32], present: NDArray[np.bool_]
    ) -> Floats:
        """Returns where the rig's axes are while it is cold: the first camera's, levelled by the learned vertical.

        When the first camera sees nobody, its place relative to another one, learned so far, stands in.
        """
        ahead = np.array([0.0, 0.0, 1.0])
        first = int(np.flatnonzero(present)[0])
        if first and np.linalg.det(self._first_from[first]) > 0.1:
            first_turned = nearest_rotation(self._first_from[first]) @ turned[first]
            return np.asarray(gravity_aligned_rotation(self._up[0], ahead) @ first_turned)
        self._instants += 1
        share = 1 / min(self._instants, UP_LEARNED_OVER)
        first_from = turned[first] @ turned.swapaxes(-1, -2)
        if first == 0:
            self._first_from += share * present[:, None, None] * (first_from - self._first_from)
        vertical = np.einsum("vij,vkj,vk->vi", first_from, frame, upright.astype(float))[present].mean(0)
        self._up[first] += share * (vertical - self._up[first])
        if len(present) == 1 and self._instants >= UP_LEARNED_OVER:
            self._rig.see_up(self._up[0])
        return np.asarray(gravity_aligned_rotation(self._up[first], ahead) @ turned[first])


def own_lifts(hypothesis: Hypothesis, cleared: Hypothesis | None = None) -> Floats:
    """Returns (V,J,3) each view's own lift in its camera's axes, NaN where it sees nobody.

    Args:
        hypothesis: As the lifts have it.
        cleared: As the pose has it, which may follow somebody in views that were left out before.
    """
    chosen, present = hypothesis.candidate, hypothesis.present
    if cleared is not None:
        taken_in = cleared.present & ~present  # only those that are not exchanged were lifted
        chosen = np.where(taken_in, cleared.assignment % len(hypothesis.out.lifted), chosen)
        present = present | taken_in
    nothing = np.where(present, 1.0, np.nan)[:, None, None]
    frame = hypothesis.observation.ray_from_camera[chosen]
    return np.asarray(np.einsum("vji,vkj->vki", frame, hypothesis.out.lifted[chosen].astype(float)) * nothing)


def reproject(
    body: NDArray[np.float32],
    rotation: NDArray[np.float32],
    scale: NDArray[np.float32],
    offset: NDArray[np.float32],
    norm: Floats,
) -> Floats:
    """Returns (V,J,2) where a fused pose (J,3) lies in the views' ray frames; see `GraphOutput` for the rest."""
    local = scale[:, None, None] * (body @ rotation.swapaxes(-1, -2)).astype(float)
    near = np.clip(local[..., 2] * norm[:, None], -0.4, 0.4)
    return np.asarray((local[..., :2] + offset[:, None]) / (1 + near[..., None]))
