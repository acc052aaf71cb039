"""What comes of training, and whether it is written."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pose_rig.errors import PoseRigError
from pose_rig.lifting.checkpoint import save
from pose_rig.lifting.engine import DEFAULT_WEIGHTS
from pose_rig.lifting.model import Lifter
from pose_rig.simulation.synthetic import NAME
from pose_rig.tools.cli.training.job import Planned
from pose_rig.tools.cli.training.request import Request, Sources
from pose_rig.training.export.export import export
from pose_rig.training.train import TrainingResult


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of it.

    Attributes:
        lifter: The best weights.
        outcome: Of the training.
        figures: What the file is to say about them, as JSON by name.
        table: Before and after.
        refused: Why they are not to be adopted, empty if they are.
    """

    lifter: Lifter
    outcome: TrainingResult
    figures: dict[str, str]
    table: Table
    refused: str


def adopt(request: Request, planned: Planned, trained: Trained, console: Console) -> None:
    """Writes the result.

    Raises:
        PoseRigError: It is not to be adopted.
    """
    outcome, job = trained.outcome, planned.job
    if trained.refused:
        remedy = "train on more and livelier footage, or with a lower --rate"
        if outcome.stop_reason == "interrupted":  # before the first look there is nothing to go on from
            remedy = "begin it again" if outcome.step < job.check else "go on with --resume"
        raise PoseRigError(
            f"The new weights are not adopted: {trained.refused}.", f"Nothing was written to {request.out}; {remedy}."
        )
    start = request.start or (DEFAULT_WEIGHTS if request.sources.sessions else None)
    parent = {} if start is None else {"parent": start.name, "parent_sha256": _hash(start)}
    settings = {"job": job.to_json(), "sources": request.sources.names, "step": str(outcome.step)}
    settings |= parent | trained.figures
    lifter, out = trained.lifter.cpu(), request.out
    if request.checkpoint:
        save(out, lifter, settings)
        lines = [f"Written: {out}.", f"Measure it with `pose-rig eval --weights {out} {_footage(request.sources)}`."]
    else:
        done = export(lifter, settings, out)
        use = f"Use it with `pose-rig run --weights {out} --cams 0,1,2`."
        lines = [f"Adopted. Written: {out}, {done.size_mb:.1f} MB.", use]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _footage(sources: Sources) -> str:
    """Returns the options that name footage to measure on: of the kind learned from, and not learned from."""
    motion = ["--simulated" if path == NAME else f"--simulated {path}" for path in sources.motion]
    sets = [f"--dataset {kind}={folder}" for kind, folder in sources.datasets]
    return " ".join([*sets, *motion, *(["--held-out"] if motion else [])]) or "--simulated"


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
