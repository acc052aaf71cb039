"""``pose-rig convert``: exports the poses of a session to other formats."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from pose_rig.errors import UsageError
from pose_rig.tools.arguments.inputs import CONVERT_INPUT, check_input
from pose_rig.tools.arguments.options import End, Force, Start
from pose_rig.tools.arguments.outputs import check_folder, check_output
from pose_rig.tools.arguments.value_lists import split_values
from pose_rig.tools.terminal.console import Console

MAX_RATE_HZ = 1000.0


def convert(
    source: Annotated[Path, typer.Argument(metavar="S.mcap", help="A session, or a poses file (.npz).")],
    to: Annotated[
        list[str], typer.Option(metavar="A,B", help="bvh, gltf, trc, c3d, csv, parquet, angles, mot, npz, json (2D).")
    ],
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Default: the folder of the source.")] = None,
    rate: Annotated[
        float | None, typer.Option(metavar="HZ", help="Frames per second; default: that of the source.")
    ] = None,
    start_s: Start = None,
    end_s: End = None,
    bvh_names: Annotated[Literal["vrm", "mixamo", "cmu"], typer.Option(help="Bone names for bvh and gltf.")] = "vrm",
    bvh_scale: Annotated[
        float, typer.Option(metavar="N", help="Units per metre in bvh: 100 = centimetres, 1 = metres.")
    ] = 100.0,
    markers: Annotated[Literal["opensim", "rig"], typer.Option(help="Marker names for trc and c3d.")] = "opensim",
    person: Annotated[
        int | None, typer.Option(metavar="N", help="Only this person: 1 = the first, 2 = the second; default: all.")
    ] = None,
    force: Force = False,
) -> None:
    """Export the poses of a session: animation, markers, joint angles, tables.

    \b
    pose-rig convert take.mcap --to bvh               Blender, Maya, MotionBuilder
    pose-rig convert take.mcap --to gltf              the web and game engines
    pose-rig convert take.mcap --to trc,c3d --out gait   OpenSim, biomechanics
    pose-rig convert take.mcap --to angles,mot        joint angles: CSV, OpenSim
    pose-rig convert take.mcap --to csv,parquet,npz   Python, R, spreadsheets
    pose-rig convert take.mcap --to json              2D for Pose2Sim
    pose-rig convert poses.npz --to bvh --bvh-names mixamo

    Of several people, bvh, angles and mot have a file for each: take.bvh, take.person2.bvh. The other formats have all
    of them in one file; --person 2 writes the second alone, to take.person2.*.

    An imported session has keypoints only; `pose-rig replay --record` computes the poses. Lengths are metres only if
    the body height was given.
    """  # noqa: D301  (\b keeps the lines of the paragraph in the help)
    console = Console()
    from pose_rig.session.convert import FORMATS, Format, targets  # imports MCAP
    from pose_rig.session.convert import convert as write
    from pose_rig.session.convert_source import ConvertOptions

    check_input(source, CONVERT_INPUT)
    formats = cast(list[Format], list(dict.fromkeys(name.lower() for name in split_values(to))))
    for name in formats:
        if name not in FORMATS:
            raise UsageError(f"Unknown format {name!r} in --to.", f"Choose from {', '.join(FORMATS)}.")
    if rate is not None and not 0 < rate <= MAX_RATE_HZ:
        raise UsageError(f"The rate must be between 0 and {MAX_RATE_HZ:g} Hz; got {rate:g}.", "Example: --rate 60.")
    if not bvh_scale > 0:
        raise UsageError(f"--bvh-scale must be positive; got {bvh_scale:g}.", "Use 100 for centimetres, 1 for metres.")
    if person is not None and not person >= 1:
        raise UsageError(f"--person must be 1 or more; got {person}.", "1 is the first person of the run.")
    folder = out or source.parent
    check_folder(folder)
    identity = None if person is None else person - 1
    options = ConvertOptions(rate, start_s, end_s, bvh_names, bvh_scale, markers, identity)
    check = partial(_check_target, source=source, force=force)
    for target in targets(source, formats, folder, identity):
        check(target)
    written = write(source, formats, folder, options, check)
    for line in (*(f"Written: {path}." for path in written.paths), *written.notes):
        console.print(line)


def _check_target(target: Path, source: Path, *, force: bool) -> None:
    """Checks an output file; its folder need not exist yet.

    Raises:
        UsageError: It exists, or is the source.
    """
    if target.is_dir():
        raise UsageError(f"{target} exists already.", "Move it away, or choose another folder with --out.")
    if target.parent.is_dir():
        check_output(target, force=force, sources=(source,))
