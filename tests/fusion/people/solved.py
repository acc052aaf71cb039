"""A solved rig in front of which several people walk, and how well its poses follow them.

Axes: V views, N people, J = 17 joints, P points (`segments.POINTS`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.segments import POINTS, segment_lengths
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.people.single_views import SingleViews, single_views
from pose_rig.fusion.pose.computation import alone
from pose_rig.fusion.pose.hypothesis import RotationPrior
from pose_rig.fusion.pose.observation import Observation, observe
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.fusion.rig.camera_properties import CameraProperties
from pose_rig.fusion.rig.rig_view import RigView
from pose_rig.graph import Engine
from pose_rig.intrinsics import Intrinsics
from pose_rig.simulation.cameras import Cameras
from pose_rig.skeleton import landmarks
from tests.fusion.fakes import SIZE, config, unsolved
from tests.fusion.people.scenes import PeopleScene

RIG17 = landmarks("rig17")
Change = Callable[[int, list[Sample | None]], Sequence[Sample | None]]


def calibration_of(cameras: Cameras) -> Calibration:
    """The true cameras (V,), as if solved."""
    views = len(cameras.focal_px)
    return Calibration(
        cameras.rotation,
        -np.einsum("vij,vj->vi", cameras.rotation, cameras.position),
        Intrinsics.pinhole(cameras.focal_px, cameras.size_px),
        np.ones(views, bool),
        np.full(views, np.radians(0.5)),
        np.full(views, 0.02),
        np.full(views, 0.01),
    )


def points_at(scene: PeopleScene, index: int) -> Floats:
    """(N,P,3) m where the people are."""
    return np.asarray(scene.joints[index][:, list(POINTS)])


def bones_of(scene: PeopleScene, person: int = 0) -> Floats:
    """(L,) m the segment lengths of a person."""
    return segment_lengths(scene.joints[:, person][:, list(POINTS)])


def solution_of(scene: PeopleScene) -> RigSolution:
    """The true cameras, with the bones of the first person."""
    return RigSolution(calibration_of(scene.cameras), bones_of(scene))


def observation_at(scene: PeopleScene, index: int) -> Observation:
    """The candidates of a time step."""
    views, intrinsics = len(scene.cameras.focal_px), calibration_of(scene.cameras).intrinsics
    return observe(scene.t_ns(index), scene.samples(index), [RIG17] * views, intrinsics)


def shown_by(scene: PeopleScene, observation: Observation, index: int) -> NDArray[np.int64]:
    """(C,) which person each candidate shows."""
    return np.asarray(scene.person[observation.view, index, observation.person])


def single_views_at(scene: PeopleScene, index: int, engine: Engine) -> tuple[SingleViews, NDArray[np.int64]]:
    """What the candidates of a time step show by themselves, and (C,) which person they show."""
    observation = observation_at(scene, index)
    return alone(single_views(observation, engine)), shown_by(scene, observation, index)


def properties_of(scene: PeopleScene) -> CameraProperties:
    """What is known of the cameras' frames."""
    views = len(scene.cameras.focal_px)
    out = CameraProperties(config(views).camera)
    for view in range(views):
        out.set(view, SIZE, "rig17")
    out.fix_joints()
    return out


def rig_of(scene: PeopleScene, *, solved: bool = True) -> RigView:
    """The rig with the true cameras, or one of which nothing is known."""
    solution, views = solution_of(scene), len(scene.cameras.focal_px)
    if not solved:
        assumed = properties_of(scene).intrinsics
        return RigView("cold", assumed, None, np.ones(views), np.zeros(views, bool), None)
    prior = RotationPrior(solution.cameras.rotation, solution.cameras.rotation_sd)
    return RigView("solved", solution.cameras.intrinsics, prior, np.ones(views), np.ones(views, bool), solution)


def estimator_of(
    engine: Engine, scene: PeopleScene, people: int, *, fixed: bool = True, known: bool = True
) -> Estimator:
    """An estimator of several people, with the true cameras.

    Args:
        engine: Runs the graph.
        scene: Whose cameras they are.
        people: How many are tracked.
        fixed: Whether the cameras are kept as they are.
        known: Whether the cameras are known at all.
    """
    views, solution = len(scene.cameras.focal_px), solution_of(scene)
    made = Estimator(
        config(views, people=people),
        engine,
        BackgroundCompute(solve=unsolved),
        solution if fixed and known else None,
    )
    if known and not fixed:
        made.restart_with(solution)
    for view in range(views):
        made.set_camera(view, SIZE, "rig17")
    return made


@dataclass(frozen=True, slots=True)
class Followed:
    """The poses of all time steps, and the scene that they show."""

    scene: PeopleScene
    steps: list[list[PoseEstimate]]

    @property
    def identities(self) -> list[list[int]]:
        """Who is published at each time step."""
        return [[pose.person for pose in step] for step in self.steps]

    def poses(self, identity: int) -> dict[int, PoseEstimate]:
        """The poses of a person, by time step, as far as they are tracked."""
        return {
            i: pose for i, step in enumerate(self.steps) for pose in step if pose.person == identity and pose.tracking
        }

    def shown(self, identity: int, first: int = 0, last: int | None = None) -> list[int]:
        """Which true people an identity is nearest to in time steps ``first`` to ``last`` − 1, in order, each once."""
        found = {
            i: int(np.argmin(np.linalg.norm(pose.xyz_raw[0] - self.scene.joints[i, :, 0], axis=-1)))
            for i, pose in self.poses(identity).items()
            if first <= i < (len(self.steps) if last is None else last)
        }
        return list(dict.fromkeys(found.values()))

    def error_m(self, identity: int, person: int) -> Floats:
        """Mean distances of the joints from those of a true person, at each time step at which both are tracked."""
        pairs = self.poses(identity).items()
        return np.array(
            [np.linalg.norm(pose.xyz_raw[:17] - self.scene.joints[i, person], axis=-1).mean() for i, pose in pairs]
        )


def follow(scene: PeopleScene, made: Estimator, change: Change | None = None) -> Followed:
    """Tracks a whole scene; ``change`` may rewrite the samples of a time step."""
    steps = []
    for index in range(len(scene.joints)):
        samples = scene.samples(index)
        first = made.step(scene.t_ns(index), change(index, samples) if change else samples)
        steps.append([first, *made.others])
    return Followed(scene, steps)
