"""Processing one take: fused in two passes, then written as every file that people want of a recording."""

import sys
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from msgspec.structs import replace
from rich.text import Text

from pose_rig.atomic_file import partial_path
from pose_rig.errors import PoseRigError, UsageError
from pose_rig.redaction import redacted
from pose_rig.tools.arguments.outputs import check_folder
from pose_rig.tools.report.quality import quality_of
from pose_rig.tools.takes.fingerprint import fingerprint
from pose_rig.tools.takes.outputs import FILES, OVERLAY, SESSION, of_further_people, take_data, write_outputs
from pose_rig.tools.takes.result import TakeResult, write_result
from pose_rig.tools.takes.take import RESULT_FILE, Take
from pose_rig.tools.takes.take_options import TakeOptions
from pose_rig.tools.takes.take_runs import IMPORTED, TakeRun, take_run
from pose_rig.tools.terminal.console import Console
from pose_rig.tools.terminal.run_display import STATUS_INTERVAL_S
from pose_rig.tools.terminal.screen import Screen
from pose_rig.tools.terminal.time_left import duration
from pose_rig.wire.services import FUSION

OWN_FILES = (*FILES, RESULT_FILE, IMPORTED)


class Interrupted(KeyboardInterrupt):
    """The user stopped the run before its end."""


def process_take(
    take: Take,
    folder: Path,
    options: TakeOptions,
    console: Console,
    *,
    force: bool = False,
    cores: int | None = None,
    headless: bool = False,
    debug: bool = False,
) -> TakeResult:
    """Processes a take and returns the result, which ``quality.json`` of the folder has too, also when this fails.

    Args:
        take: The take.
        folder: Where the files go; made if need be.
        options: How it is processed.
        console: Where progress is printed.
        force: Whether files of an earlier result may be replaced.
        cores: How many the second pass may use; None = all.
        headless: Print plain lines even in a terminal.
        debug: Let the workers write to the terminal.

    Raises:
        UsageError: An input or an option is wrong, or there is a result already; nothing was written.
        PoseRigError: It failed; what was written before is kept.
        Interrupted: The user stopped it.
    """
    _check_new(take, folder, force=force)
    ready = take_run(take, options, console, cores=cores, headless=headless, debug=debug)
    begun_s = time.monotonic()
    _make_empty(folder)
    found = TakeResult(
        take=take.name,
        state="interrupted",
        source=take.sources,
        options=options.given(),
        version=version("pose-rig"),
        started=datetime.now().astimezone().isoformat(timespec="seconds"),
    )
    errors: tuple[PoseRigError, ...] = ()
    try:
        found = replace(found, inputs=fingerprint([*take.files(), *options.files()]))
        if not ready.run(folder).states[FUSION].ended:
            raise Interrupted
        found, errors = _with_outputs(found, folder, ready, options, console, headless=headless)
    except Exception as error:
        found = replace(found, state="failed", **_described(error))
        raise
    finally:
        with suppress(PoseRigError) if sys.exc_info()[0] else nullcontext():  # a full disk is the error already
            found = replace(found, seconds=time.monotonic() - begun_s)
            write_result(folder, found)
    for other in errors[:-1]:
        console.print(str(other))
    if errors:
        raise errors[-1]
    return found


def _with_outputs(
    found: TakeResult, folder: Path, ready: TakeRun, options: TakeOptions, console: Console, *, headless: bool
) -> tuple[TakeResult, tuple[PoseRigError, ...]]:
    """Writes all further files, and returns the result with them, and why some could not be written."""
    data = take_data(folder, found.take)
    images = (ready.images or folder / SESSION) if options.overlay else None
    screen = Screen[OverlayProgress](
        console, lambda at: Text(at.line()), lambda at: [at.line()], STATUS_INTERVAL_S, headless=headless
    )
    progress = OverlayProgress(screen.update)
    with screen:
        written = write_outputs(
            folder, data, images, lambda name: screen.print(f"Writing {folder / name}."), progress.show
        )
    found = replace(found, state="done", files=written.files, notes=written.notes, quality=quality_of(data))
    if written.errors:
        found = replace(found, state="failed", **_described(written.errors[-1]))
    return found, written.errors


class OverlayProgress:
    """How far the overlay video is.

    Args:
        update: Is given this after every frame.
    """

    def __init__(self, update: Callable[["OverlayProgress"], None]) -> None:
        self._update = update
        self._done = self._total = 0
        self._began_s = 0.0

    def show(self, done: int, total: int) -> None:
        """Takes the number of frames done, from 0, and in total."""
        if not done:
            self._began_s = time.monotonic()
        self._done, self._total = done, total
        self._update(self)

    def line(self) -> str:
        """Returns the progress in one line."""
        if not self._done:
            return f"{OVERLAY}: {self._total} frames"
        left_s = (time.monotonic() - self._began_s) * (self._total - self._done) / self._done
        return f"{OVERLAY}: {self._done} of {self._total} frames, {duration(left_s)} left"


def _described(error: Exception) -> dict[str, str]:
    if isinstance(error, PoseRigError):
        return {"error": error.cause, "remedy": error.remedy}
    cause = redacted(f"Internal error in pose-rig: {type(error).__name__}: {error}.")
    return {"error": cause, "remedy": "Run again with --debug and report the traceback."}


def _check_new(take: Take, folder: Path, *, force: bool) -> None:
    """Checks that the files can be written without losing others.

    Raises:
        UsageError: There is a result already, the folder is one of the input, or it cannot be written.
    """
    check_folder(folder)
    if any(path.resolve() == folder.resolve() for source in take.files() for path in (source, source.parent)):
        raise UsageError(f"{folder} has the recordings themselves in it.", "Choose another folder with --out.")
    there = [path for path in _own_files(folder) if path.exists()]
    if there and not force:
        raise UsageError(
            f"{there[0]} exists already.", "Choose another folder with --out, or add --force to replace it."
        )


def _make_empty(folder: Path) -> None:
    """Makes a folder without the files of an earlier result.

    Raises:
        PoseRigError: It cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in _own_files(folder):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise PoseRigError(f"Cannot write into {folder}: {error.strerror}.", "Choose another --out.") from error


def _own_files(folder: Path) -> list[Path]:
    paths = [*(folder / name for name in OWN_FILES), *of_further_people(folder)]
    return [*paths, *map(partial_path, paths)]
