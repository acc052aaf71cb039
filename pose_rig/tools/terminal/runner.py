"""Running a rig in this terminal, from its configuration to the summary."""

import sys
from collections.abc import Callable
from pathlib import Path

from pose_rig.assets.catalog import detector_model
from pose_rig.atomic_file import partial_path
from pose_rig.config import Config
from pose_rig.errors import PoseRigError, SaveError
from pose_rig.tools.arguments.camera_list import check_readable, needs_detector
from pose_rig.tools.arguments.inputs import check_files
from pose_rig.tools.arguments.outputs import check_outputs, make_room
from pose_rig.tools.rig_files.rig_toml import RigFile, is_writable
from pose_rig.tools.rig_files.validation import check
from pose_rig.tools.terminal.console import Console
from pose_rig.tools.terminal.downloads import network
from pose_rig.tools.terminal.live_table import LiveTable
from pose_rig.tools.terminal.plain_lines import PlainLines
from pose_rig.tools.terminal.run_loop import Run
from pose_rig.tools.terminal.status import RunStatus
from pose_rig.tools.terminal.summary import no_person_error, summary
from pose_rig.tools.workers.plan import Plan, plan


def run_rig(
    config: Config,
    *,
    force: bool = False,
    own: str = "",
    stop_when: Callable[[RunStatus], bool] | None = None,
    headless: bool = False,
    debug: bool = False,
) -> None:
    """Runs a rig until it ends, and prints its summary however it ends.

    Args:
        config: The rig, its cameras named.
        force: Whether files that exist may be replaced.
        own: One that may always be; empty = none.
        stop_when: As in `Run`.
        headless: Print plain lines even in a terminal.
        debug: Let the workers write to the terminal.

    Raises:
        PoseRigError: The rig cannot run, or failed.
    """
    rig_file = RigFile(Path(config.rig)) if config.rig else None
    config = rig_file.recall(config) if rig_file else config
    check_files(config)
    check(config)
    check_outputs(config, force=force, sources=[Path(camera.source) for camera in config.camera], own=own)
    check_readable(config)
    console = Console()
    ready = plan(config, _detector_model(config, console))
    make_room(config, force=force)
    names = ", ".join(camera.name for camera in config.camera)
    console.print(f"Starting {len(config.camera)} camera(s): {names}. Poses on {ready.output}.")
    for line in _recalled(config):
        console.print(line)
    run_plan(ready, console, rig_file, stop_when=stop_when, headless=headless, debug=debug)


def run_plan(
    ready: Plan,
    console: Console,
    rig_file: RigFile | None = None,
    *,
    stop_when: Callable[[RunStatus], bool] | None = None,
    headless: bool,
    debug: bool,
) -> None:
    """Runs a plan until it ends, and prints its summary however it ends.

    Args:
        ready: The plan.
        console: Where to.
        rig_file: What remembers the solved rig; None = nothing does.
        stop_when: As in `Run`.
        headless: As in `execute`.
        debug: As there.

    Raises:
        PoseRigError: The run failed, or nobody was seen in all of it.
    """
    save = ready.config.save
    display = PlainLines(console) if headless or debug or not console.is_terminal else LiveTable(console)
    run = Run(ready, display, debug=debug, stop_when=stop_when)
    written_ns = _written_ns(save)
    faults: list[PoseRigError] = []
    try:
        with display:
            run.run()
    finally:
        saved = Path(save) if _written_ns(save) != written_ns else None
        kept = _kept(run.status, rig_file, faults)
        unsaid = faults if sys.exc_info()[0] else []  # what the run fails with is all that is said otherwise
        also = (f"{fault.cause} {fault.remedy}" for fault in unsaid)
        for line in (*summary(run.status, saved, kept), *_left(save), *unfinished(run.status), *also):
            console.print(line)
    if lost := run.status.lost():
        faults.append(SaveError(lost, "What was recorded until then is kept."))
    if nobody := no_person_error(run.status):
        faults.append(nobody)
    for fault in faults[:-1]:
        console.print(f"{fault.cause} {fault.remedy}")
    if faults:
        raise faults[-1]


def _kept(status: RunStatus, rig_file: RigFile | None, faults: list[PoseRigError]) -> Path | None:
    """Returns as `keep_rig`; notes why the rig could not be kept."""
    try:
        return keep_rig(status, rig_file)
    except PoseRigError as error:
        faults.append(error)
        return None


def _left(save: str) -> list[str]:
    """Returns what there is to say of poses that are there, but not as a poses file."""
    if not save or not (partial := partial_path(Path(save))).is_file() or not partial.stat().st_size:
        return []
    return [f"The poses so far are in {partial}: `pose-rig recover {partial}` makes a poses file of them."]


def unfinished(status: RunStatus) -> list[str]:
    """Returns what there is to say of a recording that was given up: it is there, but not under its name."""
    if not (record := status.config.record) or status.lost():
        return []
    if Path(record).exists() or not partial_path(Path(record)).is_file():
        return []
    return [f"What was recorded is in {partial_path(Path(record))}: `pose-rig recover {record}` makes a session of it."]


def _detector_model(config: Config, console: Console) -> str:
    """Returns the path of the detector model, fetched if need be; empty if no camera wants one."""
    if not any(needs_detector(camera) for camera in config.camera):
        return ""
    return str(detector_model(config.detector.model, console.print, network(console)))


def _recalled(config: Config) -> list[str]:
    """Returns what there is to say about the rig.toml at the start."""
    said = []
    if known := [camera.name for camera in config.camera if camera.solved]:
        said.append(f"Remembered where {', '.join(known)} stood; the first seconds will show whether it still holds.")
    if config.rig and not is_writable(Path(config.rig)):
        said.append(f"{config.rig} cannot be written: what this run finds out will not be remembered.")
    return said


def keep_rig(status: RunStatus, rig_file: RigFile | None) -> Path | None:
    """Writes the solved rig into its rig.toml and returns where that is; None if there is none, or no such file.

    Raises:
        PoseRigError: It cannot be written, although it could be at the start.
    """
    path = Path(status.config.rig)
    if rig_file is None or status.telemetry.solved is None or not rig_file.writable:  # which was said at the start
        return None
    rig_file.remember(status.config, status.telemetry.solved)
    return path


def _written_ns(path: str) -> int:
    """Returns when the file at ``path`` was last written, 0 if there is none."""
    return Path(path).stat().st_mtime_ns if path and Path(path).is_file() else 0
