"""``pose-rig demo``: the whole rig on a real four-camera clip, no hardware needed."""

from typing import Annotated

import typer
from rich.console import Console

from pose_rig.assets import demo_clip
from pose_rig.config import CameraConfig, Config, DetectorConfig, FusionConfig, StreamConfig
from pose_rig.tools.execute import execute
from pose_rig.tools.failures import failures
from pose_rig.tools.fetching import network
from pose_rig.tools.plain_lines import PlainLines
from pose_rig.tools.run import Debug, Headless, Model, Pace, Provider
from pose_rig.tools.stream_options import Json, Vmc, Websocket, streamed

WEBCAM_FPS = 30.0
LAPS = 3  # ten seconds: time enough to see the rig solve itself


def demo(
    save: Annotated[str, typer.Option(metavar="F.npz", help="Write the poses there at the end.")] = "demo_poses.npz",
    pace: Pace = None,
    model: Model = None,
    provider: Provider = None,
    vmc: Vmc = None,
    json: Json = None,
    websocket: Websocket = None,
    laps: Annotated[int | None, typer.Option(min=1, max=1000, help="How often it plays (3).")] = None,
    headless: Headless = False,
    debug: Debug = False,
) -> None:
    """Run the rig on a real four-camera clip: a man on a balance beam.

    The clip is the demo take of Pose2Sim (BSD-3), fetched once and kept. Every camera runs in a process of its own, as
    with `pose-rig run`. The clip was taken at 60 frames per second and plays at 30, as webcams would give it,
    three times over; `--pace all` reads every frame once, with its own time. Watch the mode: cold, settled, solved.
    `pose-rig demo --vmc 127.0.0.1 --laps 100` moves an avatar while you set up its engine (docs/engines.md).
    """
    with failures(debug):
        stream = streamed(StreamConfig(), vmc=vmc, json=json, websocket=websocket)
        console = Console()
        clip = demo_clip(PlainLines(console).say, network(console))
        fps, repeat = (None, 1) if pace == "all" else (WEBCAM_FPS, laps or LAPS)
        config = Config(
            camera=tuple(CameraConfig(source=str(path), name=path.stem, fps=fps, repeat=repeat) for path in clip),
            detector=DetectorConfig(model=model or "full"),
            fusion=FusionConfig(provider=provider or "auto"),
            pace=pace or "realtime",
            # Any, so that it runs beside another rig; but `pose-rig monitor` looks at the usual one.
            port=Config().port if stream.wanted else 0,
            save=save,
            stream=stream,
        )
        execute(config, headless=headless, debug=debug)
