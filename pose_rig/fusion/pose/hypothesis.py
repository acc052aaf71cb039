"""Assignment hypotheses: one candidate per view, and the graph's output for it.

Axes: H hypotheses, V views, C candidates, J joints.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.observation import Observation
from pose_rig.graph import GATE_MODEL_SD, Engine, GraphInput, GraphOutput, joined, separated

UNASSIGNED = -1


@dataclass(frozen=True, slots=True)
class RotationPrior:
    """The cameras' rotations.

    Attributes:
        camera_from_rig: (V,3,3).
        sd: (V,) their standard deviation, rad.
    """

    camera_from_rig: Floats
    sd: Floats


@dataclass(frozen=True)
class Hypothesis:
    """An assignment of candidates to the tracked person.

    Attributes:
        observation: The candidates.
        assignment: (V,) candidate of each view, `UNASSIGNED` for none.
        out: The graph's output (H = 1).
        switched: Whether the tracked person has changed (identity switch).
    """

    observation: Observation
    assignment: NDArray[np.int64]
    out: GraphOutput
    switched: bool = False

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """(V,) views with a candidate assigned."""
        return np.asarray(self.assignment != UNASSIGNED)

    @cached_property
    def candidate(self) -> NDArray[np.int64]:
        """(V,) each view's candidate; 0 where there is none."""
        return np.where(self.present, self.assignment, 0)

    @cached_property
    def xy_px(self) -> Floats:
        """(V,J,2) of the candidates assigned; meaningless where there is none."""
        return self.observation.xy_px[self.candidate]

    @property
    def ideal_xy(self) -> Floats:
        """(V,J,2) of the candidates assigned, in ideal coordinates; meaningless where there is none."""
        return self.observation.ideal_xy[self.candidate]

    @cached_property
    def score(self) -> Floats:
        """(V,J) 0–1; 0 where there is none."""
        return self.observation.score[self.candidate] * self.present[:, None]

    @property
    def ray_depth(self) -> Floats:
        """(V,J) of the candidates assigned; NaN where there is none, or it is unknown."""
        return np.where(self.present[:, None], self.observation.ray_depth[self.candidate], np.nan)


@dataclass(frozen=True, slots=True)
class GraphRun:
    """A run of the graph, as a `Computation` that returns `GraphOutput`."""

    engine: Engine
    given: GraphInput
    stage: ClassVar[int] = 1

    @property
    def kind(self) -> Hashable:
        """Runs of one engine for the same number of views."""
        return GraphRun, id(self.engine), self.given.assignment.shape[1]

    def alone(self) -> GraphOutput:
        """Returns the graph's output."""
        return self.engine.run(self.given)

    @classmethod
    def together(cls, computations: Sequence["GraphRun"]) -> list[GraphOutput]:
        """Returns the graph's output for several inputs."""
        given = [run.given for run in computations]
        return separated(computations[0].engine.run(joined(given)), given)


def run_graph(
    engine: Engine,
    observation: Observation,
    assignments: NDArray[np.int64],
    prior: RotationPrior | None,
    view_weight: Floats,
) -> GraphOutput:
    """Returns the graph's output; arguments as in `graph_run`."""
    return graph_run(engine, observation, assignments, prior, view_weight).alone()


def graph_run(
    engine: Engine,
    observation: Observation,
    assignments: NDArray[np.int64],
    prior: RotationPrior | None,
    view_weight: Floats,
) -> GraphRun:
    """Returns the run of the graph for assignments (H,V) of one time step; no prior = the lifter's rotations."""
    present = assignments != UNASSIGNED
    valid = np.where(present, assignments, 0)
    rotation = observation.ray_from_camera[valid]
    if prior is not None:
        rotation = rotation @ prior.camera_from_rig
    sd = np.broadcast_to(1.0 if prior is None else prior.sd, assignments.shape)
    return _run(engine, observation, valid, present * view_weight, rotation, sd, lifter_rotations=prior is None)


def single_view_run(engine: Engine, observation: Observation, candidates: NDArray[np.int64]) -> GraphRun:
    """Returns the run of the graph for some candidates (H,), each as a hypothesis of one view; all are lifted."""
    one = np.ones((len(candidates), 1))
    rotation = observation.ray_from_camera[candidates][:, None]
    return _run(engine, observation, candidates[:, None], one, rotation, one, lifter_rotations=True)


def _run(
    engine: Engine,
    observation: Observation,
    assignments: NDArray[np.int64],
    view_weight: Floats,
    ray_from_rig: Floats,
    rotation_prior_sd: Floats,
    *,
    lifter_rotations: bool,
) -> GraphRun:
    """Returns the run for assignments (H,V) without missing views; further arguments as in `GraphInput`."""
    return GraphRun(
        engine,
        GraphInput(
            ray_xy=observation.ray_xy.astype(np.float32),
            confidence=observation.score.astype(np.float32),
            norm=observation.norm.astype(np.float32),
            assignment=assignments,
            view_weight=view_weight.astype(np.float32),
            ray_from_rig=ray_from_rig.astype(np.float32),
            rotation_prior_sd=rotation_prior_sd.astype(np.float32),
            depth_bias_sd=np.zeros((len(assignments), 1), np.float32),
            lifter_rotations=np.full(len(assignments), lifter_rotations),
            depth=observation.ray_depth.astype(np.float32),
        ),
    )


def select(out: GraphOutput, hypothesis: int) -> GraphOutput:
    """Returns the outputs of one hypothesis, its axis kept."""
    return out.part(slice(None), slice(hypothesis, hypothesis + 1))


def inconsistency(model_sd: NDArray[np.float32], present: NDArray[np.bool_]) -> Floats:
    """Returns (H,V) the Cauchy loss of each view's model error (H,V); 0.7 at the gate."""
    return np.where(present, np.log1p((model_sd / GATE_MODEL_SD) ** 2), 0.0)
