"""``pose-rig replay``: a session through the same fusion again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from msgspec import structs

from pose_rig.assets.catalog import detector_model
from pose_rig.config import Config, DetectorConfig, StreamConfig
from pose_rig.errors import SessionError, UsageError
from pose_rig.tools.arguments.inputs import REPLAYED, check_files, check_input
from pose_rig.tools.arguments.options import (
    Debug,
    End,
    Force,
    Headless,
    Height,
    Model,
    Pace,
    Port,
    Provider,
    Save,
    SessionFile,
    Start,
    Weights,
    given,
)
from pose_rig.tools.arguments.outputs import check_outputs, make_room
from pose_rig.tools.arguments.stream_options import StreamOptions
from pose_rig.tools.rig_files.validation import check_config
from pose_rig.tools.terminal.console import Console, exit_on_error
from pose_rig.tools.terminal.downloads import network
from pose_rig.tools.terminal.runner import run_plan
from pose_rig.tools.workers.plan import plan, replay_plan
from pose_rig.wire.jobs import FusionJob, ReplayJob
from pose_rig.wire.messages import Pose3D


def replay(
    session: SessionFile,
    stream: StreamOptions,
    save: Save = None,
    record: Annotated[str | None, typer.Option(metavar="S2.mcap", help="Record the replay as a session.")] = None,
    pace: Pace = None,
    start_s: Start = None,
    end_s: End = None,
    passes: Annotated[
        int | None, typer.Option(min=1, max=2, help="2 = learn the rig from the whole session first, then fuse it.")
    ] = None,
    height: Height = None,
    weights: Weights = None,
    provider: Provider = None,
    re_detect: Annotated[
        bool, typer.Option("--re-detect", help="Find the person anew in the recorded video, with --model.")
    ] = False,
    model: Model = None,
    port: Port = None,
    force: Force = False,
    headless: Headless = False,
    debug: Debug = False,
) -> None:
    """Play a session through the same fusion again: to all outputs in real time, or to files as fast as it goes.

    \b
    pose-rig replay take.mcap                        as it was, in real time
    pose-rig replay take.mcap --save poses.npz       as fast as it goes
    pose-rig replay take.mcap --passes 2 --save better.npz
    pose-rig replay take.mcap --height 1.82 --record metres.mcap
    pose-rig replay take.mcap --start 10 --end 25    a part of it
    pose-rig replay take.mcap --re-detect --model heavy --record heavy.mcap
    pose-rig replay take.mcap --vmc 127.0.0.1        an avatar plays it

    A live session is gone through instant by instant, as it was fused live: on the same provider every pose comes out
    the same to the last bit, and the summary counts them. With --passes 2 or --start, and for imported sessions, every
    frame of the fastest camera is fused instead. With --save or --record it goes as fast as it can, unless --pace
    realtime is given.
    """  # noqa: D301  (\b tells the help to keep the lines as they are)
    with exit_on_error(debug):
        check_input(session, REPLAYED)
        top = {"height_m": height, "passes": passes, "port": port}
        fusion = {"weights": weights, "provider": provider}
        if re_detect and (start_s is not None or end_s is not None):
            raise UsageError("--re-detect goes through the whole session.", "Leave --start and --end out.")
        if passes == 2 and pace == "realtime":
            raise UsageError("Two passes go as fast as they can.", "Leave --pace out, then replay what --record kept.")
        if model is not None and not re_detect:
            raise UsageError("A detector model is used with --re-detect only.", "Add --re-detect.")
        realtime = pace == "realtime" or (pace is None and not (save or record or passes == 2))
        recorded = recorded_in(session, start_s, end_s)
        config = structs.replace(
            recorded.config,
            **given(top),
            detector=structs.replace(recorded.config.detector, **given({"model": model})),
            fusion=structs.replace(recorded.config.fusion, **given(fusion)),
            pace="all",
            save=save or "",
            record=record or "",
            video=False,
            rig="",
            duration_s=None,
            stream=stream.into(StreamConfig()),
        )
        check_files(config)
        check_config(structs.replace(config, camera=(), detector=DetectorConfig()))  # nobody opens these again
        check_outputs(config, force=force, sources=(session, recorded.path))
        console = Console()
        for warning in recorded.warnings:
            console.print(warning)
        if re_detect:
            sources = tuple(structs.replace(camera, source=str(recorded.path)) for camera in config.camera)
            seen_again = structs.replace(config, camera=sources)
            model_path = str(detector_model(config.detector.model, console.print, network(console)))
            ready, how = plan(seen_again, model_path, recorded.unix_from_rig_ns), "its video detected anew"
        else:
            exact = recorded.live and config.passes == 1 and not start_s
            job = ReplayJob(FusionJob(config, (), ""), str(recorded.path), exact, realtime, start_s, end_s)
            ready = replay_plan(config, job, recorded.unix_from_rig_ns)
            how = "instant by instant, as it was live" if exact else "frame by frame"
        make_room(config, force=force)
        console.print(f"Replaying {recorded.path}, {how}. Poses on {ready.output}.")
        run_plan(ready, console, headless=headless, debug=debug)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a replay must know of a session.

    Attributes:
        path: The file that is read: the ``.partial`` of a session that was cut off.
        config: What it was recorded with.
        live: Whether it holds the poses of a live run.
        unix_from_rig_ns: What turns its clock into the time of day.
        warnings: What users should know of it.
    """

    path: Path
    config: Config
    live: bool
    unix_from_rig_ns: int
    warnings: list[str]


def recorded_in(path: Path, start_s: float | None, end_s: float | None) -> Recorded:
    """Returns what there is to replay.

    Args:
        path: The session.
        start_s: Seconds from its start, None = from the start.
        end_s: The same for the end.

    Raises:
        SessionError: It cannot be read, or has no keypoints.
        UsageError: The part of it is empty.
    """
    from pose_rig.session.formats.poses import check_part
    from pose_rig.session.reader import Session  # brings MCAP

    with Session(path) as session:
        check_part(start_s or 0.0, end_s, session.duration_s)
        if not any(session.topics.get(f"keypoints/{camera}") for camera in session.cameras):
            raise SessionError(f"{session.path} has no keypoints.", "There is nothing to replay.")
        live = session.info.origin == "live" and Pose3D.TOPIC in session.topics
        return Recorded(session.path, session.info.config, live, session.info.unix_from_rig_ns, session.warnings)
