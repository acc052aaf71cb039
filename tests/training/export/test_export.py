"""Graphs made anew: what they compute, in how many bits, what they say of themselves."""

import hashlib
import json
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto

from pose_rig.errors import AssetError, EngineError, UsageError
from pose_rig.graph import ONNX_INPUTS, GraphOutput
from pose_rig.lifting.checkpoint import load, save
from pose_rig.lifting.engine import DEFAULT_WEIGHTS, OrtEngine
from pose_rig.lifting.example import example
from pose_rig.lifting.gpu_libraries import has_driver
from pose_rig.lifting.model import Lifter, LifterConfig
from pose_rig.lifting.rig_graph import RigGraph
from pose_rig.lifting.torch_engine import TorchEngine
from pose_rig.training.export.export import Exported, ExportOptions, export
from pose_rig.training.export.module import reference, rounded
from pose_rig.training.export.parity import (
    MAX_DIFFERENCE,
    MAX_LIFT_ERROR_MM,
    ReferenceEngine,
    check,
    check_lifts,
    lift_error_mm,
)
from pose_rig.training.export.quantise import halve, lifter_layers, multiply_in_half, multiply_in_int8
from pose_rig.training.export.trace import traced
from tests.lifting.gpu import gpu_engine


def small(width: int = 48, **config: object) -> Lifter:
    torch.manual_seed(0)
    return Lifter(LifterConfig(width=width, **config))  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "depth"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lifter, Exported]:
    """A small network of random weights, and its graph."""
    lifter = small(depth=request.param)
    if request.param:
        torch.nn.init.normal_(lifter.depth_branch.last.weight, std=0.05)
    path = tmp_path_factory.mktemp("graph") / "deep" / "lifter.onnx"
    return lifter, export(lifter, {"step": "7", "motion": "none"}, path)


def told(path: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}


@pytest.mark.parametrize(("views", "hypotheses"), [(1, 1), (2, 4), (4, 1), (5, 3), (8, 2)])
def test_the_graph_computes_what_torch_does(made: tuple[Lifter, Exported], views: int, hypotheses: int) -> None:
    lifter, done = made
    given = example(views, hypotheses, np.random.default_rng(views))
    want, got = reference(RigGraph(rounded(lifter)), given), OrtEngine(done.path, "cpu").run(given)
    for field in fields(GraphOutput):
        a, b = getattr(want, field.name), getattr(got, field.name)
        assert a.shape == b.shape
        assert np.abs(a - b).max() < MAX_DIFFERENCE * max(1.0, float(np.abs(a).max())), field.name


def test_depths_reach_the_lift_in_every_engine(made: tuple[Lifter, Exported]) -> None:
    _, done = made
    given = example(4, 2, np.random.default_rng(0))
    apart = [
        np.abs(engine.run(given).lifted - engine.run(replace(given, depth=None)).lifted).max()
        for engine in (OrtEngine(done.path), TorchEngine(done.path, "cpu"))
    ]
    assert min(apart) > 1e-3


def test_the_metadata_of_a_graph_are_correct(made: tuple[Lifter, Exported]) -> None:
    lifter, done = made
    assert done.max_difference == check(RigGraph(rounded(lifter)), done.path) < MAX_DIFFERENCE
    assert done.size_mb == pytest.approx(done.path.stat().st_size / 1e6)
    assert done.lift_error_mm == 0.0
    assert [path.name for path in done.path.parent.iterdir()] == ["lifter.onnx"]  # nothing else is left


def test_exporting_leaves_the_lifter_as_it_was() -> None:
    lifter = small().train()
    before = {name: weight.clone() for name, weight in lifter.state_dict().items()}
    assert any(not torch.equal(a, b) for a, b in zip(rounded(lifter).parameters(), before.values(), strict=True))
    assert all(torch.equal(weight, before[name]) for name, weight in lifter.state_dict().items())
    assert lifter.training


def test_a_file_carries_half_the_bytes(made: tuple[Lifter, Exported]) -> None:
    lifter, done = made
    model = onnx.load(str(done.path))
    assert [node.name for node in model.graph.input] == list(ONNX_INPUTS)
    weights = sum(weight.numel() for weight in lifter.parameters())
    large = sum(np.prod(value.dims) for value in model.graph.initializer if value.data_type == TensorProto.FLOAT16)
    assert large > 0.8 * weights


def test_a_file_has_its_provenance(tmp_path: Path) -> None:
    lifter, source = small(pose_blocks=1), tmp_path / "lifter.pt"
    save(source, lifter, {})
    export(lifter, {"step": "7", "data": "a.mcap b.mcap"}, tmp_path / "lifter.onnx", source=source)
    meta = told(tmp_path / "lifter.onnx")
    assert json.loads(meta.pop("config")) == asdict(lifter.config) | {"body_from_canonical": []}
    assert meta.pop("source_sha256") == hashlib.sha256(source.read_bytes()).hexdigest()
    assert meta.pop("torch") == torch.__version__
    assert meta.pop("pose_rig")[0].isdigit()
    assert meta.pop("exported").startswith("20")
    assert meta == {"step": "7", "data": "a.mcap b.mcap", "precision": "fp32"}


def test_a_lifter_that_the_rig_cannot_feed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"The input frame of this lifter is image; .* Export a lifter of a method with the ray frame"
    ):
        export(small(frame="image"), {}, tmp_path / "lifter.onnx")
    assert list(tmp_path.iterdir()) == []


def test_another_graph_than_torch_is_refused(made: tuple[Lifter, Exported]) -> None:
    other = rounded(made[0])
    with torch.no_grad():
        other.pose_head.bias[7] += 0.05
    with pytest.raises(EngineError, match=r"differs from torch by 0\.\d+\. Nothing was"):
        check(RigGraph(other), made[1].path)


def test_a_path_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        AssetError, match=r"Cannot write .*lifter\.onnx: .+\. Free disk space, or choose another path\."
    ):
        export(small(), {}, tmp_path / "file" / "lifter.onnx")


def test_half_precision_changes_little_and_is_checked(tmp_path: Path, made: tuple[Lifter, Exported]) -> None:
    done = export(made[0], {}, tmp_path / "half.onnx", ExportOptions(precision="fp16"))
    assert 0 < done.lift_error_mm < MAX_LIFT_ERROR_MM
    assert told(done.path)["precision"] == "fp16"
    types = {value.name: value.data_type for value in onnx.load(str(done.path)).graph.initializer}
    lifter = [kind for name, kind in types.items() if name.startswith("lifter.")]
    assert lifter == [TensorProto.FLOAT16] * len(lifter)  # biases, too
    given = example(3, 2, np.random.default_rng(1))
    assert np.abs(OrtEngine(done.path, "cpu").run(given).body - ReferenceEngine(done.path).run(given).body).max() < 0.01


def test_int8_is_refused_if_its_error_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "lifter.onnx").write_bytes(b"what was there")
    with pytest.raises(
        EngineError, match=r"^With int8 on cpu the lifted joints are \d+\.\d mm off on average, more than 1 mm"
    ):
        export(small(width=96), {}, tmp_path / "lifter.onnx", ExportOptions(precision="int8"))
    assert [path.name for path in tmp_path.iterdir()] == ["lifter.onnx"]
    assert (tmp_path / "lifter.onnx").read_bytes() == b"what was there"


def test_layers_multiply_in_the_requested_precision(tmp_path: Path) -> None:
    model = traced(RigGraph(rounded(small(width=64))))
    halve(model)
    whole = tmp_path / "whole.onnx"
    onnx.save(model, str(whole))
    reduced = multiply_in_int8(onnx.load(str(whole)))
    operations = [node.op_type for node in reduced.graph.node]
    assert operations.count("MatMulInteger") == 10  # two for each of five residual blocks
    names = {value.name for value in reduced.graph.initializer if value.data_type == TensorProto.INT8 and value.dims}
    assert not any("stem" in name or "head" in name for name in names)
    onnx.save(reduced, str(tmp_path / "int8.onnx"))
    exact, people = OrtEngine(whole, "cpu"), example(4, 8, np.random.default_rng(0))
    assert MAX_LIFT_ERROR_MM < lift_error_mm(exact, OrtEngine(tmp_path / "int8.onnx", "cpu"), people) < 60
    multiply_in_half(model)
    assert len(lifter_layers(model)) == 13
    assert {value.data_type for value in model.graph.initializer if value.name.startswith("lifter.")} == {
        TensorProto.FLOAT16
    }


def test_a_difference_is_judged_in_millimetres(made: tuple[Lifter, Exported], tmp_path: Path) -> None:
    exact, people = OrtEngine(made[1].path, "cpu"), example(2, 3, np.random.default_rng(2))
    assert check_lifts(exact, exact, people, "nothing") == 0.0
    other = rounded(made[0])
    with torch.no_grad():
        other.pose_head.bias[3:51] += 0.0002  # 0.2 mm · 2 · √3 of every joint but the first
    near = export(other, {}, tmp_path / "near.onnx")
    assert 0.5 < check_lifts(exact, OrtEngine(near.path, "cpu"), people, "a nudge") < 0.75
    with torch.no_grad():
        other.pose_head.bias[3:51] += 0.0006
    far = export(other, {}, tmp_path / "far.onnx")
    with pytest.raises(
        EngineError, match=r"^With a push the lifted joints are 2\.\d mm off on average, more than 1 mm"
    ):
        check_lifts(exact, OrtEngine(far.path, "cpu"), people, "a push")


@pytest.mark.skipif(has_driver(), reason="this machine has an NVIDIA driver")
def test_a_provider_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cuda: no NVIDIA driver"):
        export(small(), {}, tmp_path / "lifter.onnx", ExportOptions(provider="cuda"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.gpu
@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_gpu_lifts_the_same(tmp_path: Path, provider: str, precision: str) -> None:
    gpu_engine(provider, tmp_path / "engines")  # skips where there is none
    lifter, settings = load(DEFAULT_WEIGHTS)
    options = ExportOptions(precision, provider, tmp_path / "engines")  # type: ignore[arg-type]
    assert export(lifter, settings, tmp_path / "lifter.onnx", options).lift_error_mm < MAX_LIFT_ERROR_MM
