"""``pose-rig recover``: writes a complete session from a recording that was cut off."""

import re
from pathlib import Path
from typing import Annotated

import typer

from pose_rig.tools.arguments.file_types import SESSION, file_type
from pose_rig.tools.arguments.inputs import RECOVER_INPUT, check_input
from pose_rig.tools.arguments.options import Force
from pose_rig.tools.arguments.outputs import check_output
from pose_rig.tools.terminal.console import Console

POSES = re.compile(r"\.npz[\w.-]*\.partial$")  # of an unfinished poses file


def recover(
    session: Annotated[
        Path, typer.Argument(metavar="S.mcap", help="A session or its .partial, or the .partial of a poses file.")
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="F.mcap", help="Default: S.recovered.mcap in the same folder.")
    ] = None,
    force: Force = False,
) -> None:
    """Write a complete session from a recording that was cut off: by a crash, a kill, a dead battery.

    All that can be read is copied; the source is not changed. A second call changes nothing. `replay`, `convert`,
    `view`, `plot` and pose_rig.open() read such a recording without it.

    An unfinished poses file (P.npz.partial) becomes a poses file.
    """
    console = Console()
    if POSES.search(session.name):
        out = out or session.with_name(POSES.sub("", session.name) + ".npz")
        check_output(out, force=force, sources=(session,))
        _recover_poses(session, out, console)
        return
    from pose_rig.session.mcap.recover import find  # imports MCAP
    from pose_rig.session.mcap.recover import recover as recover_session

    check_input(session, RECOVER_INPUT)
    if out:
        recovered = file_type(out) is SESSION  # possibly by an earlier call
        check_output(out, force=force or recovered, sources=(find(session),))
    found = recover_session(session, out, replace=force)
    if found.messages is None:
        text = f"{found.path} is complete: nothing to recover."
    else:
        text = f"{'Recovered' if found.written else 'Recovered before'}: {found.path}, {found.messages} messages."
        text = f"{text} {found.loss}".rstrip()
    console.print(text)


def _recover_poses(partial: Path, out: Path, console: Console) -> None:
    from pose_rig.session.formats.poses_writer import recover_poses

    poses = recover_poses(partial, out)
    console.print(f"Recovered: {out}, {poses} poses. {partial} can be removed.")
