"""One instant of a simulated take, fused in every way that is compared.

Axes: V views, C candidates, J joints.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.accuracy.paper_vote import SURE, vote
from pose_rig.arrays import Floats
from pose_rig.config import FOCAL_PER_LARGER_SIDE, CameraConfig, Config
from pose_rig.fusion.calibration.self_solve import SolveTask
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.hypothesis import UNASSIGNED, RotationPrior, run_graph
from pose_rig.fusion.pose.observation import Observation, observe
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.geometry import unrectify
from pose_rig.graph import Engine, GraphOutput
from pose_rig.simulation.takes import Take
from pose_rig.skeleton import JOINT_SET

EXACT = 1e-3  # radians: true rotations are not to be bettered
EVERY = 5  # instants between two that are compared: neighbours err alike


@dataclass(frozen=True, slots=True)
class Poses:
    """What came out of one instant.

    Attributes:
        settled: Whether the running rig was settled by then.
        truth: (J,3) m, and
        truth_px: (V,J,2) where it was seen.
        bodies: Way → (N,J,3) 3D poses, in frames and units of their own: one, or one per view.
        xy_px: Way → (V,J,2) 2D poses; NaN where a view has nothing to say.
    """

    settled: bool
    truth: Floats
    truth_px: Floats
    bodies: dict[str, Floats]
    xy_px: dict[str, Floats]


def fused_in_all_ways(take: Take, engine: Engine) -> Iterator[Poses]:
    """Yields every `EVERY`-th instant of a take; the running rig sees all of them."""
    views, instants = take.score.shape[:2]
    config = Config(camera=tuple(CameraConfig(source="sim", name=f"cam{v}") for v in range(views)))
    fusion = Estimator(config, engine, BackgroundCompute(solve=_left_settled))
    size_px = take.cameras.size_px
    for v in range(views):
        fusion.set_camera(v, (int(size_px[v, 0]), int(size_px[v, 1])), JOINT_SET)
    focal_px = FOCAL_PER_LARGER_SIDE * size_px.max(-1)
    for t in range(instants):
        t_ns = round(t * 1e9 / take.fps)
        samples = [Sample(t_ns, take.xy_px[v, t][None], take.score[v, t][None]) for v in range(views)]
        live = fusion.step(t_ns, samples)
        observation = observe(t_ns, samples, fusion.landmarks, focal_px, size_px)
        if t % EVERY or not len(observation.view):
            continue
        look = Look(observation, engine, focal_px, size_px)
        bodies, xy_px = look.bodies_and_px(take.cameras.rotation)
        settled = live.mode == "settled"
        if settled:
            bodies["SP settled"], xy_px["SP settled"] = live.xyz_raw[None], live.refined_px
        truth_px, _ = take.cameras.project(take.joints[t][None])
        yield Poses(settled, take.joints[t], truth_px, bodies, xy_px)


def _left_settled(task: SolveTask) -> str:
    """Leaves a rig settled: `benchmarks.accuracy.self_solve` has the solved ones."""
    return f"{len(task.keyframes)} instants are left unsolved"


class Look:
    """One instant before any fusion.

    Args:
        observation: One candidate per view at most.
        engine: Runs the graph.
        focal_px: (V,).
        size_px: (V,2).
    """

    def __init__(self, observation: Observation, engine: Engine, focal_px: Floats, size_px: Floats) -> None:
        self._seen, self._engine = observation, engine
        self._focal_px, self._size_px = focal_px, size_px
        self._pick = np.full(observation.views, UNASSIGNED)
        self._pick[observation.view] = np.arange(len(observation.view))
        self._trust = np.ones(observation.views)

    def bodies_and_px(self, rotation: Floats) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """Returns 3D and 2D poses by way.

        Args:
            rotation: (V,3,3) true camera_from_room.
        """
        lifted, turned = self._lifts(self._seen)
        voted = self._voted(lifted, turned)
        cold = run_graph(self._engine, self._seen, self._pick[None], None, self._trust)
        prior = RotationPrior(rotation, np.full(len(rotation), EXACT))
        true = run_graph(self._engine, self._seen, self._pick[None], prior, self._trust)
        bodies = {
            "one view": lifted,
            "mean of lifts": mean_shape(lifted, turned)[None],
            "vote": mean_shape(*self._lifts(voted))[None],
            "SP cold": cold.body.astype(float),
            "SP true": true.body.astype(float),
        }
        xy_px = {
            "detector": self._by_view(self._seen.xy_px),
            "vote": self._by_view(self._to_px(voted.ray_xy)),
            "SP cold": self._refined_px(cold),
            "SP true": self._refined_px(true),
        }
        return bodies, xy_px

    def _lifts(self, observation: Observation) -> tuple[Floats, Floats]:
        """Returns (C,J,3) lifts and (C,3,3) ray_from_canonical as the lifter says, every view for itself."""
        alone = np.where(np.eye(observation.views, dtype=bool), self._pick, UNASSIGNED)[observation.view]
        out = run_graph(self._engine, observation, alone, None, self._trust)
        rotation = out.ray_from_body[np.arange(len(alone)), observation.view]
        return out.lifted.astype(float), rotation.astype(float)

    def _voted(self, lifted: Floats, rotation: Floats) -> Observation:
        """Returns the candidates after the vote; joints that it moved count as sure."""
        seen = self._seen
        ray_xy = vote(seen.ray_xy, seen.score, lifted, rotation)
        moved = (ray_xy != seen.ray_xy).any(-1)
        return replace(seen, ray_xy=ray_xy, score=np.where(moved, SURE, seen.score))

    def _to_px(self, flat: Floats) -> Floats:
        """Returns (C,J,2) px of candidates in their ray frames."""
        seen = self._seen
        return unrectify(flat, seen.norm, seen.ray_from_camera, self._focal_px[seen.view], self._size_px[seen.view])

    def _by_view(self, xy_px: Floats) -> Floats:
        out = np.full((self._seen.views, *xy_px.shape[1:]), np.nan)
        out[self._seen.view] = xy_px
        return out

    def _refined_px(self, out: GraphOutput) -> Floats:
        return self._by_view(self._to_px(out.refined[0, self._seen.view].astype(float)))


def mean_shape(lifted: Floats, rotation: Floats) -> Floats:
    """Returns (J,3) the mean of lifts (C,J,3) in the body frame, each brought to the same size."""
    shapes = lifted @ rotation
    return np.asarray((shapes / np.linalg.norm(shapes, axis=(1, 2), keepdims=True)).mean(0))
