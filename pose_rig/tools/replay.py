"""``pose-rig replay``: a session through the same fusion again."""

from pathlib import Path
from typing import Annotated

import typer
from msgspec import structs
from rich.console import Console

from pose_rig.config import Config, FusionJob, ReplayJob
from pose_rig.errors import SessionError, UsageError
from pose_rig.messages import Pose3D
from pose_rig.tools.execute import carry_out
from pose_rig.tools.failures import failures
from pose_rig.tools.limits import check
from pose_rig.tools.plain_lines import PlainLines
from pose_rig.tools.run import Debug, Headless, Pace, Provider, given
from pose_rig.tools.workers import replay_plan


def replay(
    session: Annotated[Path, typer.Argument(metavar="S.mcap", help="A recorded or imported session.")],
    save: Annotated[str | None, typer.Option(metavar="F.npz", help="Write the poses there at the end.")] = None,
    record: Annotated[str | None, typer.Option(metavar="S2.mcap", help="Record the replay as a session.")] = None,
    pace: Pace = None,
    from_s: Annotated[
        float | None, typer.Option("--from", metavar="S", help="Begin so many seconds after the start.")
    ] = None,
    to_s: Annotated[
        float | None, typer.Option("--to", metavar="S", help="End so many seconds after the start.")
    ] = None,
    passes: Annotated[
        int | None, typer.Option(min=1, max=2, help="2 = learn the rig from the whole session first, then fuse it.")
    ] = None,
    height: Annotated[float | None, typer.Option(metavar="M", help="Stature of the person, if another.")] = None,
    weights: Annotated[str | None, typer.Option(metavar="F.onnx", help="Other weights of lifter and fusion.")] = None,
    provider: Provider = None,
    port: Annotated[
        int | None, typer.Option(metavar="N", help="Publish poses on this port (5571); 0 = any free one.")
    ] = None,
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

    A live session is gone through instant by instant, as it was fused live: on the same provider every pose comes out
    the same to the last bit, and the summary counts them. With --passes 2 or --from, and for imported sessions, every
    frame of the fastest camera is fused instead. With --save or --record it goes as fast as it can, unless --pace
    realtime is given.
    """  # noqa: D301  (\b tells the help to keep the lines as they are)
    with failures(debug):
        wanted = {"height_m": height, "passes": passes, "port": port}
        fusion = {"weights": weights, "provider": provider}
        realtime = pace == "realtime" or (pace is None and not (save or record))
        recorded, job = job_of(session, from_s, to_s, realtime, exact=passes != 2 and not from_s)
        config = structs.replace(
            recorded,
            **given(wanted),
            fusion=structs.replace(recorded.fusion, **given(fusion)),
            pace="all",
            save=save or "",
            record=record or "",
            video=False,
            rig="",
            duration_s=None,
        )
        check(config)
        console = Console()
        lines = PlainLines(console)
        ready = replay_plan(config, job)
        how = "instant by instant, as it was live" if job.exact else "frame by frame"
        lines.say(f"Replaying {job.path}, {how}. Poses on {ready.output}.")
        carry_out(ready, console, headless=headless, debug=debug)


def job_of(
    path: Path, from_s: float | None, to_s: float | None, realtime: bool, *, exact: bool
) -> tuple[Config, ReplayJob]:
    """Returns the configuration that a session was recorded with, and what is to be replayed.

    Args:
        path: The session.
        from_s: Seconds from its start, None = from the start.
        to_s: The same for the end.
        realtime: As fast as it was.
        exact: Instant by instant, if the session is of a live run.

    Raises:
        SessionError: It cannot be read, or has no keypoints.
        UsageError: The part of it is empty.
    """
    from pose_rig.session.reader import Session  # brings MCAP

    with Session(path) as session:
        if (from_s or 0.0) >= (session.duration_s if to_s is None else to_s):
            raise UsageError(
                f"From {from_s or 0:g} s to {session.duration_s if to_s is None else to_s:g} s is no time.",
                f"The session has {session.duration_s:.1f} s.",
            )
        if not any(session.topics.get(f"keypoints/{camera}") for camera in session.cameras):
            raise SessionError(f"{session.path} has no keypoints.", "There is nothing to replay.")
        live = session.info.origin == "live" and Pose3D.TOPIC in session.topics
        config = session.info.config
        fusion = FusionJob(config, (), "")
        return config, ReplayJob(fusion, str(session.path), exact and live, realtime, from_s, to_s)
