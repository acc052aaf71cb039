"""How each kind of take is fused in two passes into a session and a poses file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from msgspec import structs

from pose_rig.config import Config, DetectorConfig, StreamConfig
from pose_rig.errors import UsageError
from pose_rig.tools.arguments.camera_list import check_readable, config_of
from pose_rig.tools.arguments.inputs import check_files
from pose_rig.tools.rig_files.validation import check_config
from pose_rig.tools.takes.imported import imported
from pose_rig.tools.takes.outputs import POSES, SESSION
from pose_rig.tools.takes.recorded import recorded_in
from pose_rig.tools.takes.take import Take
from pose_rig.tools.takes.take_options import TakeOptions
from pose_rig.tools.terminal.console import Console
from pose_rig.tools.terminal.runner import run_plan, run_rig
from pose_rig.tools.terminal.status import RunStatus
from pose_rig.tools.workers.plan import replay_plan
from pose_rig.wire.jobs import FusionJob, ReplayJob

IMPORTED = "imported.mcap"  # while the keypoints of another program are fused


@dataclass(frozen=True, slots=True)
class TakeRun:
    """A take that is ready to be fused: everything that can be checked before was checked.

    Attributes:
        run: Fuses it into the session and the poses file of a folder, and returns the status at the end.
        images: The session that has its images; None = they are in video files, or there are none.
    """

    run: Callable[[Path], RunStatus]
    images: Path | None = None


def take_run(
    take: Take, options: TakeOptions, console: Console, *, cores: int | None, headless: bool, debug: bool
) -> TakeRun:
    """Returns how a take is fused.

    The options are those of `run_rig`.

    Raises:
        UsageError: An input or an option is wrong, or does not apply to this kind of take.
        PoseRigError: An input cannot be read.
    """
    _check_options(take, options)
    if take.kind == "cameras":
        config = _two_passes(options.keys.applied_to(config_of(*take.sources)))
        check_files(config)
        check_config(config)
        check_readable(config)
        return TakeRun(
            lambda folder: run_rig(_into(folder, config), force=True, cores=cores, headless=headless, debug=debug)
        )
    if take.kind == "session":
        return _replayed(take.path, options, console, cores=cores, headless=headless, debug=debug)
    height_m = options.keys.values.get("height_m")
    keypoints, rig = imported(take.path, options.fps, options.size, options.landmarks, height_m)

    def run(folder: Path) -> RunStatus:
        from pose_rig.session.importer import import_keypoints  # imports MCAP

        path = folder / IMPORTED
        try:
            import_keypoints(keypoints, rig, path)
            return _replayed(path, options, console, cores=cores, headless=headless, debug=debug).run(folder)
        finally:
            path.unlink(missing_ok=True)

    return TakeRun(run)


def _replayed(
    path: Path, options: TakeOptions, console: Console, *, cores: int | None, headless: bool, debug: bool
) -> TakeRun:
    recorded = recorded_in(path, None, None)
    config = _two_passes(options.keys.applied_to(recorded.neutral))
    check_files(config)
    check_config(structs.replace(config, camera=(), detector=DetectorConfig()))  # the recorded cameras are not opened
    for warning in recorded.warnings:
        console.print(warning)

    def run(folder: Path) -> RunStatus:
        wanted = _into(folder, config)
        job = ReplayJob(FusionJob(wanted, (), ""), str(recorded.path), exact=False, realtime=False)
        ready = replay_plan(wanted, job, recorded.unix_from_rig_ns, cores)
        return run_plan(ready, console, headless=headless, debug=debug)

    return TakeRun(run, recorded.path)


def _check_options(take: Take, options: TakeOptions) -> None:
    """Refuses options that do not apply to a kind of take.

    Raises:
        UsageError: There is one.
    """
    unused = set(options.given()) - set(options.for_kind(take.kind).given())
    if unused:
        flag = min(unused)
        kinds = "videos" if flag in ("model", "detect-people") else "2D keypoints of other programs"
        raise UsageError(f"--{flag} applies to {kinds} only.", f"Leave it out for {' '.join(take.sources)}.")


def _two_passes(config: Config) -> Config:
    """Returns a rig that fuses every frame in two passes, and does nothing else with the poses."""
    return structs.replace(
        config, pace="all", passes=2, port=0, rig="", save="", record="", video=False, duration_s=None,
        stream=StreamConfig(),
    )  # fmt: skip


def _into(folder: Path, config: Config) -> Config:
    return structs.replace(config, save=str(folder / POSES), record=str(folder / SESSION))
