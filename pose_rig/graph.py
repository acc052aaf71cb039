"""What goes into the inference graph (lifter + CSM) and what comes out: the contract of `lifting` and `fusion`.

Axes: C candidates (all people in all views), H hypotheses of who is whom (or instants), V views, J = 17 joints.
Lengths are in units of a view's 2D norm in its ray frame (`pose_rig.geometry.rectify`).
"""

from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Single = NDArray[np.float32]

GUESS = 1.0  # radians

GATE = 0.03  # model error (about 6 cm) beyond which the other views may not overrule a view's detections


@dataclass(frozen=True, slots=True)
class GraphInput:
    """What the graph takes.

    Attributes:
        flat: (C,J,2) 2D poses in their ray frames.
        confidence: (C,J) 0–1, 0 = not seen.
        norm: (C,) inverse root depth of each, for the perspective term.
        pick: (H,V) int64, the candidate each view contributes.
        weight: (H,V) trust in that contribution, 0 = the view is absent (its pick must still be valid).
        rotation: (H,V,3,3) ray_from_rig; ignored where guesses are asked for.
        freedom: (H,V) standard deviation of these rotations, radians: how far each instant may turn them; `GUESS` asks
            for the lifter's own rotations instead (for all views of a hypothesis, or for none). Above 0.
        doubt: (H,1) added to the lifter's own doubt about its depths, in units of ``flat``.
    """

    flat: Single
    confidence: Single
    norm: Single
    pick: NDArray[np.int64]
    weight: Single
    rotation: Single
    freedom: Single
    doubt: Single


@dataclass(frozen=True, slots=True)
class GraphOutput:
    """What the graph gives.

    Attributes:
        lifted: (C,J,3) each candidate's own lift, ray frame, root-relative.
        upright: (C,3) the vertical in the ray frame, as the lifter sees it.
        refined: (H,V,J,2) 2D after the other views had their say.
        body: (H,J,3) fused pose: rig axes, or the body's own (y up, facing +z) where rotations are guesses.
        rotation: (H,V,3,3) ray_from_body as used.
        inlier: (H,V,J) probability that the detection was right.
        model_sd: (H,V) how far the other views' prediction is off beyond the known noise.
        scale: (H,V) ``flat`` units per unit of ``body``; mean 1 over the views that are there.
        offset: (H,V,2) where the body's origin lies.
        pull: (H,V,3) and stiffness: (H,V,9) normal equations of a small turn of each view (`pose_rig.lifting.csm`).
    """

    lifted: Single
    upright: Single
    refined: Single
    body: Single
    rotation: Single
    inlier: Single
    model_sd: Single
    scale: Single
    offset: Single
    pull: Single
    stiffness: Single


INPUTS = tuple(field.name for field in fields(GraphInput))
OUTPUTS = tuple(field.name for field in fields(GraphOutput))


class Engine(Protocol):
    """Runs the graph."""

    provider: str
    reason: str

    def run(self, given: GraphInput) -> GraphOutput:
        """Returns the graph's outputs for any number of candidates, hypotheses and views."""
        ...
