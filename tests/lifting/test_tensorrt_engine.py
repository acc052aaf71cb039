"""Recordings of TensorRT, on a GPU and an engine that compute on the CPU; the real ones: `test_torch_engine.py`."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from pose_rig.graph import GraphInput, GraphOutput
from pose_rig.lifting.difference import difference
from pose_rig.lifting.engine import DEFAULT_WEIGHTS, OrtEngine
from pose_rig.lifting.example import example
from pose_rig.lifting.shapes import Sizes, cut
from pose_rig.lifting.tensorrt_engine import MAX_RECORDINGS, TensorRtEngine, ThreadRecordings
from tests.lifting.fake_gpu import FakeEngine, FakeGpu, Strategy


def run(recordings: ThreadRecordings, given: GraphInput) -> GraphOutput:
    sizes = Sizes.of(given)
    return cut(recordings.at(sizes.padded()).run(given), sizes)


def test_every_run_copies_in_computes_and_copies_out() -> None:
    gpu, cpu = FakeGpu(), OrtEngine()
    engine = FakeEngine(gpu)
    recordings = ThreadRecordings(gpu, engine, Strategy.USER_MANAGED)  # type: ignore[arg-type]
    for views, hypotheses, seed in ((4, 1, 0), (4, 1, 1), (3, 3, 2), (4, 1, 3), (1, 1, 4), (8, 5, 5)):
        given = example(views, hypotheses, np.random.default_rng(seed))
        assert difference(cpu.run(given), run(recordings, given)).small
    assert engine.contexts == 4  # one for each padded size


def test_the_recording_unused_for_longest_is_dropped_with_its_memory() -> None:
    gpu = FakeGpu()
    recordings = ThreadRecordings(gpu, FakeEngine(gpu), Strategy.USER_MANAGED)  # type: ignore[arg-type]
    blocks = []
    for views in range(1, MAX_RECORDINGS + 1):
        run(recordings, example(views, 1, np.random.default_rng(0)))
        blocks.append(len(gpu.memory))
    run(recordings, example(1, 2, np.random.default_rng(0)))
    assert blocks[-1] == 1 + 4 * MAX_RECORDINGS  # input and output, each on the host and on the GPU
    assert len(gpu.memory) == blocks[-1]
    assert [len(graph) for graph in gpu.graphs.values()] == [0] + [3] * MAX_RECORDINGS


@pytest.mark.skipif(importlib.util.find_spec("tensorrt") is not None, reason="tensorrt is installed")
def test_a_missing_package_is_an_import_error(tmp_path: Path) -> None:
    with pytest.raises(ImportError, match="tensorrt"):
        TensorRtEngine(DEFAULT_WEIGHTS, tmp_path)
