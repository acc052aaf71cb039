"""``pose-rig record``: `run` that keeps everything."""

from datetime import datetime
from typing import Annotated

import typer

from pose_rig.tools.arguments.options import Cams, Debug, Force, Headless
from pose_rig.tools.arguments.rig_options import RecordingOptions, RigOptions
from pose_rig.tools.arguments.stream_options import StreamOptions
from pose_rig.tools.cli.run import run


def record(
    cams: Cams,
    wishes: RigOptions,
    stream: StreamOptions,
    out: Annotated[
        str | None, typer.Option(metavar="S.mcap", help="Where to; default: take-DATE-TIME.mcap here.")
    ] = None,
    video: Annotated[
        bool, typer.Option("--video", help="The pictures too (H.264; JPEG where that is too slow).")
    ] = False,
    force: Force = False,
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
    options are those of `pose-rig run`.
    """  # noqa: D301  (\b tells the help to keep the lines as they are)
    recording = RecordingOptions(record=out or f"take-{datetime.now():%Y-%m-%d-%H%M%S}.mcap", video=video)
    run(cams, wishes, recording, stream, force=force, headless=headless, debug=debug)
