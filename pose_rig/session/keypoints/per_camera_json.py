"""2D keypoints from results that hold all frames of one camera: AlphaPose, COCO and MMPose write such JSON.

Axes: P people, K landmarks.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pose_rig.capture.keypoints import Keypoints
from pose_rig.errors import ContentError
from pose_rig.session.keypoints.json_text import DAMAGE, beginning, read_json
from pose_rig.session.keypoints.keypoint_frames import Frames, checked_rate, frame_number, keypoints_of
from pose_rig.session.keypoints.pose2sim_project import frame_rate, views
from pose_rig.skeleton import SCHEMAS

Person = NDArray[np.float32]  # (K,3) x, y, score
Found = tuple[int | str, list[Person]]  # number or name of an image, and who is in it
MOST_GAPS = 50  # frames for each with people; numbers that are further apart are none of frames
USUAL_NAMES = ("alphapose-results", "results", "predictions")  # a file of these is called like its folder
OPENPOSE_KEYS = ("version", "people")  # with which its frames begin
REMEDY = "AlphaPose's, COCO's (a list of results) and MMPose's files of one camera are read: detect again, or convert."


class _Result(msgspec.Struct):  # of AlphaPose, and of COCO's evaluation
    image_id: int | str
    keypoints: list[float]


class _Body(msgspec.Struct):  # of AlphaPose with --format cmu
    joints: list[float]


class _Seen(msgspec.Struct):  # of AlphaPose with --format open
    pose_keypoints_2d: list[float]


class _Image(msgspec.Struct):
    bodies: list[_Body] = []
    people: list[_Seen] = []


class _Instance(msgspec.Struct):  # of MMPose
    keypoints: list[list[float]]
    keypoint_scores: list[float]


class _Frame(msgspec.Struct):
    frame_id: int
    instances: list[_Instance]


class _Predictions(msgspec.Struct):
    instance_info: list[_Frame]


def holds_a_camera(path: Path) -> bool:
    """Returns whether a JSON file is, by its beginning, one of results rather than one of OpenPose's frames."""
    text = beginning(path)
    key = re.match(rb'\{\s*"([^"]*)"', text)
    return text.startswith(b"[") or (key is not None and key[1].decode("utf-8", "replace") not in OPENPOSE_KEYS)


def read_per_camera(
    source: Path,
    files: Sequence[Path],
    fps: float | None = None,
    sizes_px: Sequence[tuple[int, int]] = (),
    schema: str | None = None,
) -> Keypoints:
    """Returns the 2D keypoints of files of results, one for each camera.

    The last number in an image's name is that of its frame; equal numbers are equal instants.

    Args:
        source: Folder or file that was given.
        files: The files.
        fps: Frames per second; None = ``frame_rate`` in a Config.toml.
        sizes_px: (width, height) of each camera, or once for all; empty = from Pose2Sim's calibration.
        schema: Landmark set; None = by the number of landmarks.

    Raises:
        ContentError: A file is damaged or of another form, or its keypoints are no pixels of images of that size.
        UsageError: The rate, the sizes or the landmark set are not known.
    """
    names = [path.parent.name if path.stem.lower() in USUAL_NAMES and path.parent.name else path.stem for path in files]
    cameras = {name if names.count(name) == 1 else str(path): path for name, path in zip(names, files, strict=True)}
    folder = source if source.is_dir() else source.parent
    rate = checked_rate(frame_rate(source) if fps is None else fps)
    known = views(folder, tuple(cameras), sizes_px)
    tracks = {name: read_results(path) for name, path in cameras.items()}
    counts = {frame.shape[1] for track in tracks.values() for frame in track.values()}
    if schema is None and counts == {len(SCHEMAS["coco18"])}:
        schema = "coco18"  # the formats of AlphaPose that are called cmu and open
    return keypoints_of(source, tracks, rate, known, schema)


def read_results(path: Path) -> Frames:
    """Returns the people of each frame in a file of results.

    Raises:
        ContentError: It is damaged, or of another form.
    """
    reasons: list[Exception] = []
    for kind, frames_of in _FORMS:
        try:
            return _frames(path, frames_of(read_json(path, kind)))
        except DAMAGE as error:
            reasons.append(error)
    reason = next((error for error in reasons if not isinstance(error, msgspec.DecodeError)), reasons[0])
    if beginning(path).startswith(b"{") and b'"annotations"' in beginning(path, 1 << 16):
        raise ContentError(f"{path} is a COCO data set of annotations.", REMEDY)
    raise ContentError(f"{path} is none of the files of keypoints that are known here: {reason}.", REMEDY)


def _frames(path: Path, found: Iterable[Found]) -> Frames:
    people: dict[int, list[Person]] = {}
    for image, some in found:
        people.setdefault(_number(path, image), []).extend(some)
    if not any(people.values()):
        raise ContentError(f"{path}: there is nobody in any frame.", "Check the detector that wrote it.")
    counts = {len(person) for some in people.values() for person in some}
    if len(counts) > 1:
        raise ContentError(
            f"{path}: people have {' or '.join(map(str, sorted(counts)))} landmarks.",
            "Detect all people with the same model.",
        )
    shape = (-1, counts.pop(), 3)
    return {number: np.array(people.get(number, ()), np.float32).reshape(shape) for number in _numbers(sorted(people))}


def _numbers(seen: list[int]) -> Sequence[int]:
    """Returns the numbers of all frames, from those with people: results may leave out the others."""
    step = math.gcd(*np.diff(seen).tolist()) or 1
    count = (seen[-1] - seen[0]) // step + 1
    return range(seen[0], seen[-1] + 1, step) if count <= MOST_GAPS * len(seen) else seen


def _number(path: Path, image: int | str) -> int:
    number = frame_number(image) if isinstance(image, str) else image
    if number is None:
        raise ContentError(f"{path}: the image {str(image)[:80]!r} has no number.", "Name the images by their frames.")
    return number


def _person(flat: list[float]) -> Person:
    """Returns (K,3) of x, y, score in turn."""
    if not flat or len(flat) % 3:
        raise ValueError("keypoints are not x, y, score in turn")
    with np.errstate(over="ignore"):
        return np.array(flat, np.float32).reshape(-1, 3)


def _instance(instance: _Instance) -> Person:
    if any(len(point) != 2 for point in instance.keypoints):
        raise ValueError("keypoints are not x, y")
    if len(instance.keypoints) != len(instance.keypoint_scores) or not instance.keypoints:
        raise ValueError(f"{len(instance.keypoints)} keypoints have {len(instance.keypoint_scores)} scores")
    with np.errstate(over="ignore"):
        return np.column_stack([instance.keypoints, instance.keypoint_scores]).astype(np.float32)


def _of_results(results: list[_Result]) -> Iterable[Found]:
    return ((result.image_id, [_person(result.keypoints)]) for result in results)


def _of_images(images: dict[str, _Image]) -> Iterable[Found]:
    for name, image in images.items():
        flat = [body.joints for body in image.bodies] + [seen.pose_keypoints_2d for seen in image.people]
        yield name, [_person(one) for one in flat]


def _of_frames(frames: list[_Frame]) -> Iterable[Found]:
    return ((frame.frame_id, [_instance(one) for one in frame.instances]) for frame in frames)


def _of_predictions(predictions: _Predictions) -> Iterable[Found]:
    return _of_frames(predictions.instance_info)


_FORMS: tuple[tuple[Any, Callable[[Any], Iterable[Found]]], ...] = (
    (list[_Result], _of_results),
    (list[_Frame], _of_frames),
    (_Predictions, _of_predictions),
    (dict[str, _Image], _of_images),
)
