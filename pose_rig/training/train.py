"""Trains a lifter: one loop for every method, every source, one process or several.

The chance of a step depends on the seed and the step's number alone, so that a run which was interrupted goes on bit
for bit, and two processes see together what one would have seen.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pose_rig.lifting.checkpoint import load, save
from pose_rig.lifting.model import Lifter, LifterConfig
from pose_rig.training import training_step
from pose_rig.training.distributed import ProcessGroup
from pose_rig.training.footage.dataset import Batch, PoseDataset
from pose_rig.training.footage.rehearsal import Rehearsal
from pose_rig.training.job import TrainingJob
from pose_rig.training.losses import lifting_loss
from pose_rig.training.run_folder import RunFolder
from pose_rig.training.validation import ValidationMetrics, look

LONGEST_GRADIENT = 1.0
BETTER = 0.998  # a look this much lower than the best one is an improvement


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        step: Steps done, of
        steps: so many.
        loss: Of the last step.
        seconds: Since this process began, for
        since: so many steps.
        look: The last look at held-back instants.
    """

    step: int
    steps: int
    loss: float
    seconds: float
    since: int
    look: ValidationMetrics | None

    @property
    def left_s(self) -> float:
        """Seconds that are left at this pace."""
        return self.seconds / max(self.since, 1) * (self.steps - self.step)


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a run came to.

    Attributes:
        lifter: The best weights.
        first, best: Looks at held-back instants before, and with the best weights.
        step: Steps done.
        stopped: Why it ended: ``done``, ``no longer better``, ``interrupted``.
    """

    lifter: Lifter
    first: ValidationMetrics
    best: ValidationMetrics
    step: int
    stopped: str


def train(
    job: TrainingJob,
    bank: PoseDataset,
    held: PoseDataset,
    folder: RunFolder,
    *,
    start: Lifter | None = None,
    rehearsal: Rehearsal | None = None,
    ranks: ProcessGroup = ProcessGroup(),  # noqa: B008 - frozen
    resume: bool = False,
    tell: Callable[[Progress], None] = lambda _: None,
) -> TrainingResult:
    """Trains and returns the weights of the best validation score (`ValidationMetrics.score`).

    Ctrl-C ends it; what was learned since the last look is then looked at too.

    Args:
        job: How.
        bank: What it learns from.
        held: Instants kept out of it.
        folder: Where everything is kept; only the first process writes.
        start: Weights to begin with, else fresh ones; a run that goes on has its own.
        rehearsal: Simulated views beside the footage.
        ranks: Which process this is.
        resume: Go on where the folder's run stands.
        tell: Hears how far it is, after every step.
    """
    recipe = job.recipe()
    truth = recipe.late.supervised > 0
    torch.manual_seed(job.seed)
    begin = load(folder.best)[0] if resume else start
    lifter = begin or Lifter(LifterConfig(width=job.width, frame=recipe.frame, rotation=recipe.rotation))
    lifter = lifter.to(job.device).train()
    network = _network(lifter, job)
    kept = AveragedModel(lifter, multi_avg_fn=get_ema_multi_avg_fn(job.average))  # type: ignore[no-untyped-call]
    optimiser = torch.optim.AdamW(lifter.parameters(), job.rate, weight_decay=job.decay, fused=True)
    parts = {"lifter": lifter, "kept": kept, "optimiser": optimiser}
    at = TrainingState(look(kept.module, held))
    if resume:
        at = TrainingState.resumed(folder.load(), parts)
    elif ranks.first:
        save(folder.best, kept.module, {"job": job.to_json()})
    began, began_step, now = time.monotonic(), at.step, at.best
    try:
        while at.step < job.steps and not (job.patience and at.worse >= job.patience):
            batch, order = _batch(job, at.step, bank, ranks)
            weights = recipe.weights(at.step / job.steps)
            for group in optimiser.param_groups:
                group["lr"] = rate_at(job, at.step)
            values = training_step.losses(network, batch, recipe, weights, order)
            if rehearsal is not None:
                known = rehearsal.at(at.step)
                values["rehearsal"] = lifting_loss(network(known["flat"], known["confidence"]), known).total
            loss = training_step.total(values, weights)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            ranks.average(lifter)
            torch.nn.utils.clip_grad_norm_(lifter.parameters(), LONGEST_GRADIENT)
            optimiser.step()
            kept.update_parameters(lifter)
            at.step += 1
            last = float(ranks.mean(loss.detach()))
            if at.step % job.check == 0 or at.step == job.steps:
                now = look(kept.module, held)
                better = at.hears(now, truth=truth)
                if ranks.first:
                    if better:
                        save(folder.best, kept.module, {"job": job.to_json(), "step": str(at.step)})
                    terms = {name: float(value.detach()) for name, value in values.items()}
                    seconds = time.monotonic() - began
                    folder.log(at.step, {"loss": last, "seconds": seconds, **asdict(now), **terms})
                    folder.save(at.state(parts))
                ranks.wait(job.device)  # nobody reads the best weights before they are written
            tell(Progress(at.step, job.steps, last, time.monotonic() - began, at.step - began_step, now))
        stopped = "done" if at.step == job.steps else "no longer better"
    except KeyboardInterrupt:
        stopped = "interrupted"
        now = look(kept.module, held)
        if now.score(truth=truth) <= at.best.score(truth=truth):  # the folder stays as of its last look, to resume from
            assert isinstance(kept.module, Lifter)  # noqa: S101 - narrows an averaged model's type
            return TrainingResult(kept.module.eval(), at.first, now, at.step, stopped)
    return TrainingResult(load(folder.best)[0].to(job.device), at.first, at.best, at.step, stopped)


@dataclass(slots=True)
class TrainingState:
    """Where a run stands beside its weights.

    Attributes:
        first: ValidationMetrics before it.
        best: The best look so far.
        step: Steps done.
        worse: Looks since the best one.
    """

    first: ValidationMetrics
    best: ValidationMetrics = field(init=False)
    step: int = 0
    worse: int = 0

    def __post_init__(self) -> None:
        """Nothing is better than the start yet."""
        self.best = self.first

    def hears(self, now: ValidationMetrics, *, truth: bool) -> bool:
        """Takes note of a look; returns whether it is the best."""
        better = now.score(truth=truth) < BETTER * self.best.score(truth=truth)
        self.worse = 0 if better else self.worse + 1
        if better:
            self.best = now
        return better

    def state(self, parts: dict[str, Any]) -> dict[str, Any]:
        """Returns what is kept to go on from."""
        looks = {"first": astuple(self.first), "best": astuple(self.best)}
        weights = {name: part.state_dict() for name, part in parts.items()}
        return {**weights, **looks, "step": self.step, "worse": self.worse}

    @classmethod
    def resumed(cls, state: dict[str, Any], parts: dict[str, Any]) -> "TrainingState":
        """Returns where a kept run stands, its parts filled with what was kept."""
        for name, part in parts.items():
            part.load_state_dict(state[name])
        out = cls(ValidationMetrics(*state["first"]), step=state["step"], worse=state["worse"])
        out.best = ValidationMetrics(*state["best"])
        return out


def _network(lifter: Lifter, job: TrainingJob) -> training_step.Network:
    """Returns the lifter as it computes: compiled, in bfloat16 throughout, but for what the losses make of it."""
    compute: training_step.Network = torch.compile(lifter) if job.compile else lifter
    if not job.mixed:
        return compute

    def mixed(flat: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with torch.autocast(job.device.split(":")[0], torch.bfloat16):
            return compute(flat, confidence)

    return mixed


def _batch(job: TrainingJob, step: int, bank: PoseDataset, ranks: ProcessGroup) -> tuple[Batch, Tensor]:
    """Returns this process' part of the batch of a step, and of the permutation inside its rigs."""
    whole = bank.draw(job.rigs, job.per_rig, np.random.default_rng([job.seed, step]))
    generator = torch.Generator().manual_seed(job.seed * 1_000_003 + step)
    order = training_step.permutation_within_rigs(job.rigs, job.per_rig, generator, whole.flat.device)
    return ranks.share(whole), ranks.order(order, job.per_rig)


def rate_at(job: TrainingJob, step: int) -> float:
    """Returns the learning rate of a step: up in a line, down along a cosine."""
    rise = min(1.0, (step + 1) / job.warm_up)
    return job.rate * rise * 0.5 * (1 + math.cos(math.pi * step / job.steps))
