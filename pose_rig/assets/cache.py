"""A cache in which every asset is a folder with a ``SHA256SUMS`` beside its files.

It is put in place by one rename. A folder that does not match its sums is fetched again. Of several processes one
fetches, the others wait. The cache is the user's cache folder, or the one that the environment variable
``POSE_RIG_CACHE`` names.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from pose_rig.errors import AssetError

SUMS = "SHA256SUMS"
Progress = Callable[[str], None]


def cache_folder() -> Path:
    """Returns the folder of the cache: ``POSE_RIG_CACHE``, else pose-rig in the user's cache folder."""
    if chosen := os.environ.get("POSE_RIG_CACHE"):
        return Path(chosen)
    # Neither author nor ``Cache`` in between on Windows: there it has been since the first version.
    return platformdirs.user_cache_path("pose-rig", appauthor=False, opinion=False)


def asset_folder(name: str, fetch: Callable[[Path], dict[str, bytes]], progress: Progress) -> Path:
    """Returns the folder of an asset, fetched if it is missing or damaged.

    Args:
        name: Of the folder.
        fetch: Returns the bytes of its files by their names; may lay large ones into the folder that it is given.
        progress: Is told what takes long.

    Raises:
        AssetError: The cache cannot be written.
    """
    folder = cache_folder() / name
    if _is_whole(folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder.with_name(f".{name}.lock"), progress):
            if not _is_whole(folder):  # another process may have fetched it meanwhile
                files = fetch(folder.parent)
                with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}-") as scratch:
                    _put(folder, files, Path(scratch))
    except OSError as error:
        raise AssetError(
            f"The cache {folder.parent} cannot be written: {error.strerror}.",
            "Name another folder with the environment variable POSE_RIG_CACHE.",
        ) from error
    return folder


@contextmanager
def _alone(path: Path, progress: Progress) -> Iterator[None]:
    """Lets one process at a time into the block; the system gives way when that process dies."""
    import filelock  # slow to load, and most runs find all they need in the cache

    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        progress("Another process is fetching it: waiting")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _put(folder: Path, files: dict[str, bytes], scratch: Path) -> None:
    """Puts an asset in place of what may be there."""
    fresh = scratch / "fresh"
    fresh.mkdir()
    for name, data in files.items():
        (fresh / name).write_bytes(data)
    sums = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
    (fresh / SUMS).write_text("".join(sums), "utf-8")
    if folder.exists():
        folder.rename(scratch / "damaged")
    fresh.rename(folder)


def _is_whole(folder: Path) -> bool:
    """Whether every file that the sums name is there and matches."""
    try:
        lines = (folder / SUMS).read_text("utf-8").splitlines()
        pairs = [line.split("  ", 1) for line in lines]
        return bool(pairs) and all(
            hashlib.sha256((folder / name).read_bytes()).hexdigest() == expected for expected, name in pairs
        )
    except (OSError, ValueError):
        return False
