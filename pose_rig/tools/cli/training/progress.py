"""Progress of training and evaluation: a bar in a terminal, else a line every five seconds."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from pose_rig.tools.terminal.run_display import STATUS_INTERVAL_S

if TYPE_CHECKING:
    from pose_rig.training.train import Progress  # imports torch


class TrainProgress:
    """Displays the progress of training.

    Args:
        console: Where it is printed.
        supervised: Whether validation uses ground truth.
    """

    def __init__(self, console: Console, *, supervised: bool) -> None:
        self._console, self._supervised = console, supervised
        self._bars = Bars(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[facts]}"),
            console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self._tasks: dict[str, TaskID] = {}
        self._printed_s = time.monotonic()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def print(self, text: str) -> None:
        """Prints a line, above the bars if there are any."""
        self._console.print(text, markup=False, highlight=False)

    def reading(self, fraction: float) -> None:
        """Displays the fraction (0–1) of the sources that has been read."""
        self._show("Reading", fraction, f"{100 * fraction:3.0f} %")

    def training(self, progress: "Progress") -> None:
        """Displays the state of the training."""
        self._show("Training", progress.step / progress.steps, facts(progress, supervised=self._supervised))

    def _show(self, task: str, fraction: float, state: str) -> None:
        if not self._console.is_terminal:
            if time.monotonic() - self._printed_s >= STATUS_INTERVAL_S:
                self._printed_s = time.monotonic()
                self.print(f"{task}: {state}")
            return
        if task not in self._tasks:
            self._tasks[task] = self._bars.add_task(task, total=1.0, facts="")
        self._bars.update(self._tasks[task], completed=fraction, facts=state)


def facts(progress: "Progress", *, supervised: bool) -> str:
    """Returns step, loss, validation error and remaining time in one line."""
    validation = progress.validation
    error = f"validation {validation.score(supervised=supervised):.4f}, " if validation is not None else ""
    minutes, seconds = divmod(round(progress.left_s), 60)
    return f"step {progress.step} of {progress.steps}, loss {progress.loss:.4f}, {error}{minutes}:{seconds:02} left"
