"""``pose-rig demo``: the whole rig on a real four-camera clip, no hardware needed."""

import math
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from pose_rig.assets.catalog import demo_clip
from pose_rig.config import CameraConfig, Config
from pose_rig.errors import PoseRigError
from pose_rig.tools.arguments.options import Debug, Force, Headless
from pose_rig.tools.arguments.outputs import check_outputs
from pose_rig.tools.arguments.rig_options import RecordingOptions, RigOptions
from pose_rig.tools.arguments.stream_options import StreamOptions
from pose_rig.tools.cli.run import configured
from pose_rig.tools.rig_files.validation import REPEAT
from pose_rig.tools.terminal.console import Console, exit_on_error
from pose_rig.tools.terminal.downloads import network
from pose_rig.tools.terminal.runner import run_rig
from pose_rig.tools.terminal.status import RunStatus

WEBCAM_FPS = 30.0
LAP_S = 3.3  # a little less than one takes
SHOWN_S = 10.0  # time enough to see the rig solve itself
PATIENCE_S = 60.0  # where other programs keep the machine busy
POSES = "demo_poses.npz"


def demo(
    wishes: RigOptions,
    recording: RecordingOptions,
    stream: StreamOptions,
    laps: Annotated[
        int | None,
        typer.Option(min=REPEAT[0], max=REPEAT[1], help="How often it plays; default: until the rig is solved."),
    ] = None,
    force: Force = False,
    headless: Headless = False,
    debug: Debug = False,
) -> None:
    """Run the rig on a real four-camera clip: a man on a balance beam.

    The clip is the demo take of Pose2Sim (BSD-3), fetched once and kept. Every camera runs in a process of its own, as
    with `pose-rig run`. The clip was taken at 60 frames per second and plays at 30, as webcams would give it, over and
    over for ten seconds, or until the rig is solved; `--pace all` reads every frame once, with its own time. Watch the
    mode: cold, settled, solved.
    `pose-rig demo --vmc 127.0.0.1 --laps 100` moves an avatar while you set up its engine (docs/engines.md). All other
    options are those of `pose-rig run`. Without --save the poses go to demo_poses.npz, which the next demo replaces.
    """
    with exit_on_error(debug):
        console = Console()
        say = console.print
        check_outputs(recording.into(Config(save=wishes.save or "")), force=force)  # before anything is fetched
        clip = demo_clip(say, network(console))
        whole = wishes.pace == "all"
        showing = None if whole or laps or wishes.duration is not None else Showing()
        fps, repeat = (None, 1) if whole else (WEBCAM_FPS, laps or laps_of(wishes.duration))
        cameras = tuple(CameraConfig(source=str(path), name=path.stem, fps=fps, repeat=repeat) for path in clip)
        config = configured(Config(camera=cameras), wishes, recording, stream)
        if wishes.port is None and not config.stream.wanted:  # `pose-rig monitor` looks at the usual one
            config = replace(config, port=0)  # any, so that it runs beside another rig
        if wishes.save is None:
            config = replace(config, save=POSES)
            if Path(POSES).is_file():
                say(f"{POSES} of an earlier demo will be replaced; --save F.npz writes to another file.")
        own = POSES if wishes.save is None else ""
        run_rig(config, force=force, own=own, stop_when=showing, headless=headless, debug=debug)
        if showing is not None and showing.in_vain:
            raise showing.in_vain


class Showing:
    """Whether a demo has shown what there is to see.

    Attributes:
        in_vain: Why it never will, None as long as it may.
    """

    def __init__(self) -> None:
        self.in_vain: PoseRigError | None = None

    def __call__(self, status: RunStatus) -> bool:
        """Returns whether to end now: the rig has been solved and looked at, or time is up."""
        elapsed_s = status.elapsed_s()
        if status.telemetry.solved is None and elapsed_s >= PATIENCE_S:
            rates = [row.frames / elapsed_s for row in status.cameras()]
            self.in_vain = PoseRigError(
                f"The rig was not solved within {elapsed_s:.0f} s: "
                f"its cameras gave {min(rates):.0f} to {max(rates):.0f} frames per second.",
                "Close what keeps this machine busy, or give it more time: --duration 300.",
            )
        return self.in_vain is not None or (status.telemetry.solved is not None and elapsed_s >= SHOWN_S)


def laps_of(duration_s: float | None) -> int:
    """Returns how often the clip plays: for as long as the user wants to see it, else as long as a demo may take."""
    wanted_s = PATIENCE_S if duration_s is None or not math.isfinite(duration_s) else duration_s
    return min(max(math.ceil(wanted_s / LAP_S), REPEAT[0]), REPEAT[1])
