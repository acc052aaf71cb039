"""``pose-rig import``: makes a session of 2D keypoints of other programs."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import structs

from pose_rig.config import MAX_CAMERAS, CameraConfig, Config
from pose_rig.errors import UsageError
from pose_rig.tools.arguments.camera_list import named_cameras
from pose_rig.tools.arguments.inputs import IMPORT_INPUT, check_input
from pose_rig.tools.arguments.options import Force
from pose_rig.tools.arguments.outputs import check_session
from pose_rig.tools.rig_files.validation import check_config, check_record
from pose_rig.tools.terminal.console import Console

if TYPE_CHECKING:
    from pose_rig.capture.keypoints import Keypoints


def import_session(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="F",
            help="A keypoint file (.npz), OpenPose's or Pose2Sim's folder of JSON, a file (or a folder of one for each "
            "camera) by AlphaPose or MMPose (.json) or DeepLabCut (.csv), or FreeMoCap's 2D .npy.",
        ),
    ],
    out: Annotated[Path | None, typer.Option(metavar="S.mcap", help="Default: the name of the source.")] = None,
    fps: Annotated[
        float | None, typer.Option(metavar="HZ", help="All but .npz: frames per second, unless in Config.toml.")
    ] = None,
    size: Annotated[
        str | None, typer.Option(metavar="W,H", help="All but .npz: image size, unless in a calibration.")
    ] = None,
    landmarks: Annotated[
        str | None,
        typer.Option(metavar="SET", help="All but .npz: coco17, halpe26, wholebody133 …; default: by their number."),
    ] = None,
    height: Annotated[float | None, typer.Option(metavar="M", help="Body height of the person.")] = None,
    force: Force = False,
) -> None:
    """Make a session of the 2D keypoints of another program.

    \b
    pose-rig import keypoints.npz --out take.mcap
    pose-rig import Pose2SimProject                         its pose/ or pose-sync/, Config.toml and Calib*.toml
    pose-rig import json/ --fps 60 --size 1920,1080
    pose-rig import alphapose/ --fps 60 --size 1920,1080    one .json per camera; likewise DeepLabCut's .csv
    pose-rig replay take.mcap --record poses.mcap           compute its poses afterwards

    docs/cameras.md describes keypoint files.
    """  # noqa: D301  (\b keeps the lines of the paragraph in the help)
    console = Console()
    check_input(source, IMPORT_INPUT)
    resolved = source.resolve()
    path = out or Path(f"{resolved.name if resolved.is_dir() else resolved.stem}.mcap")
    check_record(path)
    check_session(path, force=force, sources=(source,))
    from pose_rig.session.importer import import_keypoints  # imports MCAP
    from pose_rig.session.keypoints.keypoint_frames import ImportOptions
    from pose_rig.session.keypoints.keypoint_reader import read_keypoints

    keypoints = read_keypoints(source, ImportOptions(fps, _sizes_px(size), landmarks))
    config = _config(source, keypoints, height)
    check_config(structs.replace(config, camera=()))  # a folder of keypoints is not opened as a camera
    if force:
        path.unlink(missing_ok=True)
    frames = import_keypoints(keypoints, config, path)
    names = ", ".join(camera.name for camera in config.camera)
    console.print(f"Imported: {path}, {frames} frames of {names}.")


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
