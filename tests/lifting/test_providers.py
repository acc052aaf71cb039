"""The choice of a provider, and what happens when it fails."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pose_rig.errors import EngineError, UsageError
from pose_rig.graph import GraphInput, GraphOutput
from pose_rig.lifting.engine import OrtEngine
from pose_rig.lifting.example import example
from pose_rig.lifting.gpu_libraries import has_driver
from pose_rig.lifting.providers import ProviderEngine, fastest, first_line, open_engine
from pose_rig.lifting.shapes import TooLargeError

WITHOUT_GPU = pytest.mark.skipif(has_driver(), reason="this machine has an NVIDIA driver")
GIVEN = example(3, 2, np.random.default_rng(0))


class Fake:
    """An engine of a GPU: the CPU's, with what a test adds before every run."""

    def __init__(self, cpu: OrtEngine, before: Callable[[int], None] = lambda _: None, name: str = "cuda") -> None:
        self._cpu, self._before, self._runs = cpu, before, 0
        self.provider, self.reason = name, "a fake"

    def run(self, given: GraphInput) -> GraphOutput:
        self._before(self._runs)
        self._runs += 1
        return self._cpu.run(given)


@pytest.fixture(scope="module")
def cpu() -> OrtEngine:
    return OrtEngine()


def fails_from(run: int, error: Exception) -> Callable[[int], None]:
    def check(number: int) -> None:
        if number >= run:
            raise error

    return check


def spins(count: int) -> Callable[[int], None]:
    """Takes a time that is much longer or shorter than the graph's own."""

    def spin(_: int) -> None:
        for _ in range(count):
            np.linalg.inv(np.eye(40))

    return spin


def test_a_failure_in_mid_run_is_taken_over_by_the_cpu_and_named(cpu: OrtEngine) -> None:
    engine = ProviderEngine(Fake(cpu, fails_from(2, RuntimeError("CUDA error: 700\nmore"))), cpu, "the fastest")
    want = cpu.run(GIVEN).body
    assert [np.array_equal(engine.run(GIVEN).body, want) for _ in range(2)] == [True, True]
    assert (engine.provider, engine.reason) == ("cuda", "the fastest")
    assert [np.array_equal(engine.run(GIVEN).body, want) for _ in range(3)] == [True, True, True]
    assert (engine.provider, engine.reason) == ("cpu", "cuda failed in mid-run: CUDA error: 700")


def test_a_failure_on_the_cpu_is_an_error(cpu: OrtEngine) -> None:
    broken = Fake(cpu, fails_from(0, RuntimeError("no memory")), "cpu")
    with pytest.raises(RuntimeError, match="no memory"):
        ProviderEngine(broken, broken, "").run(GIVEN)


def test_what_is_too_large_for_the_gpu_runs_on_the_cpu_and_the_gpu_stays(cpu: OrtEngine) -> None:
    engine = ProviderEngine(Fake(cpu, fails_from(0, TooLargeError("rows"))), cpu, "the fastest")
    assert np.array_equal(engine.run(GIVEN).body, cpu.run(GIVEN).body)
    assert (engine.provider, engine.reason) == ("cuda", "the fastest")


def test_the_fastest_is_chosen_and_the_times_are_named(cpu: OrtEngine) -> None:
    slow, quick = Fake(cpu, spins(50), "tensorrt"), cpu
    chosen = fastest([slow, quick], ["cuda: none"], 2)
    assert chosen.provider == "cpu"
    assert chosen.reason.startswith(f"{cpu.reason}; per time step of 2 views: tensorrt ")
    assert chosen.reason.endswith(" ms; cuda: none")
    assert fastest([Fake(cpu, name="tensorrt"), Fake(cpu, spins(50), "cpu")], [], 2).provider == "tensorrt"


def test_one_that_fails_while_it_is_timed_is_not_chosen(cpu: OrtEngine) -> None:
    assert fastest([Fake(cpu, fails_from(3, RuntimeError("gone"))), cpu], [], 2).provider == "cpu"


@WITHOUT_GPU
def test_auto_takes_the_cpu_without_a_gpu_and_says_so(cpu: OrtEngine) -> None:
    engine = open_engine(views=2)
    assert (engine.provider, engine.reason) == ("cpu", f"{cpu.reason}; no NVIDIA driver")
    assert np.isfinite(engine.run(GIVEN).body).all()


@WITHOUT_GPU
@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_provider_that_was_asked_for_is_not_replaced(provider: str) -> None:
    with pytest.raises(EngineError) as caught:
        open_engine(provider=provider)
    assert caught.value.cause == f"No provider can run lifter.onnx ({provider}: no NVIDIA driver)."
    assert caught.value.remedy == "Check the file and `pose-rig doctor`."


def test_the_cpu_can_be_asked_for(cpu: OrtEngine) -> None:
    engine = open_engine(provider="cpu")
    assert (engine.provider, engine.reason) == ("cpu", cpu.reason)


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^There are no weights at "):
        open_engine(tmp_path / "nothing.onnx")


def test_reasons_are_one_short_line() -> None:
    assert first_line(RuntimeError("CUDA error.\nSecond line")) == "CUDA error"
    assert first_line(EngineError("No GPU.", "Buy one.")) == "No GPU"
    assert first_line(MemoryError()) == "MemoryError"
    assert len(first_line(RuntimeError("x" * 1000))) == 160
