"""Builds a TensorRT engine from an exported graph, or reads the one built before.

With the packages ``tensorrt`` 10 and 11. The functions take the module as an argument: ``tensorrt_rtx``, TensorRT for
RTX, has the same programming interface and needs no GPU to parse and to build.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pose_rig.atomic_file import atomic_file
from pose_rig.errors import EngineError
from pose_rig.lifting.shapes import MAX_CANDIDATES, MAX_HYPOTHESES, MAX_VIEWS, Sizes

# Ranges of the one optimisation profile. Tactics are chosen for one person in four views.
SMALLEST = Sizes(1, 1, 1)
TYPICAL = Sizes(4, 1, 4)
LARGEST = Sizes(MAX_CANDIDATES, MAX_HYPOTHESES, MAX_VIEWS)

Report = Callable[[str], None]


class BuildLog:
    """Collects the warnings and errors of TensorRT; the last one is the reason of a failure."""

    def __init__(self) -> None:
        self.last = ""

    def logger(self, trt: Any) -> Any:
        """Returns it as a logger of TensorRT."""
        log = self

        class Logger(trt.ILogger):  # type: ignore[misc]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)

            def log(self, severity: Any, text: str) -> None:
                if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                    log.last = text.strip()

        return Logger()


def cached_engine(trt: Any, graph: Path, gpu_name: str, driver: int, cache: Path | None, report: Report) -> bytes:
    """Returns a serialised engine: from the cache, or built and put there.

    Args:
        trt: The module ``tensorrt``.
        graph: The ONNX file.
        gpu_name: Name and compute capability of the GPU; an engine is for one kind of GPU.
        driver: Version of CUDA of the driver.
        cache: Folder; None = none.
        report: Called with the progress of a build.

    Raises:
        EngineError: TensorRT cannot parse or build the graph.
    """
    content = graph.read_bytes()
    path = cache / engine_name(trt.__version__, content, gpu_name, driver) if cache is not None else None
    if path is not None and path.is_file():
        return path.read_bytes()
    report(f"Building the TensorRT engine of {graph.name} for {gpu_name}; once, up to some minutes.")
    log = BuildLog()
    engine = build(trt, content, log, report)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as partial:
            partial.write_bytes(engine)
    return engine


def engine_name(version: str, content: bytes, gpu_name: str, driver: int) -> str:
    """Returns the name of the file of an engine: another one for everything on which the engine depends."""
    ranges = repr((SMALLEST, TYPICAL, LARGEST))
    parts = (content, gpu_name.encode(), str(driver).encode(), ranges.encode())
    digest = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
    return f"tensorrt-{version}-{digest[:16]}.engine"


def build(
    trt: Any, content: bytes, log: BuildLog, report: Report, configure: Callable[[Any], None] = lambda _: None
) -> bytes:
    """Returns a serialised engine in the precision of the graph, without TF32.

    Args:
        trt: The module.
        content: The ONNX file.
        log: Where messages go.
        report: Called with the progress.
        configure: Changes the builder's configuration.

    Raises:
        EngineError: TensorRT cannot parse or build the graph.
    """
    logger = log.logger(trt)
    builder = trt.Builder(logger)
    network = builder.create_network(_network_flags(trt))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(content):
        reasons = [parser.get_error(i).desc() for i in range(parser.num_errors)]
        raise EngineError(f"TensorRT cannot parse the graph: {'; '.join(reasons)[:300]}.", "Use another provider.")
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)  # rotations would be 0.3° off in the mean, 1.9° at worst
    config.add_optimization_profile(_profile(builder, network))
    config.progress_monitor = _progress_monitor(trt, report)
    configure(config)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise EngineError(f"TensorRT cannot build the graph: {log.last[:300]}.", "Use another provider.")
    return bytes(engine)


def _network_flags(trt: Any) -> int:
    """Returns the flags of a network whose layers have the precision of the graph."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _profile(builder: Any, network: Any) -> Any:
    """Returns the ranges of all inputs."""
    profile = builder.create_optimization_profile()
    shapes = [{slot.name: slot.shape for slot in sizes.inputs} for sizes in (SMALLEST, TYPICAL, LARGEST)]
    for name in (network.get_input(i).name for i in range(network.num_inputs)):
        profile.set_shape(name, *(sizes[name] for sizes in shapes))
    return profile


def _progress_monitor(trt: Any, report: Report) -> Any:
    """Returns a monitor that reports every fourth of the outermost phase."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._outermost, self._steps, self._reported = "", 1, 0

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            if not parent_phase:
                self._outermost, self._steps, self._reported = phase_name, max(num_steps, 1), 0

        def phase_finish(self, phase_name: str) -> None:
            pass

        def step_complete(self, phase_name: str, step: int) -> bool:
            percent = 100 * (step + 1) // self._steps
            if phase_name == self._outermost and percent >= self._reported + 25:
                self._reported = percent
                report(f"TensorRT: {percent} %.")
            return True

    return Monitor()
