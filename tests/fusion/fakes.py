"""A walking person before simulated cameras, and what a good detector would see of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from pose_rig.arrays import Floats
from pose_rig.config import CameraConfig, Config, SolvedCamera
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.self_solve import self_solve
from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.geometry import angle_deg, rectify
from pose_rig.graph import Engine, GraphInput
from pose_rig.simulation.cameras import Cameras, look_at
from pose_rig.simulation.noise import drift
from pose_rig.simulation.walk import captured_walk, walk_at
from pose_rig.skeleton import INDEX, JOINT_SET, J

FPS = 30.0
NOISE = 0.006  # of the person's size in the image, per axis: half of what MediaPipe does
SCORE = 0.9
SIZE = (1280, 720)

# A standing person who faces +z, y up, their left at +x; m from the pelvis.
STANDING = {
    "pelvis": (0, 0, 0), "r_hip": (-0.10, 0, 0), "r_knee": (-0.11, -0.42, 0.03), "r_ankle": (-0.11, -0.82, 0),
    "l_hip": (0.10, 0, 0), "l_knee": (0.11, -0.42, 0.03), "l_ankle": (0.11, -0.82, 0), "spine": (0, 0.25, 0),
    "thorax": (0, 0.5, 0), "nose": (0, 0.68, 0.11), "head": (0, 0.7, 0), "l_shoulder": (0.18, 0.5, 0),
    "l_elbow": (0.25, 0.22, -0.02), "l_wrist": (0.27, 0, 0.1), "r_shoulder": (-0.18, 0.5, 0),
    "r_elbow": (-0.25, 0.22, -0.02), "r_wrist": (-0.27, 0, 0.1),
}  # fmt: skip


def standing() -> Floats:
    """(J,3) m."""
    out = np.zeros((J, 3))
    for joint, place in STANDING.items():
        out[INDEX[joint]] = place
    return out


def walk(seconds: float, fps: float = FPS) -> Floats:
    """(T,J,3) m in the room, y up: a captured walk, forth and back for ever."""
    return walk_at(np.arange(round(seconds * fps)) * captured_walk()[1] / fps)


def ring(views: int, *, step_deg: float = 75.0, distance_m: float = 4.0, start_deg: float = 0.0) -> Cameras:
    """Cameras around the room's middle; 75° apart no two face each other."""
    azimuth = np.radians(start_deg + step_deg * np.arange(views))
    height = 1.2 + 0.35 * (np.arange(views) % 3)
    position = np.stack([distance_m * np.sin(azimuth), height, distance_m * np.cos(azimuth)], -1)
    rotation = look_at(position, np.array([0.0, 0.9, 0.0]))
    return Cameras(rotation, position, np.full(views, 1100.0), np.tile(np.array(SIZE, float), (views, 1)))


@dataclass(frozen=True, slots=True)
class Scene:
    """One person present by V cameras: joints (T,J,3) m in the room, xy_px (V,T,J,2), score (V,T,J)."""

    joints: Floats
    cameras: Cameras
    xy_px: Floats
    score: Floats
    fps: float = FPS

    def t_ns(self, index: int) -> int:
        return round(index * 1e9 / self.fps)

    def samples(self, index: int) -> list[Sample | None]:
        """The detections of every view."""
        return [
            Sample(self.t_ns(index), xy[index][None], score[index][None])
            for xy, score in zip(self.xy_px, self.score, strict=True)
        ]


def film(joints: Floats, cameras: Cameras, *, noise: float = NOISE, seed: int = 0, fps: float = FPS) -> Scene:
    """What the cameras, (V,) or moving (V,T), see of the joints, with errors that last as long as a detector's."""
    moving = cameras.rotation.ndim == 4
    over_time = cameras if moving else cameras.each(lambda values: values[:, None])
    xy, _ = over_time.project(joints[None])
    extent = np.ptp(xy, axis=-2).max(-1)[..., None, None]
    xy = xy + noise * extent * drift(xy.shape, fps, np.random.default_rng(seed))
    return Scene(joints, cameras, xy, np.full(xy.shape[:-1], SCORE), fps)


def write_keypoints(path: Path, scene: Scene) -> None:
    """Writes what the cameras detect as a keypoint file (docs/frames.md)."""
    views, frames = scene.score.shape[:2]
    t_ns = np.tile([scene.t_ns(i) for i in range(frames)], (views, 1))
    np.savez(
        path,
        xy=scene.xy_px,
        score=scene.score,
        t_ns=t_ns,
        landmarks=JOINT_SET,
        size_px=scene.cameras.size_px.astype(int),
    )


def graph_input(scene: Scene, rotation_prior_sd: float | None = None) -> GraphInput:
    """Every frame of a scene as one hypothesis, with the true rotations, or without a prior the lifter's."""
    xy, score = scene.xy_px.swapaxes(0, 1), scene.score.swapaxes(0, 1)
    frames, views = score.shape[:2]
    flat, norm, frame = rectify(xy, score, scene.cameras.focal_px, scene.cameras.size_px)
    return GraphInput(
        ray_xy=flat.reshape(-1, J, 2).astype(np.float32),
        confidence=score.reshape(-1, J).astype(np.float32),
        norm=norm.ravel().astype(np.float32),
        assignment=np.arange(frames * views).reshape(frames, views),
        view_weight=np.ones((frames, views), np.float32),
        ray_from_rig=(frame @ scene.cameras.rotation).astype(np.float32),
        rotation_prior_sd=np.full((frames, views), rotation_prior_sd or 1.0, np.float32),
        depth_bias_sd=np.zeros((frames, 1), np.float32),
        lifter_rotations=np.full(frames, rotation_prior_sd is None),
    )


def turned_at(cameras: Cameras, view: int, turn: Floats, at: int, frames: int) -> Cameras:
    """The same cameras over time, one of which is turned by ``turn`` (3,3) at a frame."""
    over_time = cameras.each(lambda values: np.repeat(values[:, None], frames, 1))
    over_time.rotation[view, at:] = turn @ over_time.rotation[view, at:]
    return over_time


def config(views: int, **changes: object) -> Config:
    cameras = tuple(CameraConfig(source=f"{v}.npz", name=f"cam{v}") for v in range(views))
    return msgspec.structs.replace(Config(camera=cameras, pace="all"), **changes)


UNSOLVED = "this rig is not solved"


def unsolved(task: SolveTask) -> RigSolution | str:
    """Solves no rig: what is tested is how a rig does that stays settled."""
    del task
    return UNSOLVED


def new_estimator(
    engine: Engine,
    views: int,
    size: tuple[int, int] = SIZE,
    schema: str = "rig17",
    solve: Callable[[SolveTask], RigSolution | str] = self_solve,
) -> Estimator:
    """An estimator with known camera properties; it averages and solves in the foreground."""
    made = Estimator(config(views), engine, BackgroundCompute(solve=solve))
    for view in range(views):
        made.set_camera(view, size, schema)
    return made


def run(
    scene: Scene, made: Estimator, change: Callable[[int, list[Sample | None]], Sequence[Sample | None]] | None = None
) -> list[PoseEstimate]:
    """Fuses a whole scene; ``change`` may rewrite the samples of a time step."""
    out = []
    for index in range(len(scene.joints)):
        samples = scene.samples(index)
        out.append(made.step(scene.t_ns(index), change(index, samples) if change else samples))
    return out


def relative_error_deg(found: Floats, cameras: Floats) -> Floats:
    """(V,) how far rotations (V,3,3) relative to view 0 are from the truth, degrees."""
    return angle_deg(found @ found[0].T, cameras @ cameras[0].T)


def finite(pose: PoseEstimate) -> bool:
    """Whether everything is a number, also of views that are absent where the contract says so.

    A solved rig has no values for views of unknown pose.
    """
    always = (pose.xyz, pose.xyz_raw, pose.score, pose.residual_px)
    present = pose.person_index >= 0
    placed = present & np.isfinite(pose.camera_from_rig).all((1, 2)) if pose.mode == "solved" else present
    views = (pose.refined_px[placed], pose.inlier[placed], pose.camera_from_rig[placed], pose.lifted[present])
    unknown = present & ~placed
    empty = np.isnan(pose.refined_px[unknown]).all() and np.isnan(pose.inlier[unknown]).all()
    return bool(empty) and all(bool(np.isfinite(value).all()) for value in (*always, *views))


def solved_configs(rig: Cameras) -> tuple[CameraConfig, ...]:
    """Cameras as solved in an earlier run."""
    steps = -np.einsum("vij,vj->vi", rig.rotation, rig.position)
    return tuple(
        CameraConfig(
            source=f"{v}.npz",
            name=f"cam{v}",
            solved=SolvedCamera(
                size_px=SIZE,
                rotation=rig.rotation[v].tolist(),
                translation_m=steps[v].tolist(),
                focal_px=float(rig.focal_px[v]),
                rotation_sd_deg=0.5,
                translation_sd_m=0.02,
                focal_sd_px=10.0,
            ),
        )
        for v in range(len(rig.rotation))
    )
