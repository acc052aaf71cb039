"""``pose-rig run``: cameras in, a 3D pose out."""

from msgspec.structs import replace

from pose_rig.config import Config
from pose_rig.tools.arguments.camera_list import config_of
from pose_rig.tools.arguments.options import Cams, Debug, Force, Headless
from pose_rig.tools.arguments.rig_options import RecordingOptions, RigOptions
from pose_rig.tools.arguments.stream_options import StreamOptions
from pose_rig.tools.terminal.console import exit_on_error
from pose_rig.tools.terminal.runner import run_rig


def run(
    cams: Cams,
    wishes: RigOptions,
    recording: RecordingOptions,
    stream: StreamOptions,
    force: Force = False,
    headless: Headless = False,
    debug: Debug = False,
) -> None:
    """Turn cameras into one moving 3D skeleton, without a calibration.

    \b
    pose-rig run --cams 0,1,2                        three webcams
    pose-rig run --cams 0,1,2 --height 1.82          in true metres
    pose-rig run --cams 0,rtsp://192.168.1.20/live   with a network camera
    pose-rig run --cams a.mp4,b.mp4 --pace all       every frame of two files
    pose-rig run --cams clips/ --pace all            of all videos in a folder
    pose-rig run --cams 2d.npz --save poses.npz      2D from elsewhere, kept
    pose-rig run --cams 0,1,2 --rig studio.toml      remember where they stand
    pose-rig run --cams 0,1,2 --record take.mcap     a session to keep
    pose-rig run --cams 0,1,2 --vmc 127.0.0.1/unreal an avatar that moves
    pose-rig run --cams sim:4                        no camera at all
    pose-rig run --cams rig.toml                     all of it from a file

    Ctrl-C or q stops and prints a summary. Options given here win over those in a rig.toml. `pose-rig cams` lists
    what is plugged in, `pose-rig doctor` says what is wrong, `pose-rig rig` shows where the cameras stand.
    """  # noqa: D301  (\b tells the help to keep the lines as they are)
    with exit_on_error(debug):
        config = configured(config_of(*cams), wishes, recording, stream)
        run_rig(config, force=force, headless=headless, debug=debug)


def configured(config: Config, wishes: RigOptions, recording: RecordingOptions, stream: StreamOptions) -> Config:
    """Returns a configuration with what the user gave; the rest stays.

    Raises:
        UsageError: Something does not fit.
    """
    config = recording.into(wishes.into(config))
    return replace(config, stream=stream.into(config.stream))
