"""The result of `pose-rig train`: comparison with the initial weights, and the file."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pose_rig.errors import PoseRigError
from pose_rig.lifting.checkpoint import save
from pose_rig.lifting.engine import DEFAULT_WEIGHTS
from pose_rig.lifting.model import Lifter
from pose_rig.simulation.synthetic import SYNTHETIC_MOTION
from pose_rig.tools.cli.training.job import TrainingPlan
from pose_rig.tools.cli.training.request import Request, Sources
from pose_rig.training.export.export import export
from pose_rig.training.finetune import FinetuneMetrics
from pose_rig.training.train import TrainingResult


@dataclass(frozen=True, slots=True)
class NewWeights:
    """Trained weights and their evaluation.

    Attributes:
        lifter: The best weights.
        training: Result of the training.
        metrics: For the metadata of the file, as JSON by name.
        table: The metrics before and after training.
        rejection: Why the weights are not adopted; empty if they are.
    """

    lifter: Lifter
    training: TrainingResult
    metrics: dict[str, str]
    table: Table
    rejection: str


def finetune_table(before: FinetuneMetrics, after: FinetuneMetrics, frames: int) -> Table:
    """Returns the metrics of fine-tuning on ``frames`` validation frames."""
    return _table(
        f"On {frames} validation frames, and on simulated people",
        [
            ("PA-MPJPE of a single view, mm", f"{before.pa_mpjpe_mm:.1f}", f"{after.pa_mpjpe_mm:.1f}"),
            ("reprojection error in other views", f"{before.reprojection:.4f}", f"{after.reprojection:.4f}"),
            (
                "PA-MPJPE on simulated people, mm",
                f"{before.simulated_pa_mpjpe_mm:.1f}",
                f"{after.simulated_pa_mpjpe_mm:.1f}",
            ),
            ("handedness (-1 mirrored, 1 not)", f"{before.handedness:.2f}", f"{after.handedness:.2f}"),
        ],
    )


def validation_table(training: TrainingResult, frames: int) -> Table:
    """Returns the metrics of training from scratch on ``frames`` validation frames."""
    initial, best = training.initial, training.best
    rows = [
        ("reprojection error in other views", f"{initial.reprojection:.4f}", f"{best.reprojection:.4f}"),
        ("joints bent the wrong way", f"{initial.bent:.4f}", f"{best.bent:.4f}"),
    ]
    if isfinite(best.n_mpjpe):
        rows += [
            ("N-MPJPE against ground truth", f"{initial.n_mpjpe:.4f}", f"{best.n_mpjpe:.4f}"),
            ("PMPJPE against ground truth", f"{initial.pmpjpe:.4f}", f"{best.pmpjpe:.4f}"),
        ]
    return _table(f"On {frames} validation frames, in units of the 2D norm (about 2 m)", rows)


def save_weights(request: Request, plan: TrainingPlan, new: NewWeights, console: Console) -> None:
    """Writes the checkpoint or graph.

    Raises:
        PoseRigError: The weights are rejected.
    """
    training = new.training
    if new.rejection:
        remedy = "train on more and more varied footage, or with a lower --rate"
        if training.stop_reason == "interrupted":  # before the first validation there is nothing to resume from
            remedy = "start again" if training.step < plan.job.check else "continue with --resume"
        raise PoseRigError(
            f"The new weights are not adopted: {new.rejection}.", f"Nothing was written to {request.out}; {remedy}."
        )
    start = request.start or (DEFAULT_WEIGHTS if request.sources.sessions else None)
    parent = {} if start is None else {"parent": start.name, "parent_sha256": _sha256(start)}
    metadata = {"job": plan.job.to_json(), "sources": request.sources.names, "step": str(training.step)}
    metadata |= parent | new.metrics
    lifter, out = new.lifter.cpu(), request.out
    if request.checkpoint:
        save(out, lifter, metadata)
        lines = [f"Written: {out}.", f"Measure it with `pose-rig eval --weights {out} {_options(request.sources)}`."]
    else:
        exported = export(lifter, metadata, out)
        use = f"Use it with `pose-rig run --weights {out} --cams 0,1,2`."
        lines = [f"Adopted. Written: {out}, {exported.size_mb:.1f} MB.", use]
    for line in lines:
        console.print(line, markup=False, highlight=False)


def _table(title: str, rows: Sequence[tuple[str, str, str]]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for column in ("before", "after"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def _options(sources: Sources) -> str:
    """Returns the options of `pose-rig eval` for footage like that of the training, without the training set."""
    motion = ["--simulated" if path == SYNTHETIC_MOTION else f"--simulated {path}" for path in sources.motion]
    sets = [f"--dataset {kind}={folder}" for kind, folder in sources.datasets]
    return " ".join([*sets, *motion, *(["--held-out"] if motion else [])]) or "--simulated"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
