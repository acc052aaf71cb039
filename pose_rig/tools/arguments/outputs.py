"""What may be written: nothing that is there already is replaced unless the user says so."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from pose_rig.config import Config
from pose_rig.errors import UsageError


def check_output(path: Path, *, force: bool, sources: Iterable[Path] = ()) -> None:
    """Checks, before any work is done, that a file can be written and that nothing is lost by it.

    Args:
        path: The file.
        force: Whether one that exists may be replaced.
        sources: What the file is made of, which it never replaces.

    Raises:
        UsageError: It exists, is one of its own sources or a folder, or its folder does not exist or is not writable.
    """
    folder = path.absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(f"Cannot write {path}.", f"Make sure that the folder {folder} exists and is writable.")
    if os.path.realpath(path) in map(os.path.realpath, sources):
        raise UsageError(f"{path} would be written over itself.", "Choose another name.")
    if path.is_dir():
        raise UsageError(f"{path} is a folder.", "Give the name of a file.")
    if path.is_file() and not force:  # a device may be written to
        raise UsageError(f"{path} exists already.", "Choose another name, or add --force to replace it.")


def check_folder(folder: Path) -> None:
    """Checks that files can be written into a folder, which is made if it is not there.

    Raises:
        UsageError: Something else is in its place, or nothing may be written there.
    """
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise UsageError(f"Cannot make the folder {folder}: {there} is a file.", "Choose another folder with --out.")
    if not os.access(there, os.W_OK):
        raise UsageError(f"Cannot write into {folder}.", "Choose another folder with --out.")


def check_outputs(config: Config, *, force: bool, sources: Sequence[Path] = (), own: str = "") -> None:
    """Checks the same of all that a run or a replay writes.

    Args:
        config: Says what; a rig.toml is there to be written again, and is no part of this.
        force: As in `check_output`.
        sources: As there.
        own: A file that may always be replaced; empty = none.

    Raises:
        UsageError: As there, or a recording of that name was not finished.
    """
    if config.save:
        check_output(Path(config.save), force=force or config.save == own, sources=sources)
    if config.record:
        check_session(Path(config.record), force=force, sources=sources)


def check_session(path: Path, *, force: bool, sources: Iterable[Path] = ()) -> None:
    """Checks the same of a session, and that no recording of that name was left unfinished.

    Raises:
        UsageError: As in `check_output`, or one was.
    """
    from pose_rig.session.mcap.mcap_writer import refuse_unfinished  # brings protobuf

    check_output(path, force=force, sources=sources)
    refuse_unfinished(path)


def make_room(config: Config, *, force: bool) -> None:
    """Removes the session in whose place another is recorded, if the user wants that; call it when all is ready."""
    if force and config.record:
        Path(config.record).unlink(missing_ok=True)
