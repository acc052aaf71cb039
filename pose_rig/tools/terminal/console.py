"""The console of all commands, and how a command fails."""

import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import rich.console
import typer
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.status import Status
from rich.table import Table
from rich.text import Text

from pose_rig.errors import PoseRigError
from pose_rig.names import shown
from pose_rig.redaction import redacted


class Console(rich.console.Console):
    """A terminal in which every text is printed literally.

    Texts come from files and from the network: square brackets are no markup, and control characters are shown as
    question marks.

    Args:
        stderr: Write to stderr instead of stdout.
        file: Write to this file instead.
        terminal: Whether the output is a terminal; None = detect.
    """

    def __init__(self, *, stderr: bool = False, file: IO[str] | None = None, terminal: bool | None = None) -> None:
        super().__init__(stderr=stderr, file=file, force_terminal=terminal, markup=False, emoji=False, highlight=False)

    def print(self, *objects: Any, **how: Any) -> None:
        """Prints; text is not wrapped, so that paths and commands in it can be copied and searched."""
        text = all(isinstance(one, str | Text) for one in objects)
        super().print(*objects, **{"soft_wrap": text, **how})

    def reading(self, file: Path) -> Status:
        """Returns a context manager that shows that a session is being read."""
        return self.status(Text(f"Reading {file.name}; an hour takes a minute or two."))  # a str would be markup

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yields the output, without control characters that do not come from rich itself."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else shown(text), style, control)


def plain_table(left: Sequence[str], right: Sequence[str]) -> Table:
    """Returns an empty table without lines, with left-aligned and then right-aligned columns."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for header in left:
        table.add_column(header, no_wrap=True)
    for header in right:
        table.add_column(header, justify="right", no_wrap=True)
    return table


@contextmanager
def exit_on_error(debug: bool) -> Iterator[None]:
    """Prints an exception of the block as cause and remedy, and exits with its code.

    Args:
        debug: Print the traceback first.
    """
    try:
        yield
    except typer.Exit:
        raise
    except PoseRigError as error:
        _print_error(error.cause, error.remedy, debug)
        raise typer.Exit(error.exit_code) from error
    except Exception as error:  # the top of the command line
        cause = f"Internal error in pose-rig: {type(error).__name__}: {error}."
        _print_error(redacted(cause), "Run again with --debug and report the traceback.", debug)
        raise typer.Exit(1) from error


def _print_error(cause: str, remedy: str, debug: bool) -> None:
    console = Console(stderr=True)
    if debug:
        console.print(redacted(traceback.format_exc()))
    console.print(f"Error: {cause}", style="red")
    console.print(remedy)
