"""The shipped graph and other ones."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from pose_rig.errors import EngineError, UsageError
from pose_rig.graph import ONNX_INPUTS, GraphInput, GraphOutput, joined, separated
from pose_rig.lifting.checkpoint import save
from pose_rig.lifting.engine import DEFAULT_WEIGHTS, OrtEngine, warm_up
from pose_rig.lifting.example import example
from pose_rig.lifting.model import Lifter, LifterConfig
from pose_rig.skeleton import J
from pose_rig.training.evaluation.metrics import pmpjpe
from tests.fusion.fakes import film, graph_input, ring, walk

PER_HYPOTHESIS = [field.name for field in fields(GraphInput) if field.name != "depth"][3:]


@pytest.fixture(scope="module")
def engine() -> OrtEngine:
    return OrtEngine(provider="cpu")


def shapes(views: int, hypotheses: int) -> dict[str, tuple[int, ...]]:
    c, h, v = views * hypotheses, hypotheses, views
    return {
        "lifted": (c, J, 3), "upright": (c, 3), "refined": (h, v, J, 2), "body": (h, J, 3),
        "ray_from_body": (h, v, 3, 3), "inlier": (h, v, J),
        "model_sd": (h, v), "scale": (h, v), "offset": (h, v, 2), "rotation_gradient": (h, v, 3),
        "rotation_hessian": (h, v, 9),
    }  # fmt: skip


@pytest.mark.parametrize("views", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("hypotheses", [1, 3, 12])
def test_the_shipped_graph_takes_any_number_of_views_and_hypotheses(
    engine: OrtEngine, views: int, hypotheses: int
) -> None:
    out = engine.run(example(views, hypotheses, np.random.default_rng(0)))
    assert {field.name: getattr(out, field.name).shape for field in fields(GraphOutput)} == shapes(views, hypotheses)
    assert all(np.isfinite(getattr(out, field.name)).all() for field in fields(GraphOutput))
    rotation = out.ray_from_body.astype(float)
    assert np.allclose(rotation @ rotation.swapaxes(-1, -2), np.eye(3), atol=1e-4)
    assert np.allclose(out.scale.mean(1), 1, atol=1e-4)


def test_hypotheses_are_independent(engine: OrtEngine) -> None:
    given = example(4, 5, np.random.default_rng(1))
    all_at_once = engine.run(given)
    for h in range(5):
        one = engine.run(replace(given, **{name: getattr(given, name)[h : h + 1] for name in PER_HYPOTHESIS}))
        assert np.allclose(one.body[0], all_at_once.body[h], atol=1e-4)
        assert np.allclose(one.refined[0], all_at_once.refined[h], atol=1e-4)


def test_a_candidate_may_be_assigned_twice(engine: OrtEngine) -> None:
    given = example(3, 1, np.random.default_rng(2))
    twice = replace(given, **{name: np.repeat(getattr(given, name), 2, axis=0) for name in PER_HYPOTHESIS})
    out = engine.run(twice)
    assert np.allclose(out.body[0], out.body[1], atol=1e-4)


def test_the_shipped_weights_lift_people(engine: OrtEngine) -> None:
    joints = walk(4.0)[::5]
    scene = film(joints, ring(4), noise=0.0)
    out = engine.run(graph_input(scene))
    truth = scene.joints - scene.joints[:, :1]
    stature_units = 1.6 / np.median(np.ptp(truth[..., 1], axis=1))
    fused = 1e3 * stature_units * pmpjpe(out.body.astype(float), truth)
    single = (
        1e3
        * stature_units
        * pmpjpe(
            out.lifted.reshape(len(joints), 4, J, 3)[:, 0].astype(float),
            np.einsum("ij,tkj->tki", scene.cameras.rotation[0], truth),
        )
    )
    assert np.median(fused) < 45
    assert np.median(single) < 110
    assert np.median(fused) < np.median(single)


def test_the_shipped_file_is_small_and_has_metadata() -> None:
    assert DEFAULT_WEIGHTS.stat().st_size < 8_000_000
    meta = {entry.key: entry.value for entry in onnx.load(str(DEFAULT_WEIGHTS)).metadata_props}
    assert {"motion", "seed", "step", "width"} <= set(meta)
    assert not any(value.startswith(("/", "~")) for value in meta.values()), "paths of the machine it was made on"


def test_same_input_same_bits(engine: OrtEngine) -> None:
    given = example(4, 2, np.random.default_rng(3))
    first, second = engine.run(given), OrtEngine(provider="cpu").run(given)
    assert all(np.array_equal(getattr(first, f.name), getattr(second, f.name)) for f in fields(GraphOutput))


def test_warm_up_runs(engine: OrtEngine) -> None:
    for views in (1, 4):
        warm_up(engine, views, runs=1)


def test_no_person_at_all_is_finite(engine: OrtEngine) -> None:
    given = example(3, 1, np.random.default_rng(4))
    out = engine.run(replace(given, ray_xy=np.zeros_like(given.ray_xy), confidence=np.zeros_like(given.confidence)))
    assert all(np.isfinite(getattr(out, field.name)).all() for field in fields(GraphOutput))


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    path = tmp_path / "nothing.onnx"
    with pytest.raises(UsageError) as caught:
        OrtEngine(path)
    assert caught.value.cause == f"There are no weights at {path}."
    assert caught.value.remedy == "Check --weights, or leave it out for the shipped ones."


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("not a graph")
    with pytest.raises(EngineError) as caught:
        OrtEngine(path, "cpu")
    assert caught.value.cause == "text.onnx is not a pose-rig graph."
    assert caught.value.remedy == "Graphs come from `pose-rig train` and `pose-rig export`."


def test_a_truncated_graph_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "half.onnx"
    path.write_bytes(DEFAULT_WEIGHTS.read_bytes()[:100_000])
    with pytest.raises(EngineError, match=r"^No provider can run half\.onnx \(cpu: .+\)\. Check the file and"):
        OrtEngine(path, "cpu")


def test_a_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "my.weights"
    save(path, Lifter(LifterConfig(width=8)), {})
    with pytest.raises(EngineError) as caught:
        OrtEngine(path, "cpu")
    assert caught.value.cause == "my.weights is a training checkpoint, not an exported graph."
    assert caught.value.remedy == f"Export it with `pose-rig export {path}`."


def test_the_suffix_of_a_graph_is_free(tmp_path: Path, engine: OrtEngine) -> None:
    given = example(2, 1, np.random.default_rng(5))
    for name in ("my.weights", "weights", "lifter.pt", "w.npz"):
        (tmp_path / name).write_bytes(DEFAULT_WEIGHTS.read_bytes())
        assert np.array_equal(OrtEngine(tmp_path / name, "cpu").run(given).body, engine.run(given).body)


def test_a_foreign_graph_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.onnx"
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3])
    same = helper.make_tensor_value_info("same", TensorProto.FLOAT, [1, 3])
    graph = helper.make_graph([helper.make_node("Identity", ["image"], ["same"])], "g", [image], [same])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    with pytest.raises(EngineError) as caught:
        OrtEngine(path, "cpu")
    assert caught.value.cause == "foreign.onnx is not a pose-rig graph: its inputs are image."
    assert caught.value.remedy == "Export one with `pose-rig export`."


def without(provider: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return pytest.mark.skipif(provider in ort.get_available_providers(), reason=f"this onnxruntime has {provider}")


def test_a_graph_with_other_shapes_is_refused(tmp_path: Path) -> None:
    """Inputs of the same names and other shapes: it loads but does not run."""
    tensor = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ONNX_INPUTS]
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", [ONNX_INPUTS[0]], ["out"])], "other", tensor, [out])
    path = tmp_path / "other.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    with pytest.raises(EngineError, match=r"^The graph does not run on cpu: ") as caught:
        warm_up(OrtEngine(path, "cpu"), 2)
    assert caught.value.final
    assert caught.value.exit_code == 1


@without("CUDAExecutionProvider")
def test_missing_cuda_is_refused_with_the_reason() -> None:
    with pytest.raises(EngineError) as caught:
        OrtEngine(provider="cuda")
    assert caught.value.cause == "No provider can run lifter.onnx (cuda: not in this onnxruntime)."
    assert caught.value.remedy == "Check the file and `pose-rig doctor`."


def test_the_provider_and_its_version_are_named(engine: OrtEngine) -> None:
    assert (engine.provider, engine.reason) == ("cpu", f"ONNX Runtime {ort.__version__}")


def test_an_assignment_of_32_bits_is_accepted(engine: OrtEngine) -> None:
    """NumPy 1 on Windows makes such."""
    given = example(3, 2, np.random.default_rng(6))
    narrow = replace(given, assignment=given.assignment.astype(np.int32))
    assert np.array_equal(engine.run(narrow).body, engine.run(given).body)


def test_runs_that_are_joined_give_what_each_gives_alone(engine: OrtEngine) -> None:
    rng = np.random.default_rng(3)
    given = [example(4, hypotheses, rng) for hypotheses in (1, 3, 2)]
    apart = [engine.run(one) for one in given]
    for alone, batch in zip(apart, separated(engine.run(joined(given)), given), strict=True):
        for name in GraphOutput.__slots__:
            np.testing.assert_allclose(getattr(batch, name), getattr(alone, name), rtol=1e-3, atol=2e-4, err_msg=name)
