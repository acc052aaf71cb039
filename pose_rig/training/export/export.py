"""Export of a lifter to the ONNX graph that a rig runs: lifter and CSM, for any number of views.

Weights are stored in half precision and used in single precision, unless quantised. The file has its provenance as
metadata; it is run and compared with torch before it replaces an existing one.
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
from pose_rig.lifting.example import example
from pose_rig.lifting.model import Lifter, LifterConfig
from pose_rig.lifting.providers import Report, open_engine
from pose_rig.lifting.rig_graph import RigGraph
from pose_rig.session.mcap.info import version_of
from pose_rig.training.export.module import rounded
from pose_rig.training.export.parity import ReferenceEngine, check, check_lifts
from pose_rig.training.export.quantise import Precision, halve, multiply_in_half, multiply_in_int8
from pose_rig.training.export.trace import traced

CHECK_VIEWS, CHECK_PEOPLE = 4, 32  # for the check of reduced precision and other providers


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Options of an export.

    Attributes:
        precision: Of the matrix products of the lifter: ``fp32``, ``fp16`` or ``int8``.
        provider: Provider on which the graph is checked: ``cpu``, ``cuda`` or ``tensorrt``.
        cache: Folder for the engine that TensorRT builds during the check.
        people: Input of the check; None = simulated people.
        report: Called with the progress of the build.
    """

    precision: Precision = "fp32"
    provider: str = "cpu"
    cache: Path | None = None
    people: GraphInput | None = None
    report: Report = lambda _: None


@dataclass(frozen=True, slots=True)
class Exported:
    """An exported graph.

    Attributes:
        path: The file.
        size_mb: Its size, 10⁶ bytes.
        max_difference: Of the single-precision graph to torch, in units of the 2D norm (about 2 m).
        lift_error_mm: Mean error of lifted joints by precision and provider, mm of an adult.
    """

    path: Path
    size_mb: float
    max_difference: float
    lift_error_mm: float


def export(
    lifter: Lifter,
    settings: Mapping[str, str],
    path: Path,
    options: ExportOptions | None = None,
    source: Path | None = None,
) -> Exported:
    """Writes the graph of a lifter; no file is written if a check fails.

    Args:
        lifter: The lifter; it is not changed.
        settings: Settings of the training, stored as metadata.
        path: The file; replaced after all checks.
        options: Precision and provider.
        source: File of the weights, whose hash is stored as metadata.

    Raises:
        UsageError: A rig cannot run this lifter.
        EngineError: The graph differs from torch, or is too inaccurate in the precision or on the provider; or the
            provider cannot run it.
        AssetError: The file cannot be written.
    """
    if lifter.config.frame != "ray":
        raise UsageError(
            f"The input frame of this lifter is {lifter.config.frame}; a rig needs ray.",
            "Export a lifter of a method with the ray frame, such as `ours`.",
        )
    options = options or ExportOptions()
    graph = RigGraph(rounded(lifter))
    model = traced(graph)
    halve(model)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
            candidate, exact = Path(folder) / path.name, Path(folder) / f"exact-{path.name}"
            _write(model, provenance(lifter.config, settings, "fp32", source), exact)
            max_difference = check(graph, exact)
            reduced = _reduced(model, options.precision)
            _write(reduced, provenance(lifter.config, settings, options.precision, source), candidate)
            lift_error_mm = _check_options(exact, candidate, options)
            candidate.replace(path)
    except OSError as error:
        raise AssetError(
            f"Cannot write {path}: {error.strerror}.", "Free disk space, or choose another path."
        ) from error
    return Exported(path, path.stat().st_size / 1e6, max_difference, lift_error_mm)


def provenance(
    config: LifterConfig, settings: Mapping[str, str], precision: Precision, source: Path | None
) -> dict[str, str]:
    """Returns the metadata of a graph; ``settings`` are those of the training, ``source`` the file of the weights."""
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


def _write(model: onnx.ModelProto, metadata: Mapping[str, str], path: Path) -> None:
    del model.metadata_props[:]
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _check_options(exact: Path, candidate: Path, options: ExportOptions) -> float:
    """Returns the error by precision and provider; builds the engine of the provider."""
    if options.precision == "fp32" and options.provider == "cpu":
        return 0.0
    people = options.people or example(CHECK_VIEWS, CHECK_PEOPLE, np.random.default_rng(0))
    what = f"{options.precision} on {options.provider}"
    engines: list[Engine] = [open_engine(candidate, options.provider, options.cache, report=options.report)]
    if options.precision == "fp16":
        engines.append(ReferenceEngine(candidate))
    return max(check_lifts(OrtEngine(exact, "cpu"), engine, people, what) for engine in engines)
