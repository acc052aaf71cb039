"""``pose-rig record``: `run` that records a session."""

from datetime import datetime
from typing import Annotated

import typer

from pose_rig.tools.arguments.config_options import ConfigOptions, Keys
from pose_rig.tools.arguments.options import Cams, Debug, Force, Headless, Moving
from pose_rig.tools.cli.run import run


def record(
    cams: Cams,
    options: Annotated[ConfigOptions, Keys(without=("record",))],
    moving: Moving = None,
    out: Annotated[str | None, typer.Option(metavar="S.mcap", help="Default: take-DATE-TIME.mcap here.")] = None,
    force: Force = False,
    headless: Headless = False,
    debug: Debug = False,
) -> None:
    """Capture and record a session: keypoints, poses, cameras, markers, drops, and with --video the video.

    \b
    pose-rig record --cams 0,1,2                          until q or Ctrl-C
    pose-rig record --cams 0,1,2 --out jump.mcap --video
    pose-rig record --cams rig.toml --duration 60

    m sets a marker, q stops. The file is flushed three times a second; `pose-rig recover` makes a session of what was
    recorded before a crash. `pose-rig replay`, `convert`, `view` and `plot` read it. All other options are those of
    `pose-rig run`.
    """  # noqa: D301  (\b keeps the lines of the paragraph in the help)
    path = out or f"take-{datetime.now():%Y-%m-%d-%H%M%S}.mcap"
    options = ConfigOptions({**options.values, "record": path})
    run(cams, options, moving, force=force, headless=headless, debug=debug)
