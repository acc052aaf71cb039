"""Parity of an exported graph with torch."""

from pathlib import Path

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from pose_rig.errors import EngineError
from pose_rig.graph import Engine, GraphInput, GraphOutput
from pose_rig.lifting.engine import OrtEngine
from pose_rig.lifting.example import example
from pose_rig.lifting.rig_graph import RigGraph
from pose_rig.training.export.module import reference

MAX_DIFFERENCE = 1e-3  # to torch, in units of the 2D norm; random poses are ill-conditioned
NORM_MM = 2000.0  # the 2D norm of an adult
MAX_LIFT_ERROR_MM = 1.0  # mean of the joints
CHECKED_SIZES = ((4, 1), (1, 1), (2, 3), (8, 5))  # views, hypotheses


def check(graph: RigGraph, path: Path) -> float:
    """Returns the largest difference between torch and a graph over several numbers of views.

    Raises:
        EngineError: It is larger than `MAX_DIFFERENCE`.
    """
    engine = OrtEngine(path, "cpu")
    worst = 0.0
    for views, hypotheses in CHECKED_SIZES:
        given = example(views, hypotheses, np.random.default_rng(views))
        want, got = reference(graph, given), engine.run(given)
        for name in ("lifted", "refined", "body"):
            worst = max(worst, float(np.abs(getattr(want, name) - getattr(got, name)).max()))
    if not worst <= MAX_DIFFERENCE:
        raise EngineError(
            f"The exported graph differs from torch by {worst:.1g}.",
            "Nothing was written. Use the versions of torch and onnxruntime in docs/training.md.",
        )
    return worst


class ReferenceEngine:
    """Runs a graph in exactly its precision; ONNX Runtime multiplies half precision in single on the CPU.

    Args:
        path: The ONNX file.
    """

    provider = "reference"
    reason = "in the precision as written"

    def __init__(self, path: Path) -> None:
        self._graph = ReferenceEvaluator(onnx.load(str(path)))

    def run(self, given: GraphInput) -> GraphOutput:
        """Returns the outputs of the graph."""
        return GraphOutput(*self._graph.run(None, given.onnx()))


def lift_error_mm(exact: Engine, other: Engine, people: GraphInput) -> float:
    """Returns the mean distance of the joints lifted by two engines, mm of an adult."""
    apart = np.linalg.norm(exact.run(people).lifted - other.run(people).lifted, axis=-1)
    return float(NORM_MM * apart.mean())


def check_lifts(exact: Engine, other: Engine, people: GraphInput, what: str) -> float:
    """Returns `lift_error_mm`; ``what`` names precision and provider in the message.

    Raises:
        EngineError: It is larger than `MAX_LIFT_ERROR_MM`.
    """
    error_mm = lift_error_mm(exact, other, people)
    if not error_mm <= MAX_LIFT_ERROR_MM:
        raise EngineError(
            f"With {what} the lifted joints are {error_mm:.1f} mm off on average, more than {MAX_LIFT_ERROR_MM:g} mm.",
            "Nothing was written. Use fp32 on the CPU, which is exact.",
        )
    return error_mm
