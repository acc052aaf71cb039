"""Weights read from training checkpoints and exported graphs."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from pose_rig.errors import AssetError
from pose_rig.lifting.checkpoint import load, save
from pose_rig.lifting.engine import DEFAULT_WEIGHTS, OrtEngine
from pose_rig.lifting.example import example
from pose_rig.lifting.model import Lifter, LifterConfig
from pose_rig.skeleton import J
from pose_rig.training.export.export import ExportOptions, export
from pose_rig.training.export.module import rounded

TURNED = LifterConfig(
    width=40,
    pose_blocks=3,
    camera_blocks=1,
    rotation="axis_angle",
    body_from_canonical=(0.0, 0.0, 1.0, 0.0, 1.0, 0.0, -1.0, 0.0, 0.0),
    mirrored=True,
)


def small(seed: int = 0, config: LifterConfig | None = None) -> Lifter:
    torch.manual_seed(seed)
    return Lifter(config or LifterConfig(width=32, pose_blocks=1, camera_blocks=2)).eval()


def same(a: Lifter, b: Lifter) -> bool:
    """Whether two networks compute the same to the last bit."""
    given = torch.randn(2, J, 2), torch.rand(2, J)
    return a.config == b.config and all(torch.equal(x, y) for x, y in zip(a(*given), b(*given), strict=True))


def test_a_checkpoint_rebuilds_its_network(tmp_path: Path) -> None:
    model, path = small(1), tmp_path / "runs" / "lifter.pt"
    save(path, model, {"step": "12", "made": "in a test"})
    again, settings = load(path)
    assert settings == {"step": "12", "made": "in a test"}
    assert not again.training
    assert same(model, again)


def test_a_configuration_is_stored_exactly(tmp_path: Path) -> None:
    save(tmp_path / "lifter.pt", small(config=TURNED), {})
    assert load(tmp_path / "lifter.pt")[0].config == TURNED


@pytest.mark.parametrize(("config", "name"), [(None, "lifter.onnx"), (TURNED, "my.weights"), (None, "lifter.pt")])
def test_weights_are_read_from_a_graph(tmp_path: Path, config: LifterConfig | None, name: str) -> None:
    model = small(2, config)
    export(model, {"step": "3", "data": "sim"}, tmp_path / name)
    again, settings = load(tmp_path / name)
    assert same(rounded(model), again)
    assert not again.training
    assert (settings["step"], settings["data"], settings["precision"]) == ("3", "sim", "fp32")
    assert "config" not in settings


def test_half_precision_weights_are_read_from_a_graph(tmp_path: Path) -> None:
    model = small(3)
    export(model, {}, tmp_path / "half.onnx", ExportOptions(precision="fp16"))
    again = load(tmp_path / "half.onnx")[0]
    assert again.config == model.config
    for name, weight in again.state_dict().items():
        assert torch.equal(weight, model.state_dict()[name].half().float()), name


def test_training_can_start_from_the_shipped_graph() -> None:
    model, settings = load(DEFAULT_WEIGHTS)
    given = example(3, 2, np.random.default_rng(0))
    canonical, rotation, _ = model(torch.from_numpy(given.ray_xy), torch.from_numpy(given.confidence))
    lifted = (canonical @ rotation.mT).detach().numpy()
    assert np.abs(lifted - OrtEngine(provider="cpu").run(replace(given, depth=None)).lifted).max() < 1e-4
    assert {"motion", "seed", "step"} <= set(settings)


def test_a_graph_without_metadata_is_read_by_its_shapes(tmp_path: Path) -> None:
    model, path = small(4, LifterConfig(width=24, pose_blocks=3, camera_blocks=1)), tmp_path / "old.onnx"
    export(model, {"step": "1"}, path)
    graph = onnx.load(str(path))
    del graph.metadata_props[:]
    onnx.save(graph, str(path))
    again, settings = load(path)
    assert same(rounded(model), again)
    assert settings == {}


def test_graphs_without_lifter_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "lifter.onnx"
    export(small(5), {}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AssetError, match=r"lifter\.onnx is not a lifter checkpoint: .*parsing"):
        load(path)
    graph = onnx.load_model_from_string(whole)
    del graph.graph.initializer[:]
    onnx.save(graph, str(path))
    with pytest.raises(AssetError, match=r"has no lifter weights from which training could start\. Train one,"):
        load(path)
    graph = onnx.load_model_from_string(whole)
    bias = next(value for value in graph.graph.initializer if value.name == "lifter.pose_head.bias")
    bias.CopyFrom(numpy_helper.from_array(np.zeros(3, np.float32), bias.name))
    onnx.save(graph, str(path))
    with pytest.raises(AssetError, match=r"is not a lifter checkpoint: Error.* loading"):
        load(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.pt"
    text.write_text("nothing of the kind")
    empty = tmp_path / "empty.pt"
    empty.touch()
    other = tmp_path / "other.pt"
    torch.save({"state": {}}, other)
    wrong = tmp_path / "wrong.pt"
    torch.save({"meta": '{"config": {"depth": 9}, "settings": {}}', "state": {}}, wrong)
    for path in (tmp_path / "missing.pt", text, empty, other, wrong):
        with pytest.raises(
            AssetError, match=rf"{path.name} is not a lifter checkpoint: .*Train one, or name another file\."
        ):
            load(path)


def test_a_checkpoint_never_runs_code(tmp_path: Path) -> None:
    path = tmp_path / "evil.pt"
    torch.save({"meta": "{}", "state": np.random.default_rng(0)}, path)  # any object that is no tensor
    with pytest.raises(AssetError, match=r"it contains pickled objects, which may run code when .* Train one, or"):
        load(path)


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "bomb.pt", small(), {})
    large = zipfile.ZipInfo("archive/data/99")
    large.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(tmp_path / "bomb.pt", "a") as bomb, bomb.open(large, "w") as entry:
        for _ in range(160):
            entry.write(bytes(1 << 20))
    with pytest.raises(
        AssetError, match=r"is not a lifter checkpoint: its .* MB would unpack to 16. MB, which is too much"
    ):
        load(tmp_path / "bomb.pt")
