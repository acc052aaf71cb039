"""The arguments of `pose-rig train`, checked without importing torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pose_rig.errors import UsageError

CHECKPOINT = ".pt"
SESSION_SUFFIXES = (".mcap", ".npz")
TAKES, VIEWS = 1000, 4  # of simulated footage
POOL = 32  # sessions in memory
NAMED = 8  # more sessions are only counted


@dataclass(frozen=True, slots=True)
class Sources:
    """The footage to train on; one of the first three is not empty.

    Attributes:
        sessions: Recorded sessions, or files of 2D keypoints (``.npz``).
        datasets: Benchmarks by name, and their folders.
        motion: Motion files for simulated rigs; `SYNTHETIC_MOTION` = synthetic motion.
        takes: Number of simulated takes.
        views: Number of cameras of each.
        ski: Whether the simulated cameras move, as in ski footage.
        morph: Whether 2D poses of datasets are morphed where their protocol requires it.
    """

    sessions: tuple[Path, ...] = ()
    datasets: tuple[tuple[str, Path], ...] = ()
    motion: tuple[Path, ...] = ()
    takes: int = TAKES
    views: int = VIEWS
    ski: bool = False
    morph: bool = True

    def __post_init__(self) -> None:
        """Checks that there is one kind of source.

        Raises:
            UsageError: There is none, or several; or a session has another suffix.
        """
        kinds = sum(map(bool, (self.sessions, self.datasets, self.motion)))
        if not kinds:
            raise UsageError("There is no training data.", "Give sessions, --dataset KIND=FOLDER or --simulated.")
        if kinds > 1:
            raise UsageError("Sessions, --dataset and --simulated cannot be combined.", "Remove all but one.")
        for path in self.sessions:
            if path.suffix not in SESSION_SUFFIXES:
                raise UsageError(f"{path} is not a session.", "Sessions are .mcap files; 2D keypoints are .npz files.")

    @property
    def names(self) -> str:
        """Names of the files and folders, without their paths."""
        sets = [f"{kind}={folder.name}{'' if self.morph else ' (not morphed)'}" for kind, folder in self.datasets]
        drawn = f" ({self.takes} takes of {self.views} views{', ski-like' if self.ski else ''})" if self.motion else ""
        count = len(self.sessions)
        sessions = [f"{count} sessions"] if count > NAMED else [path.name for path in self.sessions]
        return ", ".join([*sessions, *(path.name for path in self.motion), *sets]) + drawn


@dataclass(frozen=True, slots=True)
class Request:
    """One call of the command.

    Attributes:
        sources: The footage to train on.
        out: Path of the result: a checkpoint if it ends in ``.pt``, else an ONNX graph.
        run: Folder of the run.
        start: Initial weights; None = the shipped ones for sessions, else random.
        resume: Continue the run in ``run``.
        settings: The given settings of the job, by name of the option.
        pool: Of more sessions than this, so many are in memory at a time.
        readers: Processes that read them; None = as there are cores.
    """

    sources: Sources
    out: Path
    run: Path
    start: Path | None
    resume: bool
    settings: Mapping[str, object]
    pool: int = POOL
    readers: int | None = None

    def __post_init__(self) -> None:
        """Checks the name of the result, and that a resumed run has no new settings.

        Raises:
            UsageError: It is not so.
        """
        if self.out.suffix in SESSION_SUFFIXES:
            raise UsageError(f"{self.out} is not a name for weights.", f"Try --out {self.out.with_suffix('.weights')}.")
        if self.resume and self.settings:
            given = " ".join(f"--{name.replace('_', '-')}" for name in self.settings)
            raise UsageError(
                f"{given} cannot be combined with --resume, which keeps the settings.", f"Remove {given}, or --resume."
            )

    @property
    def checkpoint(self) -> bool:
        """Whether the result is to be a checkpoint rather than a graph."""
        return self.out.suffix == CHECKPOINT


def batch(size: int) -> tuple[int, int]:
    """Returns the rigs of a batch and the frames of each: up to eight frames of one rig, which share its cameras.

    Raises:
        UsageError: The size is negative.
    """
    if size < 0:
        raise UsageError(f"The batch size must not be negative; got {size}.", "Example: --batch 64.")
    per_rig = next(count for count in range(8, 0, -1) if size % count == 0)
    return size // per_rig, per_rig


def sessions_in(paths: Sequence[Path]) -> list[Path]:
    """Returns the sessions among paths and in the folders among them.

    Raises:
        UsageError: A folder has none.
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.rglob("*.mcap")) if path.is_dir() else [path]
        if not inside:
            raise UsageError(f"There is no session in {path}.", "Name a folder with .mcap files in it.")
        found += inside
    return found
