"""Choice of the engine that runs the graph: TensorRT, CUDA, or the CPU, whichever is the fastest of those that work.

Every engine of a GPU must agree with the CPU before it is used, and the CPU takes over where it fails later.
"""

import importlib.util
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np

from pose_rig.errors import EngineError, UsageError
from pose_rig.graph import Engine, GraphInput, GraphOutput
from pose_rig.lifting.difference import difference
from pose_rig.lifting.engine import DEFAULT_WEIGHTS, OrtEngine, warm_up
from pose_rig.lifting.example import example
from pose_rig.lifting.gpu_libraries import has_driver
from pose_rig.lifting.shapes import Sizes, TooLargeError

PROVIDERS = ("tensorrt", "cuda", "cpu")
WARM_UP_RUNS, TIMED_RUNS = 10, 50
MIN_GAIN = 0.9  # share of the time of the provider before it in the list that another one may take at most
REASON_LENGTH = 160

Report = Callable[[str], None]


class ProviderEngine:
    """The engine of a provider, with the CPU in reserve.

    Inputs that are too large for a GPU's engine are computed on the CPU, as is everything after it failed.

    Args:
        engine: The engine.
        cpu: The reserve.
        reason: Why this provider.
    """

    def __init__(self, engine: Engine, cpu: Engine, reason: str) -> None:
        self._engine, self._cpu = engine, cpu
        self._lock = threading.Lock()
        self.provider, self.reason = engine.provider, reason

    def run(self, given: GraphInput) -> GraphOutput:
        """Returns the graph's outputs for any number of candidates, hypotheses and views."""
        engine = self._engine
        if engine is self._cpu:
            return self._cpu.run(given)
        try:
            return engine.run(given)
        except TooLargeError:
            return self._cpu.run(given)
        except Exception as error:  # drivers and libraries raise anything
            self._fail(engine, error)
            return self._cpu.run(given)

    def _fail(self, engine: Engine, error: Exception) -> None:
        with self._lock:
            if self._engine is engine:
                self._engine = self._cpu
                self.provider = self._cpu.provider
                self.reason = f"{engine.provider} failed in mid-run: {first_line(error)}"


def open_engine(
    path: Path = DEFAULT_WEIGHTS,
    provider: str = "auto",
    cache: Path | None = None,
    views: int = 4,
    report: Report = lambda _: None,
) -> ProviderEngine:
    """Returns the engine of a provider, warmed up.

    Args:
        path: The ONNX file.
        provider: ``tensorrt``, ``cuda``, ``cpu``, or ``auto`` for the fastest of these that work.
        cache: Folder for built TensorRT engines.
        views: Number of views for which it is timed.
        report: Called with the progress of a build.

    Raises:
        UsageError: There is no such file.
        EngineError: The file is not a pose-rig graph, or the provider cannot run it.
    """
    cpu = OrtEngine(path, "cpu")
    warm_up(cpu, views)
    if provider == "cpu":
        return ProviderEngine(cpu, cpu, cpu.reason)
    if provider == "auto" and not has_driver():
        return ProviderEngine(cpu, cpu, f"{cpu.reason}; no NVIDIA driver")
    wanted = PROVIDERS[:-1] if provider == "auto" else (provider,)
    found: list[Engine] = []
    reasons: list[str] = []
    for name in wanted:
        if not found:  # with TensorRT torch is not loaded, which takes seconds and some 500 MB
            engines, refused = gpu_engines(path, (name,), cache, cpu, report, views)
            found, reasons = engines, [*reasons, *refused]
    if provider == "auto":
        return fastest([*found, cpu], reasons, views)
    if not found:
        raise EngineError(
            f"No provider can run {path.name} ({'; '.join(reasons)}).", "Check the file and `pose-rig doctor`."
        )
    return ProviderEngine(found[0], cpu, found[0].reason)


def gpu_engines(
    path: Path, wanted: Sequence[str], cache: Path | None, cpu: Engine, report: Report = lambda _: None, views: int = 4
) -> tuple[list[Engine], list[str]]:
    """Returns an engine for each provider that works and agrees with the CPU, and the reasons of the others.

    Arguments are those of `open_engine`; ``wanted`` are the providers, ``cpu`` is the engine to compare with.
    """
    if not has_driver():
        return [], [f"{', '.join(wanted)}: no NVIDIA driver"]
    engines: list[Engine] = []
    reasons: list[str] = []
    people = [example(views, hypotheses, np.random.default_rng(0)) for hypotheses in (1, 3)]
    for name in wanted:
        failures = []
        for make in _makers(name):
            try:
                engine = make(path, cache, report, views)
                apart = [difference(cpu.run(given), engine.run(given)) for given in people]
            except Exception as error:  # drivers and libraries raise anything; the next one is tried
                failures.append(first_line(error))
                continue
            if all(one.small for one in apart):
                engines.append(engine)
                break
            failures.append(f"{engine.reason} differs from the CPU: {', '.join(map(str, apart))}")
        else:
            reasons.append(f"{name}: {', '.join(dict.fromkeys(failures))}")
    return engines, reasons


def fastest(engines: Sequence[Engine], reasons: Sequence[str], views: int) -> ProviderEngine:
    """Returns the fastest engine; the last one is the CPU.

    An engine is replaced by one after it in the list only if that one takes less than `MIN_GAIN` of its time, so that
    the choice is the same in every run on the same machine.
    """
    cpu = engines[-1]
    if len(engines) == 1:
        return ProviderEngine(cpu, cpu, "; ".join(reasons) or "the only one")
    times_ms = [time_ms(engine, views) for engine in engines]
    best = 0
    for i, spent_ms in enumerate(times_ms):
        best = i if spent_ms < MIN_GAIN * times_ms[best] else best
    measured = ", ".join(f"{engine.provider} {ms:.2f} ms" for engine, ms in zip(engines, times_ms, strict=True))
    text = "; ".join([f"{engines[best].reason}; per time step of {views} views: {measured}", *reasons])
    return ProviderEngine(engines[best], cpu, text)


def time_ms(engine: Engine, views: int) -> float:
    """Returns the median time of a run with one hypothesis; not finite if it fails."""
    people = example(views, 1, np.random.default_rng(0))
    spent_ns = []
    try:
        for _ in range(WARM_UP_RUNS + TIMED_RUNS):
            started_ns = time.perf_counter_ns()
            engine.run(people)
            spent_ns.append(time.perf_counter_ns() - started_ns)
    except Exception:  # drivers and libraries raise anything
        return float("inf")
    return median(spent_ns[WARM_UP_RUNS:]) / 1e6


def first_line(error: Exception) -> str:
    """Returns what an exception says, short."""
    text = error.cause if isinstance(error, EngineError | UsageError) else str(error) or type(error).__name__
    return text.splitlines()[0][:REASON_LENGTH].rstrip(".")


def _makers(name: str) -> tuple[Callable[[Path, Path | None, Report, int], Engine], ...]:
    """Returns what makes an engine of a provider, in the order in which they are tried."""
    return {"tensorrt": (_tensorrt,), "cuda": (_torch, _onnx_runtime)}[name]


def _tensorrt(path: Path, cache: Path | None, report: Report, views: int) -> Engine:
    from pose_rig.lifting.tensorrt_engine import TensorRtEngine

    return TensorRtEngine(path, cache, report)


def _torch(path: Path, cache: Path | None, report: Report, views: int) -> Engine:
    from pose_rig.torch_build import torch_build

    build = torch_build()
    if not build.gpu:
        raise EngineError(f"{build}, finds no GPU.", build.remedy())
    if cache is not None:
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache / "torch"))
    from pose_rig.lifting.torch_engine import TorchEngine

    if importlib.util.find_spec("triton") is None:
        return TorchEngine(path)
    report("Compiling the graph for CUDA: about a minute the first time.")
    return TorchEngine(path, compiled=[Sizes(views, 1, views).padded()])


def _onnx_runtime(path: Path, cache: Path | None, report: Report, views: int) -> Engine:
    return OrtEngine(path, "cuda")
