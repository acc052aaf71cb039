"""2D keypoints of other programs, and the rig that they stand for."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from pose_rig.config import MAX_CAMERAS, CameraConfig, Config
from pose_rig.errors import UsageError
from pose_rig.tools.arguments.camera_list import named_cameras
from pose_rig.tools.rig_files.validation import check_config

if TYPE_CHECKING:
    from pose_rig.capture.keypoints import Keypoints


def imported(
    source: Path, fps: float | None, size: str | None, landmarks: str | None, height_m: float | None
) -> "tuple[Keypoints, Config]":
    """Returns the 2D keypoints in a file or folder of any known format, and their rig.

    Args:
        source: The file or folder.
        fps: Frames per second; None = as the source says.
        size: ``width,height`` of the images; None = as the source says.
        landmarks: Landmark set; None = by their number.
        height_m: Body height of the person.

    Raises:
        UsageError: An option is wrong or missing.
        ContentError: The format is unknown, or a file is damaged.
    """
    from pose_rig.session.keypoints.keypoint_frames import ImportOptions
    from pose_rig.session.keypoints.keypoint_reader import read_keypoints

    keypoints = read_keypoints(source, ImportOptions(fps, _sizes_px(size), landmarks))
    config = _config(source, keypoints, height_m)
    check_config(structs.replace(config, camera=()))  # a folder of keypoints is not opened as a camera
    return keypoints, config


def _config(source: Path, keypoints: "Keypoints", height_m: float | None) -> Config:
    """Returns the rig of imported keypoints."""
    views = len(keypoints.cameras)
    if views > MAX_CAMERAS:
        raise UsageError(f"A rig has 1 to {MAX_CAMERAS} cameras; got {views}.", "Import fewer cameras.")
    members = source.suffix.lower() == ".npz"  # each camera of it can be opened
    cameras = named_cameras(
        CameraConfig(
            source=str(source),
            name=name or f"{source.stem}{view}",
            member=view if members else 0,
            members=views if members else 1,
            focal_px=focal_px,
        )
        for view, (name, focal_px) in enumerate(zip(keypoints.cameras, keypoints.focal_px, strict=True))
    )
    return Config(camera=cameras, height_m=height_m, pace="all")


def _sizes_px(text: str | None) -> tuple[tuple[int, int], ...]:
    """Returns the image size of all cameras; nothing if none is given."""
    if text is None:
        return ()
    match = re.fullmatch(r"(\d+)[,x×](\d+)", text.strip())
    if not match:
        raise UsageError(f"--size must be width,height; got {text!r}.", "Example: --size 1920,1080.")
    return ((int(match[1]), int(match[2])),)
