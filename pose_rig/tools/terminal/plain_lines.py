"""What a run prints where there is no terminal to draw in, or with ``--headless``."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console

from pose_rig.tools.terminal.status import Board, CameraRow

SAY_EVERY_S = 5.0


class PlainLines:
    """Prints what happens, and how far the rig is every five seconds.

    Args:
        console: Where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def say(self, text: str) -> None:
        """Prints a line."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show(self, board: Board) -> None:
        """Prints the state if it is time to."""
        if time.monotonic() - self._said >= SAY_EVERY_S:
            self._said = time.monotonic()
            self.say(line(board))


def line(board: Board) -> str:
    """Returns the state of the rig in one line."""
    if not board.monitor.start_ns:
        fusion = board.monitor.workers.get("fusion")
        states = [f"{row.name} {row.state}" for row in board.cameras()]
        return "Starting: " + ", ".join([*states, f"fusion {fusion.health.state if fusion else 'starting'}"])
    pose = board.monitor.pose
    done, total = board.progress()
    facts = [f"{board.elapsed_s():.0f} s", f"{board.monitor.poses} poses"]
    if pose:
        facts.append(pose.mode if pose.tracking else f"{pose.mode}, nobody seen")
    if board.config.pace == "all" and total:
        facts.append(f"{done} of {total} frames")
    else:
        facts += [_camera(row) for row in board.cameras()]
    if recording := board.recording():
        facts.append(recording)
    if sending := board.sending():
        facts.append(sending)
    if advice := board.advice():
        facts.append(advice)
    return " | ".join(facts)


def _camera(row: CameraRow) -> str:
    if row.state not in ("ready", "running"):
        return f"{row.name} {row.state}"
    return f"{row.name} {row.rate_hz:.0f} fps" if row.arrived else f"{row.name} no frames yet"
