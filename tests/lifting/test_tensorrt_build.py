"""TensorRT's parser and builder, where they run without a GPU: TensorRT for RTX has the same interface."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pose_rig.errors import EngineError
from pose_rig.lifting.checkpoint import load
from pose_rig.lifting.engine import DEFAULT_WEIGHTS
from pose_rig.lifting.gpu_libraries import gpu_pieces, has_driver
from pose_rig.lifting.tensorrt_build import BuildLog, build, cached_engine, engine_name
from pose_rig.training.export.export import ExportOptions, export


@pytest.fixture(scope="module")
def rtx() -> Any:
    """The module; skips where it is not installed."""
    return pytest.importorskip("tensorrt_rtx", reason="pip install tensorrt-rtx")


def for_one_gpu(config: Any) -> None:
    """Without a GPU the kind that the engine is for must be named."""
    import tensorrt_rtx

    config.num_compute_capabilities = 1
    config.set_compute_capability(tensorrt_rtx.ComputeCapability.SM86, 0)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_shipped_graph_is_parsed_as_a_whole_and_built(rtx: Any, precision: str, tmp_path: Path) -> None:
    path = DEFAULT_WEIGHTS
    if precision == "fp16":
        lifter, settings = load(DEFAULT_WEIGHTS)
        path = export(lifter, settings, tmp_path / "half.onnx", ExportOptions("fp16")).path
    log, reports = BuildLog(), list[str]()
    logger = log.logger(rtx)
    network = rtx.Builder(logger).create_network(1 << int(rtx.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = rtx.OnnxParser(network, logger)
    assert parser.supports_model_v2(path.read_bytes())
    assert parser.num_subgraphs == 1
    engine = build(rtx, path.read_bytes(), log, reports.append, for_one_gpu)
    assert len(engine) > 1_000_000
    assert any("%" in text for text in reports)


def test_what_cannot_be_parsed_is_an_error_with_its_reason(rtx: Any) -> None:
    with pytest.raises(EngineError, match=r"^TensorRT cannot parse the graph: .+"):
        build(rtx, b"not a graph", BuildLog(), lambda _: None, for_one_gpu)


def test_an_engine_is_for_one_version_graph_gpu_and_driver() -> None:
    names = {
        engine_name("10.9", b"a", "RTX 4070 (8, 9)", 13000),
        engine_name("11.4", b"a", "RTX 4070 (8, 9)", 13000),
        engine_name("10.9", b"b", "RTX 4070 (8, 9)", 13000),
        engine_name("10.9", b"a", "RTX 5090 (12, 0)", 13000),
        engine_name("10.9", b"a", "RTX 4070 (8, 9)", 12080),
    }
    assert len(names) == 5
    assert engine_name("10.9", b"a", "RTX 4070 (8, 9)", 13000) in names


def test_a_built_engine_is_read_from_the_cache(tmp_path: Path) -> None:
    module, graph, reports = SimpleNamespace(__version__="10.9"), tmp_path / "lifter.onnx", list[str]()
    graph.write_bytes(b"a graph")
    name = engine_name("10.9", b"a graph", "RTX 4070 (8, 9)", 13000)
    with pytest.raises(AttributeError):  # it would be built, and the module has nothing for that
        cached_engine(module, graph, "RTX 4070 (8, 9)", 13000, tmp_path, reports.append)
    assert reports == ["Building the TensorRT engine of lifter.onnx for RTX 4070 (8, 9); once, up to some minutes."]
    (tmp_path / name).write_bytes(b"built")
    assert cached_engine(module, graph, "RTX 4070 (8, 9)", 13000, tmp_path, reports.append) == b"built"
    assert len(reports) == 1


@pytest.mark.skipif(importlib.util.find_spec("tensorrt") is None, reason='pip install -e ".[gpu]"')
def test_with_the_extra_only_the_driver_can_be_missing() -> None:
    assert [piece.name for piece in gpu_pieces()[:-1] if piece.missing] == []
    assert has_driver() == (not gpu_pieces()[-1].missing)
