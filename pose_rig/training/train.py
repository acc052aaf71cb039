"""Training of a lifter: one loop for every method and source, in one process or several.

The random numbers of a step depend on the seed and the step only: a resumed run is equal bit for bit to one that was
not interrupted, and several processes together draw the batches of a single one.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pose_rig.lifting.checkpoint import load, save
from pose_rig.lifting.model import Lifter, LifterConfig, with_depth
from pose_rig.training.distributed import ProcessGroup
from pose_rig.training.footage.dataset import Batch, PoseDataset, TrainingSet
from pose_rig.training.footage.depth_errors import with_common_errors
from pose_rig.training.footage.simulated_views import Rehearsal
from pose_rig.training.job import TrainingJob
from pose_rig.training.losses import lifting_loss
from pose_rig.training.run_folder import RunFolder
from pose_rig.training.training_step import Network, loss_terms, permutation_within_rigs, total_loss
from pose_rig.training.validation import ValidationMetrics, validate

MAX_GRADIENT_NORM = 1.0
IMPROVEMENT_RATIO = 0.998  # a validation score below this share of the best one is an improvement


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a run after a step.

    Attributes:
        step: Steps done.
        steps: Steps in total.
        loss: Loss of the last step.
        seconds: Seconds since the start of this process.
        new_steps: Steps done by this process.
        validation: The last validation.
    """

    step: int
    steps: int
    loss: float
    seconds: float
    new_steps: int
    validation: ValidationMetrics | None

    @property
    def left_s(self) -> float:
        """Estimated seconds until the last step."""
        return self.seconds / max(self.new_steps, 1) * (self.steps - self.step)


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """Result of a run.

    Attributes:
        lifter: The best weights.
        initial, best: Validation before the training, and of the best weights.
        step: Steps done.
        stop_reason: ``done``, ``early stopping`` or ``interrupted``.
    """

    lifter: Lifter
    initial: ValidationMetrics
    best: ValidationMetrics
    step: int
    stop_reason: str


def train(
    job: TrainingJob,
    dataset: TrainingSet,
    validation_set: PoseDataset,
    folder: RunFolder,
    *,
    start: Lifter | None = None,
    rehearsal: Rehearsal | None = None,
    group: ProcessGroup = ProcessGroup(),  # noqa: B008 - frozen
    resume: bool = False,
    on_step: Callable[[Progress], None] = lambda _: None,
) -> TrainingResult:
    """Trains and returns the weights of the best validation score (`ValidationMetrics.score`).

    Ctrl-C stops the training; the weights of that moment are then validated too.

    Args:
        job: Settings.
        dataset: Training set.
        validation_set: Frames that are not in the training set.
        folder: Run folder; only the process of rank 0 writes to it.
        start: Initial weights, None = random ones; a resumed run has its own.
        rehearsal: Simulated views that are added to every step.
        group: The processes that train together.
        resume: Continue the run of the folder.
        on_step: Called after every step.
    """
    method = job.recipe()
    supervised = method.late.supervised > 0

    # model, running mean of its weights, optimiser
    torch.manual_seed(job.seed)
    initial = load(folder.best)[0] if resume else start
    lifter = initial or Lifter(LifterConfig(width=job.width, frame=method.frame, rotation=method.rotation))
    lifter = with_depth(lifter) if method.depth else lifter
    lifter = lifter.to(job.device).train()
    if job.only_depth:
        lifter.requires_grad_(requires_grad=False).depth_branch.requires_grad_()
    trained = [parameter for parameter in lifter.parameters() if parameter.requires_grad]
    network = _network(lifter, job)
    averaged = AveragedModel(lifter, multi_avg_fn=get_ema_multi_avg_fn(job.average))  # type: ignore[no-untyped-call]
    optimiser = torch.optim.AdamW(trained, job.rate, weight_decay=job.decay, fused=True)
    modules = {"lifter": lifter, "kept": averaged, "optimiser": optimiser}

    # state of the run
    state = TrainingState(validate(averaged.module, validation_set))
    if resume:
        state = TrainingState.from_dict(folder.load(), modules)
    elif group.is_main:
        save(folder.best, averaged.module, {"job": job.to_json()})
    start_time, start_step, metrics = time.monotonic(), state.step, state.best

    try:
        while state.step < job.steps and not (job.patience and state.validations_since_best >= job.patience):
            # loss weights and learning rate of this step
            weights = method.weights(state.step / job.steps)
            for parameters in optimiser.param_groups:
                parameters["lr"] = learning_rate(job, state.step)

            # forward
            terms: dict[str, Tensor] = {}
            if job.rigs:
                batch, permutation = _batch(job, state.step, dataset, group)
                terms = loss_terms(network, batch, method, weights, permutation)
            terms |= _rehearsed(network, rehearsal, state.step, depth=method.depth)
            loss = total_loss(terms, weights)

            # backward and update
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            group.average_gradients(lifter)
            torch.nn.utils.clip_grad_norm_(trained, MAX_GRADIENT_NORM)
            optimiser.step()
            averaged.update_parameters(lifter)
            state.step += 1
            loss_value = float(group.mean(loss.detach()))

            # validation, log and checkpoint
            if state.step % job.check == 0 or state.step == job.steps:
                metrics = validate(averaged.module, validation_set)
                improved = state.update(metrics, supervised=supervised)
                if group.is_main:
                    if improved:
                        save(folder.best, averaged.module, {"job": job.to_json(), "step": str(state.step)})
                    values = {name: float(value.detach()) for name, value in terms.items()}
                    seconds = time.monotonic() - start_time
                    folder.log(state.step, {"loss": loss_value, "seconds": seconds, **asdict(metrics), **values})
                    folder.save(state.to_dict(modules))
                group.barrier(job.device)  # no process reads the best weights before they are written
            seconds = time.monotonic() - start_time
            on_step(Progress(state.step, job.steps, loss_value, seconds, state.step - start_step, metrics))
        stop_reason = "done" if state.step == job.steps else "early stopping"
    except KeyboardInterrupt:
        stop_reason = "interrupted"
        metrics = validate(averaged.module, validation_set)
        if metrics.score(supervised=supervised) <= state.best.score(supervised=supervised):
            # not saved: the run can be resumed from its last validation
            assert isinstance(averaged.module, Lifter)  # noqa: S101 - narrows an averaged model's type
            return TrainingResult(averaged.module.eval(), state.initial, metrics, state.step, stop_reason)
    return TrainingResult(load(folder.best)[0].to(job.device), state.initial, state.best, state.step, stop_reason)


@dataclass(slots=True)
class TrainingState:
    """State of a run apart from its weights.

    Attributes:
        initial: Validation before the training.
        best: Best validation so far.
        step: Steps done.
        validations_since_best: For early stopping.
    """

    initial: ValidationMetrics
    best: ValidationMetrics = field(init=False)
    step: int = 0
    validations_since_best: int = 0

    def __post_init__(self) -> None:
        """Sets the best validation to the initial one."""
        self.best = self.initial

    def update(self, metrics: ValidationMetrics, *, supervised: bool) -> bool:
        """Adds a validation and returns whether it is an improvement."""
        improved = metrics.score(supervised=supervised) < IMPROVEMENT_RATIO * self.best.score(supervised=supervised)
        self.validations_since_best = 0 if improved else self.validations_since_best + 1
        if improved:
            self.best = metrics
        return improved

    def to_dict(self, modules: dict[str, Any]) -> dict[str, Any]:
        """Returns the content of the state file, from which a run can be resumed."""
        return {
            **{name: module.state_dict() for name, module in modules.items()},
            "first": astuple(self.initial),
            "best": astuple(self.best),
            "step": self.step,
            "worse": self.validations_since_best,
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any], modules: dict[str, Any]) -> "TrainingState":
        """Returns the state of a state file, and loads the modules' states."""
        for name, module in modules.items():
            module.load_state_dict(content[name])
        out = cls(ValidationMetrics(*content["first"]), content["step"], content["worse"])
        out.best = ValidationMetrics(*content["best"])
        return out


def learning_rate(job: TrainingJob, step: int) -> float:
    """Returns the learning rate of a step: linear warm-up, cosine decay."""
    warm_up = min(1.0, (step + 1) / job.warm_up)
    return job.rate * warm_up * 0.5 * (1 + math.cos(math.pi * step / job.steps))


def _network(lifter: Lifter, job: TrainingJob) -> Network:
    """Returns the lifter as a function, compiled and in mixed precision if the job has these settings."""
    compute: Network = torch.compile(lifter) if job.compile else lifter
    if not job.mixed:
        return compute

    def mixed(pose_2d: Tensor, confidence: Tensor, depth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with torch.autocast(job.device.split(":")[0], torch.bfloat16):
            return compute(pose_2d, confidence, depth)

    return mixed


def _rehearsed(network: Network, rehearsal: Rehearsal | None, step: int, *, depth: bool) -> dict[str, Tensor]:
    """Returns the loss on the simulated views of a step, whose depths have errors like the network's own."""
    if rehearsal is None:
        return {}
    views = rehearsal.at(step)
    estimated = with_common_errors(network, views) if depth else views["depth"]
    outputs = network(views["pose_2d"], views["confidence"], estimated)
    return {"rehearsal": lifting_loss(outputs, views)["total"]}


def _batch(job: TrainingJob, step: int, dataset: TrainingSet, group: ProcessGroup) -> tuple[Batch, Tensor]:
    """Returns this process's shard of the batch of a step, and of the permutation within its rigs."""
    dataset.advance(step)
    if dataset.sharded:
        return _own_batch(job, step, dataset, group)
    batch = dataset.sample(job.rigs, job.per_rig, np.random.default_rng([job.seed, step]))
    generator = torch.Generator().manual_seed(job.seed * 1_000_003 + step)
    permutation = permutation_within_rigs(job.rigs, job.per_rig, generator, batch.pose_2d.device)
    return group.shard(batch), group.shard_permutation(permutation, job.per_rig)


def _own_batch(job: TrainingJob, step: int, dataset: TrainingSet, group: ProcessGroup) -> tuple[Batch, Tensor]:
    """Returns the same, drawn from footage that only this process has."""
    rigs, seed = job.rigs // group.world_size, [job.seed, step, group.rank]
    batch = dataset.sample(rigs, job.per_rig, np.random.default_rng(seed))
    generator = torch.Generator().manual_seed((job.seed * 1_000_003 + step) * group.world_size + group.rank)
    permutation = permutation_within_rigs(rigs, job.per_rig, generator, batch.pose_2d.device)
    return replace(batch, processes=group.world_size), permutation
