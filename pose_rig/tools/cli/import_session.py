"""``pose-rig import``: makes a session of 2D keypoints of other programs."""

from pathlib import Path
from typing import Annotated

import typer

from pose_rig.tools.arguments.inputs import IMPORT_INPUT, check_input
from pose_rig.tools.arguments.options import Force, Fps, LandmarkSet, Size
from pose_rig.tools.arguments.outputs import check_session
from pose_rig.tools.rig_files.validation import check_record
from pose_rig.tools.takes.imported import imported
from pose_rig.tools.terminal.console import Console


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
    fps: Fps = None,
    size: Size = None,
    landmarks: LandmarkSet = None,
    height: Annotated[float | None, typer.Option(metavar="M", help="Body height of the person.")] = None,
    force: Force = False,
) -> None:
    """Make a session of the 2D keypoints of another program.

    \b
    pose-rig import keypoints.npz --out take.mcap
    pose-rig import Pose2SimProject                       with its calibration
    pose-rig import json/ --fps 60 --size 1920,1080
    pose-rig import alphapose/ --fps 60 --size 1920,1080  a file for each camera
    pose-rig replay take.mcap --record poses.mcap         computes its poses

    docs/cameras.md describes keypoint files.
    """  # noqa: D301  (\b keeps the lines of the paragraph in the help)
    console = Console()
    check_input(source, IMPORT_INPUT)
    resolved = source.resolve()
    path = out or Path(f"{resolved.name if resolved.is_dir() else resolved.stem}.mcap")
    check_record(path)
    check_session(path, force=force, sources=(source,))
    from pose_rig.session.importer import import_keypoints  # imports MCAP

    keypoints, config = imported(source, fps, size, landmarks, height)
    if force:
        path.unlink(missing_ok=True)
    frames = import_keypoints(keypoints, config, path)
    names = ", ".join(camera.name for camera in config.camera)
    console.print(f"Imported: {path}, {frames} frames of {names}.")
