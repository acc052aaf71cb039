"""The module that is exported, in the precision of the file, and its outputs in torch."""

import copy

import numpy as np
import torch
from torch import Tensor

from pose_rig.graph import GraphInput, GraphOutput
from pose_rig.lifting.model import Lifter
from pose_rig.lifting.rig_graph import RigGraph


def rounded(lifter: Lifter) -> Lifter:
    """Returns a copy on the CPU with weights rounded to half precision, as they are stored."""
    copied = copy.deepcopy(lifter).cpu().eval()
    for weight in copied.parameters():
        weight.data = weight.data.half().float()
    return copied


def tensors(given: GraphInput) -> tuple[Tensor, ...]:
    """Returns the graph's inputs in order."""
    return tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in given.onnx().values())


def reference(graph: RigGraph, given: GraphInput) -> GraphOutput:
    """Returns the outputs of torch."""
    with torch.no_grad():
        outputs = graph(*tensors(given))
    return GraphOutput(*(value.numpy() for value in outputs))
