"""The folder of a training run: what was asked for, how it went, where it stands, and the best weights so far.

job.json       what was asked for
log.csv        a line for every look at held-back instants; the same as TensorBoard events beside it
state.pt       where it stands: `--resume` goes on bit for bit
lifter.pt      the best weights so far, a checkpoint of `pose_rig.lifting.checkpoint`
"""

import csv
import pickle  # for the name of its error alone: torch refuses pickled code, and says so with it
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch

from pose_rig.atomic_file import atomic_file
from pose_rig.errors import PoseRigError, UsageError
from pose_rig.lifting.weights_file import weights_format
from pose_rig.training.job import TrainingJob

JOB, LOG, STATE, BEST = "job.json", "log.csv", "state.pt", "lifter.pt"


class RunFolder:
    """One run's folder.

    Args:
        path: Where; made if it is missing.
        job: What is asked for.
        resume: Go on with what is there.

    Raises:
        UsageError: There is a run already, or none to go on with, or one of another job.
    """

    def __init__(self, path: Path, job: TrainingJob, *, resume: bool = False) -> None:
        self.path = path
        there = (path / STATE).exists()
        if resume and not there:
            raise UsageError(f"{path} holds no run to go on with.", "Leave --resume out to begin one.")
        if there and not resume:
            raise UsageError(
                f"{path} holds a run already.", "Go on with it with --resume, or name another --run folder."
            )
        if resume and self.job(path) != job:
            raise UsageError(f"{path} holds a run of another job.", f"Its settings are in {path / JOB}.")
        try:
            path.mkdir(parents=True, exist_ok=True)
            (path / JOB).write_text(job.to_json() + "\n", "utf-8")
        except OSError as error:
            raise PoseRigError(f"{path} cannot be written: {error}.", "Name another folder with --run.") from error
        self._events: Any = None
        self._fresh = not resume

    @staticmethod
    def job(path: Path) -> TrainingJob:
        """Returns what a run was asked for.

        Raises:
            UsageError: The folder holds none.
        """
        if not (path / JOB).is_file():
            raise UsageError(f"{path} holds no training run.", "Name the folder of one.")
        return TrainingJob.from_json((path / JOB).read_text("utf-8"))

    @property
    def best(self) -> Path:
        """Where the best weights are."""
        return self.path / BEST

    def log(self, step: int, values: dict[str, float]) -> None:
        """Adds a line to the table and to TensorBoard's events."""
        from torch.utils.tensorboard import SummaryWriter  # slow to load

        if self._events is None:
            self._events = SummaryWriter(str(self.path))
        row = {"step": step, **{name: f"{value:.6g}" for name, value in values.items()}}
        path = self.path / LOG
        kept: list[dict[str, str]] = []
        if path.exists() and not self._fresh:
            with path.open(newline="", encoding="utf-8") as file:
                kept = [line for line in csv.DictReader(file) if int(line["step"]) < step]
        names = list(dict.fromkeys([*(name for line in kept for name in line), *row]))
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names, restval="")
            writer.writeheader()
            writer.writerows([*kept, row])
        self._fresh = False
        for name, value in values.items():
            self._events.add_scalar(name, value, step)
        self._events.flush()

    def save(self, state: dict[str, Any]) -> None:
        """Keeps where the run stands; a crash in the middle leaves what was there."""
        with atomic_file(self.path / STATE) as partial:
            torch.save(state, partial)

    def load(self) -> dict[str, Any]:
        """Returns where the run stands.

        Raises:
            UsageError: It cannot be read.
        """
        path = self.path / STATE
        try:
            if weights_format(path) != "checkpoint":
                raise ValueError("it is no file of weights")
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, LookupError, pickle.UnpicklingError) as error:
            reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
            raise UsageError(f"{path} cannot be read: {reason}.", "Begin the run anew.") from error
        return state

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._events is not None:
            self._events.close()
