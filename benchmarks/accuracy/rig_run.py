"""The run of one simulated rig, compared with the calibrated one.

Axes: V views, T time steps, J = 17 joints, L = 12 limb joints.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.calibrated import cameras_of, is_triangulable, triangulate
from benchmarks.accuracy.similarity import Similarity, global_mm, mirrored, pa_mm
from benchmarks.accuracy.simulated_rigs import RigTake, camera_states
from pose_rig.arrays import Floats
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.geometry import angle_deg
from pose_rig.graph import Engine
from pose_rig.simulation.cameras import Cameras
from pose_rig.skeleton import LIMBS
from pose_rig.wire.messages import CameraState, Mode

LIMB = list(LIMBS)


@dataclass(frozen=True, slots=True)
class CameraError:
    """The error of a solved camera, after the poses have been room_from_rig with the true ones.

    Attributes:
        rotation_deg: Of its rotation.
        position_m: Of its position.
        focal: Relative error of its focal length; 0.1 = ten percent too long.
    """

    rotation_deg: float
    position_m: float
    focal: float


@dataclass(frozen=True, slots=True)
class RigScore:
    """The accuracy of a rig over some time steps.

    Attributes:
        pa_mm, global_mm: Error of the better of streamed and raw poses.
        calibrated_pa_mm, calibrated_global_mm: Error of the calibrated rig.
        median_ratio: Ratio of the medians over the time steps, ours to calibrated; ``pa_mm`` is a mean, which the few
            time steps with large detection errors dominate.
        mirrored: Whether the poses are mirror images.
        scale: True size over estimated size.
        solved_s, settled_s: Time until the rig was in that mode, None for never.
        cameras: One entry per camera; None if it is not solved.
    """

    pa_mm: float
    global_mm: float
    calibrated_pa_mm: float
    calibrated_global_mm: float
    median_ratio: float
    mirrored: bool
    scale: float
    solved_s: float | None
    settled_s: float | None
    cameras: tuple[CameraError | None, ...]

    @property
    def ratio_pa(self) -> float:
        """PA of ours over that of the calibrated rig."""
        return self.pa_mm / self.calibrated_pa_mm

    @property
    def ratio_global(self) -> float:
        """GLOBAL of ours over that of the calibrated rig."""
        return self.global_mm / self.calibrated_global_mm


class RigRun:
    """The run of a rig on a take.

    Args:
        rig: The take.
        engine: Runs the graph.
    """

    def __init__(self, rig: RigTake, engine: Engine) -> None:
        self.rig = rig
        self.estimator: Estimator = rig.estimator(engine)
        self.estimates: list[PoseEstimate] = []
        self.states: list[tuple[CameraState, ...]] = []
        self.calibrated = calibrated_poses(rig)
        self.comparable = is_triangulable(rig.take.score[..., LIMB])

    def step(self) -> PoseEstimate:
        """Fuses the next time step and returns the estimate."""
        t = len(self.estimates)
        estimate = self.estimator.step(self.rig.t_ns(t), self.rig.samples(t))
        self.estimates.append(estimate)
        self.states.append(camera_states(self.estimator))
        return estimate

    def run(self) -> "RigRun":
        """Fuses all remaining time steps and returns itself."""
        while len(self.estimates) < len(self.rig.take.joints):
            self.step()
        return self

    def first_s(self, *modes: Mode) -> float | None:
        """Returns the time until the rig was in one of these modes, None for never."""
        return next((estimate.t_ns * 1e-9 for estimate in self.estimates if estimate.mode in modes), None)

    def _comparable_in(self, start_s: float, end_s: float) -> NDArray[np.int64]:
        """Returns the time steps between two times at which the rig can be compared with the calibrated one."""
        t = np.arange(len(self.estimates))
        in_range = (t >= start_s * self.rig.take.fps) & (t < end_s * self.rig.take.fps)
        tracked = np.array([estimate.tracking for estimate in self.estimates])
        return np.flatnonzero(in_range & tracked & self.comparable[: len(t)])

    def score(self, start_s: float, end_s: float) -> RigScore | None:
        """Returns the accuracy between two times, None if nothing can be compared."""
        chosen = self._comparable_in(start_s, end_s)
        if not len(chosen):
            return None
        truth, calibrated = self.rig.take.joints[chosen][:, LIMB], self.calibrated[chosen]
        outputs = [self._poses(name, chosen) for name in ("xyz", "xyz_raw")]
        room_from_rig = Similarity.fit(outputs[1], truth)
        states = self.states[min(round(end_s * self.rig.take.fps), len(self.states)) - 1]
        return RigScore(
            pa_mm=min(pa_mm(poses, truth).mean() for poses in outputs),
            global_mm=min(global_mm(poses, truth) for poses in outputs),
            calibrated_pa_mm=pa_mm(calibrated, truth).mean(),
            calibrated_global_mm=global_mm(calibrated, truth),
            median_ratio=min(np.median(pa_mm(poses, truth)) for poses in outputs) / np.median(pa_mm(calibrated, truth)),
            mirrored=mirrored(outputs[1], truth),
            scale=room_from_rig.scale,
            solved_s=self.first_s("solved"),
            settled_s=self.first_s("settled", "solved"),
            cameras=tuple(
                camera_error(self.rig.take.cameras, v, room_from_rig, state) for v, state in enumerate(states)
            ),
        )

    def _poses(self, name: str, chosen: NDArray[np.int64]) -> Floats:
        return np.stack([getattr(self.estimates[t], name)[LIMB] for t in chosen])


def camera_error(true: Cameras, view: int, room_from_rig: Similarity, state: CameraState) -> CameraError | None:
    """Returns the error of a camera in the room, None if it is not solved.

    Args:
        true: The true cameras.
        view: Index of the camera.
        room_from_rig: Alignment of the poses.
        state: The solved camera.
    """
    if state.rotation is None or state.translation_m is None:
        return None
    rotation = np.array(state.rotation).reshape(3, 3)
    position = room_from_rig(-rotation.T @ np.array(state.translation_m))
    return CameraError(
        rotation_deg=float(angle_deg(rotation @ room_from_rig.rotation.T, true.rotation[view])),
        position_m=float(np.linalg.norm(position - true.position[view])),
        focal=float(state.focal_px / true.focal_px[view] - 1),
    )


def calibrated_poses(rig: RigTake) -> Floats:
    """Returns (T,L,3) m in the room: robust triangulation with the true cameras."""
    true = rig.take.cameras
    ideal_xy = true.each(lambda values: values[:, None]).ideal_xy(rig.take.xy_px[..., LIMB, :])
    score = rig.take.score[..., LIMB]
    translation = -np.einsum("vij,vj->vi", true.rotation, true.position)
    return triangulate(cameras_of(true.rotation, translation), np.where(score[..., None] > 0, ideal_xy, np.nan), score)
