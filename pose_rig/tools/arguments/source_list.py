"""From what the user typed after ``--cams`` to sources one by one: commas, patterns and folders."""

import glob
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from pose_rig.errors import UsageError
from pose_rig.names import natural_order
from pose_rig.tools.arguments.lists import listed_paths


def sources(cams: Iterable[str]) -> list[str]:
    """Returns the sources that are meant, in their order.

    A file whose name has commas is one source. A pattern such as ``*.mp4`` stands for the files that it fits, a folder
    for the videos in it, both in the order in which people count: ``cam2`` before ``cam10``.

    Raises:
        UsageError: A pattern fits no file, or a folder has no video.
    """
    return [source for item in listed_paths(cams) for source in _sources(item)]


def _sources(item: str) -> Iterator[str]:
    if not item or item.isdecimal() or item == "sim" or "://" in item or item.startswith("/dev/"):
        yield item
    elif Path(item).is_dir():
        yield from _videos(Path(item))
    elif any(sign in item for sign in "*?[") and not Path(item).exists():
        yield from _matches(item)
    else:
        yield item


def _videos(folder: Path) -> list[str]:
    from pose_rig.capture.source_factory import VIDEO_SUFFIXES  # brings OpenCV

    files = [path for path in folder.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()]
    if files:
        return sorted((str(path) for path in files if not path.name.startswith(".")), key=natural_order)
    for kind in ("JSON", "CSV"):
        if any(folder.rglob(f"*.{kind.lower()}")):
            raise UsageError(
                f"{folder} is a folder of {kind}.", f"Did you mean `pose-rig import {shlex.quote(str(folder))}`?"
            )
    raise UsageError(f"There is no video in the folder {folder}.", "Give the folder that has the videos, or the files.")


def _matches(pattern: str) -> list[str]:
    files = sorted(glob.glob(pattern), key=natural_order)
    if not files and not any(sign in pattern for sign in "*?"):
        return [pattern]  # a device may have brackets in its name
    if not files:
        raise UsageError(f"No file is called like {pattern}.", "Check the pattern and the folder.")
    return files
