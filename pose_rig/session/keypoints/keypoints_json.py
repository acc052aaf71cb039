"""2D keypoints of OpenPose and Pose2Sim: a JSON file per frame, a folder per camera.

Axes: P people, K landmarks.
"""

import re
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from pose_rig.capture.keypoints import Keypoints
from pose_rig.errors import ContentError
from pose_rig.names import natural_order
from pose_rig.session.keypoints.json_text import JSON_ERRORS, read_json
from pose_rig.session.keypoints.keypoint_frames import Frames, ImportOptions, assembled_keypoints, frame_number
from pose_rig.session.keypoints.pose2sim_project import PROJECT_FOLDERS


class _Person(msgspec.Struct):
    pose_keypoints_2d: list[float]


class _Frame(msgspec.Struct):
    people: list[_Person]


def read_keypoints_json(folder: Path, options: ImportOptions) -> Keypoints:
    """Returns the 2D keypoints in a folder: JSON files of one camera, a folder per camera, or a Pose2Sim project.

    Equal frame numbers (the last ones in the file names) are equal times. A missing number is a dropped frame, a file
    without people a frame without a person. NaN and null are not visible.

    Raises:
        ContentError: There are no such files, one is damaged, or coordinates are not pixels of images of that size.
        UsageError: The rate, the sizes or the landmark set are unknown.
    """
    folder = next((folder / name for name in PROJECT_FOLDERS if (folder / name).is_dir()), folder)
    cameras = _cameras(folder)
    fps, views = options.rate_hz(folder), options.views(folder, tuple(cameras))
    frames = {name: _read_camera(files) for name, files in cameras.items()}
    return assembled_keypoints(folder, frames, fps, views, options.schema)


def _cameras(folder: Path) -> dict[str, dict[int, Path]]:
    """Returns the files of each camera by frame number, the cameras in natural order."""
    folders = sorted(
        (path for path in folder.glob("*json*") if path.is_dir()), key=lambda path: natural_order(path.name)
    ) or [folder]
    found = {path: _files(path) for path in folders}
    empty = [path.name for path, files in found.items() if not files]
    if len(empty) == len(found):
        raise ContentError(
            f"{folder} holds neither OpenPose's JSON files nor folders *_json of them.",
            "Name the folder of one camera, Pose2Sim's folder `pose`, or its project.",
        )
    if empty:
        raise ContentError(
            f"{folder}: {', '.join(empty)} has no JSON file with a frame number.", "Fill it, or move it away."
        )
    short = [re.sub(r"_?json$", "", path.name) or path.name for path in found]
    names = [name if short.count(name) == 1 else path.name for name, path in zip(short, found, strict=True)]
    return dict(zip(names, found.values(), strict=True))


def _files(folder: Path) -> dict[int, Path]:
    files: dict[int, Path] = {}
    for path in sorted(folder.glob("*.json")):
        number = frame_number(path.name)
        if number is None:
            continue
        if number in files:
            raise ContentError(
                f"{path} and {files[number].name} have the same frame number.", "Keep one recording per folder."
            )
        files[number] = path
    return dict(sorted(files.items()))


def _read_camera(files: dict[int, Path]) -> Frames:
    """Returns the frames by number."""
    frames: Frames = {}
    for number, path in files.items():
        try:
            people = [person.pose_keypoints_2d for person in read_json(path, _Frame).people]
        except JSON_ERRORS as error:
            raise ContentError(
                f"{path} cannot be read as OpenPose's JSON: {error}.", "Remove it, or run the detector again."
            ) from error
        frames[number] = _people(path, [person for person in people if person])
    return frames


def _people(path: Path, people: list[list[float]]) -> NDArray[np.float32]:
    """Returns (P,K,3)."""
    lengths = {len(person) for person in people}
    if any(length % 3 for length in lengths):
        raise ContentError(f"{path}: keypoints are not x, y, score in turn.", "Run the detector again.")
    if len(lengths) > 1:
        raise ContentError(
            f"{path}: people have {' or '.join(str(length // 3) for length in sorted(lengths))} landmarks.",
            "Detect all people with the same model.",
        )
    with np.errstate(over="ignore"):
        return np.array(people, np.float32).reshape(len(people), -1 if people else 0, 3)
