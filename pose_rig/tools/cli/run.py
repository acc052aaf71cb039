"""``pose-rig run``: live motion capture."""

from pose_rig.tools.arguments.camera_list import config_of
from pose_rig.tools.arguments.config_options import ConfigOptions
from pose_rig.tools.arguments.options import Cams, Debug, Force, Headless, Moving, configured
from pose_rig.tools.terminal.runner import run_rig


def run(
    cams: Cams,
    options: ConfigOptions,
    moving: Moving = None,
    force: Force = False,
    headless: Headless = False,
    debug: Debug = False,
) -> None:
    """Capture the 3D pose of a person with several cameras, without calibration.

    \b
    pose-rig run --cams 0,1,2                        three webcams
    pose-rig run --cams 0,1,2 --height 1.82          in metres
    pose-rig run --cams 0,rtsp://192.168.1.20/live   with a network camera
    pose-rig run --cams a.mp4,b.mp4 --pace all       every frame of two files
    pose-rig run --cams clips/ --pace all            all videos in a folder
    pose-rig run --cams 2d.npz --save poses.npz      2D keypoints, poses saved
    pose-rig run --cams 0,1,2 --rig studio.toml      save the solved cameras
    pose-rig run --cams 0,1,2 --record take.mcap     record a session
    pose-rig run --cams 0,1,2 --vmc 127.0.0.1/unreal stream to an avatar
    pose-rig run --cams sim:4                        simulated cameras
    pose-rig run --cams rig.toml                     all settings from a file

    Ctrl-C or q stops and prints a summary. Options override the values in a rig.toml. `pose-rig cams` lists the
    connected cameras, `pose-rig doctor` checks this machine, `pose-rig rig` shows the solved cameras.
    """  # noqa: D301  (\b keeps the lines of the paragraph in the help)
    config = configured(config_of(*cams), options, moving)
    run_rig(config, force=force, headless=headless, debug=debug)
