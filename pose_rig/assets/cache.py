"""A cache in which every asset is a folder with a file ``SHA256SUMS``.

A folder is put in place by one rename, and replaced if it does not match its checksums. If several processes need the
same asset, one downloads it and the others wait. The cache is in the user's cache folder, or in the folder of the
environment variable ``POSE_RIG_CACHE``.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from pose_rig.errors import AssetError

CHECKSUMS = "SHA256SUMS"
ShowLine = Callable[[str], None]


def cache_folder() -> Path:
    """Returns the cache folder: ``POSE_RIG_CACHE``, else pose-rig in the user's cache folder."""
    if configured := os.environ.get("POSE_RIG_CACHE"):
        return Path(configured)
    # Without author and ``Cache`` in the path on Windows, as in the first version.
    return platformdirs.user_cache_path("pose-rig", appauthor=False, opinion=False)


def asset_folder(name: str, fetch: Callable[[Path], dict[str, bytes]], show: ShowLine) -> Path:
    """Returns the folder of an asset, downloaded if it is missing or damaged.

    Args:
        name: Name of the folder.
        fetch: Returns the content of the files by their names; may write large ones to the given folder meanwhile.
        show: Shows a line of progress.

    Raises:
        AssetError: The cache cannot be written.
    """
    folder = cache_folder() / name
    if _is_intact(folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_name(f".{name}.lock"), show):
            if not _is_intact(folder):  # another process may have downloaded it meanwhile
                files = fetch(folder.parent)
                with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}-") as scratch:
                    _replace(folder, files, Path(scratch))
    except OSError as error:
        raise AssetError(
            f"The cache {folder.parent} cannot be written: {error.strerror}.",
            "Set another folder with the environment variable POSE_RIG_CACHE.",
        ) from error
    return folder


@contextmanager
def _locked(path: Path, show: ShowLine) -> Iterator[None]:
    """Lets one process at a time into the block; the operating system releases the lock of a dead process."""
    import filelock  # slow to import, and only needed for a download

    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        show("Another process is downloading it: waiting")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _replace(folder: Path, files: dict[str, bytes], scratch: Path) -> None:
    """Puts an asset in place of a damaged one, if any."""
    complete = scratch / "complete"
    complete.mkdir()
    for name, data in files.items():
        (complete / name).write_bytes(data)
    lines = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
    (complete / CHECKSUMS).write_text("".join(lines), "utf-8")
    if folder.exists():
        folder.rename(scratch / "damaged")
    complete.rename(folder)


def _is_intact(folder: Path) -> bool:
    """Returns whether every file in the list of checksums exists and matches."""
    try:
        lines = (folder / CHECKSUMS).read_text("utf-8").splitlines()
        pairs = [line.split("  ", 1) for line in lines]
        return bool(pairs) and all(
            hashlib.sha256((folder / name).read_bytes()).hexdigest() == expected for expected, name in pairs
        )
    except (OSError, ValueError):
        return False
