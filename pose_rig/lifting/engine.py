"""The graph in ONNX Runtime, on TensorRT, else CUDA, else the CPU."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from pose_rig.errors import EngineError
from pose_rig.graph import ONNX_INPUTS, GraphInput, GraphOutput
from pose_rig.lifting.onnx_runtime import ort
from pose_rig.lifting.weights_file import check_is_graph

DEFAULT_WEIGHTS = Path(__file__).parent / "weights" / "lifter.onnx"
PROVIDERS = {"tensorrt": "TensorrtExecutionProvider", "cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}
MAX_VIEWS, MAX_HYPOTHESES = 16, 128  # shape range of TensorRT engines; up to 120 keyframes run at once


class OrtEngine:
    """A loaded graph.

    Args:
        path: The ONNX file; its hash names the cached TensorRT engine.
        provider: ``tensorrt``, ``cuda``, ``cpu``, or ``auto`` for the first of these that works.
        cache: Folder for built TensorRT engines.

    Raises:
        UsageError: There is no such file.
        EngineError: The file is not a pose-rig graph, or the provider cannot run it.
    """

    def __init__(self, path: Path = DEFAULT_WEIGHTS, provider: str = "auto", cache: Path | None = None) -> None:
        check_is_graph(path)
        offered = ort.get_available_providers()
        candidates = list(PROVIDERS) if provider == "auto" else [provider]
        reasons: list[str] = []
        self._session: ort.InferenceSession | None = None
        for name in candidates:
            if PROVIDERS[name] not in offered:
                reasons.append(f"{name}: not in this onnxruntime")
                continue
            if missing := _missing(name):
                reasons.append(f"{name}: {missing}")
                continue
            try:
                session = _session(path, name, cache)
            except Exception as error:  # drivers and libraries raise anything; the next provider is tried
                reasons.append(f"{name}: {str(error).splitlines()[0][:160]}")
                continue
            if session.get_providers()[0] != PROVIDERS[name]:
                reasons.append(f"{name}: fell back to {session.get_providers()[0]}")
                continue
            self._session, self.provider = session, name
            break
        if self._session is None:
            raise EngineError(
                f"No provider can run {path.name} ({'; '.join(reasons)}).", "Check the file and `pose-rig doctor`."
            )
        self.reason = "; ".join(reasons) or "first choice"
        names = {node.name for node in self._session.get_inputs()}
        if names != set(ONNX_INPUTS):
            raise EngineError(
                f"{path.name} is not a pose-rig graph: its inputs are {', '.join(sorted(names))}.",
                "Export one with `pose-rig export`.",
            )
        self._outputs = [node.name for node in self._session.get_outputs()]

    def run(self, given: GraphInput) -> GraphOutput:
        """Returns the graph's outputs for any number of candidates, hypotheses and views."""
        assert self._session is not None  # noqa: S101 - set by __init__ or it raised
        return GraphOutput(*self._session.run(self._outputs, given.onnx()))


def _missing(name: str) -> str:
    """Returns what a provider lacks on this machine, empty if nothing."""
    if name == "tensorrt":
        try:
            import tensorrt  # noqa: F401  its wheel has the libraries that the provider loads
        except ImportError as error:
            return f"the tensorrt package cannot be loaded ({error})"
    return ""


def _session(path: Path, name: str, cache: Path | None) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # threads slow down so small a graph, and cameras need the cores
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    return ort.InferenceSession(str(path), options, providers=[(PROVIDERS[name], _settings(path, name, cache))])


def _settings(path: Path, name: str, cache: Path | None) -> dict[str, Any]:
    if name != "tensorrt" or cache is None:
        return {}
    import tensorrt

    key = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    # TensorRT itself adds the GPU's name
    folder = cache / f"tensorrt-{tensorrt.__version__}-ort-{ort.__version__}-{key}"
    folder.mkdir(parents=True, exist_ok=True)

    def shapes(views: int, hypotheses: int) -> str:
        count = views * hypotheses
        sizes = {
            "flat": f"{count}x17x2", "confidence": f"{count}x17", "norm": f"{count}", "pick": f"{hypotheses}x{views}",
            "weight": f"{hypotheses}x{views}", "freedom": f"{hypotheses}x{views}",
            "rotation": f"{hypotheses}x{views}x3x3", "doubt": f"{hypotheses}x1",
        }  # fmt: skip
        return ",".join(f"{key}:{value}" for key, value in sizes.items())

    return {
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": True,
        "trt_timing_cache_path": str(folder),
        "trt_profile_min_shapes": shapes(1, 1),
        "trt_profile_opt_shapes": shapes(4, 1),
        "trt_profile_max_shapes": shapes(MAX_VIEWS, MAX_HYPOTHESES),
    }


def warm_up(engine: OrtEngine, views: int, runs: int = 3) -> None:
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
