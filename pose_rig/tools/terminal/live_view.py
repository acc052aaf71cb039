"""Watching something until the user has seen enough: a table in a terminal, a few lines every second elsewhere."""

import time
from contextlib import nullcontext
from typing import Protocol

from rich.console import RenderableType
from rich.live import Live

from pose_rig.tools.terminal.console import Console
from pose_rig.tools.terminal.user_input import UserInput

TICK_S = 0.05
DRAW_EVERY_S, SAY_EVERY_S = 0.25, 1.0


class Watched(Protocol):
    """What is watched."""

    def listen(self, most_s: float) -> None:
        """Takes what comes, for so long at most."""

    def picture(self) -> RenderableType:
        """Returns how it stands, as a table."""

    def lines(self) -> list[str]:
        """Returns the same in lines, called every second."""


def watch(watched: Watched, console: Console, *, duration_s: float | None, headless: bool) -> None:
    """Shows something until the time is up or the user stops it.

    Args:
        watched: What.
        console: Where.
        duration_s: For how long; None = until the user presses q or Ctrl-C.
        headless: Print lines even in a terminal.
    """
    request = UserInput(hurry=lambda: None)  # nothing here takes long
    drawn = console.is_terminal and not headless
    live = Live(console=console, auto_refresh=False, transient=True)
    every_s = DRAW_EVERY_S if drawn else SAY_EVERY_S
    began_s = shown_s = time.monotonic()
    with request.listening(), live if drawn else nullcontext():
        while not request.asked and (duration_s is None or time.monotonic() < began_s + duration_s):
            watched.listen(TICK_S)
            if time.monotonic() < shown_s + every_s:
                continue
            shown_s = time.monotonic()
            if drawn:
                live.update(watched.picture(), refresh=True)
            else:
                for line in watched.lines():
                    console.print(line)
