"""The training job and initial weights of a request: defaults by source, and consistency checks."""

from dataclasses import dataclass, replace
from typing import Any

import torch

from pose_rig.errors import UsageError
from pose_rig.lifting.checkpoint import load
from pose_rig.lifting.engine import DEFAULT_WEIGHTS
from pose_rig.lifting.model import Lifter
from pose_rig.tools.cli.training.request import Request
from pose_rig.torch_build import torch_build
from pose_rig.training.finetune import DEFAULT_JOB
from pose_rig.training.job import TrainingJob
from pose_rig.training.methods import Method
from pose_rig.training.run_folder import RunFolder

MIN_VALIDATIONS = 4  # of a short run
MIN_WARM_UPS = 5  # the warm-up of a short run is at most one step in so many
POSITION_TERMS = ("rep", "view", "frep", "fview", "sp", "supervised")  # loss terms that determine joint positions


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """A training job and its initial weights.

    Attributes:
        job: The job.
        start: Initial weights; None = random.
    """

    job: TrainingJob
    start: Lifter | None

    @property
    def supervised(self) -> bool:
        """Whether validation uses ground truth."""
        return self.job.recipe().late.supervised > 0


def plan_training(request: Request) -> TrainingPlan:
    """Returns the job and the initial weights of a request.

    Raises:
        UsageError: A setting is out of range, or settings, source, initial weights and result contradict each other.
        AssetError: The file of the initial weights contains none.
    """
    path = request.start or (DEFAULT_WEIGHTS if request.sources.sessions else None)
    start = load(path)[0] if path is not None else None
    job = RunFolder.job(request.run) if request.resume else _job(request, start)
    recipe = job.recipe()
    _check_terms(recipe)
    if recipe.frame != "ray" and not request.checkpoint:
        raise UsageError(
            f"A rig cannot run weights of `{recipe.name}`: their input is in the image frame.",
            "Write a checkpoint for `pose-rig eval`, with an --out that ends in .pt, or use --method ours.",
        )
    if start is not None and start.config.frame != recipe.frame:
        raise UsageError(
            f"The input of `{recipe.name}` is in the {recipe.frame} frame, and that of "
            f"{path.name if path else ''} in the {start.config.frame} frame.",
            "Use --method taught for sessions, ours for other sources, or other --weights.",
        )
    if recipe.frame != "ray" and job.rehearsal:
        raise UsageError(
            f"--rehearsal is in the ray frame, and the input of `{recipe.name}` in the {recipe.frame} frame.",
            "Remove --rehearsal, or use --method ours.",
        )
    if start is not None and start.config.width != job.width:
        raise UsageError(
            f"--width is {job.width}, but the initial weights have {start.config.width} units per layer.",
            "Remove --width.",
        )
    if job.device.startswith("cuda") and not torch.cuda.is_available():
        build = torch_build()
        raise UsageError(f"{build}: it finds no CUDA device.", f"Use --device cpu. {build.remedy()}")
    return TrainingPlan(job, start)


def _job(request: Request, start: Lifter | None) -> TrainingJob:
    """Returns the defaults for the source with the given settings; short runs validate more often."""
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
        job,
        check=min(job.check, max(1, job.steps // MIN_VALIDATIONS)),
        warm_up=min(job.warm_up, max(1, job.steps // MIN_WARM_UPS)),
    )


def _check_terms(recipe: Method) -> None:
    for stage in (recipe.early, recipe.late):
        if not any(getattr(stage, term) for term in POSITION_TERMS):
            raise UsageError(
                f"Without these terms the joint positions of `{recipe.name}` are undetermined.",
                f"Remove one of {', '.join(POSITION_TERMS)} from --without.",
            )
