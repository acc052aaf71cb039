"""Options and arguments that several commands share and that are no keys of a rig.toml."""

from typing import Annotated

import typer
from msgspec.structs import replace

from pose_rig.config import Config
from pose_rig.tools.arguments.camera_list import mark_moving, with_phones
from pose_rig.tools.arguments.config_options import KEYS, ConfigOptions

Cams = Annotated[
    list[str] | None,
    typer.Option(
        metavar="A,B,C",
        rich_help_panel="Cameras",
        help="Index, device path or name, URL, video file, folder of videos, keypoint file (.npz: all its cameras), "
        "sim or sim:4 (simulated cameras), remote:NAME (pose-rig camera on another machine); or one rig.toml. Not "
        "needed with --phones.",
    ),
]
Moving = Annotated[
    list[str] | None,
    typer.Option(
        metavar="A,B|all", rich_help_panel="Cameras", help="Cameras that move during the run: names, or indices from 0."
    ),
]
Headless = Annotated[bool, typer.Option("--headless", help="Print plain lines instead of a table.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks and the output of the workers.")]
Force = Annotated[bool, typer.Option("--force", help="Replace existing files.")]
Duration = Annotated[float | None, typer.Option(metavar="S", help=KEYS["duration_s"].option.help)]
Fps = Annotated[
    float | None, typer.Option(metavar="HZ", help="2D of other programs: frames per second, unless in Config.toml.")
]
Size = Annotated[
    str | None, typer.Option(metavar="W,H", help="2D of other programs: image size, unless in a calibration.")
]
LandmarkSet = Annotated[
    str | None,
    typer.Option(
        "--landmarks",
        metavar="SET",
        help="2D of other programs: coco17, halpe26, wholebody133 …; default: by their number.",
    ),
]
NoOverlay = Annotated[bool, typer.Option("--no-overlay", help="Make no overlay video.")]
Start = Annotated[float | None, typer.Option("--start", metavar="S", help="Start, seconds after the beginning.")]
End = Annotated[float | None, typer.Option("--end", metavar="S", help="End, seconds after the beginning.")]


def configured(config: Config, options: ConfigOptions, moving: list[str] | None) -> Config:
    """Returns a configuration in which the given options replace the values.

    Raises:
        UsageError: ``--moving`` names an unknown camera, or options of streaming are given without a receiver.
    """
    config = with_phones(options.applied_to(config))
    return replace(config, camera=mark_moving(config.camera, *moving)) if moving else config
