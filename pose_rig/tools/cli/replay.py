"""``pose-rig replay``: the fusion again on a recorded session."""

from pathlib import Path
from typing import Annotated

import typer
from msgspec import structs

from pose_rig.assets.catalog import detector_model
from pose_rig.config import DetectorConfig
from pose_rig.errors import UsageError
from pose_rig.tools.arguments.config_options import ConfigOptions, Keys
from pose_rig.tools.arguments.inputs import REPLAY_INPUT, check_files, check_input
from pose_rig.tools.arguments.options import Debug, End, Force, Headless, Start
from pose_rig.tools.arguments.outputs import check_outputs, remove_replaced
from pose_rig.tools.rig_files.validation import check_config
from pose_rig.tools.takes.recorded import changes_poses, no_images, recorded_in
from pose_rig.tools.terminal.console import Console
from pose_rig.tools.terminal.downloads import network
from pose_rig.tools.terminal.runner import run_plan
from pose_rig.tools.workers.plan import plan, replay_plan
from pose_rig.wire.jobs import FusionJob, ReplayJob

REPLAY_KEYS = Keys(
    only=(
        "save", "record", "pace", "passes", "exact", "height_m", "people", "port", "detector.model", "fusion.weights",
        "fusion.provider", "view", "host", "web_port",
        "stream.*",
    )
)  # fmt: skip


HOW = {
    (False, False): "frame by frame",
    (True, False): "at the time steps of the live run, step by step",
    (True, True): "at the time steps of the live run, with its cameras (--exact estimates them again)",
}  # whether it is at these time steps, and with these cameras


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
    pose-rig replay take.mcap --view                 with a live page

    A live session is fused at the time steps of the live run. As fast as possible, its recorded cameras are used and
    many poses are computed at once: they are those of the run to 0.5 mm. With --exact, in real time, and with another
    height or weights, cameras and poses are computed step by step: with the same provider and settings every pose is
    identical to the last bit, and the summary counts the identical ones. With --passes 2 or --start, and for imported
    sessions, every frame of the fastest camera is fused instead. With --save or --record it runs as fast as possible,
    unless --pace realtime is given.
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
    config = structs.replace(options.applied_to(recorded.neutral), pace="all")
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
        as_live = recorded.live and config.passes == 1 and not start_s
        alone = config.people == 1  # the identities of a time step depend on those before it
        follows = as_live and alone and not (config.exact or realtime or changes_poses(config, recorded.neutral))
        job = ReplayJob(
            FusionJob(config, (), ""), str(recorded.path), as_live, realtime, start_s, end_s, follows=follows
        )
        missing = no_images(recorded.path) if config.view else {}
        ready = replay_plan(config, job, recorded.unix_from_rig_ns, no_images=missing)
        how = HOW[as_live, follows]
    remove_replaced(config, force=force)
    console.print(f"Replaying {recorded.path}, {how}. Poses on {ready.output}.")
    run_plan(ready, console, headless=headless, debug=debug)
