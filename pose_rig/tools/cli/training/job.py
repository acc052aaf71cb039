"""From a request to a job: defaults by source, the start, and whether all of it fits together."""

from dataclasses import dataclass, replace
from typing import Any

import torch

from pose_rig.errors import UsageError
from pose_rig.lifting.checkpoint import load
from pose_rig.lifting.engine import DEFAULT_WEIGHTS
from pose_rig.lifting.model import Lifter
from pose_rig.tools.cli.training.request import Request
from pose_rig.training.finetune import DEFAULT_JOB
from pose_rig.training.job import TrainingJob
from pose_rig.training.methods import Method
from pose_rig.training.run_folder import RunFolder

LOOKS = 4  # at held-back instants, of a short run
WARM_UP = 5  # a short run warms up for one step in so many
TOWARDS = ("rep", "view", "frep", "fview", "sp", "supervised")  # terms that say where the joints are


@dataclass(frozen=True, slots=True)
class Planned:
    """What is going to be trained.

    Attributes:
        job: How.
        start: Weights to begin with; None = fresh ones.
    """

    job: TrainingJob
    start: Lifter | None

    @property
    def truth(self) -> bool:
        """Whether held-back instants are judged by the truth."""
        return self.job.recipe().late.supervised > 0


def plan(request: Request) -> Planned:
    """Returns job and start of a request.

    Raises:
        UsageError: A setting is out of range, or settings, source, start and result do not fit together.
        AssetError: The start holds no weights.
    """
    path = request.start or (DEFAULT_WEIGHTS if request.sources.sessions else None)
    start = load(path)[0] if path is not None else None
    job = RunFolder.job(request.run) if request.resume else _job(request, start)
    recipe = job.recipe()
    _check_terms(recipe)
    if recipe.frame != "ray" and not request.checkpoint:
        raise UsageError(
            f"No rig can run what `{recipe.name}` trains: it sees people as they lie in the picture.",
            "Train a checkpoint to be measured, with an --out that ends in .pt, or use --method ours.",
        )
    if start is not None and start.config.frame != recipe.frame:
        raise UsageError(
            f"`{recipe.name}` shows people in the {recipe.frame} frame, and "
            f"{path.name if path else ''} knows them in the {start.config.frame} frame.",
            "Use --method taught for sessions, ours for anything else, or another --start.",
        )
    if recipe.frame != "ray" and job.rehearsal:
        raise UsageError(
            f"What is rehearsed lies in the ray frame, and `{recipe.name}` sees the {recipe.frame}.",
            "Leave --rehearsal out, or use --method ours.",
        )
    if start is not None and start.config.width != job.width:
        raise UsageError(
            f"The weights to start from are {start.config.width} units wide, not {job.width}.", "Leave --width out."
        )
    if job.device.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError("torch finds no CUDA device here.", "Use --device cpu.")
    return Planned(job, start)


def _job(request: Request, start: Lifter | None) -> TrainingJob:
    """Returns the defaults for the source with what was given; short runs look and warm up accordingly."""
    given: dict[str, Any] = dict(request.settings)
    device = given.get("device", "auto")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    given |= {"device": device, "mixed": given.get("mixed", device == "cuda")}
    if "batch" in given:
        given["rigs"], given["per_rig"] = given.pop("batch")
    if start is not None:
        given.setdefault("width", start.config.width)
    job = replace(DEFAULT_JOB if request.sources.sessions else TrainingJob(), **given)
    return replace(
        job, check=min(job.check, max(1, job.steps // LOOKS)), warm_up=min(job.warm_up, max(1, job.steps // WARM_UP))
    )


def _check_terms(recipe: Method) -> None:
    for stage in (recipe.early, recipe.late):
        if not any(getattr(stage, term) for term in TOWARDS):
            raise UsageError(
                f"Without these terms nothing tells `{recipe.name}` where joints are.",
                f"Keep one of {', '.join(TOWARDS)}.",
            )
