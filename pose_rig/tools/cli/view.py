"""``pose-rig view``: a session in Rerun, a viewer that is installed as the extra ``view``."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from pose_rig.errors import PoseRigError
from pose_rig.installer import installer
from pose_rig.tools.arguments.inputs import VIEWED, check_input
from pose_rig.tools.arguments.options import Force
from pose_rig.tools.arguments.outputs import check_output
from pose_rig.tools.terminal.console import Console

# A viewer of its own, that nobody on the network can talk to.
VIEWER = (sys.executable, "-m", "rerun", "--new", "--bind", "127.0.0.1", "--hide-welcome-screen")

# Rerun reports how its viewer is used, but not from build servers, which set this; its own switch is a user's file.
SILENT = {"CI": "1"}

FFMPEG = (
    "The pictures are H.264, and Rerun's window needs ffmpeg to show them: install it, or use --web, where the browser "
    "does that."
)


def view(
    file: Annotated[Path, typer.Argument(metavar="S.mcap", help="A session.")],
    save: Annotated[
        Path | None, typer.Option(metavar="F.rrd", help="Write what would be shown, for Rerun; open no window.")
    ] = None,
    web: Annotated[bool, typer.Option("--web", help="Show it in the browser; Ctrl-C ends that.")] = False,
    force: Force = False,
) -> None:
    """Look at a session: skeleton and cameras in space, pictures with raw and refined 2D, agreement over time.

    \b
    pose-rig view S.mcap
    pose-rig view S.mcap --web                             where there is no screen of its own
    pose-rig view S.mcap --save S.rrd                      later: rerun S.rrd

    Needs Rerun: pip install 'pose-rig[view]'. Without it, `pose-rig plot` makes a report.
    """  # noqa: D301  (\b tells the help to keep the lines as they are)
    with tempfile.TemporaryDirectory() as folder:
        check_input(file, VIEWED)
        if save:
            check_output(save, force=force, sources=(file,))
        recording = save or Path(folder) / f"{file.stem}.rrd"
        with Console(stderr=True).reading(file):
            formats, warnings = _write(file, recording)
        for warning in warnings:
            Console().print(warning, style="yellow", soft_wrap=True)
        if "h264" in formats and not web and not shutil.which("ffmpeg"):
            Console().print(FFMPEG, style="yellow", soft_wrap=True)
        if save:
            Console().print(f"Written: {save}.", soft_wrap=True)
        else:
            _show(recording, web)


def _write(file: Path, recording: Path) -> tuple[set[str], list[str]]:
    """Writes a session as a Rerun recording; returns the formats of its pictures, and what is to be said of it.

    Raises:
        PoseRigError: Rerun is not installed, the session cannot be read, or the recording cannot be written.
    """
    try:
        from pose_rig.tools.rerun_view.rrd_file import write_rrd  # brings Rerun
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "rerun":
            raise
        raise PoseRigError(
            "Rerun, the viewer, is not installed.",
            f"Install it with {installer().with_extra('view')}, or make a report with `pose-rig plot`.",
        ) from error
    from pose_rig.atomic_file import output_file
    from pose_rig.session.reader import Session

    with Session(file) as session, output_file(recording) as beside:
        return write_rrd(session, beside), session.warnings


def _show(recording: Path, web: bool) -> None:
    """Opens the viewer on a recording and returns when it is closed.

    Raises:
        PoseRigError: It did not start.
    """
    try:
        command = [*VIEWER, *(["--web-viewer"] if web else []), str(recording)]
        code = subprocess.run(command, env={**os.environ, **SILENT}, check=False).returncode  # noqa: S603
    except KeyboardInterrupt:  # how the one in the browser is ended
        return
    if code:
        raise PoseRigError(
            f"The viewer ended with code {code}: it said why above.",
            "Without a screen or a graphics driver try --web, or `pose-rig plot`.",
        )
