"""How far training is: a bar in a terminal, else a line every five seconds."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from pose_rig.tools.terminal.run_display import LINE_INTERVAL_S

if TYPE_CHECKING:
    from pose_rig.training.train import Progress  # brings torch


class TrainProgress:
    """Shows how far training is.

    Args:
        console: Where to.
        truth: Whether held-back instants are judged by the truth.
    """

    def __init__(self, console: Console, *, truth: bool) -> None:
        self._console, self._truth = console, truth
        self._bars = Bars(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[facts]}"),
            console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self._tasks: dict[str, TaskID] = {}
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def say(self, text: str) -> None:
        """Prints a line, above the bars if there are any."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def reading(self, fraction: float) -> None:
        """Shows how much (0–1) of the sources has been gone through."""
        self._show("Reading", fraction, f"{100 * fraction:3.0f} %")

    def training(self, progress: "Progress") -> None:
        """Shows how far the training is."""
        self._show("Training", progress.step / progress.steps, facts(progress, truth=self._truth))

    def _show(self, what: str, fraction: float, said: str) -> None:
        if not self._console.is_terminal:
            if time.monotonic() - self._said >= LINE_INTERVAL_S:
                self._said = time.monotonic()
                self.say(f"{what}: {said}")
            return
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=1.0, facts="")
        self._bars.update(self._tasks[what], completed=fraction, facts=said)


def facts(progress: "Progress", *, truth: bool) -> str:
    """Returns step, loss, the score of held-back instants and the time that is left, in one line."""
    held = f"held back {progress.validation.score(supervised=truth):.4f}, " if progress.validation is not None else ""
    minutes, seconds = divmod(round(progress.left_s), 60)
    return f"step {progress.step} of {progress.steps}, loss {progress.loss:.4f}, {held}{minutes}:{seconds:02} left"
