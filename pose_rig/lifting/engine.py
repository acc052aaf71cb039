"""The graph in ONNX Runtime, on the CPU or, with the package ``onnxruntime-gpu``, on CUDA.

`pose_rig.lifting.providers` chooses among this and the engines of a GPU.
"""

from pathlib import Path

import numpy as np

from pose_rig.errors import EngineError
from pose_rig.graph import DEPTH_INPUT, ONNX_INPUTS, Engine, GraphInput, GraphOutput
from pose_rig.lifting.onnx_runtime import ort
from pose_rig.lifting.weights_file import check_is_graph

DEFAULT_WEIGHTS = Path(__file__).parent / "weights" / "lifter.onnx"
ORT_PROVIDERS = {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}
OPTIONS = {"cuda": {"use_tf32": "0"}, "cpu": {}}  # with TF32 rotations would be 0.3° off in the mean


class OrtEngine:
    """A loaded graph.

    Args:
        path: The ONNX file.
        provider: ``cpu`` or ``cuda``.

    Raises:
        UsageError: There is no such file.
        EngineError: The file is not a pose-rig graph, or the provider cannot run it.
    """

    def __init__(self, path: Path = DEFAULT_WEIGHTS, provider: str = "cpu") -> None:
        check_is_graph(path)
        name = ORT_PROVIDERS[provider]
        if name not in ort.get_available_providers():
            raise EngineError(_refusal(path, f"{provider}: not in this onnxruntime"), _REMEDY)
        try:
            self._session = _session(path, provider)
        except Exception as error:  # drivers and libraries raise anything
            raise EngineError(_refusal(path, f"{provider}: {str(error).splitlines()[0][:160]}"), _REMEDY) from error
        if (other := self._session.get_providers()[0]) != name:
            raise EngineError(_refusal(path, f"{provider}: fell back to {other}"), _REMEDY)
        self.provider, self.reason = provider, f"ONNX Runtime {ort.__version__}"
        names = {node.name for node in self._session.get_inputs()}
        self._inputs = tuple(name for name in ONNX_INPUTS if name in names)
        if names | {DEPTH_INPUT} != set(ONNX_INPUTS):
            raise EngineError(
                f"{path.name} is not a pose-rig graph: its inputs are {', '.join(sorted(names))}.",
                "Export one with `pose-rig export`.",
            )
        self._outputs = [node.name for node in self._session.get_outputs()]

    def run(self, given: GraphInput) -> GraphOutput:
        """Returns the graph's outputs for any number of candidates, hypotheses and views."""
        arrays = given.onnx()
        return GraphOutput(*self._session.run(self._outputs, {name: arrays[name] for name in self._inputs}))


_REMEDY = "Check the file and `pose-rig doctor`."


def _refusal(path: Path, reason: str) -> str:
    return f"No provider can run {path.name} ({reason})."


def _session(path: Path, provider: str) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # threads slow down so small a graph, and cameras need the cores
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    if provider == "cuda":
        ort.preload_dlls()  # the libraries of CUDA and cuDNN that are installed as packages
    return ort.InferenceSession(
        str(path), options, providers=[(ORT_PROVIDERS[provider], OPTIONS[provider])],
        enable_fallback=0,  # else it would change to the CPU without a word, now or in mid-run
    )  # fmt: skip


def warm_up(engine: Engine, views: int, runs: int = 3) -> None:
    """Runs the graph on arbitrary input, so that the first real time step is as fast as the others.

    Raises:
        EngineError: The graph has other inputs than their names suggest, or the provider cannot run it.
    """
    given = GraphInput(
        ray_xy=np.zeros((views, 17, 2), np.float32),
        confidence=np.ones((views, 17), np.float32),
        norm=np.full(views, 0.3, np.float32),
        assignment=np.arange(views)[None],
        view_weight=np.ones((1, views), np.float32),
        ray_from_rig=np.tile(np.eye(3, dtype=np.float32), (1, views, 1, 1)),
        rotation_prior_sd=np.ones((1, views), np.float32),
        depth_bias_sd=np.zeros((1, 1), np.float32),
        lifter_rotations=np.ones(1, bool),
    )
    try:
        for _ in range(runs):
            engine.run(given)
    except Exception as error:  # the runtime raises anything
        raise EngineError(
            f"The graph does not run on {engine.provider}: {str(error).splitlines()[0][:160]}.",
            "Export one with `pose-rig export`, or leave --weights out for the shipped one.",
        ) from error
