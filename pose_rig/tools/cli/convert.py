"""``pose-rig convert``: files that other programs read."""

from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from pose_rig.errors import UsageError
from pose_rig.tools.arguments.inputs import CONVERTED, check_input
from pose_rig.tools.arguments.options import End, Force, Start
from pose_rig.tools.arguments.outputs import check_folder, check_output
from pose_rig.tools.arguments.value_lists import split_values
from pose_rig.tools.terminal.console import Console

MOST_HZ = 1000.0


def convert(
    source: Annotated[Path, typer.Argument(metavar="S.mcap", help="A session, or a poses file (.npz).")],
    to: Annotated[
        list[str], typer.Option(metavar="A,B", help="bvh, gltf, trc, c3d, csv, parquet, angles, mot, npz, json (2D).")
    ],
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Where to; default: beside the source.")] = None,
    rate: Annotated[
        float | None, typer.Option(metavar="HZ", help="Instants per second; default: those of the source.")
    ] = None,
    start_s: Start = None,
    end_s: End = None,
    bvh_names: Annotated[
        Literal["vrm", "mixamo", "cmu"], typer.Option(help="Whose bone names, for bvh and gltf.")
    ] = "vrm",
    bvh_scale: Annotated[
        float, typer.Option(metavar="N", help="Units of a bvh per metre: 100 = centimetres, 1 = metres.")
    ] = 100.0,
    markers: Annotated[
        Literal["opensim", "rig"], typer.Option(help="Whose marker names, for trc and c3d.")
    ] = "opensim",
    force: Force = False,
) -> None:
    """Write the movement of a session as files that other programs read.

    \b
    pose-rig convert take.mcap --to bvh                      for Blender, Maya, MotionBuilder
    pose-rig convert take.mcap --to gltf                     for the web and game engines
    pose-rig convert take.mcap --to trc,c3d --out gait       for OpenSim and biomechanics
    pose-rig convert take.mcap --to angles,mot               joint angles as CSV, and for OpenSim
    pose-rig convert take.mcap --to csv,parquet,npz          for Python, R, spreadsheets
    pose-rig convert take.mcap --to json                     2D for Pose2Sim
    pose-rig convert poses.npz --to bvh --bvh-names mixamo   a poses file will do

    An imported session has keypoints only: `pose-rig replay --record` makes the poses. Lengths are true metres only
    if the height of the person was given.
    """  # noqa: D301  (\b tells the help to keep the lines as they are)
    console = Console()
    from pose_rig.session.convert import FORMATS, Format, targets  # imports MCAP
    from pose_rig.session.convert import convert as write
    from pose_rig.session.convert_source import ConvertOptions

    check_input(source, CONVERTED)
    formats = cast(list[Format], list(dict.fromkeys(name.lower() for name in split_values(to))))
    for name in formats:
        if name not in FORMATS:
            raise UsageError(f"{name!r} is no format.", f"Choose from {', '.join(FORMATS)}.")
    if rate is not None and not 0 < rate <= MOST_HZ:
        raise UsageError(f"{rate:g} instants per second are out of range.", f"Use up to {MOST_HZ:g}.")
    if not bvh_scale > 0:
        raise UsageError(f"{bvh_scale:g} units per metre are none.", "Use 100 for centimetres, 1 for metres.")
    folder = out or source.parent
    check_folder(folder)
    for target in targets(source, formats, folder):
        _check_target(target, source, force=force)
    written = write(source, formats, folder, ConvertOptions(rate, start_s, end_s, bvh_names, bvh_scale, markers))
    for line in (*(f"Written: {path}." for path in written.paths), *written.notes):
        console.print(line)


def _check_target(target: Path, source: Path, *, force: bool) -> None:
    """Checks a file that is to be written; its folder is made if it is not there.

    Raises:
        UsageError: It is there already, or is the source.
    """
    if target.is_dir():
        raise UsageError(f"{target} exists already.", "Move it away, or choose another folder with --out.")
    if target.parent.is_dir():
        check_output(target, force=force, sources=(source,))
