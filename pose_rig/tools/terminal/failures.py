"""How a command fails: one sentence of cause, one of remedy, an exit code."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from pose_rig.errors import PoseRigError
from pose_rig.redaction import redacted
from pose_rig.tools.terminal.console import Console


@contextmanager
def failures(debug: bool) -> Iterator[None]:
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
