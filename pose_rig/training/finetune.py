"""Fine-tuning on somebody's own sessions: the rig, which sees with all cameras, teaches the lifter, which has one.

Nobody labels anything. What the lifter is told is what the whole rig made of each instant, turned into every view;
simulated people are rehearsed beside it. Some stretches of every session are kept out of it, and there it must have
become better; else nothing is adopted.

Axes: T instants, V views, J = 17 joints.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from pose_rig.chirality import chirality
from pose_rig.errors import SessionError
from pose_rig.lifting.model import Lifter
from pose_rig.simulation.motion import shipped
from pose_rig.skeleton import BONES, LIMBS
from pose_rig.training.canonical_frame import handed
from pose_rig.training.distributed import ProcessGroup
from pose_rig.training.evaluation.metrics import pmpjpe
from pose_rig.training.footage.dataset import PoseDataset
from pose_rig.training.footage.footage import Footage, GroundTruth
from pose_rig.training.footage.recorded import Recorded
from pose_rig.training.footage.rehearsal import Rehearsal
from pose_rig.training.footage.simulated_views import SimulatedViewSampler
from pose_rig.training.job import TrainingJob
from pose_rig.training.run_folder import RunFolder
from pose_rig.training.train import Progress, TrainingResult, train
from pose_rig.training.training_step import lift
from pose_rig.training.validation import look

STRETCHES = 15  # of a session; every fifth one is held back
FEWEST_JOINTS = 10  # that a view must have seen to be scored
HUMAN_BONES = 0.25  # limbs that change more than that of their length are nobody's
HUMAN_SIDE = 0.3  # of `chirality`, below which a pose may as well be its mirror image
NOT_WORSE = 1.0  # of the error before
NOT_FORGOTTEN = 1.1  # of the error on simulated people before
HANDED = 0.5  # of `settle.handed`, below which the lifter mixes people with their mirror images
REHEARSED = 4096  # simulated views it is examined on
SHORTEST = 40  # instants that a session must have; held-back stretches are then two instants long
EXAM_SEED = 7919  # not one that people choose for training
JOB = TrainingJob("taught", steps=1200, rate=3e-4, rehearsal=512, average=0.99, check=100, patience=5)


@dataclass(frozen=True, slots=True)
class FinetuneMetrics:
    """How a lifter does on held-back instants and on simulated people.

    Attributes:
        pa_mm: Mean PA-MPJPE of single-view lifts over the limb joints, against what the whole rig made of the instant.
        reprojection: What one view lifts, seen from another, against what that one saw.
        simulated_mm: Mean PA-MPJPE on simulated people, as if all were of the same size.
        handed: How surely its people are human rather than mirrored, −1 … 1.
    """

    pa_mm: float
    reprojection: float
    simulated_mm: float
    handed: float


def taught(recorded: Recorded) -> Footage:
    """Returns the footage of a session with what its rig made of each instant as the truth.

    Raises:
        SessionError: It is too short, what the rig made of it is not a person, or its cameras move.
    """
    footage = recorded.footage
    poses = recorded.poses.astype(np.float64)
    known = np.asarray(np.isfinite(poses).all((1, 2)))
    if known.sum() < SHORTEST:
        raise SessionError(
            f"{footage.name} is too short: the rig follows somebody at {known.sum()} instants, and {SHORTEST} are the"
            " least.",
            "Record a minute of a person who moves about.",
        )
    if footage.rotation is None:
        raise SessionError(
            f"In {footage.name} the cameras move, or the rig never learned where they stand.",
            "Fine-tune on sessions with standing cameras and a person who moves about.",
        )
    if reason := not_human(poses[known]):
        raise SessionError(f"{footage.name}: {reason}.", "Fine-tune on sessions that look right in `pose-rig view`.")
    local = np.einsum("vij,tkj->tvki", footage.rotation, poses - poses[:, :1])
    score = np.where(known[:, None, None], footage.score, 0.0).astype(np.float32)
    truth = GroundTruth(np.nan_to_num(local).astype(np.float32), footage.xy_px)
    return replace(footage, score=score, truth=truth)


def not_human(poses: NDArray[np.float64]) -> str:
    """Returns why poses (T,17,3) are no person's, empty if they may be."""
    if not len(poses):
        return "nobody is seen by enough cameras"
    limbs = [bone for bone in BONES if bone[1] in LIMBS]
    lengths = np.stack([np.linalg.norm(poses[:, a] - poses[:, b], axis=-1) for a, b in limbs])
    middle = np.median(lengths, 1)
    change = np.median(np.abs(lengths - middle[:, None]), 1) / np.maximum(middle, 1e-6)
    if np.median(change) > HUMAN_BONES:
        return f"the limbs of what was seen change by {100 * np.median(change):.0f} % of their length"
    if chirality(poses) < HUMAN_SIDE:
        return "what was seen may as well be the mirror image of a person"
    return ""


def stretches(instants: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Returns (T,) which of so many instants are learned from and which are held back, a tenth between them unused."""
    place = np.arange(instants) * STRETCHES / instants
    held = place.astype(int) % 5 == 4
    return ~held, held & (place % 1 > 0.1) & (place % 1 < 0.9)


def hold_back(footage: Footage) -> tuple[Footage, Footage]:
    """Returns (to learn from, held back)."""
    learned, held = stretches(footage.instants)
    return footage.at(np.flatnonzero(learned)), footage.at(np.flatnonzero(held))


class FinetuneEvaluator:
    """Asks lifters the same questions.

    Args:
        held: Held-back footage, taught.
        simulated: Simulated people nobody learns from.
        device: Where it asks.
    """

    def __init__(self, held: Sequence[Footage], simulated: SimulatedViewSampler, device: str) -> None:
        self.bank = PoseDataset(held, "ray", device)
        joints = np.concatenate([one.truth.joints[:, 0] for one in held if one.truth is not None])
        size_m = np.linalg.norm(joints - joints[:, :1], axis=(1, 2))
        self._size_m = float(np.median(size_m[size_m > 0]))  # 0: nobody was followed then
        people = simulated.draw(REHEARSED)
        self._simulated = [
            torch.from_numpy(part).to(device) for part in (people.flat, people.confidence, people.canonical)
        ]

    def ask(self, lifter: Lifter) -> FinetuneMetrics:
        """Returns how a lifter does."""
        lifter = lifter.eval()
        seen = look(lifter, self.bank)
        return FinetuneMetrics(
            self.pa_mm(lifter), seen.reprojection, self._simulated_mm(lifter), handed(lifter, self.bank)
        )

    @torch.no_grad()
    def pa_mm(self, lifter: Lifter) -> float:
        """Returns the mean PA-MPJPE of single-view lifts over the limb joints, mm, as if size never changed."""
        every = self.bank.all
        out = lift(lifter, every.flat, every.confidence)
        chosen = ((every.confidence > 0).sum(-1) >= FEWEST_JOINTS) & (every.scored > 0)
        own = out.pose[chosen].double().cpu().numpy()
        return float(_pa(own, every.shape[chosen].double().cpu().numpy()).mean() * 1000 * self._size_m)

    @torch.no_grad()
    def _simulated_mm(self, lifter: Lifter) -> float:
        flat, confidence, true = self._simulated
        own, _, _ = lifter(flat, confidence)
        poses = (x.double().cpu().numpy() for x in (own, true))
        return float(_pa(*poses).mean() * 1000 * self._size_m)


def _pa(own: NDArray[np.float64], true: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns (N,) PA-MPJPE over the limb joints, of poses brought to norm 1 as the true ones are."""
    size = np.linalg.norm(true, axis=(1, 2), keepdims=True)
    return pmpjpe(own[:, LIMBS], (true / size)[:, LIMBS])


def verdict(before: FinetuneMetrics, after: FinetuneMetrics) -> str:
    """Returns why new weights are not to be adopted, empty if they are."""
    if not after.pa_mm < NOT_WORSE * before.pa_mm:
        return f"on held-back instants a single view errs by {after.pa_mm:.1f} mm, {before.pa_mm:.1f} before"
    if after.simulated_mm > NOT_FORGOTTEN * before.simulated_mm:
        return f"on simulated people it errs by {after.simulated_mm:.1f} mm, {before.simulated_mm:.1f} before"
    if after.handed < HANDED:
        return "it mixes people with their mirror images"
    return ""


@dataclass(frozen=True, slots=True)
class FinetuneResult:
    """What came of fine-tuning.

    Attributes:
        outcome: Of the training.
        before, after: How the lifter did on held-back instants and on simulated people.
        refused: Why the new weights are not to be adopted, empty if they are.
    """

    outcome: TrainingResult
    before: FinetuneMetrics
    after: FinetuneMetrics
    refused: str


def fine_tune(
    recorded: Sequence[Recorded],
    start: Lifter,
    job: TrainingJob,
    folder: RunFolder,
    *,
    ranks: ProcessGroup = ProcessGroup(),  # noqa: B008 - frozen
    resume: bool = False,
    tell: Callable[[Progress], None] = lambda _: None,
) -> FinetuneResult:
    """Returns what a lifter learned from sessions, and how it does where it has not learned.

    Args:
        recorded: The sessions.
        start: The lifter; left as it is.
        job: `JOB`, or another of method ``taught``.
        folder: Of the run.
        ranks: Which process this is,
        resume: go on with the folder's run, and
        tell: hears how far it is; all as for `pose_rig.training.train.train`.

    Raises:
        SessionError: A session has nothing to teach.
    """
    parts = [hold_back(taught(one)) for one in recorded]
    pool = shipped()
    examiner = FinetuneEvaluator([held for _, held in parts], SimulatedViewSampler(pool, EXAM_SEED), job.device)
    before = examiner.ask(start.to(job.device))
    outcome = train(
        job,
        PoseDataset([learned for learned, _ in parts], "ray", job.device),
        examiner.bank,
        folder,
        start=deepcopy(start),
        rehearsal=Rehearsal(pool, job.rehearsal, job.seed, job.device) if job.rehearsal else None,
        ranks=ranks,
        resume=resume,
        tell=tell,
    )
    after = examiner.ask(outcome.lifter)
    return FinetuneResult(outcome, before, after, verdict(before, after))
