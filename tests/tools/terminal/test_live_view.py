from io import StringIO

import pytest
from rich.console import RenderableType
from rich.text import Text

from pose_rig.tools.terminal.console import Console
from pose_rig.tools.terminal.live_view import watch
from pose_rig.tools.terminal.plain_lines import PlainLines


class Counter:
    """Something to watch: counts how often it is asked for what."""

    def __init__(self) -> None:
        self.listened = self.drawn = self.said = 0

    def listen(self, most_s: float) -> None:
        self.listened += 1

    def picture(self) -> RenderableType:
        self.drawn += 1
        return Text(f"picture {self.drawn}")

    def lines(self) -> list[str]:
        self.said += 1
        return [f"line {self.said}"]


@pytest.mark.parametrize(
    ("terminal", "headless", "text"), [(True, False, "picture 1"), (True, True, "line 1"), (False, False, "line 1")]
)
def test_a_terminal_gets_a_table_and_everybody_else_lines(terminal: bool, headless: bool, text: str) -> None:
    counter, file = Counter(), StringIO()
    watch(counter, Console(file=file, terminal=terminal), duration_s=3.0, headless=headless)
    assert text in file.getvalue()
    assert bool(counter.drawn) != bool(counter.said)
    assert counter.drawn <= 12
    assert counter.said <= 2
    assert counter.listened > 4


def test_lines_are_printed_as_they_are() -> None:
    file = StringIO()
    console = Console(file=file)
    console.width = 10
    lines = PlainLines(console)
    lines.print("[red]a line that is longer than that[/red]")
    lines.print("next")
    assert file.getvalue() == "[red]a line that is longer than that[/red]\nnext\n"
