"""Footage for training from scratch: what is learned from, and what is held back."""

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
AT_ONCE = 20  # takes simulated between two words about it
HELD_SHARE = 10  # one simulated take is watched for so many that are learned from,
HELD = (4, 64)  # within these bounds
EVERY = 5  # take of a dataset is held back

Both = tuple[list[Footage], list[Footage]]
Say = Callable[[float], None]


def read(sources: Sources, job: TrainingJob, progress: TrainProgress) -> Both:
    """Returns (to learn from, held back).

    Args:
        sources: Datasets or movement.
        job: Its method's frame says how simulated cameras may be mounted; all chance comes from its seed.
        progress: Told how far it is.

    Raises:
        UsageError: A file or folder is not what it should be, or there is too little in it.
    """
    if sources.motion:
        return _simulated(sources, job.recipe(), job.seed, progress.reading)
    takes: list[Footage] = []
    for kind, folder in sources.datasets:
        if sources.morph:
            takes += morphed(kind, folder, "train", log=progress.say, on_progress=progress.reading, device=job.device)
        else:
            takes += load(kind, folder, "train")
    return held_back(takes)


def held_back(takes: Sequence[Footage]) -> Both:
    """Returns (to learn from, held back): every fifth take; of fewer takes, some stretches of each.

    Raises:
        UsageError: Nothing is left to hold back.
    """
    if len(takes) >= EVERY:
        return [take for i, take in enumerate(takes) if i % EVERY != EVERY - 1], list(takes[EVERY - 1 :: EVERY])
    pairs = [split_footage(take) for take in takes]
    if not any(held.frames for _, held in pairs):
        count = sum(take.frames for take in takes)
        raise UsageError(f"{count} instants are too few to learn from.", "Give more of the dataset.")
    return [learned for learned, _ in pairs], [held for _, held in pairs if held.frames]


def _simulated(sources: Sources, recipe: Method, seed: int, say: Say) -> Both:
    """Returns takes of simulated rigs; the held-back ones show other clips."""
    learned, held = split(load_clips(sources.motion))
    if not held:
        raise UsageError(
            f"Of {len(learned)} clips of movement none is left to hold back.", "Give motion files with four at least."
        )
    watched = min(max(sources.takes // HELD_SHARE, HELD[0]), HELD[1])
    total = sources.takes + watched

    def takes(clips: list[Clip], count: int, seed: int, done: int) -> list[Footage]:
        out: list[Footage] = []
        while len(out) < count:
            some = min(AT_ONCE, count - len(out))
            part = simulate_footage(
                clips, some, sources.views, SECONDS, seed + len(out), ski=sources.ski,
                upside=0.0 if recipe.frame == "image" else 0.1,  # who sees pictures as they lie expects upright ones
            )  # fmt: skip
            names = [f"sim{len(out) + i}" for i in range(some)]
            out += [replace(take, name=name, subject=name) for take, name in zip(part, names, strict=True)]
            say((done + len(out)) / total)
        return out

    first = 2 * seed * 1_000_003
    return takes(learned, sources.takes, first, 0), takes(held, watched, first + 1_000_003, sources.takes)
