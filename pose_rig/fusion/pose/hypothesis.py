"""Hypotheses of an instant: who is whom in every view, and what the graph makes of it.

Axes: H hypotheses, V views, C candidates, J joints.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.observation import Observation
from pose_rig.graph import GATE, GUESS, Engine, GraphInput, GraphOutput

UNASSIGNED = -1


@dataclass(frozen=True, slots=True)
class RotationPrior:
    """The cameras' rotations as the rig knows them.

    Attributes:
        rotation: (V,3,3) camera_from_rig.
        sd: (V,) their standard deviation, radians.
    """

    rotation: Floats
    sd: Floats


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One way to read an instant.

    Attributes:
        observation: The candidates, as they were read.
        pick: (V,) candidate of each view, `UNASSIGNED` for none.
        out: What the graph made of it (H = 1).
        switched: Whether somebody else is followed from now on.
    """

    observation: Observation
    pick: NDArray[np.int64]
    out: GraphOutput
    switched: bool = False

    @property
    def present(self) -> NDArray[np.bool_]:
        """(V,) which views see the person followed."""
        return np.asarray(self.pick != UNASSIGNED)

    @property
    def chosen(self) -> NDArray[np.int64]:
        """(V,) each view's candidate; any one where there is none."""
        return np.where(self.present, self.pick, 0)

    @property
    def followed_px(self) -> Floats:
        """(V,J,2) the person followed; meaningless where absent."""
        return self.observation.xy_px[self.chosen]

    @property
    def followed_score(self) -> Floats:
        """(V,J) 0–1; 0 where absent."""
        return self.observation.score[self.chosen] * self.present[:, None]


def run_graph(
    engine: Engine, observation: Observation, picks: NDArray[np.int64], prior: RotationPrior | None, trust: Floats
) -> GraphOutput:
    """Returns what the graph makes of hypotheses (H,V) of one instant."""
    present = picks != UNASSIGNED
    valid = np.where(present, picks, 0)
    frame = observation.ray_from_camera[valid]
    freedom = np.full(picks.shape, GUESS) if prior is None else np.broadcast_to(prior.sd, picks.shape)
    return engine.run(
        GraphInput(
            flat=observation.flat.astype(np.float32),
            confidence=observation.score.astype(np.float32),
            norm=observation.norm.astype(np.float32),
            pick=valid,
            weight=(present * trust).astype(np.float32),
            rotation=(frame if prior is None else frame @ prior.rotation).astype(np.float32),
            freedom=freedom.astype(np.float32),
            doubt=np.zeros((len(picks), 1), np.float32),
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
    return np.where(present, np.log1p((model_sd / GATE) ** 2), 0.0)
