"""Showing something that changes: a table redrawn in place in a terminal, plain lines at intervals elsewhere."""

import math
import time
from collections.abc import Callable
from typing import Generic, Protocol, Self, TypeVar

from rich.console import RenderableType
from rich.live import Live

from pose_rig.tools.terminal.console import Console
from pose_rig.tools.terminal.user_input import UserInput

POLL_S = 0.05
REDRAW_INTERVAL_S = 0.25
LINE_INTERVAL_S = 1.0
T = TypeVar("T")


class Screen(Generic[T]):
    """Shows the newest value of something.

    Args:
        console: The output.
        render: Returns a value as a terminal draws it.
        lines: Returns a value as lines of text.
        line_interval_s: Time between two prints of the lines.
        headless: Print lines even in a terminal.
    """

    def __init__(
        self,
        console: Console,
        render: Callable[[T], RenderableType],
        lines: Callable[[T], list[str]],
        line_interval_s: float,
        *,
        headless: bool,
    ) -> None:
        self._console, self._render, self._lines = console, render, lines
        drawn = console.is_terminal and not headless
        self._live = Live(console=console, auto_refresh=False, transient=True) if drawn else None
        self._interval_s = REDRAW_INTERVAL_S if drawn else line_interval_s
        self._updated_s = time.monotonic()

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def print(self, text: str) -> None:
        """Prints a line; in a terminal above what is redrawn."""
        self._console.print(text)

    def update(self, value: T) -> None:
        """Shows a value if the interval is over."""
        if time.monotonic() - self._updated_s < self._interval_s:
            return
        self._updated_s = time.monotonic()
        if self._live:
            self._live.update(self._render(value), refresh=True)
        else:
            for line in self._lines(value):
                self.print(line)


class View(Protocol):
    """Something that receives data and shows it."""

    def receive(self, timeout_s: float) -> None:
        """Takes everything that arrives within a time."""

    def render(self) -> RenderableType:
        """Returns the state for a terminal."""

    def lines(self) -> list[str]:
        """Returns the state in lines; called once a second."""


def watch(view: View, console: Console, *, duration_s: float | None, headless: bool) -> None:
    """Shows a view for some time, or with None until the user presses q or Ctrl-C."""
    user = UserInput(on_second_stop=lambda: None)
    end_s = math.inf if duration_s is None else time.monotonic() + duration_s
    screen = Screen[View](console, lambda v: v.render(), lambda v: v.lines(), LINE_INTERVAL_S, headless=headless)
    with user.listening(), screen:
        while not user.stop_requested and time.monotonic() < end_s:
            view.receive(POLL_S)
            screen.update(view)
