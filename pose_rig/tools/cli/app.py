"""The ``pose-rig`` command line."""

import io
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated

import typer

from pose_rig.tools.cli.cams import cams
from pose_rig.tools.cli.command import Command, as_command
from pose_rig.tools.cli.convert import convert
from pose_rig.tools.cli.demo import demo
from pose_rig.tools.cli.doctor import doctor
from pose_rig.tools.cli.examples import examples
from pose_rig.tools.cli.export import export
from pose_rig.tools.cli.import_session import import_session
from pose_rig.tools.cli.listen import listen
from pose_rig.tools.cli.monitor import monitor
from pose_rig.tools.cli.plot import plot
from pose_rig.tools.cli.recordings.batch import batch
from pose_rig.tools.cli.recordings.process import process
from pose_rig.tools.cli.recover import recover
from pose_rig.tools.cli.remote.camera import camera
from pose_rig.tools.cli.remote.keys import keys
from pose_rig.tools.cli.replay import replay
from pose_rig.tools.cli.rig import rig
from pose_rig.tools.cli.run import record, run
from pose_rig.tools.cli.training.evaluate import evaluate
from pose_rig.tools.cli.training.train import train
from pose_rig.tools.cli.view import view

# panel of the help → its commands, by name
PANELS: dict[str, dict[str, Callable[..., None]]] = {
    "Capture": {"run": run, "demo": demo, "record": record, "rig": rig},
    "Recordings": {"process": process, "batch": batch},
    "Sessions": {
        "replay": replay, "import": import_session, "convert": convert, "view": view, "plot": plot, "recover": recover,
    },
    "Engines": {"monitor": monitor, "listen": listen, "examples": examples},
    "Other machines": {"camera": camera, "keys": keys},
    "Training": {"train": train, "eval": evaluate, "export": export},
    "Help": {"doctor": doctor, "cams": cams},
}  # fmt: skip

app = typer.Typer(
    name="pose-rig",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for panel, commands in PANELS.items():
    for name, function in commands.items():
        app.command(name, cls=Command, rich_help_panel=panel)(as_command(function))


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pose-rig {version('pose-rig')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Markerless motion capture with ordinary cameras, without calibration. Start with `pose-rig demo`."""


def main() -> None:
    """Runs the command line; characters that stdout cannot encode (a pipe on Windows) are printed as ?."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    app(prog_name="pose-rig")


if __name__ == "__main__":
    main()
