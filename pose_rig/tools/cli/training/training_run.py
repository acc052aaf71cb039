"""Runs `pose-rig train`: reads the footage, trains, evaluates, writes the result."""

import json
import os
from dataclasses import asdict

import torch
from rich.console import Console

from pose_rig.errors import UsageError
from pose_rig.lifting.engine import OrtEngine
from pose_rig.simulation.clips import load_clips
from pose_rig.simulation.motion import PosePool, shipped, split
from pose_rig.simulation.synthetic import SYNTHETIC_MOTION, SYNTHETIC_NOTE
from pose_rig.tools.cli.training.footage import read_footage
from pose_rig.tools.cli.training.job import TrainingPlan, plan_training
from pose_rig.tools.cli.training.many_sessions import ManySessions
from pose_rig.tools.cli.training.progress import TrainProgress
from pose_rig.tools.cli.training.request import Request
from pose_rig.tools.cli.training.result import NewWeights, finetune_table, save_weights, validation_table
from pose_rig.torch_build import torch_build
from pose_rig.training.canonical_frame import with_canonical_frame
from pose_rig.training.distributed import ProcessGroup, process_group
from pose_rig.training.finetune import FinetuneResult, fine_tune, fine_tune_on
from pose_rig.training.footage.dataset import PoseDataset
from pose_rig.training.footage.recorded import recordings
from pose_rig.training.footage.simulated_views import Rehearsal
from pose_rig.training.job import TrainingJob
from pose_rig.training.pseudo_labels import pseudo_label, split_footage
from pose_rig.training.run_folder import RunFolder
from pose_rig.training.train import train

LOCAL_RANK = "LOCAL_RANK"  # environment variable of `torchrun`: index of the GPU of this process

STOP_TEXTS = {
    "done": "Done after {step} steps.",
    "early stopping": "Early stopping after {step} steps: the validation error no longer decreased.",
    "interrupted": "Stopped after {step} steps; the best weights so far are used.",
}


def run_training(request: Request, console: Console) -> None:
    """Trains and writes the result if it is better; of several processes only the main one prints and writes.

    Raises:
        PoseRigError: Settings contradict each other, a source cannot be used, or the new weights are rejected.
    """
    planned = plan_training(request)
    if planned.job.device == "cuda" and LOCAL_RANK in os.environ:
        torch.cuda.set_device(int(os.environ[LOCAL_RANK]))
    with process_group(planned.job.device) as group:
        if planned.job.rigs % group.world_size:
            raise UsageError(
                f"The {planned.job.rigs} rigs of a batch cannot be divided among {group.world_size} processes.",
                f"Use a --batch of {8 * group.world_size} or a multiple of it.",
            )
        if not group.is_main:
            console = Console(quiet=True)
        with TrainProgress(console, supervised=planned.supervised) as progress:
            train_lifter = _fine_tuned if request.sources.sessions else _from_scratch
            new = train_lifter(request, planned, group, progress)
            progress.print(STOP_TEXTS[new.training.stop_reason].format(step=new.training.step))
        if group.is_main:
            console.print(new.table)
            save_weights(request, planned, new, console)


def _fine_tuned(request: Request, planned: TrainingPlan, group: ProcessGroup, progress: TrainProgress) -> NewWeights:
    paths, job = request.sources.sessions, planned.job
    if len(paths) > request.pool:
        return _fine_tuned_on_many(request, planned, group, progress)
    progress.print(f"Running the fusion on {request.sources.names} in two passes.")
    sessions = recordings(paths, OrtEngine(provider="cpu"), progress.reading)
    validation_frames = 0
    for one in sessions:
        validation_frames += split_footage(pseudo_label(one))[1].frames  # raises if a session cannot be used
        progress.print(f"{one.footage.name}: {one.footage.frames} frames, {one.footage.views} views.")
    _announce(request, planned, progress, validation_frames)
    assert planned.start is not None  # noqa: S101 - sessions always have one
    with _folder(request, planned, group) as folder:
        tuned = fine_tune(
            sessions,
            planned.start,
            job,
            folder,
            group=group,
            resume=request.resume,
            on_step=progress.training,
        )
    return _new_weights(tuned, validation_frames)


def _fine_tuned_on_many(
    request: Request, planned: TrainingPlan, group: ProcessGroup, progress: TrainProgress
) -> NewWeights:
    job, start = planned.job, planned.start
    assert start is not None  # noqa: S101 - sessions always have one
    progress.print(f"Running the fusion on {request.sources.names} in two passes, as they are needed.")
    with (
        _folder(request, planned, group) as folder,
        ManySessions(request, job, folder.path, group, progress) as sessions,
    ):
        pool, validation = sessions.split()
        frames = sum(one.frames for one in validation)
        _announce(request, planned, progress, frames)
        tuned = fine_tune_on(
            pool, validation, start, job, folder, group=group, resume=request.resume, on_step=progress.training
        )
        sessions.report()
    return _new_weights(tuned, frames)


def _new_weights(tuned: FinetuneResult, validation_frames: int) -> NewWeights:
    metrics = {"before": json.dumps(asdict(tuned.before)), "after": json.dumps(asdict(tuned.after))}
    table = finetune_table(tuned.before, tuned.after, validation_frames)
    return NewWeights(tuned.training.lifter, tuned.training, metrics, table, tuned.rejection)


def _from_scratch(request: Request, planned: TrainingPlan, group: ProcessGroup, progress: TrainProgress) -> NewWeights:
    job = planned.job
    progress.print(f"Reading {request.sources.names}.")
    if SYNTHETIC_MOTION in request.sources.motion:
        progress.print(SYNTHETIC_NOTE)
    footage = read_footage(request.sources, job, progress)
    dataset, validation_set = (PoseDataset(part, job.recipe().frame, job.device) for part in footage)
    _announce(request, planned, progress, len(validation_set))
    with _folder(request, planned, group) as folder:
        training = train(
            job, dataset, validation_set, folder,
            start=planned.start, rehearsal=_rehearsal(request, job), group=group, resume=request.resume,
            on_step=progress.training,
        )  # fmt: skip
    initial, best = training.initial, training.best
    better = best.score(supervised=planned.supervised) < initial.score(supervised=planned.supervised)
    metrics = {"before": json.dumps(asdict(initial)), "after": json.dumps(asdict(best))}
    rejection = "" if better else "the validation error did not decrease"
    fresh = planned.start is None  # weights that were started from have a canonical frame already
    lifter = with_canonical_frame(training.lifter, dataset) if fresh else training.lifter
    return NewWeights(lifter, training, metrics, validation_table(training, len(validation_set)), rejection)


def _rehearsal(request: Request, job: TrainingJob) -> Rehearsal | None:
    """Returns simulated views of the training motion, or of the shipped poses; None if the job uses none."""
    if not job.rehearsal:
        return None
    motion = request.sources.motion
    pool = PosePool(split(load_clips(motion))[0]) if motion else shipped()
    return Rehearsal(pool, job.rehearsal, job.seed, job.device)


def _folder(request: Request, planned: TrainingPlan, group: ProcessGroup) -> RunFolder:
    """Returns the run folder; the main process creates it before the others open it."""
    folder = RunFolder(request.run, planned.job, resume=request.resume) if group.is_main else None
    group.barrier(planned.job.device)
    return folder or RunFolder(request.run, planned.job, resume=request.resume)


def _announce(request: Request, planned: TrainingPlan, progress: TrainProgress, validation_frames: int) -> None:
    job = planned.job
    progress.print(
        f"Training `{job.method}` on {job.device}: {job.steps} steps of {job.rigs} x {job.per_rig} frames, "
        f"{validation_frames} validation frames. Ctrl-C stops and keeps the best weights. Run folder: {request.run}."
    )
    progress.print(f"{torch_build()}.")
