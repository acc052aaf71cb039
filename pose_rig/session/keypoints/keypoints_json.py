"""2D keypoints from folders as OpenPose and Pose2Sim keep them: one JSON per frame, one folder per camera.

Axes: P people, K landmarks.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from pose_rig.capture.keypoints import Keypoints
from pose_rig.errors import ContentError
from pose_rig.names import natural_order
from pose_rig.session.keypoints.json_text import DAMAGE, read_json
from pose_rig.session.keypoints.keypoint_frames import Frames, checked_rate, frame_number, keypoints_of
from pose_rig.session.keypoints.pose2sim_project import PROJECT_FOLDERS, frame_rate, views


class _Person(msgspec.Struct):
    pose_keypoints_2d: list[float]


class _Frame(msgspec.Struct):
    people: list[_Person]


def read_keypoints_json(
    folder: Path,
    fps: float | None = None,
    sizes_px: Sequence[tuple[int, int]] = (),
    schema: str | None = None,
) -> Keypoints:
    """Returns the 2D keypoints in a folder: JSON files of one camera, a folder per camera, or a Pose2Sim project.

    Equal frame numbers (the last ones in the file names) are equal instants. A number that a camera lacks is a frame it
    dropped; a file without people is a frame with nobody.
    What is NaN or null is not seen.

    Args:
        folder: Where; of a project, ``pose-sync`` is taken rather than ``pose``.
        fps: Frames per second; None = ``frame_rate`` in Pose2Sim's Config.toml.
        sizes_px: (width, height) of each camera, or once for all; empty = from Pose2Sim's calibration.
        schema: Landmark set; None = by the number of landmarks (`SETS`).

    Raises:
        ContentError: There are no such files, one is damaged, or the keypoints are no pixels of images of that size.
        UsageError: The rate, the sizes or the landmark set are not known.
    """
    folder = next((folder / name for name in PROJECT_FOLDERS if (folder / name).is_dir()), folder)
    cameras = _cameras(folder)
    fps = checked_rate(frame_rate(folder) if fps is None else fps)
    known = views(folder, tuple(cameras), sizes_px)
    return keypoints_of(folder, {name: _read_camera(files) for name, files in cameras.items()}, fps, known, schema)


def _cameras(folder: Path) -> dict[str, dict[int, Path]]:
    """Returns the files of each camera by frame number, the cameras in the order of the numbers in their names."""
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
                f"{path} and {files[number].name} have the same frame number.", "Keep one recording in a folder."
            )
        files[number] = path
    return dict(sorted(files.items()))


def _read_camera(files: dict[int, Path]) -> Frames:
    """Returns the people of each frame by its number."""
    frames: Frames = {}
    for number, path in files.items():
        try:
            people = [person.pose_keypoints_2d for person in read_json(path, _Frame).people]
        except DAMAGE as error:
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
