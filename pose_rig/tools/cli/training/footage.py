"""Training and validation footage for training from scratch."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from pose_rig.errors import UsageError
from pose_rig.simulation.clips import load_clips
from pose_rig.simulation.motion import Clip, split
from pose_rig.tools.cli.training.progress import TrainProgress
from pose_rig.tools.cli.training.request import Sources
from pose_rig.training.datasets.load import load
from pose_rig.training.datasets.morphed import morphed
from pose_rig.training.footage.footage import Footage
from pose_rig.training.footage.simulated import simulate_footage
from pose_rig.training.job import TrainingJob
from pose_rig.training.methods import Method
from pose_rig.training.pseudo_labels import split_footage

SECONDS = 10.0  # of a simulated take
BATCH = 20  # takes simulated between two updates of the progress
TAKES_PER_VALIDATION_TAKE = 10  # of simulated footage,
VALIDATION_TAKES = (4, 64)  # within these bounds
VALIDATION_EVERY = 5  # of the takes of a dataset

Split = tuple[list[Footage], list[Footage]]  # training, validation


def read_footage(sources: Sources, job: TrainingJob, progress: TrainProgress) -> Split:
    """Returns (training, validation) footage.

    Args:
        sources: Datasets or motion files.
        job: Its input frame restricts the roll of simulated cameras; its seed makes the simulation reproducible.
        progress: Receives the progress.

    Raises:
        UsageError: A file or folder is invalid, or has too little footage.
    """
    if sources.motion:
        return _simulated(sources, job.recipe(), job.seed, progress.reading)
    takes: list[Footage] = []
    for kind, folder in sources.datasets:
        if sources.morph:
            takes += morphed(kind, folder, "train", log=progress.print, on_progress=progress.reading, device=job.device)
        else:
            takes += load(kind, folder, "train")
    return split_takes(takes)


def split_takes(takes: Sequence[Footage]) -> Split:
    """Returns (training, validation): every fifth take is for validation; of fewer takes, a part of each.

    Raises:
        UsageError: There are too few frames.
    """
    if len(takes) >= VALIDATION_EVERY:
        last = VALIDATION_EVERY - 1
        return [take for i, take in enumerate(takes) if i % VALIDATION_EVERY != last], list(
            takes[last::VALIDATION_EVERY]
        )
    pairs = [split_footage(take) for take in takes]
    if not any(validation.frames for _, validation in pairs):
        count = sum(take.frames for take in takes)
        raise UsageError(f"{count} frames are too few for training.", "Use more of the dataset.")
    return [training for training, _ in pairs], [validation for _, validation in pairs if validation.frames]


def _simulated(sources: Sources, recipe: Method, seed: int, on_progress: Callable[[float], None]) -> Split:
    """Returns takes of simulated rigs; training and validation use different clips.

    Those for training have no depths: their errors would not be in part those of the lifter, as those of rehearsal are.
    """
    training, validation = split(load_clips(sources.motion))
    if not validation:
        raise UsageError(
            f"{len(training)} motion clips are too few for a validation set.",
            "Use motion files with at least four clips.",
        )
    validation_takes = min(max(sources.takes // TAKES_PER_VALIDATION_TAKE, VALIDATION_TAKES[0]), VALIDATION_TAKES[1])
    total = sources.takes + validation_takes

    def takes(clips: list[Clip], count: int, seed: int, done: int) -> list[Footage]:
        out: list[Footage] = []
        while len(out) < count:
            some = min(BATCH, count - len(out))
            part = simulate_footage(
                clips, some, sources.views, SECONDS, seed + len(out), ski=sources.ski,
                upside=0.0 if recipe.frame == "image" else 0.1,  # in the image frame people are upright
            )  # fmt: skip
            names = [f"sim{len(out) + i}" for i in range(some)]
            out += [replace(take, name=name, subject=name) for take, name in zip(part, names, strict=True)]
            on_progress((done + len(out)) / total)
        return out

    first = 2 * seed * 1_000_003
    plain = [take.without_depths() for take in takes(training, sources.takes, first, 0)]
    return plain, takes(validation, validation_takes, first + 1_000_003, sources.takes)
