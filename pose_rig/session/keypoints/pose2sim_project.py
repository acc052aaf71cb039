"""What a Pose2Sim project says about its cameras: frame rate, image sizes, focal lengths."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pose_rig.errors import SourceError, UsageError

PROJECT_FOLDERS = ("pose-sync", "pose")  # the synchronised one is better
LEVELS = 4  # pose → trial → participant → session: Pose2Sim looks upwards for what a trial does not say


@dataclass(frozen=True, slots=True)
class Views:
    """The cameras' images.

    Attributes:
        size_px: (width, height) of each.
        focal_px: Of each; None where not known.
    """

    size_px: tuple[tuple[int, int], ...]
    focal_px: tuple[float | None, ...]


def frame_rate(source: Path) -> float:
    """Returns ``frame_rate`` of the nearest Config.toml that says a number.

    Raises:
        UsageError: None does.
        SourceError: A Config.toml cannot be read.
    """
    for level in _upwards(source if source.is_dir() else source.parent):
        path = level / "Config.toml"
        if path.is_file():
            rate = _table(_toml(path).get("project")).get("frame_rate")
            if isinstance(rate, int | float) and rate > 0:
                return float(rate)
    raise UsageError(
        f"The frame rate of {source} is not known: no Config.toml says a number.", "Give it with --fps, such as 60."
    )


def views(folder: Path, cameras: Sequence[str], sizes_px: Sequence[tuple[int, int]] = ()) -> Views:
    """Returns the images of the cameras: sizes as given, else as in the nearest calibration.

    Pose2Sim pairs the cameras of a calibration with its folders of keypoints by their order, and so does this.

    Raises:
        UsageError: There is no calibration, it has another number of cameras, or so have the sizes given.
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
            f"The size of the images of {folder} is not known: there is no calibration beside it.",
            "Give it with --size, such as --size 1920,1080.",
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
    return [folder, *folder.parents][: LEVELS + 1]


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
            f"{path} cannot be read: {error}.", "Repair it, or move it away and say --fps and --size."
        ) from error
