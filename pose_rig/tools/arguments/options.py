"""The options that several commands share; each is described here once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

Cams = Annotated[
    list[str],
    typer.Option(
        metavar="A,B,C",
        help="Index, device path or name, URL, video file, folder of videos, keypoint file (.npz: all its cameras), "
        "sim or sim:4 (simulated cameras); or one rig.toml.",
    ),
]
Headless = Annotated[bool, typer.Option("--headless", help="Print plain lines instead of drawing a table.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks and what the workers print.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist already.")]
Pace = Annotated[
    Literal["realtime", "all"] | None,
    typer.Option(help="Files: play in real time (default), or read every frame as fast as it goes, repeatable."),
]
Model = Annotated[
    str | None, typer.Option(metavar="NAME|PATH", help="2D detector: lite, full (default), heavy, or a .task file.")
]
Provider = Annotated[
    Literal["auto", "tensorrt", "cuda", "cpu"] | None,
    typer.Option(help="What runs lifter and fusion; auto = TensorRT, CUDA, CPU in that order."),
]
Weights = Annotated[str | None, typer.Option(metavar="F", help="Graph of lifter and fusion; default: the one shipped.")]
Height = Annotated[float | None, typer.Option(metavar="M", help="Stature of the person; without it 1.70 m is assumed.")]
Duration = Annotated[float | None, typer.Option(metavar="S", help="Stop after so many seconds.")]
Port = Annotated[int | None, typer.Option(metavar="N", help="Publish poses on this port (5571); 0 = any free one.")]
Save = Annotated[str | None, typer.Option(metavar="F.npz", help="Write the poses there at the end.")]
Start = Annotated[float | None, typer.Option("--start", metavar="S", help="Begin so many seconds after the start.")]
End = Annotated[float | None, typer.Option("--end", metavar="S", help="End so many seconds after the start.")]
Video = Annotated[
    bool, typer.Option("--video", help="With --record: the pictures too (H.264; JPEG where that is too slow).")
]
SessionFile = Annotated[Path, typer.Argument(metavar="S.mcap", help="A recorded or imported session.")]


def given(options: Mapping[str, object]) -> dict[str, object]:
    """Returns the options that the user gave."""
    return {name: value for name, value in options.items() if value is not None}
