"""``pose-rig examples``: copies the example receivers for engines and other programs."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

import pose_rig
from pose_rig.errors import PoseRigError, UsageError
from pose_rig.tools.arguments.options import Force
from pose_rig.tools.terminal.console import Console

MAX_NAMED = 3  # existing files in the error


def examples(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Destination; created if it does not exist.")],
    force: Force = False,
) -> None:
    """Copy the example receivers (Unity, Godot, Blender, Python, a web page) into a folder.

    The first lines of each describe how to start it; README.md lists them.
    """
    console = Console()
    for path in copy_examples(Path(folder), force=force):
        console.print(str(path))
    console.print(f"Start with {Path(folder) / 'README.md'}")


def copy_examples(folder: Path, *, force: bool = False) -> list[Path]:
    """Copies the examples into a folder and returns their paths.

    Raises:
        UsageError: A file exists, and ``force`` is False; nothing is copied.
        PoseRigError: The folder cannot be written.
    """
    source = examples_folder()
    names = [path.relative_to(source) for path in sorted(source.rglob("*")) if path.is_file() and _is_example(path)]
    existing = [str(folder / name) for name in names if (folder / name).exists()]
    if existing and not force:
        more = f" and {len(existing) - MAX_NAMED} more" if len(existing) > MAX_NAMED else ""
        raise UsageError(
            f"Already there: {', '.join(existing[:MAX_NAMED])}{more}.",
            "Choose another folder, or replace them with --force.",
        )
    try:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, folder / name)
    except OSError as error:
        raise PoseRigError(
            f"{folder} cannot be written: {error.strerror}.", "Choose a folder that is writable."
        ) from error
    return [folder / name for name in names]


def examples_folder() -> Path:
    """Returns the folder of the examples: within an installed package, or next to the package in a checkout."""
    package = Path(pose_rig.__file__).parent
    inside = package / "examples"
    return inside if inside.is_dir() else package.parent / "examples"


def _is_example(path: Path) -> bool:
    """Returns whether a file belongs to the examples and is not a product of running one."""
    return "__pycache__" not in path.parts and not path.name.startswith(".")
