"""Training until a method has converged, however many steps it takes.

Self-supervised methods start on a plateau on which every other pose is the depth mirror image of the true one. The rate
is constant until a network has chosen between the two; only then does it decay.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pose_rig.lifting.model import Lifter, LifterConfig
from pose_rig.training.evaluation.metrics import n_mpjpe
from pose_rig.training.footage.dataset import PoseDataset
from pose_rig.training.job import TrainingJob
from pose_rig.training.train import MAX_GRADIENT_NORM
from pose_rig.training.training_step import loss_terms, permutation_within_rigs, total_loss

MAX_MIRRORED = 5.0  # %, of the lifts of a network that has chosen
DECAY_RATIO = 4  # steps of the decay per step until the choice, at least


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long to train.

    Attributes:
        check: Steps between checks whether the choice is made.
        max_constant: Steps at a constant rate after which a run is given up.
        min_decay: Minimum number of steps of the cosine decay.
    """

    check: int
    max_constant: int
    min_decay: int

    def decay(self, choice: int) -> int:
        """Returns the steps of the decay after a choice that took ``choice`` steps."""
        return max(DECAY_RATIO * choice, self.min_decay)


@dataclass(frozen=True, slots=True)
class Convergence:
    """A finished run.

    Attributes:
        lifter: The weights after the last step.
        choice: Steps until fewer than 5 % of the lifts were mirrored; None = more than the limit, not converged.
        steps: All steps.
        seconds: Wall-clock time.
        processor_s: Processor time.
    """

    lifter: Lifter
    choice: int | None
    steps: int
    seconds: float
    processor_s: float


def converge(
    job: TrainingJob,
    dataset: PoseDataset,
    mirrored: Callable[[Lifter], float],
    schedule: Schedule,
    *,
    augment: bool = True,
) -> Convergence:
    """Trains at a constant rate until the mirror choice is made, then with a cosine decay to 0.

    The second stage of a method begins after its share of all steps, in the decay.

    Args:
        job: Settings; its number of steps is not used.
        dataset: Training set.
        mirrored: Returns the `mirrored` share of the validation lifts, %.
        schedule: How long.
        augment: Mirror half of the rigs.
    """
    run = _Run(job, dataset, augment=augment)
    start_s, start_processor_s = time.monotonic(), time.process_time()
    choice = None
    while choice is None and run.step < schedule.max_constant:
        run.advance(job.rate * min(1.0, (run.step + 1) / job.warm_up), 0.0)
        if run.step % schedule.check == 0 and chosen(mirrored(run.lifter)):
            choice = run.step
    if choice is not None:
        decay = schedule.decay(choice)
        for i in range(decay):
            rate = job.rate * 0.5 * (1 + math.cos(math.pi * i / decay))
            run.advance(rate, (choice + i) / (choice + decay))
    return Convergence(
        run.lifter, choice, run.step, time.monotonic() - start_s, time.process_time() - start_processor_s
    )


def chosen(mirrored_percent: float) -> bool:
    """Returns whether nearly all lifts have one handedness; if the wrong one, it is corrected once for all."""
    return min(mirrored_percent, 100 - mirrored_percent) < MAX_MIRRORED


def mirrored(predicted: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Returns the share of lifts (T,V,J,3), %, whose depth mirror image is nearer to the ground truth.

    Lifts with NaN are not counted.
    """
    flat = [poses.astype(float).reshape(-1, *poses.shape[-2:]) for poses in (predicted, truth)]
    known = np.isfinite(flat[0]).all((1, 2))
    own, true = (poses[known] - poses[known, :1] for poses in flat)
    return float(100 * (n_mpjpe(own * np.array([1, 1, -1]), true) < n_mpjpe(own, true)).mean())


class _Run:
    """Weights and optimiser of a run; the random numbers of a step depend on the seed and the step only."""

    def __init__(self, job: TrainingJob, dataset: PoseDataset, *, augment: bool) -> None:
        self._job, self._dataset, self._augment, self._method = job, dataset, augment, job.recipe()
        torch.manual_seed(job.seed)
        config = LifterConfig(width=job.width, frame=self._method.frame, rotation=self._method.rotation)
        self.lifter = Lifter(config).train()
        self._optimiser = torch.optim.AdamW(self.lifter.parameters(), job.rate, weight_decay=job.decay, fused=True)
        self.step = 0

    def advance(self, rate: float, progress: float) -> None:
        """Does a step at a learning rate, with the loss weights of a progress of 0–1."""
        job, weights = self._job, self._method.weights(progress)
        rng = np.random.default_rng([job.seed, self.step])
        batch = self._dataset.sample(job.rigs, job.per_rig, rng, augment=self._augment)
        generator = torch.Generator().manual_seed(job.seed * 1_000_003 + self.step)
        permutation = permutation_within_rigs(job.rigs, job.per_rig, generator, batch.pose_2d.device)
        loss = total_loss(loss_terms(self.lifter, batch, self._method, weights, permutation), weights)
        self._optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.lifter.parameters(), MAX_GRADIENT_NORM)
        for parameters in self._optimiser.param_groups:
            parameters["lr"] = rate
        self._optimiser.step()
        self.step += 1
