"""``pose-rig run`` and ``pose-rig record``: live motion capture."""

from datetime import datetime
from typing import Annotated

import typer

from pose_rig.config import Config
from pose_rig.errors import UsageError
from pose_rig.tools.arguments.camera_list import config_of
from pose_rig.tools.arguments.config_options import ConfigOptions, Keys
from pose_rig.tools.arguments.options import Cams, Debug, Force, Headless, Moving, configured
from pose_rig.tools.terminal.runner import run_rig


def run(
    *,
    cams: Cams = None,
    options: ConfigOptions,
    moving: Moving = None,
    force: Force = False,
    headless: Headless = False,
    debug: Debug = False,
) -> None:
    """Capture the 3D pose of one person or several with several cameras, without calibration.

    \b
    pose-rig run --cams 0,1,2                        three webcams
    pose-rig run --cams 0,1,2 --height 1.82          in metres
    pose-rig run --cams 0,1,2 --people 2             two people
    pose-rig run --cams 0,rtsp://192.168.1.20/live   with a network camera
    pose-rig run --cams 0,remote:hall --host 0.0.0.0 a camera of another machine
    pose-rig run --cams a.mp4,b.mp4 --pace all       every frame of two files
    pose-rig run --cams clips/ --pace all            all videos in a folder
    pose-rig run --cams 2d.npz --save poses.npz      2D keypoints, poses saved
    pose-rig run --cams 0,1,2 --rig studio.toml      save the solved cameras
    pose-rig run --cams 0,1,2 --record take.mcap     record a session
    pose-rig run --cams 0,1,2 --vmc 127.0.0.1/unreal stream to an avatar
    pose-rig run --phones 3 --view                   three phones, and a live page
    pose-rig run --cams sim:4                        simulated cameras
    pose-rig run --cams rig.toml                     all settings from a file

    Ctrl-C or q stops and prints a summary. Options override the values in a rig.toml. `pose-rig cams` lists the
    connected cameras, `pose-rig doctor` checks this machine, `pose-rig rig` shows the solved cameras.
    """  # noqa: D301  (\b keeps the lines of the paragraph in the help)
    if not cams and not options.values.get("phones"):
        raise UsageError("No camera is given.", "Add --cams 0,1,2 or --phones 3; `pose-rig cams` lists them.")
    config = configured(config_of(*cams) if cams else Config(), options, moving)
    run_rig(config, force=force, headless=headless, debug=debug)


def record(
    *,
    cams: Cams = None,
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
    run(cams=cams, options=options, moving=moving, force=force, headless=headless, debug=debug)
