"""Frame rate, image sizes and focal lengths in a Pose2Sim project."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pose_rig.errors import SourceError, UsageError

PROJECT_FOLDERS = ("pose-sync", "pose")  # synchronised if possible
MAX_LEVELS = 4  # pose → trial → participant → session: a setting may be in any of them


@dataclass(frozen=True, slots=True)
class Views:
    """Image sizes and focal lengths.

    Attributes:
        size_px: (width, height) of each camera.
        focal_px: Of each camera; None if unknown.
    """

    size_px: tuple[tuple[int, int], ...]
    focal_px: tuple[float | None, ...]


def frame_rate(source: Path) -> float:
    """Returns ``frame_rate`` of the nearest Config.toml with a number.

    Raises:
        UsageError: There is none.
        SourceError: A Config.toml cannot be read.
    """
    for level in _upwards(source if source.is_dir() else source.parent):
        path = level / "Config.toml"
        if path.is_file():
            rate = _table(_toml(path).get("project")).get("frame_rate")
            if isinstance(rate, int | float) and rate > 0:
                return float(rate)
    raise UsageError(
        f"The frame rate of {source} is unknown: there is none in a Config.toml.", "Give it with --fps 60."
    )


def views(folder: Path, cameras: Sequence[str], sizes_px: Sequence[tuple[int, int]] = ()) -> Views:
    """Returns image sizes and focal lengths: the sizes given, or else those of the nearest calibration.

    As in Pose2Sim, the cameras of a calibration correspond to the folders of keypoints by order.

    Raises:
        UsageError: There is no calibration, or the number of cameras or sizes differs.
        SourceError: The calibration cannot be read.
    """
    if sizes_px:
        if len(sizes_px) not in (1, len(cameras)):
            raise UsageError(
                f"There are {len(cameras)} cameras and {len(sizes_px)} sizes.", "Give one for all, or one for each."
            )
        sizes = tuple(sizes_px) * (len(cameras) // len(sizes_px))
        return Views(sizes, (None,) * len(cameras))
    path = _calibration(folder)
    if path is None:
        raise UsageError(
            f"The size of the images of {folder} is unknown: there is no calibration file.",
            "Give it with --size 1920,1080.",
        )
    parts = [part for part in _toml(path).values() if isinstance(part, dict) and "size" in part]
    if len(parts) != len(cameras):
        raise UsageError(
            f"{path} has {len(parts)} cameras, {folder} has {len(cameras)}: {', '.join(cameras)}.",
            "Give the sizes of the images with --size instead.",
        )
    try:
        sizes = tuple((round(part["size"][0]), round(part["size"][1])) for part in parts)
        focal = tuple((part["matrix"][0][0] + part["matrix"][1][1]) / 2 for part in parts)
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise SourceError(
            f"{path} is not a calibration of Pose2Sim: {error!r}.", "Give the sizes with --size instead."
        ) from error
    return Views(sizes, focal)


def _upwards(folder: Path) -> list[Path]:
    folder = folder.resolve()
    return [folder, *folder.parents][: MAX_LEVELS + 1]


def _calibration(folder: Path) -> Path | None:
    for level in _upwards(folder):
        if found := sorted((*level.glob("[cC]alib*/*.toml"), *level.glob("[cC]alib*.toml"))):
            return found[0]
    return None


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise SourceError(
            f"{path} cannot be read: {error}.", "Repair it, or move it away and use --fps and --size."
        ) from error
