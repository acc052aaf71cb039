"""The ``pose-rig`` command line."""

import io
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from pose_rig.tools.arguments.command import Command, flat
from pose_rig.tools.cli.cams import cams
from pose_rig.tools.cli.convert import convert
from pose_rig.tools.cli.demo import demo
from pose_rig.tools.cli.doctor import doctor
from pose_rig.tools.cli.examples import examples
from pose_rig.tools.cli.export import export
from pose_rig.tools.cli.import_session import import_session
from pose_rig.tools.cli.listen import listen
from pose_rig.tools.cli.monitor import monitor
from pose_rig.tools.cli.plot import plot
from pose_rig.tools.cli.record import record
from pose_rig.tools.cli.recover import recover
from pose_rig.tools.cli.replay import replay
from pose_rig.tools.cli.rig import rig
from pose_rig.tools.cli.run import run
from pose_rig.tools.cli.training.evaluate import evaluate
from pose_rig.tools.cli.training.train import train
from pose_rig.tools.cli.view import view

app = typer.Typer(
    name="pose-rig",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    run, demo, monitor, listen, record, replay, convert, view, plot, recover, train, export, rig, cams, doctor,
    examples,
):  # fmt: skip
    app.command(cls=Command)(flat(command))
app.command("import", cls=Command)(flat(import_session))
app.command("eval", cls=Command)(flat(evaluate))


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pose-rig {version('pose-rig')}")
        raise typer.Exit


@app.callback()
def options(
    told: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """Motion capture from a handful of ordinary cameras, without a calibration. Start with `pose-rig demo`."""


def main() -> None:
    """Runs the command line; where stdout lacks a character of ours (a pipe on Windows), it shows ? instead."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    app(prog_name="pose-rig")


if __name__ == "__main__":
    main()
