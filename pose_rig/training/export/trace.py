"""Tracing of lifter and CSM to an ONNX graph with dynamic numbers of candidates, hypotheses and views."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from pose_rig.graph import ONNX_INPUTS, ONNX_OUTPUTS
from pose_rig.lifting.example import example
from pose_rig.lifting.rig_graph import RigGraph
from pose_rig.training.export.module import tensors

OPSET = 17
DYNAMIC_AXES = {
    **{name: {0: "C"} for name in ("flat", "confidence", "norm", "depth", "lifted", "upright")},
    **{
        name: {0: "H", 1: "V"}
        for name in (
            "pick", "weight", "rotation", "freedom", "rotation_used", "refined", "inlier", "model_sd", "scale",
            "offset", "pull", "stiffness",
        )
    },
    **{name: {0: "H"} for name in ("doubt", "body")},
}  # fmt: skip


def traced(graph: RigGraph) -> onnx.ModelProto:
    """Returns the ONNX model of a module."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # only the legacy tracing exporter keeps the axes dynamic
        warnings.filterwarnings("ignore", "You are using the legacy", DeprecationWarning)
        warnings.filterwarnings("ignore", "The feature will be removed", DeprecationWarning)
        # the rotation of the canonical frame is a constant
        warnings.filterwarnings("ignore", "torch.tensor results are registered as constants")
        raw = Path(folder) / "raw.onnx"
        torch.onnx.export(
            graph,
            tensors(example(4, 2, np.random.default_rng(0))),
            str(raw),
            input_names=list(ONNX_INPUTS),
            output_names=list(ONNX_OUTPUTS),
            dynamic_axes=DYNAMIC_AXES,
            opset_version=OPSET,
            dynamo=False,
        )
        model = onnx.load(str(raw))
    fix_reshapes(model)
    return model


def fix_reshapes(model: onnx.ModelProto) -> None:
    """Replaces shapes computed at run time by constants, in which 0 keeps an axis, and drops their nodes.

    All our reshapes keep their leading axes; tracing adds four to ten nodes for each.
    """
    graph = model.graph
    producers = {name: node for node in graph.node for name in node.output}
    constants = {value.name: numpy_helper.to_array(value) for value in graph.initializer}
    constants |= {
        node.output[0]: numpy_helper.to_array(node.attribute[0].t) for node in graph.node if node.op_type == "Constant"
    }
    for number, node in enumerate(graph.node):
        if node.op_type != "Reshape" or node.input[1] in constants:
            continue
        sides = [constants.get(name) for name in producers[node.input[1]].input]
        shape = np.concatenate([[0] if side is None else side.ravel() for side in sides]).astype(np.int64)
        graph.initializer.append(numpy_helper.from_array(shape, f"shape_{number}"))
        node.input[1] = f"shape_{number}"
    drop_unused(graph)


def drop_unused(graph: onnx.GraphProto) -> None:
    """Removes nodes and initializers that are not used."""
    wanted = {value.name for value in graph.output}
    used = wanted.union(*(node.input for node in graph.node))
    while dead := [node for node in graph.node if not used.intersection(node.output)]:
        for node in dead:
            graph.node.remove(node)
        used = wanted.union(*(node.input for node in graph.node))
    for value in [value for value in graph.initializer if value.name not in used]:
        graph.initializer.remove(value)
