"""One simulated rig from the first instant to the last, next to the calibrated one.

Axes: V views, T instants, J = 17 joints, L = 12 limb joints.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.calibrated import cameras_of, enough_seen, triangulate
from benchmarks.accuracy.similarity import Similarity, global_mm, mirrored, pa_mm
from benchmarks.accuracy.simulated_rigs import RigTake, camera_states
from pose_rig.arrays import Floats
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose_estimate import PoseEstimate
from pose_rig.geometry import angle_deg, normalised_coordinates
from pose_rig.graph import Engine
from pose_rig.simulation.cameras import Cameras
from pose_rig.skeleton import LIMBS
from pose_rig.wire.messages import CameraState, Mode

LIMB = list(LIMBS)


@dataclass(frozen=True, slots=True)
class CameraMiss:
    """How far a solved camera is from the true one, the poses lying as well as they can on the true ones.

    Attributes:
        rotation_deg: Of its orientation.
        position_m: Of its place.
        focal: Of its focal length, 0.1 = ten percent too long.
    """

    rotation_deg: float
    position_m: float
    focal: float


@dataclass(frozen=True, slots=True)
class RigScore:
    """How good a rig was over some instants.

    Attributes:
        pa_mm, global_mm: Of the better of streamed and unsmoothed poses.
        calibrated_pa_mm, calibrated_global_mm: Of the calibrated rig.
        ratio_usual: Median over the instants of ours, over that of the calibrated rig; PA is the mean, which the few
            instants at which detections are far off rule.
        mirrored: Whether the person came out as their mirror image.
        scale: True size over the size that came out.
        solved_s, settled_s: When the rig first was, None for never.
        cameras: One by one; None for those not solved.
    """

    pa_mm: float
    global_mm: float
    calibrated_pa_mm: float
    calibrated_global_mm: float
    ratio_usual: float
    mirrored: bool
    scale: float
    solved_s: float | None
    settled_s: float | None
    cameras: tuple[CameraMiss | None, ...]

    @property
    def ratio_pa(self) -> float:
        """PA of ours over that of the calibrated rig."""
        return self.pa_mm / self.calibrated_pa_mm

    @property
    def ratio_global(self) -> float:
        """GLOBAL likewise."""
        return self.global_mm / self.calibrated_global_mm


class Run:
    """A rig that has seen a whole take.

    Args:
        rig: The take.
        engine: Runs the graph.
    """

    def __init__(self, rig: RigTake, engine: Engine) -> None:
        self.rig = rig
        self.fusion: Estimator = rig.fusion(engine)
        self.instants: list[PoseEstimate] = []
        self.states: list[tuple[CameraState, ...]] = []
        self.calibrated = calibrated_poses(rig)
        self.comparable = enough_seen(rig.take.score[..., LIMB])

    def go_on(self) -> PoseEstimate:
        """Fuses the next instant and returns it."""
        t = len(self.instants)
        instant = self.fusion.step(self.rig.t_ns(t), self.rig.samples(t))
        self.instants.append(instant)
        self.states.append(camera_states(self.fusion))
        return instant

    def finish(self) -> "Run":
        """Fuses all that is left, and returns itself."""
        while len(self.instants) < len(self.rig.take.joints):
            self.go_on()
        return self

    def first_s(self, *modes: Mode) -> float | None:
        """Returns when the rig first was in one of these modes."""
        found = [instant.t_ns for instant in self.instants if instant.mode in modes]
        return found[0] * 1e-9 if found else None

    def _comparable_in(self, start_s: float, end_s: float) -> NDArray[np.int64]:
        """Returns which instants from one second to another can be compared with the calibrated rig."""
        t = np.arange(len(self.instants))
        part = (t >= start_s * self.rig.take.fps) & (t < end_s * self.rig.take.fps)
        tracked = np.array([instant.tracking for instant in self.instants])
        return np.flatnonzero(part & tracked & self.comparable[: len(t)])

    def score(self, start_s: float, end_s: float) -> RigScore | None:
        """Returns how good the rig was from one second to another, None if nothing can be compared."""
        chosen = self._comparable_in(start_s, end_s)
        if not len(chosen):
            return None
        truth, calibrated = self.rig.take.joints[chosen][:, LIMB], self.calibrated[chosen]
        ways = [self._poses(name, chosen) for name in ("xyz", "xyz_raw")]
        aligned = Similarity.fit(ways[1], truth)
        states = self.states[min(round(end_s * self.rig.take.fps), len(self.states)) - 1]
        return RigScore(
            pa_mm=min(pa_mm(poses, truth).mean() for poses in ways),
            global_mm=min(global_mm(poses, truth) for poses in ways),
            calibrated_pa_mm=pa_mm(calibrated, truth).mean(),
            calibrated_global_mm=global_mm(calibrated, truth),
            ratio_usual=min(np.median(pa_mm(poses, truth)) for poses in ways) / np.median(pa_mm(calibrated, truth)),
            mirrored=mirrored(ways[1], truth),
            scale=aligned.scale,
            solved_s=self.first_s("solved"),
            settled_s=self.first_s("settled", "solved"),
            cameras=tuple(camera_miss(self.rig.take.cameras, v, aligned, state) for v, state in enumerate(states)),
        )

    def _poses(self, name: str, chosen: NDArray[np.int64]) -> Floats:
        return np.stack([getattr(self.instants[t], name)[LIMB] for t in chosen])


def camera_miss(true: Cameras, view: int, aligned: Similarity, state: CameraState) -> CameraMiss | None:
    """Returns how far a camera is off once the rig is laid onto the room, None if it is not solved.

    Args:
        true: The true cameras.
        view: Which one.
        aligned: Room from rig, by the poses.
        state: What the rig knows of it.
    """
    if state.rotation is None or state.translation_m is None:
        return None
    rotation = np.array(state.rotation).reshape(3, 3)
    position = aligned(-rotation.T @ np.array(state.translation_m))
    return CameraMiss(
        rotation_deg=float(angle_deg(rotation @ aligned.rotation.T, true.rotation[view])),
        position_m=float(np.linalg.norm(position - true.position[view])),
        focal=float(state.focal_px / true.focal_px[view] - 1),
    )


def calibrated_poses(rig: RigTake) -> Floats:
    """Returns (T,L,3) m in the room: robust triangulation through the true cameras."""
    true = rig.take.cameras
    flat = normalised_coordinates(rig.take.xy_px[..., LIMB, :], true.focal_px[:, None], true.size_px[:, None])
    score = rig.take.score[..., LIMB]
    translation = -np.einsum("vij,vj->vi", true.rotation, true.position)
    return triangulate(cameras_of(true.rotation, translation), np.where(score[..., None] > 0, flat, np.nan), score)
