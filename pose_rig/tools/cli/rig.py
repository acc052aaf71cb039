"""``pose-rig rig``: where the cameras of a solved rig stand, how well that is known, and files of it for others."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from pose_rig.config import SolvedCamera
from pose_rig.tools.arguments.inputs import SHOWN, check_input
from pose_rig.tools.arguments.options import Force
from pose_rig.tools.arguments.outputs import check_output
from pose_rig.tools.rig_files.reader import load_rig
from pose_rig.tools.rig_files.rig_camera import (
    RigCamera,
    azimuth_deg,
    horizontal_fov_deg,
    position_m,
    rig_warnings,
    roll_deg,
    tilt_deg,
)
from pose_rig.tools.terminal.console import Console

COLUMNS: dict[str, Callable[[SolvedCamera], str]] = {
    "x m": lambda camera: f"{position_m(camera)[0]:+.2f}",
    "y m": lambda camera: f"{position_m(camera)[1]:.2f}",
    "z m": lambda camera: f"{position_m(camera)[2]:+.2f}",
    "±cm": lambda camera: _known(camera.translation_sd_m * 100, 0),
    "looks": lambda camera: _angle(_compass(azimuth_deg(camera))),
    "tilt": lambda camera: _angle(tilt_deg(camera), "+"),
    "roll": lambda camera: _angle(roll_deg(camera), "+"),
    "±": lambda camera: _known(camera.rotation_sd_deg, 1, "°"),
    "focal px": lambda camera: f"{camera.focal_px:.0f}",
    "±px": lambda camera: _known(camera.focal_sd_px, 0),
    "view": lambda camera: _angle(horizontal_fov_deg(camera)),
}
_LEGEND = (
    "From where the person first stood: x right of camera 0's view, y up from the floor, z towards camera 0. Looks: "
    "clockwise from the way camera 0 looks. Tilt: − is below level. Roll: clockwise from behind. View: horizontal."
)


def rig(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A rig.toml, or a poses file (.npz).")] = Path(
        "rig.toml"
    ),
    picture: Annotated[
        Path | None, typer.Option(metavar="F.png", help="Draw it: from above and from the side.")
    ] = None,
    export: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FORMAT:PATH", help="Write it for pose2sim, caliscope, opencv or freemocap; again for more."
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Show where the cameras of a solved rig stand, how well that is known, and what is weak.

    \b
    pose-rig rig studio.toml                               as a table
    pose-rig rig poses.npz --picture rig.png               and as a picture
    pose-rig rig --export pose2sim:Calib.toml --export opencv:rig.yaml

    A rig.toml gets its solved part from `pose-rig run --rig rig.toml`.
    """  # noqa: D301  (\b tells the help to keep the lines as they are)
    console = Console()
    check_input(file, SHOWN)
    exports = tuple(wish for text in export or () for wish in _wishes(text))
    for path in (picture, *_targets(exports)):
        if path:
            check_output(path, force=force, sources=(file,))
    places = load_rig(file)
    console.print(table(places))
    console.print(_LEGEND, style="dim")
    for warning in rig_warnings(places):
        console.print(warning, style="yellow", soft_wrap=True)
    for path in _written(places, file, picture, exports):
        console.print(f"Written: {path}.", soft_wrap=True)


def table(places: Sequence[RigCamera]) -> Table:
    """Returns the cameras of a rig, one a row."""
    out = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    out.add_column("camera", no_wrap=True)
    for header in COLUMNS:
        out.add_column(header, justify="right", no_wrap=True)
    for place in places:
        if place.solved:
            out.add_row(Text(place.name), *(column(place.solved) for column in COLUMNS.values()))
        else:
            out.add_row(Text(place.name), "–")
    return out


def _wishes(text: str) -> list[str]:
    """Returns the items of ``opencv:a.yaml,pose2sim:b.toml``; a comma that no format follows is part of a name."""
    return re.split(r",\s*(?=[a-z0-9]{2,}:)", text)  # a drive of Windows has one letter


def _targets(exports: Sequence[str]) -> list[Path]:
    if not exports:
        return []
    from pose_rig.tools.rig_files.export import parse_export  # brings OpenCV

    return [parse_export(wish)[1] for wish in exports]


def _written(places: Sequence[RigCamera], file: Path, picture: Path | None, export: Sequence[str]) -> list[Path]:
    """Writes what was asked for, and returns where it is."""
    written = []
    if picture:
        from pose_rig.tools.rig_files.drawing import draw_rig  # brings matplotlib

        draw_rig(places, picture, file.name)
        written.append(picture)
    if export:
        from pose_rig.tools.rig_files.export import export as write  # brings OpenCV

        written += [write(places, wish) for wish in export]
    return written


def _compass(degrees: float | None) -> float | None:
    """Returns whole degrees below 360."""
    return None if degrees is None else round(degrees) % 360


def _angle(degrees: float | None, sign: str = "") -> str:
    return "–" if degrees is None else f"{degrees:{sign}.0f}°"


def _known(sd: float, decimals: int, unit: str = "") -> str:
    return f"{sd:.{decimals}f}{unit}" if sd > 0 else "–"
