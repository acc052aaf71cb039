"""The table that a run shows in a terminal."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pose_rig.tools.terminal.status import CameraStatus, RunStatus
from pose_rig.wire.services import FUSION

DRAW_EVERY_S = 0.25
MOST_KEPT = 12  # characters of a name and a state that a narrow terminal keeps
_COLOURS = {"running": "green", "ready": "green", "ended": "dim", "starting": "yellow"}


class LiveTable:
    """Draws the rig in place, four times a second, with what happened scrolling by above.

    Args:
        console: The terminal.
    """

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._drawn = 0.0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def print(self, text: str) -> None:
        """Prints a line above the table."""
        self._live.console.print(Text(text), highlight=False)

    def update(self, status: RunStatus) -> None:
        """Draws the table if it is time to."""
        if time.monotonic() - self._drawn >= DRAW_EVERY_S:
            self._drawn = time.monotonic()
            self._live.update(picture(status), refresh=True)


def picture(status: RunStatus) -> RenderableType:
    """Returns the table of the cameras with what is wrong, a line about fusion, and a bar if the end is known."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")  # fits 80 columns
    rows = status.cameras()
    for header, texts in (("camera", [row.name for row in rows]), ("state", [row.state for row in rows])):
        table.add_column(header, no_wrap=True, min_width=min(max(map(len, (header, *texts))), MOST_KEPT))
    for header in ("fps", "age ms", "dropped", "restarts", "agreement", "focal px", "place"):
        table.add_column(header, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row))
    notes = [f"{row.name}: {row.note}" for row in rows if row.note]
    parts: list[RenderableType] = [table, *(Text(note, style="yellow") for note in notes)]
    parts.append(Text(_fusion_line(status), no_wrap=True, overflow="ellipsis"))
    if recording := status.recording():
        parts.append(Text(recording))
    if sending := status.sending():
        parts.append(Text(sending))
    if advice := status.advice():
        parts.append(Text(advice, style="yellow"))
    done, total = status.progress()
    if status.config.pace == "all" and total:
        parts.append(ProgressBar(total=total, completed=done, width=60))
        parts.append(Text(f"{done} of {total} frames"))
    marks = ", m marks" if status.config.record else ""
    parts.append(Text(f"{status.elapsed_s():.0f} s   {status.height()}   q stops{marks}", style="dim"))
    return Group(*parts)


def _cells(row: CameraStatus) -> tuple[RenderableType, ...]:
    agreement = "–" if row.agreement is None else f"{row.agreement:.0%}"
    return (
        Text(row.name),
        Text(row.state, style=_COLOURS.get(row.state, "red")),
        f"{row.rate_hz:.1f}",
        f"{row.age_ms:.0f}",
        str(row.dropped),
        str(row.restarts),
        agreement,
        row.focal,
        row.place,
    )


def _fusion_line(status: RunStatus) -> str:
    telemetry = status.telemetry
    fusion = telemetry.workers.get(FUSION)
    if fusion is None:
        return "fusion: starting"
    pose = telemetry.pose
    mode = pose.mode if pose else fusion.health.state
    seen = "" if pose is None or pose.tracking else ", nobody seen"
    restarts = status.states[FUSION].restarts
    facts = [f"{mode}{seen}", f"{fusion.health.rate_hz:.1f} poses/s", f"age {fusion.health.age_ms:.0f} ms"]
    facts += [text for text in (status.stages(), status.provider(), fusion.health.error) if text]
    if restarts:
        facts.append(f"restarts {restarts}")
    return "fusion: " + "   ".join(facts)
