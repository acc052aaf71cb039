"""One time step of a simulated take, fused with every compared method.

Axes: V views, C candidates, J joints.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.accuracy.paper_vote import MIN_CONFIDENCE, vote
from pose_rig.arrays import Floats
from pose_rig.config import FOCAL_PER_LARGER_SIDE, CameraConfig, Config
from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.hypothesis import UNASSIGNED, RotationPrior, run_graph
from pose_rig.fusion.pose.observation import Observation, observe
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.geometry import unrectify
from pose_rig.graph import Engine, GraphOutput
from pose_rig.intrinsics import Intrinsics
from pose_rig.simulation.takes import Take
from pose_rig.skeleton import JOINT_SET

TRUE_ROTATION_SD_RAD = 1e-3  # of the prior with the true rotations
COMPARE_INTERVAL = 5  # time steps; errors of neighbours are correlated


@dataclass(frozen=True, slots=True)
class FusedPoses:
    """The poses of one time step.

    Attributes:
        settled: Whether the running rig was settled.
        truth: (J,3) m.
        truth_px: (V,J,2) its projections.
        bodies: Method → (N,J,3) 3D poses, each in its own frame and unit: one, or one per view.
        xy_px: Method → (V,J,2) 2D poses; NaN = no detection.
    """

    settled: bool
    truth: Floats
    truth_px: Floats
    bodies: dict[str, Floats]
    xy_px: dict[str, Floats]


def fuse_with_all_methods(take: Take, engine: Engine) -> Iterator[FusedPoses]:
    """Yields every `COMPARE_INTERVAL`-th time step of a take; the running rig gets all of them."""
    views, steps = take.score.shape[:2]
    config = Config(camera=tuple(CameraConfig(source="sim", name=f"cam{v}") for v in range(views)))
    fusion = Estimator(config, engine, BackgroundCompute(solve=_reject_solve))
    size_px = take.cameras.size_px
    for v in range(views):
        fusion.set_camera(v, (int(size_px[v, 0]), int(size_px[v, 1])), JOINT_SET)
    focal_px = FOCAL_PER_LARGER_SIDE * size_px.max(-1)
    for t in range(steps):
        t_ns = round(t * 1e9 / take.fps)
        samples = [Sample(t_ns, take.xy_px[v, t][None], take.score[v, t][None]) for v in range(views)]
        live = fusion.step(t_ns, samples)
        observation = observe(t_ns, samples, fusion.landmarks, Intrinsics.pinhole(focal_px, size_px))
        if t % COMPARE_INTERVAL or not len(observation.view):
            continue
        methods = StepMethods(observation, engine, focal_px, size_px)
        bodies, xy_px = methods.poses(take.cameras.rotation)
        settled = live.mode == "settled"
        if settled:
            bodies["SP settled"], xy_px["SP settled"] = live.xyz_raw[None], live.refined_px
        truth_px, _ = take.cameras.project(take.joints[t][None])
        yield FusedPoses(settled, take.joints[t], truth_px, bodies, xy_px)


def _reject_solve(task: SolveTask) -> str:
    """Keeps a rig settled: `benchmarks.accuracy.self_solve` has solved ones."""
    return f"{len(task.keyframes)} keyframes are not solved"


class StepMethods:
    """All methods for the detections of one time step.

    Args:
        observation: At most one candidate per view.
        engine: Runs the graph.
        focal_px: (V,).
        size_px: (V,2).
    """

    def __init__(self, observation: Observation, engine: Engine, focal_px: Floats, size_px: Floats) -> None:
        self._observation, self._engine = observation, engine
        self._focal_px, self._size_px = focal_px, size_px
        self._assignment = np.full(observation.views, UNASSIGNED)
        self._assignment[observation.view] = np.arange(len(observation.view))
        self._view_weight = np.ones(observation.views)

    def poses(self, camera_from_room: Floats) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """Returns 3D and 2D poses by method.

        Args:
            camera_from_room: (V,3,3) true rotations.
        """
        lifted, ray_from_body = self._lifts(self._observation)
        voted = self._voted(lifted, ray_from_body)
        cold = run_graph(self._engine, self._observation, self._assignment[None], None, self._view_weight)
        prior = RotationPrior(camera_from_room, np.full(len(camera_from_room), TRUE_ROTATION_SD_RAD))
        true = run_graph(self._engine, self._observation, self._assignment[None], prior, self._view_weight)
        bodies = {
            "one view": lifted,
            "mean of lifts": mean_shape(lifted, ray_from_body)[None],
            "vote": mean_shape(*self._lifts(voted))[None],
            "SP cold": cold.body.astype(float),
            "SP true": true.body.astype(float),
        }
        xy_px = {
            "detector": self._by_view(self._observation.xy_px),
            "vote": self._by_view(self._to_px(voted.ray_xy)),
            "SP cold": self._refined_px(cold),
            "SP true": self._refined_px(true),
        }
        return bodies, xy_px

    def _lifts(self, observation: Observation) -> tuple[Floats, Floats]:
        """Returns (C,J,3) lifts and (C,3,3) ray_from_canonical, each view lifted by itself."""
        single = np.where(np.eye(observation.views, dtype=bool), self._assignment, UNASSIGNED)[observation.view]
        out = run_graph(self._engine, observation, single, None, self._view_weight)
        rotation = out.ray_from_body[np.arange(len(single)), observation.view]
        return out.lifted.astype(float), rotation.astype(float)

    def _voted(self, lifted: Floats, ray_from_body: Floats) -> Observation:
        """Returns the candidates after the vote; corrected joints get the threshold confidence."""
        observation = self._observation
        ray_xy = vote(observation.ray_xy, observation.score, lifted, ray_from_body)
        corrected = (ray_xy != observation.ray_xy).any(-1)
        return replace(observation, ray_xy=ray_xy, score=np.where(corrected, MIN_CONFIDENCE, observation.score))

    def _to_px(self, ray_xy: Floats) -> Floats:
        """Returns (C,J,2) px of candidates in their ray frames."""
        seen = self._observation
        return unrectify(ray_xy, seen.norm, seen.ray_from_camera, self._focal_px[seen.view], self._size_px[seen.view])

    def _by_view(self, xy_px: Floats) -> Floats:
        out = np.full((self._observation.views, *xy_px.shape[1:]), np.nan)
        out[self._observation.view] = xy_px
        return out

    def _refined_px(self, out: GraphOutput) -> Floats:
        return self._by_view(self._to_px(out.refined[0, self._observation.view].astype(float)))


def mean_shape(lifted: Floats, ray_from_body: Floats) -> Floats:
    """Returns (J,3) the mean of lifts (C,J,3) in the body frame, each normalized to unit size."""
    shapes = lifted @ ray_from_body
    return np.asarray((shapes / np.linalg.norm(shapes, axis=(1, 2), keepdims=True)).mean(0))
