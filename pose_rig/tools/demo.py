"""``pose-rig demo``: the whole rig on a real four-camera clip, no hardware needed."""

from typing import Annotated

import typer
from rich.console import Console

from pose_rig.assets import demo_clip
from pose_rig.config import CameraConfig, Config, DetectorConfig, FusionConfig
from pose_rig.tools.execute import execute
from pose_rig.tools.failures import failures
from pose_rig.tools.plain_lines import PlainLines
from pose_rig.tools.run import Debug, Headless, Model, Pace, Provider

WEBCAM_FPS = 30.0
LAPS = 3  # ten seconds: time enough to see the rig solve itself


def demo(
    save: Annotated[str, typer.Option(metavar="F.npz", help="Write the poses there at the end.")] = "demo_poses.npz",
    pace: Pace = None,
    model: Model = None,
    provider: Provider = None,
    headless: Headless = False,
    debug: Debug = False,
) -> None:
    """Run the rig on a real four-camera clip: a man on a balance beam.

    The clip is the demo take of Pose2Sim (BSD-3), fetched once and kept. Every camera runs in a process of its own, as
    with `pose-rig run`. The clip was taken at 60 frames per second and plays at 30, as webcams would give it,
    three times over; `--pace all` reads every frame once, with its own time. Watch the mode: cold, settled, solved.
    """
    with failures(debug):
        clip = demo_clip(PlainLines(Console()).say)
        fps, laps = (None, 1) if pace == "all" else (WEBCAM_FPS, LAPS)
        config = Config(
            camera=tuple(CameraConfig(source=str(path), name=path.stem, fps=fps, repeat=laps) for path in clip),
            detector=DetectorConfig(model=model or "full"),
            fusion=FusionConfig(provider=provider or "auto"),
            pace=pace or "realtime",
            port=0,  # so that it runs beside another rig
            save=save,
        )
        execute(config, headless=headless, debug=debug)
