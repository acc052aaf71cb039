"""Fine-tuning on recorded sessions: the multi-view poses of the rig are pseudo-labels for the single-view lifter.

Simulated people with labels are rehearsed in every step. Some segments of every session are the validation set; new
weights that are not better there are rejected.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pose_rig.lifting.model import Lifter
from pose_rig.simulation.motion import shipped
from pose_rig.skeleton import LIMBS
from pose_rig.training.canonical_frame import handedness
from pose_rig.training.distributed import ProcessGroup
from pose_rig.training.evaluation.metrics import pmpjpe
from pose_rig.training.footage.dataset import PoseDataset, TrainingSet
from pose_rig.training.footage.footage import Footage
from pose_rig.training.footage.recorded import RecordedFootage
from pose_rig.training.footage.simulated_views import Rehearsal, SimulatedViewSampler
from pose_rig.training.job import TrainingJob
from pose_rig.training.pseudo_labels import pseudo_label, split_footage
from pose_rig.training.run_folder import RunFolder
from pose_rig.training.train import Progress, TrainingResult, train
from pose_rig.training.training_step import lift
from pose_rig.training.validation import validate

MIN_VISIBLE_JOINTS = 10  # of a view that is evaluated
MAX_ERROR_RATIO = 1.0  # after / before, on the validation set
MAX_SIMULATED_ERROR_RATIO = 1.1  # after / before, on simulated people: more is forgetting
MIN_HANDEDNESS = 0.5  # below, the lifter confuses people with their mirror images
SIMULATED_VIEWS = 4096
SIMULATED_SEED = 7919  # unlikely as a seed of the training
DEFAULT_JOB = TrainingJob("taught", steps=1200, rate=3e-4, rehearsal=512, average=0.99, check=100, patience=5)


@dataclass(frozen=True, slots=True)
class FinetuneMetrics:
    """Metrics of a lifter on the validation set and on simulated people.

    Attributes:
        pa_mpjpe_mm: Of single-view lifts over the limb joints, against the poses of the rig.
        reprojection: Reprojection loss of single-view lifts in the other views.
        simulated_pa_mpjpe_mm: On simulated people, from 2D alone, scaled to the size of the person.
        handedness: Chirality of the lifted poses, −1 … 1; 1 = people, −1 = mirror images.
    """

    pa_mpjpe_mm: float
    reprojection: float
    simulated_pa_mpjpe_mm: float
    handedness: float


class FinetuneEvaluator:
    """Evaluates lifters on the same data.

    Args:
        footage: Validation footage with pseudo-labels.
        simulated: Sampler of simulated people.
        device: Device of the evaluation.
    """

    def __init__(self, footage: Sequence[Footage], simulated: SimulatedViewSampler, device: str) -> None:
        self.dataset = PoseDataset(footage, "ray", device)
        joints = np.concatenate([one.truth.joints[:, 0] for one in footage if one.truth is not None])
        size_m = np.linalg.norm(joints - joints[:, :1], axis=(1, 2))
        self._size_m = float(np.median(size_m[size_m > 0]))  # 0: the person was not tracked
        views = simulated.sample(SIMULATED_VIEWS)
        self._simulated = [
            torch.from_numpy(part).to(device) for part in (views.pose_2d, views.confidence, views.canonical)
        ]

    @torch.no_grad()
    def evaluate(self, lifter: Lifter) -> FinetuneMetrics:
        """Returns the metrics of a lifter."""
        lifter = lifter.eval()
        frames = self.dataset.all
        visible = ((frames.confidence > 0).sum(-1) >= MIN_VISIBLE_JOINTS) & (frames.has_truth > 0)
        lifted = lift(lifter, frames.pose_2d, frames.confidence, frames.depth)
        pose_2d, confidence, canonical = self._simulated
        return FinetuneMetrics(
            pa_mpjpe_mm=self._pa_mpjpe_mm(lifted.pose[visible], frames.true_pose[visible]),
            reprojection=validate(lifter, self.dataset).reprojection,
            simulated_pa_mpjpe_mm=self._pa_mpjpe_mm(lifter(pose_2d, confidence)[0], canonical),
            handedness=handedness(lifter, self.dataset),
        )

    def _pa_mpjpe_mm(self, predicted: torch.Tensor, true: torch.Tensor) -> float:
        """Returns the mean PA-MPJPE over the limb joints of poses (N,J,3) of norm 1, scaled to the person's size."""
        own, target = (poses.double().cpu().numpy() for poses in (predicted, true))
        size = np.linalg.norm(target, axis=(1, 2), keepdims=True)
        limbs: NDArray[np.float64] = pmpjpe(own[:, LIMBS], (target / size)[:, LIMBS])
        return float(limbs.mean() * 1000 * self._size_m)


def rejection_reason(before: FinetuneMetrics, after: FinetuneMetrics) -> str:
    """Returns why new weights are rejected; empty if they are accepted."""
    if not after.pa_mpjpe_mm < MAX_ERROR_RATIO * before.pa_mpjpe_mm:
        return (
            f"the single-view error on the validation set is {after.pa_mpjpe_mm:.1f} mm, was {before.pa_mpjpe_mm:.1f}"
        )
    if after.simulated_pa_mpjpe_mm > MAX_SIMULATED_ERROR_RATIO * before.simulated_pa_mpjpe_mm:
        return (
            f"the error on simulated people is {after.simulated_pa_mpjpe_mm:.1f} mm, "
            f"was {before.simulated_pa_mpjpe_mm:.1f}"
        )
    return "people are confused with their mirror images" if after.handedness < MIN_HANDEDNESS else ""


@dataclass(frozen=True, slots=True)
class FinetuneResult:
    """Result of fine-tuning.

    Attributes:
        training: Result of the training.
        before, after: Metrics of the lifter.
        rejection: Why the new weights are rejected; empty if they are accepted.
    """

    training: TrainingResult
    before: FinetuneMetrics
    after: FinetuneMetrics
    rejection: str


def fine_tune(
    recorded: Sequence[RecordedFootage],
    start: Lifter,
    job: TrainingJob,
    folder: RunFolder,
    *,
    group: ProcessGroup = ProcessGroup(),  # noqa: B008 - frozen
    resume: bool = False,
    on_step: Callable[[Progress], None] = lambda _: None,
) -> FinetuneResult:
    """Fine-tunes a lifter on sessions and evaluates it.

    Args:
        recorded: The sessions.
        start: The lifter; it is not changed.
        job: `DEFAULT_JOB`, or another one of the method ``taught``.
        folder: Run folder.
        group: The processes that train together.
        resume: Continue the run of the folder.
        on_step: Called after every step.

    Raises:
        SessionError: A session cannot be used.
    """
    splits = [split_footage(pseudo_label(one)) for one in recorded]
    dataset = PoseDataset([footage for footage, _ in splits], "ray", job.device)
    validation = [validation for _, validation in splits]
    return fine_tune_on(dataset, validation, start, job, folder, group=group, resume=resume, on_step=on_step)


def fine_tune_on(
    training_set: TrainingSet,
    validation: Sequence[Footage],
    start: Lifter,
    job: TrainingJob,
    folder: RunFolder,
    *,
    group: ProcessGroup = ProcessGroup(),  # noqa: B008 - frozen
    resume: bool = False,
    on_step: Callable[[Progress], None] = lambda _: None,
) -> FinetuneResult:
    """Fine-tunes a lifter on footage with pseudo-labels, ``validation`` being the same in every process.

    The other arguments are those of `fine_tune`.
    """
    pool = shipped()
    simulated = SimulatedViewSampler(pool, SIMULATED_SEED)
    evaluator = FinetuneEvaluator(validation, simulated, job.device)
    before = evaluator.evaluate(start.to(job.device))
    training = train(
        job,
        training_set,
        evaluator.dataset,
        folder,
        start=deepcopy(start),
        rehearsal=Rehearsal(pool, job.rehearsal, job.seed, job.device) if job.rehearsal else None,
        group=group,
        resume=resume,
        on_step=on_step,
    )
    after = evaluator.evaluate(training.lifter)
    return FinetuneResult(training, before, after, rejection_reason(before, after))
