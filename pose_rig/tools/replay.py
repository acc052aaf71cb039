"""``pose-rig replay``: a session through the same fusion again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from msgspec import structs
from rich.console import Console

from pose_rig.assets import detector_model
from pose_rig.config import Config, DetectorConfig, FusionJob, ReplayJob, StreamConfig
from pose_rig.errors import SessionError, UsageError
from pose_rig.messages import Pose3D
from pose_rig.tools.execute import carry_out
from pose_rig.tools.failures import failures
from pose_rig.tools.fetching import network
from pose_rig.tools.limits import check
from pose_rig.tools.plain_lines import PlainLines
from pose_rig.tools.run import Debug, From, Headless, Model, Pace, Port, Provider, given
from pose_rig.tools.stream_options import (
    Avatar,
    FootLock,
    Json,
    LeadTime,
    Origin,
    Root,
    Scale,
    StreamRate,
    Trackers,
    Vmc,
    Vrchat,
    Websocket,
    streamed,
)
from pose_rig.tools.workers import plan, replay_plan


def replay(
    session: Annotated[Path, typer.Argument(metavar="S.mcap", help="A recorded or imported session.")],
    save: Annotated[str | None, typer.Option(metavar="F.npz", help="Write the poses there at the end.")] = None,
    record: Annotated[str | None, typer.Option(metavar="S2.mcap", help="Record the replay as a session.")] = None,
    pace: Pace = None,
    from_s: From = None,
    to_s: Annotated[
        float | None, typer.Option("--to", metavar="S", help="End so many seconds after the start.")
    ] = None,
    passes: Annotated[
        int | None, typer.Option(min=1, max=2, help="2 = learn the rig from the whole session first, then fuse it.")
    ] = None,
    height: Annotated[float | None, typer.Option(metavar="M", help="Stature of the person, if another.")] = None,
    weights: Annotated[str | None, typer.Option(metavar="F", help="Other weights of lifter and fusion.")] = None,
    provider: Provider = None,
    re_detect: Annotated[
        bool, typer.Option("--re-detect", help="Find the person anew in the recorded video, with --model.")
    ] = False,
    model: Model = None,
    port: Port = None,
    vmc: Vmc = None,
    vrchat: Vrchat = None,
    json: Json = None,
    websocket: Websocket = None,
    origin: Origin = None,
    avatar: Avatar = None,
    scale: Scale = None,
    root: Root = None,
    trackers: Trackers = None,
    lead: LeadTime = None,
    foot_lock: FootLock = False,
    stream_rate: StreamRate = None,
    headless: Headless = False,
    debug: Debug = False,
) -> None:
    """Play a session through the same fusion again: to all outputs in real time, or to files as fast as it goes.

    \b
    pose-rig replay take.mcap                        as it was, in real time
    pose-rig replay take.mcap --save poses.npz       as fast as it goes
    pose-rig replay take.mcap --passes 2 --save better.npz
    pose-rig replay take.mcap --height 1.82 --record metres.mcap
    pose-rig replay take.mcap --from 10 --to 25      a part of it
    pose-rig replay take.mcap --re-detect --model heavy --record heavy.mcap
    pose-rig replay take.mcap --vmc 127.0.0.1        an avatar plays it

    A live session is gone through instant by instant, as it was fused live: on the same provider every pose comes out
    the same to the last bit, and the summary counts them. With --passes 2 or --from, and for imported sessions, every
    frame of the fastest camera is fused instead. With --save or --record it goes as fast as it can, unless --pace
    realtime is given.
    """  # noqa: D301  (\b tells the help to keep the lines as they are)
    with failures(debug):
        top = {"height_m": height, "passes": passes, "port": port}
        fusion = {"weights": weights, "provider": provider}
        if re_detect and (from_s is not None or to_s is not None):
            raise UsageError("--re-detect goes through the whole session.", "Leave --from and --to out.")
        if passes == 2 and pace == "realtime":
            raise UsageError("Two passes go as fast as they can.", "Leave --pace out, then replay what --record kept.")
        if model is not None and not re_detect:
            raise UsageError("A detector model is used with --re-detect only.", "Add --re-detect.")
        realtime = pace == "realtime" or (pace is None and not (save or record or passes == 2))
        recorded = recorded_in(session, from_s, to_s)
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
            stream=streamed(
                StreamConfig(), vmc=vmc, vrchat=vrchat, json=json, websocket=websocket, origin=origin, avatar=avatar,
                scale=scale, root=root, trackers=trackers, lead=lead, foot_lock=foot_lock, stream_rate=stream_rate,
            ),
        )  # fmt: skip
        check(structs.replace(config, camera=(), detector=DetectorConfig()))  # nobody opens these again
        console = Console()
        lines = PlainLines(console)
        if re_detect:
            sources = tuple(structs.replace(camera, source=str(recorded.path)) for camera in config.camera)
            seen_again = structs.replace(config, camera=sources)
            model_path = str(detector_model(config.detector.model, lines.say, network(console)))
            ready, how = plan(seen_again, model_path, recorded.unix_from_rig_ns), "its video detected anew"
        else:
            exact = recorded.live and config.passes == 1 and not from_s
            job = ReplayJob(FusionJob(config, (), ""), str(recorded.path), exact, realtime, from_s, to_s)
            ready = replay_plan(config, job, recorded.unix_from_rig_ns)
            how = "instant by instant, as it was live" if exact else "frame by frame"
        lines.say(f"Replaying {recorded.path}, {how}. Poses on {ready.output}.")
        carry_out(ready, console, headless=headless, debug=debug)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a replay must know of a session.

    Attributes:
        path: The file that is read: a recovered one, if the session was cut off.
        config: What it was recorded with.
        live: Whether it holds the poses of a live run.
        unix_from_rig_ns: What turns its clock into the time of day.
    """

    path: Path
    config: Config
    live: bool
    unix_from_rig_ns: int


def recorded_in(path: Path, from_s: float | None, to_s: float | None) -> Recorded:
    """Returns what there is to replay.

    Args:
        path: The session.
        from_s: Seconds from its start, None = from the start.
        to_s: The same for the end.

    Raises:
        SessionError: It cannot be read, or has no keypoints.
        UsageError: The part of it is empty.
    """
    from pose_rig.session.reader import Session  # brings MCAP

    with Session(path) as session:
        until_s = session.duration_s if to_s is None else to_s
        if (from_s or 0.0) >= until_s:
            raise UsageError(
                f"From {from_s or 0:.1f} s to {until_s:.1f} s is no time.",
                f"The session has {session.duration_s:.1f} s.",
            )
        if not any(session.topics.get(f"keypoints/{camera}") for camera in session.cameras):
            raise SessionError(f"{session.path} has no keypoints.", "There is nothing to replay.")
        live = session.info.origin == "live" and Pose3D.TOPIC in session.topics
        return Recorded(session.path, session.info.config, live, session.info.unix_from_rig_ns)
