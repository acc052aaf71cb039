"""``pose-rig keys``: the key that a rig and its remote cameras share."""

import sys
from typing import Annotated

import typer

from pose_rig.errors import UsageError
from pose_rig.remote.key import key_path, machine_key, new_key, store_key


def keys(
    new: Annotated[bool, typer.Option("--new", help="Make a new key; cameras with the old one are refused.")] = False,
    enter: Annotated[bool, typer.Option("--enter", help="Store the key of another machine here; asks for it.")] = False,
) -> None:
    """Show the key that cameras of other machines need to join a rig of this machine.

    \b
    pose-rig keys              show it; made on the first call
    pose-rig keys --new        replace it: all cameras need the new one
    pose-rig keys --enter      on the machine of a camera: store the key here,
                               so that `pose-rig camera` needs no --key

    Whoever has the key can send keypoints to the rig. It is stored for your user only, and no other command shows it.
    The next start of `pose-rig run` uses a new key.
    """  # noqa: D301  (\b keeps the lines of the paragraph in the help)
    if new and enter:
        raise UsageError("--new and --enter exclude each other.", "Give one of them.")
    if enter:
        store_key(_entered())
        typer.echo(f"Stored in {key_path()}.")
        return
    if new:
        store_key(new_key())
    typer.echo(machine_key())


def _entered() -> str:
    """Returns a key from the terminal, not shown while it is typed, or from a pipe."""
    if sys.stdin.isatty():
        return str(typer.prompt("Key", hide_input=True))
    return sys.stdin.readline()
