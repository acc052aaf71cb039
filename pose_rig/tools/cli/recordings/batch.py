"""``pose-rig batch``: many takes, resumable, with one summary."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.text import Text

from pose_rig.errors import PoseRigError, UsageError
from pose_rig.tools.arguments.config_options import ConfigOptions
from pose_rig.tools.arguments.options import Force, Fps, Headless, LandmarkSet, NoOverlay, Size
from pose_rig.tools.takes.take_options import TAKE_KEYS, TakeOptions
from pose_rig.tools.terminal.console import Console
from pose_rig.tools.terminal.screen import Screen
from pose_rig.tools.terminal.time_left import duration
from pose_rig.tools.terminal.user_input import UserInput

if TYPE_CHECKING:
    from pose_rig.tools.takes.batch import Batch, Progress

POLL_S = 0.1
LINE_INTERVAL_S = 10.0
CLUSTER_FOLDER = ".cluster"
INTERRUPTED = 130  # as a shell reports Ctrl-C


def batch(
    patterns: Annotated[
        list[str],
        typer.Argument(metavar="TAKES", help="Patterns, in quotes, or folders: everything in them; or single takes."),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the results go: a folder for each take.")],
    options: Annotated[ConfigOptions, TAKE_KEYS],
    jobs: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Takes at once, which share the cores. One keeps about as many busy as cameras."
        ),
    ] = 1,
    fps: Fps = None,
    size: Size = None,
    landmarks: LandmarkSet = None,
    no_overlay: NoOverlay = False,
    cluster: Annotated[
        Literal["slurm", "local"] | None,
        typer.Option(
            help="Run the takes as jobs of a cluster; local: to try that on this machine.", show_default=False
        ),
    ] = None,
    cluster_option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Parameter of submitit, repeatable: timeout_min=600, cpus_per_task=8, mem_gb=8, slurm_partition=cpu.",
        ),
    ] = None,
    force: Force = False,
    headless: Headless = False,
) -> None:
    """Process many takes: videos, sessions, 2D keypoints and Pose2Sim projects, each as `pose-rig process` does.

    \b
    pose-rig batch 'takes/**' --out results --height 1.8
    pose-rig batch takes --out results --jobs 4       everything in a folder
    pose-rig batch 'day1/*.mcap' --out results        recorded sessions
    pose-rig batch 'takes/*/jump*.mp4' --out jumps    some videos of each folder
    pose-rig batch takes --out results --cluster slurm --jobs 50

    The videos in one folder are one take. A session, a file of 2D keypoints and a rig.toml of recordings are a take
    each, and so is a Pose2Sim or OpenPose folder with everything in it. Videos that a pattern selects are one take per
    folder. Where a folder has a rig.toml of recordings, that describes its take: lenses, names, body height.

    Every take gets a folder in --out, and a row in summary.csv and summary.parquet (pip install 'pose-rig[files]'):
    state, seconds, quality, warnings, error. A take is skipped if its files and the options are those of its result;
    failed, stopped and changed ones are processed, so the same command continues a batch and repeats what failed.
    A take that fails does not stop the others. Ctrl-C stops; a second one does not wait.

    Exit code 0: all went well, 1: some failed, 2: wrong usage, 130: stopped.
    """  # noqa: D301  (\b keeps the lines of the paragraph in the help)
    from pose_rig.tools.takes.batch import Batch, locked  # imports MCAP
    from pose_rig.tools.takes.grouping import find_takes
    from pose_rig.tools.takes.jobs import LocalJob, cluster_jobs, shared_cores

    console = Console()
    if cluster_option and not cluster:
        raise UsageError("--cluster-option needs a cluster.", "Add --cluster slurm.")
    chosen = TakeOptions(options, fps, size, landmarks, not no_overlay)
    _check(chosen)
    found = find_takes(patterns, out)
    start = LocalJob if cluster is None else cluster_jobs(cluster, _pairs(cluster_option or []), out / CLUSTER_FOLDER)
    ignored = f" {found.ignored} other files are ignored." if found.ignored else ""
    console.print(f"{len(found.takes)} takes into {out}.{ignored}")
    share = None if cluster == "slurm" else shared_cores(min(jobs, len(found.takes)))
    with locked(out):
        screen = Screen["Progress"](console, _render, lambda at: [_line(at)], LINE_INTERVAL_S, headless=headless)
        work = Batch(found.takes, out, chosen, start, jobs=jobs, cores=share, force=force, print_line=screen.print)
        work.write_summary()
        _run(work, screen)
        written = work.write_summary()
    at = work.progress
    console.print(f"{at.done} processed, {at.unchanged} unchanged, {at.failed} failed. Written: {written[0]}.")
    if work.interrupted:
        console.print("Stopped. The same command continues.")
        raise typer.Exit(INTERRUPTED)
    if at.failed:
        raise PoseRigError(
            f"{at.failed} of {at.total} takes failed.",
            f"{written[0]} has the reasons; the same command tries them again.",
        )


def _run(work: "Batch", screen: Screen["Progress"]) -> None:
    """Runs a batch to its end, or until the user stops it."""
    from pose_rig.tools.takes.jobs import stop_all

    skipped: list[bool] = []
    user = UserInput(on_second_stop=lambda: skipped.append(True))
    with user.listening(), screen:
        try:
            while not work.over and not user.stop_requested:
                work.step()
                screen.update(work.progress)
                time.sleep(POLL_S)
        finally:
            if not work.over:
                stopping = "Stopping; Ctrl-C again does not wait."
                screen.print(stopping if not sys.exc_info()[0] else "Stopping after an error.")
                work.interrupt(lambda jobs: stop_all(jobs, lambda: bool(skipped)))


def _check(chosen: TakeOptions) -> None:
    """Checks the options once, rather than in every take.

    Raises:
        UsageError: One is wrong.
    """
    from pose_rig.config import Config
    from pose_rig.tools.arguments.inputs import check_files
    from pose_rig.tools.rig_files.validation import check_config

    config = chosen.keys.applied_to(Config())
    check_files(config)
    check_config(config)


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for text, (key, equals, value) in zip(texts, pairs, strict=True):
        if not (key and equals and value):
            raise UsageError(f"--cluster-option must be KEY=VALUE; got {text!r}.", "Example: timeout_min=600.")
    return {key: value for key, _, value in pairs}


def _line(at: "Progress") -> str:
    """Returns the progress in one line."""
    now_s = time.monotonic()
    running = ", ".join(f"{one.take.name} ({duration(now_s - one.since_s)})" for one in at.running)
    facts = [
        f"{at.ended} of {at.total} takes",
        f"{at.unchanged} unchanged" if at.unchanged else "",
        f"{at.failed} failed" if at.failed else "",
        f"now {running}" if running else "",
        "" if at.left_s is None else f"about {duration(at.left_s)} left",
    ]
    return " | ".join(fact for fact in facts if fact)


def _render(at: "Progress") -> RenderableType:
    return Group(ProgressBar(total=at.total, completed=at.ended, width=60), Text(_line(at)), Text("q stops", "dim"))
