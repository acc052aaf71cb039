"""``pose-rig replay``: the fusion again on a recorded session."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from msgspec import structs

from pose_rig.assets.catalog import detector_model
from pose_rig.config import Config, DetectorConfig, StreamConfig
from pose_rig.errors import SessionError, UsageError
from pose_rig.tools.arguments.config_options import ConfigOptions, Keys
from pose_rig.tools.arguments.inputs import REPLAY_INPUT, check_files, check_input
from pose_rig.tools.arguments.options import Debug, End, Force, Headless, Start
from pose_rig.tools.arguments.outputs import check_outputs, remove_replaced
from pose_rig.tools.rig_files.validation import check_config
from pose_rig.tools.terminal.console import Console
from pose_rig.tools.terminal.downloads import network
from pose_rig.tools.terminal.runner import run_plan
from pose_rig.tools.workers.plan import plan, replay_plan
from pose_rig.wire.jobs import FusionJob, ReplayJob
from pose_rig.wire.messages import Pose3D

REPLAY_KEYS = Keys(
    only=(
        "save", "record", "pace", "passes", "height_m", "port", "detector.model", "fusion.weights", "fusion.provider",
        "stream.*",
    )
)  # fmt: skip


def replay(
    session: Annotated[Path, typer.Argument(metavar="S.mcap", help="A recorded or imported session.")],
    options: Annotated[ConfigOptions, REPLAY_KEYS],
    start_s: Start = None,
    end_s: End = None,
    re_detect: Annotated[
        bool, typer.Option("--re-detect", help="Run the detector again on the recorded video, with --model.")
    ] = False,
    force: Force = False,
    headless: Headless = False,
    debug: Debug = False,
) -> None:
    """Run the fusion again on a session: in real time to all outputs, or as fast as possible to files.

    \b
    pose-rig replay take.mcap                        in real time
    pose-rig replay take.mcap --save poses.npz       as fast as possible
    pose-rig replay take.mcap --passes 2 --save better.npz
    pose-rig replay take.mcap --height 1.82 --record metres.mcap
    pose-rig replay take.mcap --start 10 --end 25    a part of it
    pose-rig replay take.mcap --re-detect --model heavy --record heavy.mcap
    pose-rig replay take.mcap --vmc 127.0.0.1        stream to an avatar

    A live session is fused at the time steps of the live run: with the same provider every pose is identical to the
    last bit, and the summary counts the identical ones. With --passes 2 or --start, and for imported sessions, every
    frame of the fastest camera is fused instead. With --save or --record it runs as fast as possible, unless --pace
    realtime is given.
    """  # noqa: D301  (\b keeps the lines of the paragraph in the help)
    check_input(session, REPLAY_INPUT)
    given = options.values
    if re_detect and (start_s is not None or end_s is not None):
        raise UsageError("--re-detect processes the whole session.", "Remove --start and --end.")
    if given.get("passes") == 2 and given.get("pace") == "realtime":
        raise UsageError("--passes 2 does not run in real time.", "Remove --pace, then replay the file of --record.")
    if "detector.model" in given and not re_detect:
        raise UsageError("--model requires --re-detect.", "Add --re-detect.")
    to_files = "save" in given or "record" in given or given.get("passes") == 2
    realtime = given.get("pace", "all" if to_files else "realtime") == "realtime"
    recorded = recorded_in(session, start_s, end_s)
    neutral = structs.replace(
        recorded.config, save="", record="", video=False, rig="", duration_s=None, stream=StreamConfig()
    )
    config = structs.replace(options.applied_to(neutral), pace="all")
    check_files(config)
    check_config(structs.replace(config, camera=(), detector=DetectorConfig()))  # the recorded cameras are not opened
    check_outputs(config, force=force, sources=(session, recorded.path))
    console = Console()
    for warning in recorded.warnings:
        console.print(warning)
    if re_detect:
        sources = tuple(structs.replace(camera, source=str(recorded.path)) for camera in config.camera)
        from_video = structs.replace(config, camera=sources)
        model_path = str(detector_model(config.detector.model, console.print, network(console)))
        ready, how = plan(from_video, model_path, recorded.unix_from_rig_ns), "with new detections in its video"
    else:
        exact = recorded.live and config.passes == 1 and not start_s
        job = ReplayJob(FusionJob(config, (), ""), str(recorded.path), exact, realtime, start_s, end_s)
        ready = replay_plan(config, job, recorded.unix_from_rig_ns)
        how = "at the time steps of the live run" if exact else "frame by frame"
    remove_replaced(config, force=force)
    console.print(f"Replaying {recorded.path}, {how}. Poses on {ready.output}.")
    run_plan(ready, console, headless=headless, debug=debug)


@dataclass(frozen=True, slots=True)
class Recorded:
    """The properties of a session that a replay needs.

    Attributes:
        path: The file that is read: the ``.partial`` of a session that was cut off.
        config: Of the recording.
        live: Whether it contains the poses of a live run.
        unix_from_rig_ns: Unix time minus rig clock.
        warnings: Warnings for the user.
    """

    path: Path
    config: Config
    live: bool
    unix_from_rig_ns: int
    warnings: list[str]


def recorded_in(path: Path, start_s: float | None, end_s: float | None) -> Recorded:
    """Returns the properties of a session.

    Args:
        path: The session.
        start_s: Seconds from its start, None = from the start.
        end_s: Seconds from its start, None = to the end.

    Raises:
        SessionError: It cannot be read, or has no keypoints.
        UsageError: The selected part is empty.
    """
    from pose_rig.session.formats.poses import check_range
    from pose_rig.session.reader import Session  # imports MCAP

    with Session(path) as session:
        check_range(start_s or 0.0, end_s, session.duration_s)
        if not any(session.topics.get(f"keypoints/{camera}") for camera in session.cameras):
            raise SessionError(f"{session.path} has no keypoints.", "Replay a session with keypoints.")
        live = session.info.origin == "live" and Pose3D.TOPIC in session.topics
        return Recorded(session.path, session.info.config, live, session.info.unix_from_rig_ns, session.warnings)
