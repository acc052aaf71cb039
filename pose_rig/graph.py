"""Inputs and outputs of the inference graph (lifter and CSM), the interface between `lifting` and `fusion`.

Axes: C candidates (all people in all views), H hypotheses (or keyframes), V views, J = 17 joints.
Lengths are in units of a view's 2D norm in its ray frame (`pose_rig.geometry.rectify`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Single = NDArray[np.float32]

# Names of the ONNX file, in the order of the graph's arguments and results.
ONNX_INPUTS = ("flat", "confidence", "norm", "pick", "weight", "rotation", "freedom", "doubt", "depth")
DEPTH_INPUT = "depth"  # graphs of earlier versions may lack it
ONNX_OUTPUTS = (
    "lifted", "upright", "refined", "body", "rotation_used", "inlier", "model_sd", "scale", "offset", "pull",
    "stiffness",
)  # fmt: skip
LIFTER_ROTATION_SD = 1.0  # rad; at this `freedom` the graph uses the lifter's own rotations

GATE_MODEL_SD = 0.03  # model error (about 6 cm) beyond which the other views may not overrule a view's detections


@dataclass(frozen=True, slots=True)
class GraphInput:
    """Arguments of the graph.

    Attributes:
        ray_xy: (C,J,2) 2D poses in their ray frames.
        confidence: (C,J) 0–1, 0 = not visible.
        norm: (C,) inverse root depth of each, for the perspective term.
        assignment: (H,V) integer (int32 with NumPy 1 on Windows), index of each view's candidate.
        view_weight: (H,V), 0 = the view is absent (its index must still be valid).
        ray_from_rig: (H,V,3,3); ignored where the lifter's rotations are used.
        rotation_prior_sd: (H,V) prior standard deviation of these rotations, rad, above 0; likewise ignored.
        depth_bias_sd: (H,1) added to the lifter's own standard deviation of depths, in units of ``ray_xy``.
        lifter_rotations: (H,) whether to use the lifter's own rotations, for all views of a hypothesis.
        depth: (C,J) as estimated by the detector, relative to the pelvis, in units of ``ray_xy``; NaN = unknown. None =
            unknown everywhere.
    """

    ray_xy: Single
    confidence: Single
    norm: Single
    assignment: NDArray[np.int64]
    view_weight: Single
    ray_from_rig: Single
    rotation_prior_sd: Single
    depth_bias_sd: Single
    lifter_rotations: NDArray[np.bool_]
    depth: Single | None = None

    def onnx(self) -> dict[str, NDArray[Any]]:
        """Returns the arrays by the names of the ONNX file."""
        freedom = np.where(self.lifter_rotations[:, None], np.float32(LIFTER_ROTATION_SD), self.rotation_prior_sd)
        arrays = (
            self.ray_xy, self.confidence, self.norm, self.assignment.astype(np.int64), self.view_weight,
            self.ray_from_rig, freedom, self.depth_bias_sd, self._depth_input(),
        )  # fmt: skip
        return dict(zip(ONNX_INPUTS, arrays, strict=True))

    def _depth_input(self) -> Single:
        if self.depth is None:
            return np.zeros((*self.confidence.shape, 2), np.float32)
        return depth_input(self.depth)


def depth_input(depth: NDArray[np.floating]) -> Single:
    """Returns (...,J,2) depths and 1, both 0 where unknown, from depths (...,J), NaN = unknown."""
    known = np.isfinite(depth)
    return np.stack([np.where(known, depth, 0), known], -1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class GraphOutput:
    """Results of the graph, in the order of `ONNX_OUTPUTS`.

    Attributes:
        lifted: (C,J,3) 3D pose lifted from each candidate alone, ray frame, root-relative.
        upright: (C,3) the vertical in the ray frame, as estimated by the lifter.
        refined: (H,V,J,2) 2D corrected by the other views.
        body: (H,J,3) fused pose: rig axes, or body axes (y up, facing +z) with the lifter's rotations.
        ray_from_body: (H,V,3,3) as used.
        inlier: (H,V,J) probability that the detection is an inlier.
        model_sd: (H,V) error of the other views' prediction beyond the known noise.
        scale: (H,V) units of ``ray_xy`` per unit of ``body``; mean 1 over the views present.
        offset: (H,V,2) projection of the body's origin.
        rotation_gradient: (H,V,3) and rotation_hessian: (H,V,9) normal equations of a small rotation of each view
            (`pose_rig.lifting.csm`).
    """

    lifted: Single
    upright: Single
    refined: Single
    body: Single
    ray_from_body: Single
    inlier: Single
    model_sd: Single
    scale: Single
    offset: Single
    rotation_gradient: Single
    rotation_hessian: Single

    def part(self, candidates: slice, hypotheses: slice) -> "GraphOutput":
        """Returns the results of some candidates and hypotheses."""
        arrays = (getattr(self, name) for name in self.__slots__)
        sliced = [array[candidates if k < _OF_CANDIDATES else hypotheses] for k, array in enumerate(arrays)]
        return GraphOutput(*sliced)


_OF_CANDIDATES = 2  # the first two results have an axis of candidates


def joined(inputs: Sequence[GraphInput]) -> GraphInput:
    """Returns the arguments of several runs, of the same number of views, as those of one."""
    first = np.cumsum([0, *(len(given.norm) for given in inputs[:-1])])
    assignment = np.concatenate([given.assignment + start for given, start in zip(inputs, first, strict=True)])
    columns = {field.name: np.concatenate([getattr(given, field.name) for given in inputs]) for field in _FIELDS}
    return GraphInput(**{**columns, "assignment": assignment})


_FIELDS = fields(GraphInput)


def separated(out: GraphOutput, inputs: Sequence[GraphInput]) -> list[GraphOutput]:
    """Returns the results of each of the inputs that were `joined`."""
    parts, candidate, hypothesis = [], 0, 0
    for given in inputs:
        candidates = slice(candidate, candidate + len(given.norm))
        hypotheses = slice(hypothesis, hypothesis + len(given.assignment))
        parts.append(out.part(candidates, hypotheses))
        candidate, hypothesis = candidates.stop, hypotheses.stop
    return parts


class Engine(Protocol):
    """Runs the graph."""

    provider: str
    reason: str

    def run(self, given: GraphInput) -> GraphOutput:
        """Returns the graph's outputs for any number of candidates, hypotheses and views."""
        ...
