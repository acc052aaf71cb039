"""The graph in torch, here on the CPU, and marked `gpu` as it is meant."""

import threading
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pose_rig.errors import AssetError
from pose_rig.graph import Engine, GraphInput, GraphOutput, Single
from pose_rig.lifting.difference import difference
from pose_rig.lifting.engine import DEFAULT_WEIGHTS, OrtEngine
from pose_rig.lifting.example import example
from pose_rig.lifting.rig_graph import RigGraph
from pose_rig.lifting.shapes import MAX_CANDIDATES, Sizes, TooLargeError
from pose_rig.lifting.torch_engine import MAX_RECORDINGS, TorchEngine
from tests.lifting.gpu import gpu_engine


@pytest.fixture(scope="module")
def cpu() -> OrtEngine:
    return OrtEngine()


@pytest.fixture(scope="module")
def engine() -> TorchEngine:
    return TorchEngine(DEFAULT_WEIGHTS, "cpu")


@pytest.mark.parametrize(("views", "hypotheses"), [(1, 1), (4, 1), (3, 3), (8, 17)])
def test_torch_computes_what_the_file_computes(
    cpu: OrtEngine, engine: TorchEngine, views: int, hypotheses: int
) -> None:
    given = example(views, hypotheses, np.random.default_rng(views))
    want, got = cpu.run(given), engine.run(given)
    assert {f.name: getattr(want, f.name).shape for f in fields(GraphOutput)} == {
        f.name: getattr(got, f.name).shape for f in fields(GraphOutput)
    }
    assert difference(want, got).small
    assert np.abs(want.lifted - got.lifted).max() < 1e-4


def test_outputs_stay_when_the_engine_runs_again(engine: TorchEngine) -> None:
    first, second = (example(4, 1, np.random.default_rng(seed)) for seed in (0, 1))
    out = engine.run(first)
    kept = out.body.copy()
    engine.run(second)
    assert np.array_equal(out.body, kept)
    assert np.array_equal(engine.run(first).body, kept)


def test_only_the_newest_sizes_are_kept(engine: TorchEngine) -> None:
    given = [example(views, hypotheses, np.random.default_rng(0)) for views in range(1, 8) for hypotheses in (1, 2, 3)]
    want = [engine.run(one).body for one in given]
    assert len(given) > MAX_RECORDINGS
    assert all(np.array_equal(engine.run(one).body, body) for one, body in zip(given, want, strict=True))


def changed_in_threads(engine: Engine, inputs: Sequence[GraphInput], want: Sequence[Single], repeats: int) -> list[int]:
    """Runs each input in a thread of its own; returns the numbers of those whose result was another one, each time."""
    wrong: list[int] = []

    def run(number: int) -> None:
        wrong.extend(
            number for _ in range(repeats) if not np.array_equal(engine.run(inputs[number]).body, want[number])
        )

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


def test_two_threads_do_not_disturb_each_other(engine: TorchEngine) -> None:
    inputs = [example(4, 1, np.random.default_rng(seed)) for seed in range(2)]
    want = [engine.run(given).body for given in inputs]
    assert changed_in_threads(engine, inputs, want, 20) == []


def test_too_large_an_input_is_refused(engine: TorchEngine) -> None:
    with pytest.raises(TooLargeError):
        engine.run(example(1, MAX_CANDIDATES + 1, np.random.default_rng(0)))


def test_a_graph_without_weights_of_a_lifter_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("not a graph")
    with pytest.raises(AssetError, match="is not a lifter checkpoint"):
        TorchEngine(path, "cpu")


def test_sizes_are_compiled_once_for_all_threads(cpu: OrtEngine) -> None:
    calls: list[RigGraph] = []

    def fuse(module: RigGraph, arguments: tuple[Tensor, ...]) -> RigGraph:
        calls.append(module)
        return module

    engine = TorchEngine(DEFAULT_WEIGHTS, "cpu", [Sizes(4, 1, 4)], fuse)
    given = example(4, 1, np.random.default_rng(0))
    engine.run(example(4, 3, np.random.default_rng(0)))
    assert (calls, engine.reason) == ([], f"torch {torch.__version__}")
    assert difference(cpu.run(given), engine.run(given)).small
    thread = threading.Thread(target=engine.run, args=(given,))
    thread.start()
    thread.join()
    assert (len(calls), engine.reason) == (1, f"torch {torch.__version__}, compiled")


def test_without_a_compiler_the_graph_runs_uncompiled(cpu: OrtEngine) -> None:
    def fuse(module: RigGraph, arguments: tuple[Tensor, ...]) -> RigGraph:
        raise RuntimeError("Failed to find C compiler.\nPlease specify via CC")

    engine = TorchEngine(DEFAULT_WEIGHTS, "cpu", [Sizes(4, 1, 4)], fuse)
    given = example(4, 1, np.random.default_rng(0))
    for _ in range(2):
        assert difference(cpu.run(given), engine.run(given)).small
    assert engine.reason == f"torch {torch.__version__}, not compiled: Failed to find C compiler."


@pytest.mark.gpu
@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
@pytest.mark.parametrize(("views", "hypotheses"), [(1, 1), (4, 1), (4, 3), (8, 136), (16, 120)])
def test_a_gpu_computes_what_the_cpu_computes(
    cpu: OrtEngine, provider: str, views: int, hypotheses: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    gpu = gpu_engine(provider, tmp_path_factory.getbasetemp() / "engines")
    given = example(views, hypotheses, np.random.default_rng(views))
    apart = difference(cpu.run(given), gpu.run(given))
    assert apart.small, apart


@pytest.mark.gpu
@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_gpu_repeats_itself_in_two_threads(provider: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    gpu = gpu_engine(provider, tmp_path_factory.getbasetemp() / "engines")
    inputs = [example(4, hypotheses, np.random.default_rng(hypotheses)) for hypotheses in (1, 60)]
    want = [gpu.run(given).body for given in inputs]
    assert changed_in_threads(gpu, inputs, want, 200) == []
