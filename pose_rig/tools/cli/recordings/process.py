"""``pose-rig process``: one take in, everything that people want of it out."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from pose_rig.tools.arguments.config_options import ConfigOptions
from pose_rig.tools.arguments.options import Debug, Force, Fps, Headless, LandmarkSet, NoOverlay, Size
from pose_rig.tools.takes.take import take_of
from pose_rig.tools.takes.take_options import TAKE_KEYS, TakeOptions
from pose_rig.tools.terminal.console import Console
from pose_rig.tools.terminal.time_left import duration

INTERRUPTED = 130  # as a shell reports Ctrl-C


def process(
    take: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES",
            help="The videos of one take, or their folder; a session (.mcap); 2D keypoints (.npz), or the file or "
            "folder of 2D keypoints of another program, such as a Pose2Sim project; or a rig.toml.",
        ),
    ],
    options: Annotated[ConfigOptions, TAKE_KEYS],
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Default: the name of the take with -poses, here.")
    ] = None,
    fps: Fps = None,
    size: Size = None,
    landmarks: LandmarkSet = None,
    no_overlay: NoOverlay = False,
    cores: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="How many the second pass may use; default: all.", show_default=False),
    ] = None,
    force: Force = False,
    headless: Headless = False,
    debug: Debug = False,
) -> None:
    """Turn the recordings of one take into 3D poses and everything that is made of them, in one folder.

    \b
    pose-rig process a.mp4 b.mp4 c.mp4 --height 1.8
    pose-rig process jump/                        all videos in a folder
    pose-rig process take.mcap --out better       a recorded session
    pose-rig process Pose2SimProject              2D keypoints of another program
    pose-rig process rig.toml                     cameras and lenses from a file

    The rig is solved from the whole take first, then every frame is fused (two passes). The folder then has

    \b
    poses.npz          joints, cameras and 2D for Python
    poses.bvh, .glb    animation: Blender, Maya, engines, the web
    poses.trc          markers for OpenSim
    poses_angles.csv   joint angles
    overlay.mp4        every camera with its detected and its refined 2D
    report.html        plots and statistics; quality.json for programs
    session.mcap       everything, for view, plot, convert and replay

    A file that cannot be written does not stop the others. Exit code 0: all were written, 1: some were not, or there
    is no person, 2: wrong usage, and nothing was written. `pose-rig batch` does this for many takes.
    """  # noqa: D301  (\b keeps the lines of the paragraph in the help)
    from pose_rig.tools.takes.processing import process_take  # imports MCAP and matplotlib

    console = Console()
    one = take_of(take)
    folder = out or Path(f"{one.name}-poses")
    chosen = TakeOptions(options, fps, size, landmarks, not no_overlay)
    try:
        with _stopped_by_sigterm():
            result = process_take(
                one, folder, chosen, console, force=force, cores=cores, headless=headless, debug=debug
            )
    except KeyboardInterrupt as error:
        console.print(f"Stopped before the end. What was written is in {folder}; --force starts again.")
        raise typer.Exit(INTERRUPTED) from error
    console.print(f"Written to {folder}: {', '.join(result.files)}, quality.json.")
    for note in result.notes:
        console.print(note, style="dim")
    if result.quality is not None:
        for warning in result.quality.warnings:
            console.print(warning, style="yellow")
        console.print(f"{one.name}: {result.quality.sentence()}. It took {duration(result.seconds)}.")


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Lets SIGTERM end the block as Ctrl-C does, so that the result says so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
