"""Samples of many views at one instant → one pose. No clocks, no sockets: live, files and tests walk the same way.

Axes: V views, C candidates, J = 17 joints.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.config import ASSUMED_HEIGHT_M, FOCAL_PER_LARGER_SIDE, Config
from pose_rig.fusion.modes import Rig
from pose_rig.fusion.observation import observe
from pose_rig.fusion.people import Follower
from pose_rig.fusion.placement import Placement
from pose_rig.fusion.reading import ABSENT, Reading, run
from pose_rig.fusion.rig import frame_of
from pose_rig.fusion.smooth import OneEuro
from pose_rig.fusion.sync import Sample
from pose_rig.geometry import nearest_rotation, unrectify
from pose_rig.graph import Engine
from pose_rig.messages import Mode
from pose_rig.skeleton import J, Landmarks, landmarks

Floats = NDArray[np.float64]

UP_LEARNED_OVER = 60  # cold instants after which one more moves the vertical by a sixtieth


@dataclass(frozen=True, slots=True)
class FusedInstant:
    """All that is known of one instant. NaN where a view has nothing to say.

    Attributes:
        t_ns: The instant.
        mode: How the rotations were known.
        tracking: False when nobody was seen: the pose is then the last one known.
        xyz: (J,3) m, rig frame, smoothed; xyz_raw: before.
        score: (J,) 0–1, 0 = guessed.
        residual_px: (J,).
        followed: (V,) index of the person followed in each view's sample, −1 for none.
        refined_px: (V,J,2).
        inlier: (V,J).
        lifted: (V,J,3) each view's own lift, camera axes, root-relative, unit scale.
        rotation: (V,3,3) camera_from_rig.
    """

    t_ns: int
    mode: Mode
    tracking: bool
    xyz: Floats
    xyz_raw: Floats
    score: Floats
    residual_px: Floats
    followed: NDArray[np.int64]
    refined_px: Floats
    inlier: Floats
    lifted: Floats
    rotation: Floats


class Fusion:
    """The state of one rig.

    Args:
        config: Cameras named.
        engine: Runs the graph.
        executor: Where the rig is solved; None = at once, which makes runs repeatable.
    """

    def __init__(self, config: Config, engine: Engine, executor: Executor | None) -> None:
        cameras = config.camera
        self._engine = engine
        self._given_focal = np.array([camera.focal_px or np.nan for camera in cameras])
        self._size_px = np.ones((len(cameras), 2))
        self.landmarks: list[Landmarks | None] = [None] * len(cameras)
        self.rig = Rig([camera.name for camera in cameras], self._focal_px, engine, executor)
        self._follower = Follower(len(cameras))
        self._placement = Placement(config.height_m or ASSUMED_HEIGHT_M)
        self._smooth = OneEuro(config.fusion.min_cutoff_hz, config.fusion.beta)
        self._up = np.zeros((len(cameras), 3))
        self._first_from = np.zeros((len(cameras), 3, 3))
        self._instants = 0
        self._last = np.zeros((J, 3))

    @property
    def _focal_px(self) -> Floats:
        assumed = FOCAL_PER_LARGER_SIDE * self._size_px.max(-1)
        return np.where(np.isfinite(self._given_focal), self._given_focal, assumed)

    def describe(self, view: int, size_px: tuple[int, int], schema: str) -> None:
        """Takes note of a camera's image size and landmark set, which its first sample tells.

        Raises:
            UsageError: The landmark set is unknown.
        """
        self.landmarks[view] = landmarks(schema)
        self._size_px[view] = size_px
        self.rig.focal_px = self._focal_px

    def step(self, t_ns: int, samples: Sequence[Sample | None]) -> FusedInstant:
        """Returns the pose at an instant from what each view saw then."""
        observation = observe(t_ns, samples, self.landmarks, self._focal_px, self._size_px)
        prior, mode, trust = self.rig.prior, self.rig.mode, self.rig.trust
        if prior is not None and not trust[observation.view].any():  # only views are left whose place nobody knows
            prior, mode, trust = None, "cold", np.ones(observation.views)
        reading = self._follower.read(observation, self._engine, prior, trust)
        if reading is None:
            self.rig.nobody()
            return self._nobody(t_ns, mode)
        guess = reading if prior is None else None
        if self.rig.wants_guess(observation):
            out = run(self._engine, reading.observation, reading.pick[None], None, np.ones(observation.views))
            guess = Reading(reading.observation, reading.pick, out)
        self.rig.learn(reading, guess)
        return self._instant(reading, mode, settled=prior is not None)

    def _instant(self, reading: Reading, mode: Mode, *, settled: bool) -> FusedInstant:
        observation, out, pick = reading.observation, reading.out, reading.pick
        present = pick != ABSENT
        chosen = np.where(present, pick, 0)
        frame = observation.ray_from_camera[chosen]
        turned = frame.swapaxes(-1, -2) @ out.rotation[0].astype(float)  # camera_from_body
        rig_from_body = np.eye(3) if settled else self._rig_from_body(turned, frame, out.upright[chosen], present)
        raw = self._placement(out.body[0].astype(float) @ rig_from_body.T)
        self._last = self._smooth(observation.t_ns, raw)
        norm = observation.norm[chosen]
        fused = reproject(out.body[0], out.rotation[0], out.scale[0], out.offset[0], norm)
        flat = np.stack([out.refined[0].astype(float), fused])
        refined, reprojected = unrectify(flat, norm, frame, self._focal_px, self._size_px)
        seen = (observation.score[chosen] > 0) & present[:, None]
        distance = np.linalg.norm(reprojected - observation.xy_px[chosen], axis=-1) * seen
        residual = distance.sum(0) / np.maximum(seen.sum(0), 1)
        lifted = np.einsum("vji,vkj->vki", frame, out.lifted[chosen].astype(float))
        nothing = np.where(present, 1.0, np.nan)
        return FusedInstant(
            t_ns=observation.t_ns,
            mode=mode,
            tracking=True,
            xyz=self._last,
            xyz_raw=raw,
            score=(observation.score[chosen] * out.inlier[0] * present[:, None]).max(0),
            residual_px=residual,
            followed=np.where(present, observation.person[chosen], ABSENT),
            refined_px=refined * nothing[:, None, None],
            inlier=out.inlier[0] * nothing[:, None],
            lifted=lifted * nothing[:, None, None],
            rotation=turned @ rig_from_body.T * nothing[:, None, None],
        )

    def _nobody(self, t_ns: int, mode: Mode) -> FusedInstant:
        views = len(self.landmarks)
        return FusedInstant(
            t_ns=t_ns,
            mode=mode,
            tracking=False,
            xyz=self._last,
            xyz_raw=self._last,
            score=np.zeros(J),
            residual_px=np.zeros(J),
            followed=np.full(views, ABSENT),
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
            return np.asarray(frame_of(self._up[0], ahead) @ first_turned)
        self._instants += 1
        share = 1 / min(self._instants, UP_LEARNED_OVER)
        first_from = turned[first] @ turned.swapaxes(-1, -2)
        if first == 0:
            self._first_from += share * present[:, None, None] * (first_from - self._first_from)
        vertical = np.einsum("vij,vkj,vk->vi", first_from, frame, upright.astype(float))[present].mean(0)
        self._up[first] += share * (vertical - self._up[first])
        return np.asarray(frame_of(self._up[first], ahead) @ turned[first])


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
