"""Checks of output files before a command starts: existing files are replaced only with ``--force``."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from pose_rig.config import Config
from pose_rig.errors import UsageError


def check_output(path: Path, *, force: bool, sources: Iterable[Path] = ()) -> None:
    """Checks that a file can be written without losing another.

    Args:
        path: The file.
        force: Whether an existing file may be replaced.
        sources: Input files, which are never replaced.

    Raises:
        UsageError: It exists, is an input file or a folder, or its folder does not exist or is not writable.
    """
    folder = path.absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(f"Cannot write {path}.", f"Make sure that the folder {folder} exists and is writable.")
    if os.path.realpath(path) in map(os.path.realpath, sources):
        raise UsageError(f"{path} is both input and output.", "Choose another name for the output.")
    if path.is_dir():
        raise UsageError(f"{path} is a folder.", "Give the name of a file.")
    if path.is_file() and not force:  # a device may be overwritten
        raise UsageError(f"{path} exists already.", "Choose another name, or add --force to replace it.")


def check_folder(folder: Path) -> None:
    """Checks that files can be written into a folder, which may not exist yet.

    Raises:
        UsageError: A file has its name, or it is not writable.
    """
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise UsageError(f"Cannot make the folder {folder}: {existing} is a file.", "Choose another folder with --out.")
    if not os.access(existing, os.W_OK):
        raise UsageError(f"Cannot write into {folder}.", "Choose another folder with --out.")


def check_outputs(config: Config, *, force: bool, sources: Sequence[Path] = (), own: str = "") -> None:
    """Checks the poses file and the session of a run or replay; a rig.toml may always be replaced.

    Args:
        config: Names the files.
        force: As in `check_output`.
        sources: As in `check_output`.
        own: A file that may always be replaced; empty = none.

    Raises:
        UsageError: As in `check_output`, or there is an unfinished recording of that name.
    """
    if config.save:
        check_output(Path(config.save), force=force or config.save == own, sources=sources)
    if config.record:
        check_session(Path(config.record), force=force, sources=sources)


def check_session(path: Path, *, force: bool, sources: Iterable[Path] = ()) -> None:
    """Checks that a session can be written, and that there is no unfinished recording of that name.

    Raises:
        UsageError: As in `check_output`, or there is one.
    """
    from pose_rig.session.mcap.mcap_writer import refuse_unfinished  # imports protobuf

    check_output(path, force=force, sources=sources)
    refuse_unfinished(path)


def remove_replaced(config: Config, *, force: bool) -> None:
    """Removes the session that a new one replaces, if ``force``; call it when everything else is ready."""
    if force and config.record:
        Path(config.record).unlink(missing_ok=True)
