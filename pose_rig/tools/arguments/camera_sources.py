"""The sources of cameras as the user writes them: kinds, lists, file name patterns and folders."""

import glob
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pose_rig.config import CameraConfig
from pose_rig.errors import UsageError
from pose_rig.names import natural_order
from pose_rig.tools.arguments.value_lists import split_paths

if TYPE_CHECKING:
    from pose_rig.capture.source_factory import Kind


def source_kind(source: str) -> "Kind":
    """Returns the kind of a source by its spelling; a file need not exist."""
    from pose_rig.capture import source_factory  # imports OpenCV

    return source_factory.source_kind(source)


def ends_by_itself(camera: CameraConfig) -> bool:
    """Returns whether a camera is a recording or simulated: it ends, and an error is final."""
    return source_kind(camera.source) in ("sim", "keypoints", "video")


def is_remote(camera: CameraConfig) -> bool:
    """Returns whether a camera is one of another machine, which sends its keypoints."""
    return source_kind(camera.source) == "remote"


def needs_detector(camera: CameraConfig) -> bool:
    """Returns whether a camera gives images here; the other sources contain keypoints."""
    return source_kind(camera.source) not in ("sim", "keypoints", "remote")


def sources(cams: Iterable[str]) -> list[str]:
    """Returns the single sources in the values of ``--cams``, in order.

    The name of an existing file may contain commas. A pattern such as ``*.mp4`` is replaced by the matching files, a
    folder by the videos in it, both in natural order: ``cam2`` before ``cam10``.

    Raises:
        UsageError: No file matches a pattern, or a folder has no video.
    """
    return [source for item in split_paths(cams) for source in _expanded(item)]


def _expanded(item: str) -> Iterator[str]:
    if not item or item.isdecimal() or item == "sim" or item.startswith(("remote:", "/dev/")) or "://" in item:
        yield item
    elif Path(item).is_dir():
        yield from _videos(Path(item))
    elif any(sign in item for sign in "*?[") and not Path(item).exists():
        yield from _matches(item)
    else:
        yield item


def _videos(folder: Path) -> list[str]:
    from pose_rig.capture.source_factory import VIDEO_SUFFIXES  # imports OpenCV

    files = [path for path in folder.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()]
    if files:
        return sorted((str(path) for path in files if not path.name.startswith(".")), key=natural_order)
    for kind in ("JSON", "CSV"):
        if any(folder.rglob(f"*.{kind.lower()}")):
            raise UsageError(
                f"{folder} is a folder of {kind}.", f"Did you mean `pose-rig import {shlex.quote(str(folder))}`?"
            )
    raise UsageError(f"There is no video in the folder {folder}.", "Give the folder with the videos, or the files.")


def _matches(pattern: str) -> list[str]:
    files = sorted(glob.glob(pattern), key=natural_order)
    if not files and not any(sign in pattern for sign in "*?"):
        return [pattern]  # a device may have brackets in its name
    if not files:
        raise UsageError(f"No file matches {pattern}.", "Check the pattern and the folder.")
    return files
