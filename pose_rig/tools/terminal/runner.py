"""Running a rig in this terminal, from its configuration to the summary."""

import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from pose_rig.assets.catalog import detector_model
from pose_rig.atomic_file import partial_path
from pose_rig.config import Config
from pose_rig.errors import PoseRigError, SaveError
from pose_rig.tools.arguments.camera_list import check_readable
from pose_rig.tools.arguments.camera_sources import needs_detector
from pose_rig.tools.arguments.inputs import check_files
from pose_rig.tools.arguments.outputs import check_outputs, remove_replaced
from pose_rig.tools.rig_files.rig_toml import RigFile, is_writable
from pose_rig.tools.rig_files.validation import check_config
from pose_rig.tools.terminal.console import Console
from pose_rig.tools.terminal.downloads import network
from pose_rig.tools.terminal.listeners import watchers
from pose_rig.tools.terminal.page_addresses import print_addresses
from pose_rig.tools.terminal.run_display import run_screen
from pose_rig.tools.terminal.run_loop import Run
from pose_rig.tools.terminal.status import RunStatus
from pose_rig.tools.terminal.summary import no_person_error, summary
from pose_rig.tools.workers.plan import Plan, plan
from pose_rig.web.network import ANY, lan_addresses
from pose_rig.wire.bus import is_loopback
from pose_rig.wire.jobs import GatewayJob
from pose_rig.wire.services import POSE_PORT, REMOTE_PORT_OFFSET


def run_rig(
    config: Config,
    *,
    force: bool = False,
    own: str = "",
    stop_when: Callable[[RunStatus], bool] | None = None,
    cores: int | None = None,
    headless: bool = False,
    debug: bool = False,
) -> RunStatus:
    """Runs a rig until it ends, prints the summary, and returns the status.

    Args:
        config: The rig, its cameras named.
        force: Whether existing files may be replaced.
        own: A file that may be replaced in any case; empty = none.
        stop_when: As in `Run`.
        cores: As in `FusionJob`.
        headless: Print plain lines even in a terminal.
        debug: Let the workers write to the terminal.

    Raises:
        PoseRigError: The rig cannot run, or failed.
    """
    rig_file = RigFile(Path(config.rig)) if config.rig else None
    config = rig_file.restore(config) if rig_file else config
    check_files(config)
    check_config(config)
    check_outputs(config, force=force, sources=[Path(camera.source) for camera in config.camera], own=own)
    check_readable(config)
    console = Console()
    ready = plan(config, detector_path(config, console), cores=cores)
    remove_replaced(config, force=force)
    names = ", ".join(camera.name for camera in config.camera)
    console.print(f"Starting {len(config.camera)} camera(s): {names}. Poses on {ready.output}.")
    if ready.gateway:
        console.print(_how_to_join(ready.gateway))
    if solved := [camera.name for camera in config.camera if camera.solved]:
        console.print(f"Using the saved camera poses of {', '.join(solved)}; they are checked in the first seconds.")
    if config.rig and not is_writable(Path(config.rig)):
        console.print(f"{config.rig} is not writable: the solved rig of this run will not be saved.")
    return run_plan(ready, console, rig_file, stop_when=stop_when, headless=headless, debug=debug)


def _how_to_join(job: GatewayJob) -> str:
    """Returns what to type on the machines of the remote cameras."""
    host, _, port = job.endpoint.removeprefix("tcp://").rpartition(":")
    only_here = "" if not is_loopback(job.endpoint) else " (on this machine only: --host 0.0.0.0 lets others join)"
    place = host if host not in (*ANY, "[::]") else next(iter(lan_addresses()), "HOST")
    to = place if int(port) == POSE_PORT + REMOTE_PORT_OFFSET else f"{place}:{port}"
    commands = " or ".join(f"pose-rig camera --cam 0 --name {name} --to {to} --key KEY" for name in job.cameras)
    return f"Remote cameras join with: {commands}{only_here}. `pose-rig keys` shows the key."


def run_plan(
    ready: Plan,
    console: Console,
    rig_file: RigFile | None = None,
    *,
    stop_when: Callable[[RunStatus], bool] | None = None,
    headless: bool,
    debug: bool,
) -> RunStatus:
    """Runs a plan until it ends, saves the solved rig if there is a file for it, and returns the status.

    The options are those of `run_rig`.

    Raises:
        PoseRigError: The run failed, or no person was detected in it.
    """
    print_addresses(ready.web, console)
    for line in watchers(ready):
        console.print(line)
    save = ready.config.save
    screen = run_screen(console, headless=headless or debug)
    run = Run(ready, screen, debug=debug, stop_when=stop_when)
    before_ns = _modified_ns(save)
    errors: list[PoseRigError] = []
    saved_rig = None
    try:
        with screen:
            run.run()
    finally:
        try:
            saved_rig = save_rig(run.status, rig_file)
        except PoseRigError as error:
            errors.append(error)
        poses_file = Path(save) if _modified_ns(save) != before_ns else None
        lines = [*summary(run.status, poses_file, saved_rig), *_partial_poses(save), *partial_recording(run.status)]
        if sys.exc_info()[0]:  # the command prints this exception only
            lines += map(str, errors)
        for line in lines:
            console.print(line)
    if cause := run.status.recording_error():
        errors.append(SaveError(cause, "Everything recorded before that is kept."))
    if no_person := no_person_error(run.status):
        errors.append(no_person)
    for earlier in errors[:-1]:
        console.print(str(earlier))
    if errors:
        raise errors[-1]
    return run.status


def save_rig(status: RunStatus, rig_file: RigFile | None) -> Path | None:
    """Writes the solved rig into its rig.toml and returns the path; None if there is nothing to save, or no file.

    Raises:
        PoseRigError: The file cannot be written, although it could be at the start.
    """
    solved = status.telemetry.solved
    if rig_file is None or solved is None or not rig_file.writable:
        return None
    heights = {"height_m": status.height_m, "other_heights_m": status.other_heights_m if status.height_m else ()}
    rig_file.save(msgspec.structs.replace(status.config, **heights), solved)
    return Path(status.config.rig)


def partial_recording(status: RunStatus) -> list[str]:
    """Returns how to recover a recording that was not finished; empty if it was."""
    record = status.config.record
    if not record or status.recording_error() or Path(record).exists():
        return []
    partial = partial_path(Path(record))
    text = f"The unfinished recording is in {partial}: `pose-rig recover {record}` makes a session of it."
    return [text] if partial.is_file() else []


def _partial_poses(save: str) -> list[str]:
    """Returns how to recover poses that were not saved; empty if they were."""
    partial = partial_path(Path(save)) if save else None
    if partial is None or not partial.is_file() or not partial.stat().st_size:
        return []
    return [f"The poses so far are in {partial}: `pose-rig recover {partial}` makes a poses file of them."]


def detector_path(config: Config, console: Console) -> str:
    """Returns the path of the detector model, downloaded if necessary; empty if no camera needs one."""
    if not any(needs_detector(camera) for camera in config.camera):
        return ""
    return str(detector_model(config.detector.model, console.print, network(console)))


def _modified_ns(path: str) -> int:
    """Returns when a file was last modified, 0 if there is none."""
    return Path(path).stat().st_mtime_ns if path and Path(path).is_file() else 0
