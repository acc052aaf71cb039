"""``pose-rig examples``: the receivers for engines and own programs, laid where the user wants them."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

import pose_rig
from pose_rig.errors import PoseRigError, UsageError
from pose_rig.tools.arguments.options import Force
from pose_rig.tools.terminal.console import Console

SHOWN = 3  # of the files that are there already


def examples(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Where to; made if it is not there.")],
    force: Force = False,
) -> None:
    """Copy the example receivers (Unity, Godot, Blender, Python, a web page) into a folder.

    Each says at its top how it is started; README.md there lists them.
    """
    say = Console().print
    for path in copy_examples(Path(folder), force=force):
        say(str(path))
    say(f"Begin with {Path(folder) / 'README.md'}")


def copy_examples(folder: Path, *, force: bool = False) -> list[Path]:
    """Copies the examples into a folder and returns where they are.

    Raises:
        UsageError: A file is there already, and ``force`` is not given; then nothing is copied.
        PoseRigError: The folder cannot be written.
    """
    source = shipped()
    names = [path.relative_to(source) for path in sorted(source.rglob("*")) if path.is_file() and _is_ours(path)]
    there = [str(folder / name) for name in names if (folder / name).exists()]
    if there and not force:
        more = f" and {len(there) - SHOWN} more" if len(there) > SHOWN else ""
        raise UsageError(
            f"There is already {', '.join(there[:SHOWN])}{more}.", "Name another folder, or replace them with --force."
        )
    try:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, folder / name)
    except OSError as error:
        raise PoseRigError(
            f"{folder} cannot be written: {error.strerror}.", "Name a folder that you may write to."
        ) from error
    return [folder / name for name in names]


def shipped() -> Path:
    """Returns the folder of the examples: in an installed package beside its modules, in a checkout beside it."""
    package = Path(pose_rig.__file__).parent
    inside = package / "examples"
    return inside if inside.is_dir() else package.parent / "examples"


def _is_ours(path: Path) -> bool:
    """Whether a file is an example, and not what running one has left behind."""
    return "__pycache__" not in path.parts and not path.name.startswith(".")
