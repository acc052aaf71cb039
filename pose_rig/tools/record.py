"""``pose-rig record``: `run` that keeps everything."""

from datetime import datetime
from typing import Annotated

import typer

from pose_rig.tools.run import Debug, Duration, Headless, Height, Model, Provider, RigFile, run


def record(
    cams: Annotated[str, typer.Option(metavar="A,B,C", help="As for `pose-rig run`.")],
    out: Annotated[
        str | None, typer.Option(metavar="S.mcap", help="Where to; default: take-DATE-TIME.mcap here.")
    ] = None,
    video: Annotated[
        bool, typer.Option("--video", help="The pictures too (H.264; JPEG where that is too slow).")
    ] = False,
    height: Height = None,
    duration: Duration = None,
    rig: RigFile = None,
    model: Model = None,
    provider: Provider = None,
    headless: Headless = False,
    debug: Debug = False,
) -> None:
    """Run the rig and record it: keypoints, poses, the rig, markers, drops, and with --video the pictures.

    \b
    pose-rig record --cams 0,1,2                          until q or Ctrl-C
    pose-rig record --cams 0,1,2 --out jump.mcap --video
    pose-rig record --cams rig.toml --duration 60

    m sets a marker, q stops. The file is whole three times a second: what was recorded before a crash is kept, and
    `pose-rig recover` makes it a session again. `pose-rig replay`, `convert`, `view` and `plot` use it. All other
    options are those of `pose-rig run --record`.
    """  # noqa: D301  (\b tells the help to keep the lines as they are)
    path = out or f"take-{datetime.now():%Y-%m-%d-%H%M%S}.mcap"
    run(
        cams=cams, record=path, video=video, height=height, duration=duration, rig=rig, model=model, provider=provider,
        headless=headless, debug=debug,
    )  # fmt: skip
