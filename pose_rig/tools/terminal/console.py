"""What may be printed in a terminal: nothing that came in a file or a message can steer it."""

import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import rich.console
import typer
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.status import Status
from rich.text import Text

from pose_rig.errors import PoseRigError
from pose_rig.names import shown
from pose_rig.redaction import redacted


class Console(rich.console.Console):
    """A terminal in which text is text.

    Square brackets are no markup unless the caller says so, and control characters are shown as question marks:
    names, texts and errors come from files and from the network.

    Args:
        stderr: Write there instead of to stdout.
        file: Write there instead.
        terminal: Whether to take it for a terminal; None = look.
    """

    def __init__(self, *, stderr: bool = False, file: IO[str] | None = None, terminal: bool | None = None) -> None:
        super().__init__(stderr=stderr, file=file, force_terminal=terminal, markup=False, emoji=False, highlight=False)

    def print(self, *objects: Any, **how: Any) -> None:
        """Prints; a sentence is never broken into lines, or a path or command in it could not be copied or searched."""
        sentence = all(isinstance(one, str | Text) for one in objects)
        super().print(*objects, **{"soft_wrap": sentence, **how})

    def reading(self, file: Path) -> Status:
        """Returns what shows that a session is being read, for the time of a block."""
        return self.status(Text(f"Reading {file.name}; an hour takes a minute or two."))  # of a str it takes markup

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yields what is written; what rich itself steers the terminal with stays."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else shown(text), style, control)


@contextmanager
def exit_on_error(debug: bool) -> Iterator[None]:
    """Turns an exception of the block into its sentences and exit code; with ``debug`` the traceback comes first."""
    try:
        yield
    except PoseRigError as error:
        _tell(error.cause, error.remedy, debug)
        raise typer.Exit(error.exit_code) from error
    except Exception as error:  # the top of the command line
        cause = f"pose-rig hit a defect: {type(error).__name__}: {error}."
        _tell(redacted(cause), "Run again with --debug and report the traceback.", debug)
        raise typer.Exit(1) from error


def _tell(cause: str, remedy: str, debug: bool) -> None:
    console = Console(stderr=True)
    if debug:
        console.print(redacted(traceback.format_exc()), soft_wrap=True)
    console.print(f"Error: {cause}", style="red", soft_wrap=True)
    console.print(remedy, soft_wrap=True)
