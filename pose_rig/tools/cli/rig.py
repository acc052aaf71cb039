"""``pose-rig rig``: the calibration of a solved rig, its uncertainty, and exports to other programs."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from pose_rig.config import SolvedCamera
from pose_rig.tools.arguments.inputs import RIG_INPUT, check_input
from pose_rig.tools.arguments.options import Force
from pose_rig.tools.arguments.outputs import check_output
from pose_rig.tools.rig_files.reader import load_rig
from pose_rig.tools.rig_files.rig_camera import (
    RigCamera,
    azimuth_deg,
    clocks_differ,
    horizontal_fov_deg,
    position_m,
    rig_warnings,
    roll_deg,
    tilt_deg,
)
from pose_rig.tools.terminal.console import Console, plain_table

COLUMNS: dict[str, Callable[[SolvedCamera], str]] = {
    "x m": lambda camera: f"{position_m(camera)[0]:+.2f}",
    "y m": lambda camera: f"{position_m(camera)[1]:.2f}",
    "z m": lambda camera: f"{position_m(camera)[2]:+.2f}",
    "±cm": lambda camera: _sd(camera.translation_sd_m * 100, 0),
    "azimuth": lambda camera: _angle(_compass(azimuth_deg(camera))),
    "tilt": lambda camera: _angle(tilt_deg(camera), "+"),
    "roll": lambda camera: _angle(roll_deg(camera), "+"),
    "±": lambda camera: _sd(camera.rotation_sd_deg, 1, "°"),
    "focal px": lambda camera: f"{camera.focal_px:.0f}",
    "±px": lambda camera: _sd(camera.focal_sd_px, 0),
    "fov": lambda camera: _angle(horizontal_fov_deg(camera)),
}
CLOCK_COLUMNS: dict[str, Callable[[SolvedCamera], str]] = {  # where clocks differ
    "clock": lambda camera: f"{1e3 * camera.time_offset_s:+.0f}±{_sd(1e3 * camera.time_offset_sd_s, 0)}",
    "ppm": lambda camera: f"{1e6 * (camera.time_rate - 1):+.0f}" if camera.time_rate != 1 else "–",
}
# in ``opencv:a.yaml,pose2sim:b.toml``; other commas are part of a path, and a Windows drive has one letter
EXPORT_SEPARATOR = re.compile(r",\s*(?=[a-z0-9]{2,}:)")
_LEGEND = (
    "Origin: first position of the person on the floor; x to the right in camera 0, y up, z towards camera 0. Azimuth: "
    "clockwise from camera 0. Tilt: − is downwards. Roll: clockwise from behind. FOV: horizontal."
)

_CLOCK_LEGEND = " Clock: rig time minus camera time in that recording, ms; ppm: by which the camera's clock is slow."


def rig(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A rig.toml, or a poses file (.npz).")] = Path(
        "rig.toml"
    ),
    picture: Annotated[Path | None, typer.Option(metavar="F.png", help="Draw it from above and from the side.")] = None,
    export: Annotated[
        list[str] | None,
        typer.Option(metavar="FORMAT:PATH", help="Export to pose2sim, caliscope, opencv or freemocap; repeatable."),
    ] = None,
    force: Force = False,
) -> None:
    """Show the camera poses and focal lengths of a solved rig, their uncertainty, and weaknesses.

    \b
    pose-rig rig studio.toml                               as a table
    pose-rig rig poses.npz --picture rig.png               and as an image
    pose-rig rig --export pose2sim:Calib.toml --export opencv:rig.yaml

    `pose-rig run --rig rig.toml` writes the solved part of a rig.toml.
    """  # noqa: D301  (\b keeps the lines of the paragraph in the help)
    console = Console()
    check_input(file, RIG_INPUT)
    exports = [one for text in export or () for one in EXPORT_SEPARATOR.split(text)]
    if exports:
        from pose_rig.tools.rig_files.export import export_rig, parse_export  # imports OpenCV
    for path in (*([picture] if picture else []), *(parse_export(text)[1] for text in exports)):
        check_output(path, force=force, sources=(file,))
    cameras = load_rig(file)
    console.print(table(cameras))
    console.print(_LEGEND + _CLOCK_LEGEND * clocks_differ(cameras), style="dim")
    for warning in rig_warnings(cameras):
        console.print(warning, style="yellow")
    if picture:
        from pose_rig.tools.rig_files.drawing import draw_rig  # imports matplotlib

        draw_rig(cameras, picture, file.name)
        console.print(f"Written: {picture}.")
    for text in exports:
        console.print(f"Written: {export_rig(cameras, text)}.")


def table(cameras: Sequence[RigCamera]) -> Table:
    """Returns the cameras of a rig, one per row."""
    columns = COLUMNS | CLOCK_COLUMNS if clocks_differ(cameras) else COLUMNS
    out = plain_table(("camera",), tuple(columns))
    for camera in cameras:
        if camera.solved:
            out.add_row(Text(camera.name), *(column(camera.solved) for column in columns.values()))
        else:
            out.add_row(Text(camera.name), "–")
    return out


def _compass(degrees: float | None) -> float | None:
    """Returns whole degrees below 360."""
    return None if degrees is None else round(degrees) % 360


def _angle(degrees: float | None, sign: str = "") -> str:
    return "–" if degrees is None else f"{degrees:{sign}.0f}°"


def _sd(sd: float, decimals: int, unit: str = "") -> str:
    return f"{sd:.{decimals}f}{unit}" if sd > 0 else "–"
