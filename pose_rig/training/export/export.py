"""Weights → the one ONNX graph that the rig runs: lifter, then CSM, the number of views free.

Weights are stored in half precision (the file stays small) and used in single, unless the layers are asked to multiply
in fewer bits. The file says where it comes from; it is run and compared before it is put in place.
"""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import torch

from pose_rig.errors import AssetError, UsageError
from pose_rig.graph import Engine, GraphInput
from pose_rig.lifting.checkpoint import CONFIG
from pose_rig.lifting.engine import OrtEngine
from pose_rig.lifting.model import Lifter, LifterConfig
from pose_rig.session.mcap.info import version_of
from pose_rig.training.export.module import RigGraph, example, rounded
from pose_rig.training.export.parity import ReferenceEngine, check, check_lifts
from pose_rig.training.export.quantise import Precision, halve, multiply_in_half, multiply_in_int8
from pose_rig.training.export.trace import traced

CHECKED = (4, 32)  # views and people on whom reduced precision and other providers are judged


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How a graph is to be.

    Attributes:
        precision: What the lifter multiplies in: ``fp32``, ``fp16`` or ``int8``.
        provider: Where it is run once more: ``cpu``, ``cuda`` or ``tensorrt``.
        cache: Folder for the engine that TensorRT builds meanwhile.
        people: On whom reduced precision and providers are judged; None = simulated people.
    """

    precision: Precision = "fp32"
    provider: str = "cpu"
    cache: Path | None = None
    people: GraphInput | None = None


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        path: The graph.
        size_mb: Its size, 10⁶ bytes.
        differs: Largest difference of the single-precision graph to torch, in units of the 2D norm (about 2 m).
        off_mm: What precision and provider change of a lifted joint in the mean, mm of an adult.
    """

    path: Path
    size_mb: float
    differs: float
    off_mm: float


def export(
    lifter: Lifter,
    settings: Mapping[str, str],
    path: Path,
    wishes: ExportOptions | None = None,
    source: Path | None = None,
) -> Exported:
    """Writes the graph of a lifter, which stays as it is. Nothing is left of a graph that fails a check.

    Args:
        lifter: The weights.
        settings: Of the run that made them; they become part of the file.
        path: Where the graph goes; what is there is replaced once all checks are passed.
        wishes: How it is to be.
        source: The file that the weights were read from, whose hash becomes part of the file.

    Raises:
        UsageError: No rig can run this lifter.
        EngineError: The graph computes something else than torch, or too inexactly in the precision or on the provider
            wished for; or that provider cannot run it.
        AssetError: It cannot be written.
    """
    if lifter.config.frame != "ray":
        raise UsageError(
            f"This lifter sees people in the {lifter.config.frame} frame, and the rig shows it the ray frame.",
            "Export one that was trained on that, as `ours` is.",
        )
    wishes = wishes or ExportOptions()
    graph = RigGraph(rounded(lifter))
    model = traced(graph)
    halve(model)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
            wished, exact = Path(folder) / path.name, Path(folder) / f"exact-{path.name}"
            _write(model, provenance(lifter.config, settings, "fp32", source), exact)
            differs = check(graph, exact)
            reduced = _reduced(model, wishes.precision)
            _write(reduced, provenance(lifter.config, settings, wishes.precision, source), wished)
            off_mm = _check_wishes(exact, wished, wishes)
            wished.replace(path)
    except OSError as error:
        raise AssetError(f"Cannot write {path}: {error.strerror}.", "Make room, or choose another place.") from error
    return Exported(path, path.stat().st_size / 1e6, differs, off_mm)


def provenance(
    config: LifterConfig, settings: Mapping[str, str], precision: Precision, source: Path | None
) -> dict[str, str]:
    """Returns what a graph says of itself: the settings of its training, and how it was made of what.

    Args:
        config: Of the network.
        settings: Of the run; its own keys are kept.
        precision: What the lifter multiplies in.
        source: The file that the weights were read from, None = from memory.
    """
    origin = {} if source is None else {"source_sha256": hashlib.sha256(source.read_bytes()).hexdigest()}
    return {
        **settings,
        CONFIG: json.dumps(asdict(config)),
        "precision": precision,
        "pose_rig": version_of("pose-rig"),
        "torch": str(torch.__version__),
        "exported": datetime.now(UTC).date().isoformat(),
        **origin,
    }


def _reduced(model: onnx.ModelProto, precision: Precision) -> onnx.ModelProto:
    if precision == "int8":
        return multiply_in_int8(model)
    if precision == "fp16":
        multiply_in_half(model)
    return model


def _write(model: onnx.ModelProto, told: Mapping[str, str], path: Path) -> None:
    del model.metadata_props[:]
    for key, value in told.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _check_wishes(exact: Path, wished: Path, wishes: ExportOptions) -> float:
    """Returns what precision and provider change; builds the provider's engine by the way."""
    if wishes.precision == "fp32" and wishes.provider == "cpu":
        return 0.0
    people = wishes.people or example(*CHECKED, np.random.default_rng(0))
    what = f"{wishes.precision} on {wishes.provider}"
    engines: list[Engine] = [OrtEngine(wished, wishes.provider, wishes.cache)]
    if wishes.precision == "fp16":
        engines.append(ReferenceEngine(wished))
    return max(check_lifts(OrtEngine(exact, "cpu"), engine, people, what) for engine in engines)
