"""``pose-rig view``: a session in the Rerun viewer, which the extra ``view`` installs."""

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
from pose_rig.tools.arguments.inputs import VIEW_INPUT, check_input
from pose_rig.tools.arguments.options import Force
from pose_rig.tools.arguments.outputs import check_output
from pose_rig.tools.terminal.console import Console

# A new viewer, reachable from this machine only.
VIEWER = (sys.executable, "-m", "rerun", "--new", "--bind", "127.0.0.1", "--hide-welcome-screen")

# Disables the viewer's analytics: Rerun sends none from CI servers. Its own setting is a file of the user.
NO_ANALYTICS = {"CI": "1"}

FFMPEG = (
    "The video is H.264, which Rerun's window decodes with ffmpeg: install ffmpeg, or use --web, where the browser "
    "decodes it."
)


def view(
    file: Annotated[Path, typer.Argument(metavar="S.mcap", help="A session.")],
    save: Annotated[
        Path | None, typer.Option(metavar="F.rrd", help="Write a Rerun recording instead of opening a window.")
    ] = None,
    web: Annotated[bool, typer.Option("--web", help="Show it in the browser; Ctrl-C stops.")] = False,
    force: Force = False,
) -> None:
    """Show a session in Rerun: 3D skeleton and cameras, video with raw and refined 2D, agreement over time.

    \b
    pose-rig view S.mcap
    pose-rig view S.mcap --web            on a machine without a screen
    pose-rig view S.mcap --save S.rrd     for later: rerun S.rrd

    Needs Rerun: pip install 'pose-rig[view]'. `pose-rig plot` writes a report without it.
    """  # noqa: D301  (\b keeps the lines of the paragraph in the help)
    with tempfile.TemporaryDirectory() as folder:
        check_input(file, VIEW_INPUT)
        if save:
            check_output(save, force=force, sources=(file,))
        recording = save or Path(folder) / f"{file.stem}.rrd"
        with Console(stderr=True).reading(file):
            formats, warnings = _write(file, recording)
        for warning in warnings:
            Console().print(warning, style="yellow")
        if "h264" in formats and not web and not shutil.which("ffmpeg"):
            Console().print(FFMPEG, style="yellow")
        if save:
            Console().print(f"Written: {save}.")
        else:
            _show(recording, web)


def _write(file: Path, recording: Path) -> tuple[set[str], list[str]]:
    """Writes a session as a Rerun recording; returns the formats of its video, and the warnings on it.

    Raises:
        PoseRigError: Rerun is not installed, the session cannot be read, or the recording cannot be written.
    """
    try:
        from pose_rig.tools.rerun_view.rrd_file import write_rrd  # imports Rerun
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "rerun":
            raise
        raise PoseRigError(
            "The Rerun viewer is not installed.",
            f"Install it with {installer().with_extra('view')}, or write a report with `pose-rig plot`.",
        ) from error
    from pose_rig.atomic_file import output_file
    from pose_rig.session.reader import Session

    with Session(file) as session, output_file(recording) as path:
        return write_rrd(session, path), session.warnings


def _show(recording: Path, web: bool) -> None:
    """Opens the viewer on a recording and returns when it is closed.

    Raises:
        PoseRigError: It failed.
    """
    try:
        command = [*VIEWER, *(["--web-viewer"] if web else []), str(recording)]
        code = subprocess.run(command, env={**os.environ, **NO_ANALYTICS}, check=False).returncode  # noqa: S603
    except KeyboardInterrupt:  # stops the one in the browser
        return
    if code:
        raise PoseRigError(
            f"The viewer failed with exit code {code}; its output is above.",
            "Without a screen or a graphics driver try --web, or `pose-rig plot`.",
        )
