"""Carries out what `pose-rig train` was asked for: reads, trains, examines."""

import json
import os
from dataclasses import asdict

import torch
from rich.console import Console

from pose_rig.errors import UsageError
from pose_rig.lifting.engine import OrtEngine
from pose_rig.simulation.clips import load_clips
from pose_rig.simulation.motion import PosePool, shipped, split
from pose_rig.simulation.synthetic import NAME, REMARK
from pose_rig.tools.cli.training.job import Planned, plan
from pose_rig.tools.cli.training.progress import TrainProgress
from pose_rig.tools.cli.training.report import exam_table, look_table
from pose_rig.tools.cli.training.request import Request
from pose_rig.tools.cli.training.result import Trained, adopt
from pose_rig.tools.cli.training.sources import read
from pose_rig.training.canonical_frame import with_canonical_frame
from pose_rig.training.distributed import ProcessGroup, process_group
from pose_rig.training.finetune import fine_tune
from pose_rig.training.footage.dataset import PoseDataset
from pose_rig.training.footage.recorded import recordings
from pose_rig.training.footage.simulated_views import Rehearsal
from pose_rig.training.job import TrainingJob
from pose_rig.training.pseudo_labels import pseudo_label, split_footage
from pose_rig.training.run_folder import RunFolder
from pose_rig.training.train import train

LOCAL_RANK = "LOCAL_RANK"  # of a process of `torchrun` on this machine: which of its GPUs is its own

STOPPED = {
    "done": "Done after {step} steps.",
    "early stopping": "Ended after {step} steps: held-back instants got no better any more.",
    "interrupted": "Stopped after {step} steps; going on with the best weights so far.",
}


def carry_out(request: Request, console: Console) -> None:
    """Trains, and writes the result if it is worth it; of several processes only the first one speaks and writes.

    Raises:
        PoseRigError: Something of the request does not fit together, a source has nothing to teach, or the new weights
            are not adopted.
    """
    planned = plan(request)
    if planned.job.device == "cuda" and LOCAL_RANK in os.environ:
        torch.cuda.set_device(int(os.environ[LOCAL_RANK]))
    with process_group(planned.job.device) as own:
        if planned.job.rigs % own.world_size:
            raise UsageError(
                f"{planned.job.rigs} rigs of a batch cannot be shared evenly by {own.world_size} processes.",
                f"Use a --batch of {8 * own.world_size} or a multiple of it.",
            )
        if not own.is_main:
            console = Console(quiet=True)
        with TrainProgress(console, truth=planned.truth) as progress:
            learn = _fine_tuned if request.sources.sessions else _from_scratch
            trained = learn(request, planned, own, progress)
            progress.say(STOPPED[trained.outcome.stop_reason].format(step=trained.outcome.step))
        if own.is_main:
            console.print(trained.table)
            adopt(request, planned, trained, console)


def _fine_tuned(request: Request, planned: Planned, own: ProcessGroup, progress: TrainProgress) -> Trained:
    paths, job = request.sources.sessions, planned.job
    progress.say(f"Going through {request.sources.names} with the rig's own fusion, twice.")
    sessions = recordings(paths, OrtEngine(provider="cpu"), progress.reading)
    held = 0
    for one in sessions:
        held += split_footage(pseudo_label(one))[1].frames  # before anything is trained: what cannot teach is said so
        progress.say(f"{one.footage.name}: {one.footage.frames} instants, {one.footage.views} views.")
    _announce(request, planned, progress, held)
    assert planned.start is not None  # noqa: S101 - sessions always have one
    with _folder(request, planned, own) as folder:
        tuned = fine_tune(
            sessions,
            planned.start,
            job,
            folder,
            group=own,
            resume=request.resume,
            on_step=progress.training,
        )
    figures = {name: json.dumps(asdict(exam)) for name, exam in (("before", tuned.before), ("after", tuned.after))}
    table = exam_table(tuned.before, tuned.after, held)
    return Trained(tuned.training.lifter, tuned.training, figures, table, tuned.rejection)


def _from_scratch(request: Request, planned: Planned, own: ProcessGroup, progress: TrainProgress) -> Trained:
    job = planned.job
    recipe = job.recipe()
    progress.say(f"Reading {request.sources.names}.")
    if NAME in request.sources.motion:
        progress.say(REMARK)
    footage = read(request.sources, job, progress)
    learned, held = (PoseDataset(part, recipe.frame, job.device) for part in footage)
    _announce(request, planned, progress, len(held))
    with _folder(request, planned, own) as folder:
        outcome = train(
            job, learned, held, folder,
            start=planned.start, rehearsal=_rehearsal(request, job), group=own, resume=request.resume,
            on_step=progress.training,
        )  # fmt: skip
    better = outcome.best.score(supervised=planned.truth) < outcome.initial.score(supervised=planned.truth)
    figures = {name: json.dumps(asdict(one)) for name, one in (("before", outcome.initial), ("after", outcome.best))}
    refused = "" if better else "held-back instants were not lifted better at any look"
    fresh = planned.start is None  # who starts from weights has their frame, and their people the right way round
    lifter = with_canonical_frame(outcome.lifter, learned) if fresh else outcome.lifter
    return Trained(lifter, outcome, figures, look_table(outcome, len(held)), refused)


def _rehearsal(request: Request, job: TrainingJob) -> Rehearsal | None:
    """Returns simulated views beside the footage, of the movement learned from, else of the shipped postures."""
    if not job.rehearsal:
        return None
    motion = request.sources.motion
    pool = PosePool(split(load_clips(motion))[0]) if motion else shipped()
    return Rehearsal(pool, job.rehearsal, job.seed, job.device)


def _folder(request: Request, planned: Planned, own: ProcessGroup) -> RunFolder:
    """Returns the run's folder; the first process makes it, and the others wait for that."""
    folder = RunFolder(request.run, planned.job, resume=request.resume) if own.is_main else None
    own.barrier(planned.job.device)
    return folder or RunFolder(request.run, planned.job, resume=request.resume)


def _announce(request: Request, planned: Planned, progress: TrainProgress, held: int) -> None:
    job = planned.job
    progress.say(
        f"Training `{job.method}` on {job.device}: {job.steps} steps of {job.rigs} x {job.per_rig} instants, {held} "
        f"instants held back. Ctrl-C ends it early and keeps the best. Run folder: {request.run}."
    )
