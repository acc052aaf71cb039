"""Whether a written graph computes what it should."""

from pathlib import Path

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from pose_rig.errors import EngineError
from pose_rig.graph import Engine, GraphInput, GraphOutput
from pose_rig.lifting.engine import OrtEngine
from pose_rig.training.export.module import RigGraph, example, reference

TOLERANCE = 1e-3  # largest difference to torch, in units of the 2D norm, about 2 m; random poses are ill-conditioned
UNIT_MM = 2000.0  # what that norm is, of an adult
MOST_OFF_MM = 1.0  # of a joint in the mean: well below what anybody can measure of a person
CASES = ((4, 1), (1, 1), (2, 3), (8, 5))  # views, hypotheses


def check(graph: RigGraph, path: Path) -> float:
    """Returns the largest difference between torch and the written graph over several numbers of views.

    Raises:
        EngineError: It is more than rounding.
    """
    engine = OrtEngine(path, "cpu")
    worst = 0.0
    for views, hypotheses in CASES:
        given = example(views, hypotheses, np.random.default_rng(views))
        want, got = reference(graph, given), engine.run(given)
        for name in ("lifted", "refined", "body"):
            worst = max(worst, float(np.abs(getattr(want, name) - getattr(got, name)).max()))
    if not worst <= TOLERANCE:
        raise EngineError(
            f"The exported graph computes something else than torch: they differ by {worst:.1g}.",
            "Nothing was written. Try the versions of torch and onnxruntime that docs/training.md names.",
        )
    return worst


class ReferenceEngine:
    """Runs a graph in exactly the precision that it states; ONNX Runtime multiplies halves in single on the CPU.

    Args:
        path: The ONNX file.
    """

    provider = "reference"
    reason = "in the precision as written"

    def __init__(self, path: Path) -> None:
        self._graph = ReferenceEvaluator(onnx.load(str(path)))

    def run(self, given: GraphInput) -> GraphOutput:
        """Returns the graph's outputs for any number of candidates, hypotheses and views."""
        return GraphOutput(*self._graph.run(None, given.onnx()))


def off_mm(exact: Engine, other: Engine, people: GraphInput) -> float:
    """Returns how far the joints that two engines lift are apart in the mean, mm of an adult.

    Args:
        exact: What should be computed.
        other: What is.
        people: Whom to lift.
    """
    apart = np.linalg.norm(exact.run(people).lifted - other.run(people).lifted, axis=-1)
    return float(UNIT_MM * apart.mean())


def check_lifts(exact: Engine, other: Engine, people: GraphInput, what: str) -> float:
    """Returns `off_mm`.

    Args:
        exact: What should be computed.
        other: What is.
        people: Whom to lift.
        what: What makes the other differ, for the message.

    Raises:
        EngineError: It is more than `MOST_OFF_MM`.
    """
    off = off_mm(exact, other, people)
    if not off <= MOST_OFF_MM:
        raise EngineError(
            f"With {what} the lifted joints are {off:.1f} mm off in the mean; {MOST_OFF_MM:g} mm is allowed.",
            "Nothing was written. Leave it out: fp32 on the CPU is exact.",
        )
    return off
