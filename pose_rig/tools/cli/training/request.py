"""What `pose-rig train` was asked for, checked as far as that goes without torch."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pose_rig.errors import UsageError
from pose_rig.simulation.synthetic import NAME

CHECKPOINT = ".pt"
FOOTAGE = (".mcap", ".npz")
TAKES, VIEWS = 1000, 4  # of simulated footage


@dataclass(frozen=True, slots=True)
class Sources:
    """What is learned from; one of the three is not empty.

    Attributes:
        sessions: Recorded sessions, or files of 2D keypoints (``.npz``).
        datasets: Benchmarks by name, and their folders.
        motion: Files of captured movement (`synthetic.NAME`: movement from formulas), around which rigs are simulated:
        takes: so many,
        views: of so many cameras each,
        ski: which move, as skiers are filmed.
        morph: Whether 2D poses of datasets are morphed where their protocol asks for it.
    """

    sessions: tuple[Path, ...] = ()
    datasets: tuple[tuple[str, Path], ...] = ()
    motion: tuple[Path, ...] = ()
    takes: int = TAKES
    views: int = VIEWS
    ski: bool = False
    morph: bool = True

    def __post_init__(self) -> None:
        """Checks that there is one kind of source, and that its files are there.

        Raises:
            UsageError: It is not so.
        """
        kinds = sum(map(bool, (self.sessions, self.datasets, self.motion)))
        if not kinds:
            raise UsageError(
                "There is nothing to learn from.", "Name sessions, or give --dataset KIND=FOLDER or --simulated."
            )
        if kinds > 1:
            raise UsageError(
                "Sessions, datasets and simulated rigs cannot be learned from together.", "Leave all but one out."
            )
        for path in (*self.sessions, *self.motion):
            if not (path.is_file() or (path == NAME and path in self.motion)):
                raise UsageError(f"There is no file {path}.", "Check the path.")
        for path in self.sessions:
            if path.suffix not in FOOTAGE:
                raise UsageError(f"{path} is no session.", "Sessions are .mcap files; 2D keypoints are .npz files.")

    @property
    def names(self) -> str:
        """Names of the files and folders, without the folders that they lie in."""
        sets = [f"{kind}={folder.name}{'' if self.morph else ' (not morphed)'}" for kind, folder in self.datasets]
        drawn = f" ({self.takes} takes of {self.views} views{', ski-like' if self.ski else ''})" if self.motion else ""
        return ", ".join([*(path.name for path in (*self.sessions, *self.motion)), *sets]) + drawn


@dataclass(frozen=True, slots=True)
class Request:
    """One call of the command.

    Attributes:
        sources: What is learned from.
        out: Where the result goes: a checkpoint if it ends in ``.pt``, else the graph that a rig runs.
        run: Folder of the run.
        start: Weights to begin with; None = the shipped ones for sessions, else fresh ones.
        resume: Go on with what is in ``run``.
        settings: Those of the job that were given, by the name of the option.
    """

    sources: Sources
    out: Path
    run: Path
    start: Path | None
    resume: bool
    settings: Mapping[str, object]

    def __post_init__(self) -> None:
        """Checks the files.

        Raises:
            UsageError: The result cannot be written, would replace what it is made of, or the start is missing.
        """
        folder = self.out.absolute().parent
        if self.out.suffix in FOOTAGE:
            raise UsageError(f"{self.out} is no name for weights.", f"Try --out {self.out.with_suffix('.weights')}.")
        if self.out.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
            raise UsageError(f"Cannot write {self.out}.", f"Make sure that the folder {folder} exists and is writable.")
        if self.start is not None and not self.start.is_file():
            raise UsageError(f"There are no weights {self.start}.", "Check --weights, or leave it out.")
        if self.start is not None and self.start.resolve() == self.out.resolve():
            raise UsageError(f"{self.out} would be written over what it starts from.", "Name another file with --out.")
        if self.resume and self.settings:
            given = " ".join(f"--{name}" for name in self.settings)
            raise UsageError("A run that goes on keeps its settings.", f"Leave {given} out, or --resume.")

    @property
    def checkpoint(self) -> bool:
        """Whether the result is to be a checkpoint rather than a graph."""
        return self.out.suffix == CHECKPOINT


def batch(size: int) -> tuple[int, int]:
    """Returns rigs, and instants of each, of a batch: up to eight instants of one rig, so that they share its cameras.

    Raises:
        UsageError: It is empty.
    """
    if size < 1:
        raise UsageError(f"A batch of {size} makes no training.", "Use something like --batch 64.")
    per_rig = next(count for count in range(8, 0, -1) if size % count == 0)
    return size // per_rig, per_rig


def terms(texts: Sequence[str]) -> tuple[str, ...]:
    """Returns the names in ``cam,bend``."""
    return tuple(name.strip() for text in texts for name in text.split(",") if name.strip())
