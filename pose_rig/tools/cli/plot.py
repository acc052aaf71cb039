"""``pose-rig plot``: an HTML or PNG report on a session or a poses file."""

from pathlib import Path
from typing import Annotated

import typer

from pose_rig.tools.arguments.inputs import PLOT_INPUT, check_input
from pose_rig.tools.arguments.options import Force
from pose_rig.tools.arguments.outputs import check_output
from pose_rig.tools.arguments.value_lists import split_values
from pose_rig.tools.terminal.console import Console


def plot(
    file: Annotated[Path, typer.Argument(metavar="S.mcap", help="A session, or a poses file (.npz).")],
    out: Annotated[
        Path | None, typer.Option(metavar="F.html|F.png", help="Default: HTML in the folder of the session.")
    ] = None,
    joints: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B", help="Joints whose trajectories are drawn; default: head, pelvis, wrists, ankles."),
    ] = None,
    force: Force = False,
) -> None:
    """Write a report on a session: trajectories, joint angles, bone lengths, drops, latency, agreement.

    \b
    pose-rig plot S.mcap                          one HTML file with all plots
    pose-rig plot S.mcap --out report.png         one tall image
    pose-rig plot poses.npz --joints head,l_wrist
    """  # noqa: D301  (\b keeps the lines of the paragraph in the help)
    check_input(file, PLOT_INPUT)
    path = out or file.with_suffix(".html")
    check_output(path, force=force, sources=(file,))
    with Console(stderr=True).reading(file):
        warnings = _write(file, path, tuple(name for name in split_values(joints or ()) if name))
    for warning in warnings:
        Console().print(warning, style="yellow")
    Console().print(f"Written: {path}.")


def _write(file: Path, path: Path, joints: tuple[str, ...]) -> list[str]:
    """Writes a report, and returns the warnings on the session."""
    from pose_rig.session.reader import Session
    from pose_rig.tools.report.data import poses_file_data, session_data
    from pose_rig.tools.report.page import DEFAULT_JOINTS, check_suffix, write_report  # imports matplotlib

    check_suffix(path)
    warnings: list[str] = []
    if file.suffix.lower() == ".npz":
        data = poses_file_data(file)
    else:
        with Session(file) as session:
            data, warnings = session_data(session), session.warnings
    write_report(data, path, joints or DEFAULT_JOINTS)
    return warnings
