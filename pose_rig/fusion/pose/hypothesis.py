"""Hypotheses of an instant: who is whom in every view, and what the graph makes of it.

Axes: H hypotheses, V views, C candidates, J joints.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.observation import Observation
from pose_rig.graph import GATE_MODEL_SD, Engine, GraphInput, GraphOutput

UNASSIGNED = -1


@dataclass(frozen=True, slots=True)
class RotationPrior:
    """The cameras' rotations as the rig knows them.

    Attributes:
        camera_from_rig: (V,3,3).
        sd: (V,) their standard deviation, radians.
    """

    camera_from_rig: Floats
    sd: Floats


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One way to read an instant.

    Attributes:
        observation: The candidates, as they were read.
        assignment: (V,) candidate of each view, `UNASSIGNED` for none.
        out: What the graph made of it (H = 1).
        switched: Whether somebody else is followed from now on.
    """

    observation: Observation
    assignment: NDArray[np.int64]
    out: GraphOutput
    switched: bool = False

    @property
    def present(self) -> NDArray[np.bool_]:
        """(V,) which views see the person followed."""
        return np.asarray(self.assignment != UNASSIGNED)

    @property
    def candidate(self) -> NDArray[np.int64]:
        """(V,) each view's candidate; any one where there is none."""
        return np.where(self.present, self.assignment, 0)

    @property
    def xy_px(self) -> Floats:
        """(V,J,2) the person followed; meaningless where absent."""
        return self.observation.xy_px[self.candidate]

    @property
    def score(self) -> Floats:
        """(V,J) 0–1; 0 where absent."""
        return self.observation.score[self.candidate] * self.present[:, None]


def run_graph(
    engine: Engine, observation: Observation, assignments: NDArray[np.int64], prior: RotationPrior | None, trust: Floats
) -> GraphOutput:
    """Returns what the graph makes of hypotheses (H,V) of one instant."""
    present = assignments != UNASSIGNED
    valid = np.where(present, assignments, 0)
    frame = observation.ray_from_camera[valid]
    return engine.run(
        GraphInput(
            ray_xy=observation.ray_xy.astype(np.float32),
            confidence=observation.score.astype(np.float32),
            norm=observation.norm.astype(np.float32),
            assignment=valid,
            view_weight=(present * trust).astype(np.float32),
            ray_from_rig=(frame if prior is None else frame @ prior.camera_from_rig).astype(np.float32),
            rotation_prior_sd=np.broadcast_to(1.0 if prior is None else prior.sd, assignments.shape).astype(np.float32),
            depth_bias_sd=np.zeros((len(assignments), 1), np.float32),
            lifter_rotations=np.full(len(assignments), prior is None),
        )
    )


def select(out: GraphOutput, hypothesis: int) -> GraphOutput:
    """Returns the outputs of one hypothesis, its axis kept."""
    of_candidates = ("lifted", "upright")
    return GraphOutput(
        **{
            name: getattr(out, name) if name in of_candidates else getattr(out, name)[hypothesis : hypothesis + 1]
            for name in GraphOutput.__dataclass_fields__
        }
    )


def disagreement(model_sd: NDArray[np.float32], present: NDArray[np.bool_]) -> Floats:
    """Returns (H,V) how ill each view is explained by the others, from model errors (H,V); 0.7 at the gate."""
    return np.where(present, np.log1p((model_sd / GATE_MODEL_SD) ** 2), 0.0)
