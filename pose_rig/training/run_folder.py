"""The folder of a training run.

job.json       its settings
log.csv        a row for every validation, also as TensorBoard events
state.pt       weights, optimiser and progress; `--resume` continues from it bit for bit
lifter.pt      the weights with the best validation score, a checkpoint of `pose_rig.lifting.checkpoint`
"""

import csv
import pickle  # for the type of an error only: torch.load raises it for pickled code
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
    """The folder of one run.

    Args:
        path: The folder, created if it is missing.
        job: Settings of the run.
        resume: Continue the run in the folder.

    Raises:
        UsageError: The folder has a run already, has none to resume, or one with other settings.
        PoseRigError: The folder cannot be written.
    """

    def __init__(self, path: Path, job: TrainingJob, *, resume: bool = False) -> None:
        self.path = path
        exists = (path / STATE).exists()
        if resume and not exists:
            raise UsageError(f"{path} has no run to resume.", "Leave --resume out to start one.")
        if exists and not resume:
            raise UsageError(f"{path} has a run already.", "Continue it with --resume, or name another --run folder.")
        if resume and self.job(path) != job:
            raise UsageError(f"{path} has a run with other settings.", f"They are in {path / JOB}.")
        try:
            path.mkdir(parents=True, exist_ok=True)
            (path / JOB).write_text(job.to_json() + "\n", "utf-8")
        except OSError as error:
            raise PoseRigError(f"{path} cannot be written: {error}.", "Name another folder with --run.") from error
        self._events: Any = None
        self._new = not resume

    @staticmethod
    def job(path: Path) -> TrainingJob:
        """Returns the settings of the run in a folder.

        Raises:
            UsageError: The folder has no run.
        """
        if not (path / JOB).is_file():
            raise UsageError(f"{path} has no training run.", "Name the folder of a run.")
        return TrainingJob.from_json((path / JOB).read_text("utf-8"))

    @property
    def best(self) -> Path:
        """Checkpoint of the best weights."""
        return self.path / BEST

    def log(self, step: int, values: dict[str, float]) -> None:
        """Adds a row to the log and to the TensorBoard events."""
        from torch.utils.tensorboard import SummaryWriter  # slow to load

        if self._events is None:
            self._events = SummaryWriter(str(self.path))
        row = {"step": step, **{name: f"{value:.6g}" for name, value in values.items()}}
        path = self.path / LOG
        rows: list[dict[str, str]] = []
        if path.exists() and not self._new:
            with path.open(newline="", encoding="utf-8") as file:
                rows = [line for line in csv.DictReader(file) if int(line["step"]) < step]
        names = list(dict.fromkeys([*(name for line in rows for name in line), *row]))
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names, restval="")
            writer.writeheader()
            writer.writerows([*rows, row])
        self._new = False
        for name, value in values.items():
            self._events.add_scalar(name, value, step)
        self._events.flush()

    def save(self, state: dict[str, Any]) -> None:
        """Replaces the state of the run, atomically."""
        with atomic_file(self.path / STATE) as partial:
            torch.save(state, partial)

    def load(self) -> dict[str, Any]:
        """Returns the state of the run.

        Raises:
            UsageError: It cannot be read.
        """
        path = self.path / STATE
        try:
            if weights_format(path) != "checkpoint":
                raise ValueError("it is not a file of weights")
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, LookupError, pickle.UnpicklingError) as error:
            reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
            raise UsageError(f"{path} cannot be read: {reason}.", "Start the run again.") from error
        return state

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._events is not None:
            self._events.close()
