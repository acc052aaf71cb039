"""``pose-rig demo``: a whole run on a real four-camera clip."""

import math
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from pose_rig.assets.catalog import demo_clip
from pose_rig.config import CameraConfig, Config
from pose_rig.errors import PoseRigError
from pose_rig.tools.arguments.config_options import ConfigOptions, Keys
from pose_rig.tools.arguments.options import Debug, Force, Headless, Moving, configured
from pose_rig.tools.arguments.outputs import check_outputs
from pose_rig.tools.rig_files.validation import REPEAT_RANGE, check_config
from pose_rig.tools.terminal.console import Console
from pose_rig.tools.terminal.downloads import network
from pose_rig.tools.terminal.runner import run_rig
from pose_rig.tools.terminal.status import RunStatus

WEBCAM_FPS = 30.0
CLIP_S = 3.3  # a little less than the duration of either clip
MIN_DEMO_S = 10.0  # long enough to see the rig being solved
MAX_UNSOLVED_S = 60.0  # on a machine that is busy with other programs
POSES = "demo_poses.npz"


def demo(
    *,
    moving: Moving = None,
    options: Annotated[ConfigOptions, Keys(without=("phones",))],
    laps: Annotated[
        int | None,
        typer.Option(
            min=REPEAT_RANGE[0],
            max=REPEAT_RANGE[1],
            help="How often the clip plays; default: until the rig is solved; with --view for an hour.",
        ),
    ] = None,
    force: Force = False,
    headless: Headless = False,
    debug: Debug = False,
) -> None:
    """Run on a real four-camera clip of a man on a balance beam, or with `--people 2` of two people; no cameras needed.

    The clips are demo takes of Pose2Sim (BSD-3); each is downloaded once. As with `pose-rig run`, every camera runs in
    a process of its own. The clip has 60 frames per second and plays at 30, as a webcam would, repeatedly for ten
    seconds, or until the rig is solved, with `--view` until you stop it; `--pace all` reads every frame once, with its
    own timestamp. The mode goes from cold to settled to solved.
    `pose-rig demo --vmc 127.0.0.1 --laps 100` moves an avatar while you set up its engine (docs/engines.md). All other
    options are those of `pose-rig run`. Without --save the poses go to demo_poses.npz, which the next demo replaces.
    """
    console = Console()
    wanted = configured(Config(), options, None)
    check_outputs(wanted, force=force)  # before anything is downloaded
    check_config(wanted)
    clip = demo_clip(console.print, network(console), people=wanted.people)
    every_frame = wanted.pace == "all"
    has_length = every_frame or laps or wanted.duration_s is not None or wanted.view
    until_solved = None if has_length else UntilSolved()
    fps, repeat = (None, 1) if every_frame else (WEBCAM_FPS, laps or laps_of(wanted.duration_s, endless=wanted.view))
    cameras = tuple(CameraConfig(source=str(path), name=path.stem, fps=fps, repeat=repeat) for path in clip)
    config = configured(Config(camera=cameras), options, moving)
    if "port" not in options.values and not config.stream.has_receivers:  # `pose-rig monitor` uses the default port
        config = replace(config, port=0)  # any free one: another rig may be running
    own = "" if config.save else POSES
    if own:
        config = replace(config, save=POSES)
        if Path(POSES).is_file():
            console.print(f"{POSES} of an earlier demo will be replaced; --save F.npz writes to another file.")
    run_rig(config, force=force, own=own, stop_when=until_solved, headless=headless, debug=debug)
    if until_solved is not None and until_solved.error:
        raise until_solved.error


class UntilSolved:
    """Ends a demo `MIN_DEMO_S` after its start if the rig is solved by then, or as soon as it is.

    Attributes:
        error: That it was not solved within `MAX_UNSOLVED_S`; None otherwise.
    """

    def __init__(self) -> None:
        self.error: PoseRigError | None = None

    def __call__(self, status: RunStatus) -> bool:
        """Returns whether to stop now."""
        elapsed_s = status.elapsed_s()
        if status.telemetry.solved is None and elapsed_s >= MAX_UNSOLVED_S:
            rates = [row.frames / elapsed_s for row in status.cameras()]
            self.error = PoseRigError(
                f"The rig was not solved within {elapsed_s:.0f} s: "
                f"its cameras gave {min(rates):.0f} to {max(rates):.0f} frames per second.",
                "Close other programs on this machine, or give it more time: --duration 300.",
            )
        return self.error is not None or (status.telemetry.solved is not None and elapsed_s >= MIN_DEMO_S)


def laps_of(duration_s: float | None, *, endless: bool = False) -> int:
    """Returns how often the clip plays: for the given duration, else for the longest that a demo may take.

    Args:
        duration_s: As given by the user.
        endless: Without a duration, until the user stops it: for about an hour.
    """
    if duration_s is None and endless:
        return REPEAT_RANGE[1]
    wanted_s = MAX_UNSOLVED_S if duration_s is None or not math.isfinite(duration_s) else duration_s
    return min(max(math.ceil(wanted_s / CLIP_S), REPEAT_RANGE[0]), REPEAT_RANGE[1])
