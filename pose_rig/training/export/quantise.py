"""Quantisation of the lifter: weights stored in half precision, layers in fp16 or int8."""

import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from pose_rig.lifting.checkpoint import HALF, WEIGHTS
from pose_rig.training.export.trace import drop_unused

Precision = Literal["fp32", "fp16", "int8"]
UNQUANTISED_LAYERS = tuple(WEIGHTS + name for name in ("stem", "depth_branch", "pose_head", "camera_head"))
MIN_SIZE = 1024  # smaller weights stay in single precision


def halve(model: onnx.ModelProto) -> None:
    """Stores the large weights of a model in half precision, each with a cast that is folded on loading."""
    casts = []
    for weight in model.graph.initializer:
        if weight.data_type == TensorProto.FLOAT and np.prod(weight.dims) > MIN_SIZE:
            name = weight.name
            half = numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), name + HALF)
            weight.CopyFrom(half)
            casts.append(helper.make_node("Cast", [name + HALF], [name], to=TensorProto.FLOAT))
    for node in reversed(casts):
        model.graph.node.insert(0, node)


def multiply_in_half(model: onnx.ModelProto) -> None:
    """Changes the linear layers of the lifter to half precision, after `halve`; all else stays in single precision."""
    for gemm in lifter_layers(model):
        (x, weight, bias), out = list(gemm.input), gemm.output[0]
        half = [_halved(model, name) for name in (weight, bias)]
        to_half = helper.make_node("Cast", [x], [f"{out}_x{HALF}"], to=TensorProto.FLOAT16)
        to_single = helper.make_node("Cast", [f"{out}{HALF}"], [out], to=TensorProto.FLOAT)
        gemm.input[:] = [f"{out}_x{HALF}", *half]
        gemm.output[0] = f"{out}{HALF}"
        at = list(model.graph.node).index(gemm)
        model.graph.node.insert(at, to_half)
        model.graph.node.insert(at + 2, to_single)
    drop_unused(model.graph)


def multiply_in_int8(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns a model with residual blocks in int8: weights quantised by row, activations dynamically by batch.

    The first and last layers are not quantised: they are small, and the error of the shipped lifter would be 6.9 mm
    instead of 2.7. To be called after `halve`.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    import pose_rig.lifting.onnx_runtime  # noqa: F401  before anything else of ONNX Runtime

    names = []
    for gemm in (layer for layer in lifter_layers(model) if not layer.input[1].startswith(UNQUANTISED_LAYERS)):
        (x, weight, bias), out = list(gemm.input), gemm.output[0]
        matrix = np.ascontiguousarray(_value(model, weight).astype(np.float32).T)
        model.graph.initializer.append(numpy_helper.from_array(matrix, f"{weight}_transposed"))
        names.append(f"multiply_{weight}")
        product = helper.make_node("MatMul", [x, f"{weight}_transposed"], [f"{out}_product"], name=names[-1])
        at = list(model.graph.node).index(gemm)
        model.graph.node.insert(at, product)
        gemm.CopyFrom(helper.make_node("Add", [f"{out}_product", bias], [out], name=f"add_{bias}"))
    drop_unused(model.graph)
    add_pre_process_metadata(model)  # suppresses a warning about preprocessing, which this graph does not need
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        quantize_dynamic(
            model, path, nodes_to_quantize=names, weight_type=QuantType.QInt8, per_channel=True,
            extra_options={"MatMulConstBOnly": True},
        )  # fmt: skip
        return onnx.load(str(path))


def lifter_layers(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Returns the lifter's linear layers: ``out = x @ weight.T + bias``."""
    return [node for node in model.graph.node if node.op_type == "Gemm" and node.input[1].startswith(WEIGHTS)]


def _value(model: onnx.ModelProto, name: str) -> NDArray[np.floating]:
    """Returns the value of an initializer, in half precision or not."""
    values = {value.name.removesuffix(HALF): value for value in model.graph.initializer}
    return np.asarray(numpy_helper.to_array(values[name.removesuffix(HALF)]))


def _halved(model: onnx.ModelProto, name: str) -> str:
    """Returns the name of an initializer in half precision, added if it is missing."""
    half = name + HALF
    if all(value.name != half for value in model.graph.initializer):
        model.graph.initializer.append(numpy_helper.from_array(_value(model, name).astype(np.float16), half))
    return half
