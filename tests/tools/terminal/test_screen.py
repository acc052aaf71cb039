import time
from io import StringIO

import pytest
from rich.console import RenderableType
from rich.text import Text

from pose_rig.tools.terminal.console import Console
from pose_rig.tools.terminal.screen import LINE_INTERVAL_S, Screen, watch


class CountingView:
    """Counts how often each of its methods is called."""

    def __init__(self) -> None:
        self.received = self.rendered = self.printed = 0

    def receive(self, timeout_s: float) -> None:
        self.received += 1

    def render(self) -> RenderableType:
        self.rendered += 1
        return Text(f"table {self.rendered}")

    def lines(self) -> list[str]:
        self.printed += 1
        return [f"line {self.printed}"]


@pytest.mark.parametrize(
    ("terminal", "headless", "text"), [(True, False, "table 1"), (True, True, "line 1"), (False, False, "line 1")]
)
def test_a_terminal_shows_a_table_and_other_outputs_get_lines(terminal: bool, headless: bool, text: str) -> None:
    view, file = CountingView(), StringIO()
    started_s = time.monotonic()
    watch(view, Console(file=file, terminal=terminal), duration_s=3.0, headless=headless)
    elapsed_s = time.monotonic() - started_s
    assert text in file.getvalue()
    assert bool(view.rendered) != bool(view.printed)
    assert view.rendered <= 12
    assert view.printed * LINE_INTERVAL_S <= elapsed_s
    assert view.received > 4


def test_lines_are_printed_literally() -> None:
    file = StringIO()
    console = Console(file=file)
    console.width = 10
    screen = Screen[str](console, Text, lambda text: [text], 1.0, headless=True)
    screen.print("[red]a line that is longer than that[/red]")
    screen.print("next")
    assert file.getvalue() == "[red]a line that is longer than that[/red]\nnext\n"
