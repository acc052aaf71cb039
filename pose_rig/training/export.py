"""Checkpoint → the one ONNX graph that the rig runs: lifter, then CSM, the number of views free.

    python -m pose_rig.training.export runs/lifter/lifter.pt pose_rig/lifting/weights/lifter.onnx

Weights are stored in half precision (the shipped file stays small) and used in single. The file says where it comes
from, and is run once and compared with torch before it is accepted.
"""

import argparse
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from pose_rig.fusion import csm
from pose_rig.geometry import rectify
from pose_rig.graph import GUESS, INPUTS, OUTPUTS, GraphInput, GraphOutput
from pose_rig.lifting.checkpoint import load
from pose_rig.lifting.engine import OrtEngine
from pose_rig.lifting.model import Lifter
from pose_rig.skeleton import BONES, INDEX, J
from pose_rig.training.bodies import random_bones, rebuild
from pose_rig.training.rigs import random_cameras

OPSET = 17
TOLERANCE = 1e-3  # the unit is the person's 2D norm, about 2 m; random poses are ill-conditioned
# where each bone points in a standing person who faces +z
STANDING = {
    "r_hip": (-1, 0, 0), "l_hip": (1, 0, 0), "r_knee": (0, -1, 0.1), "l_knee": (0, -1, 0.1), "r_ankle": (0, -1, -0.1),
    "l_ankle": (0, -1, -0.1), "spine": (0, 1, 0), "thorax": (0, 1, 0), "head": (0, 1, 0), "nose": (0, 0.5, 1),
    "r_shoulder": (-1, 0, 0), "l_shoulder": (1, 0, 0), "r_elbow": (-0.3, -1, 0), "l_elbow": (0.3, -1, 0),
    "r_wrist": (0, -1, 0.4), "l_wrist": (0, -1, 0.4),
}  # fmt: skip


class RigGraph(nn.Module):
    """Lifter and CSM in one module: tracing aids live here, not in the models."""

    def __init__(self, lifter: Lifter) -> None:
        super().__init__()
        self.lifter = lifter

    def forward(
        self,
        flat: Tensor,
        confidence: Tensor,
        norm: Tensor,
        pick: Tensor,
        weight: Tensor,
        rotation: Tensor,
        freedom: Tensor,
        doubt: Tensor,
    ) -> tuple[Tensor, ...]:
        """Returns the fields of `GraphOutput` in order."""
        canonical, ray_from_canonical, spread = self.lifter(flat, confidence)
        lifted = canonical @ ray_from_canonical.transpose(1, 2)
        guessed = freedom[..., None, None] > 0.5 * GUESS
        guess = lifted[..., :2] / (1 + norm[:, None, None] * lifted[..., 2:]).clamp_min(0.5)
        filled = torch.where(confidence.unsqueeze(-1) > 0, flat, guess)
        views = csm.Views(
            flat=filled[pick],
            confidence=confidence[pick],
            weight=weight,
            norm=norm[pick],
            depth=lifted[..., 2][pick],
            depth_sd=csm.LAPLACE_SD * spread[pick] + doubt.unsqueeze(-1),
            rotation=torch.where(guessed, ray_from_canonical[pick], rotation),
        )
        fused = csm.fuse(views, freedom)
        return (
            lifted, ray_from_canonical[:, :, 1], fused.refined, fused.body, fused.rotation, fused.inlier,
            fused.model_sd, fused.scale, fused.offset, fused.pull, fused.stiffness,
        )  # fmt: skip


def example(views: int, hypotheses: int, rng: np.random.Generator) -> GraphInput:
    """Returns a person before simulated cameras, for tracing and checks; every second H has given rotations."""
    count = views * hypotheses
    directions = np.zeros((hypotheses, J, 3))
    for name, way in STANDING.items():
        directions[:, INDEX[name]] = way
    directions += rng.normal(0, 0.2, directions.shape)
    joints = np.zeros_like(directions)
    for parent, child in BONES:
        joints[:, child] = joints[:, parent] + directions[:, child]
    people = np.repeat(rebuild(joints, random_bones(hypotheses, rng)), views, axis=0)
    cameras = random_cameras((count,), np.zeros((count, 3)), rng)
    xy, _ = cameras.project(people)
    xy += rng.normal(0, 0.01, xy.shape) * np.ptp(xy, axis=1).max(-1)[:, None, None]
    score = rng.uniform(0.3, 1.0, (count, J))
    flat, norm, frame = rectify(xy, score, cameras.focal_px, cameras.size_px)
    return GraphInput(
        flat=flat.astype(np.float32),
        confidence=score.astype(np.float32),
        norm=norm.astype(np.float32),
        pick=np.arange(count).reshape(hypotheses, views),
        weight=np.ones((hypotheses, views), np.float32),
        rotation=(frame @ cameras.rotation).astype(np.float32).reshape(hypotheses, views, 3, 3),
        freedom=np.where(np.arange(hypotheses)[:, None] % 2, 0.1, GUESS).repeat(views, 1).astype(np.float32),
        doubt=np.zeros((hypotheses, 1), np.float32),
    )


def reference(graph: RigGraph, given: GraphInput) -> GraphOutput:
    """Returns what torch computes."""
    with torch.no_grad():
        outputs = graph(*(torch.from_numpy(np.ascontiguousarray(getattr(given, name))) for name in INPUTS))
    return GraphOutput(*(value.numpy() for value in outputs))


def export(lifter: Lifter, settings: dict[str, str], path: Path) -> float:
    """Writes the graph of a lifter; returns the largest difference to torch.

    Raises:
        RuntimeError: The written graph computes something else.
    """
    for weight in lifter.parameters():  # what is stored is what is compared
        weight.data = weight.data.half().float()
    graph = RigGraph(lifter.eval())
    given = example(4, 2, np.random.default_rng(0))
    axes = {
        **{name: {0: "C"} for name in ("flat", "confidence", "norm", "lifted", "upright")},
        **{
            name: {0: "H", 1: "V"}
            for name in (
                "pick",
                "weight",
                "rotation",
                "freedom",
                "refined",
                "inlier",
                "model_sd",
                "scale",
                "offset",
                "pull",
                "stiffness",
            )
        },
        **{name: {0: "H"} for name in ("doubt", "body")},
    }
    axes["rotation_used"] = axes["rotation"]
    names = ["rotation_used" if name == "rotation" else name for name in OUTPUTS]
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw.onnx"
        tensors = tuple(torch.from_numpy(np.ascontiguousarray(getattr(given, name))) for name in INPUTS)
        with warnings.catch_warnings():  # the tracing exporter is the one that keeps axes free; it is told to be old
            warnings.filterwarnings("ignore", "You are using the legacy", DeprecationWarning)
            warnings.filterwarnings("ignore", "The feature will be removed", DeprecationWarning)
            torch.onnx.export(
                graph,
                tensors,
                str(raw),
                input_names=list(INPUTS),
                output_names=names,
                dynamic_axes=axes,
                opset_version=OPSET,
                dynamo=False,
            )
        model = onnx.load(str(raw))
    fix_reshapes(model)
    halve(model)
    for key, value in settings.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    return check(graph, path)


def fix_reshapes(model: onnx.ModelProto) -> None:
    """Replaces shapes computed at run time by constants, where 0 means "as it was", and drops what computed them.

    All reshapes of ours keep their leading axes; tracing writes four to ten nodes for each.
    """
    graph = model.graph
    producers = {name: node for node in graph.node for name in node.output}
    constants = {value.name: numpy_helper.to_array(value) for value in graph.initializer}
    constants |= {
        node.output[0]: numpy_helper.to_array(node.attribute[0].t) for node in graph.node if node.op_type == "Constant"
    }
    for number, node in enumerate(graph.node):
        if node.op_type != "Reshape" or node.input[1] in constants:
            continue
        sides = [constants.get(name) for name in producers[node.input[1]].input]
        shape = np.concatenate([[0] if side is None else side.ravel() for side in sides]).astype(np.int64)
        graph.initializer.append(numpy_helper.from_array(shape, f"shape_{number}"))
        node.input[1] = f"shape_{number}"
    used = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    while dead := [node for node in graph.node if not used.intersection(node.output)]:
        for node in dead:
            graph.node.remove(node)
        used = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}


def halve(model: onnx.ModelProto) -> None:
    """Stores the large weights of a model in half precision, each behind a cast that is folded on loading."""
    casts = []
    for weight in model.graph.initializer:
        if weight.data_type == TensorProto.FLOAT and np.prod(weight.dims) > 1024:
            name = weight.name
            half = numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), name + "_half")
            weight.CopyFrom(half)
            casts.append(helper.make_node("Cast", [name + "_half"], [name], to=TensorProto.FLOAT))
    for node in reversed(casts):
        model.graph.node.insert(0, node)


def check(graph: RigGraph, path: Path) -> float:
    """Returns the largest difference between torch and the written graph over several numbers of views."""
    engine = OrtEngine(path, "cpu")
    worst = 0.0
    for views, hypotheses in ((4, 1), (1, 1), (2, 3), (8, 5)):
        given = example(views, hypotheses, np.random.default_rng(views))
        want, got = reference(graph, given), engine.run(given)
        for name in ("lifted", "refined", "body"):
            worst = max(worst, float(np.abs(getattr(want, name) - getattr(got, name)).max()))
    return worst


def main() -> None:
    """Exports a checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    lifter, settings = load(args.checkpoint)
    worst = export(lifter, settings, args.out)
    sys.stderr.write(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB, differs from torch by {worst:.1e}\n")
    if worst > TOLERANCE:
        raise SystemExit("the exported graph computes something else than torch")


if __name__ == "__main__":
    main()
