"""2D keypoints from JSON files with all frames of one camera: AlphaPose, COCO results and MMPose.

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
from pose_rig.session.keypoints.json_text import JSON_ERRORS, beginning, read_json
from pose_rig.session.keypoints.keypoint_frames import Frames, ImportOptions, assembled_keypoints, frame_number
from pose_rig.skeleton import SCHEMAS

Person = NDArray[np.float32]  # (K,3) x, y, score
FramePeople = tuple[int | str, list[Person]]  # number or name of an image, and the people in it
MAX_FRAMES_PER_RESULT = 50  # larger gaps between numbers are not frames without people
GENERIC_STEMS = ("alphapose-results", "results", "predictions")  # such a file is named after its folder
OPENPOSE_KEYS = ("version", "people")  # first keys of its frames
REMEDY = "Give files of one camera by AlphaPose, COCO (a list of results) or MMPose."


class _Result(msgspec.Struct):  # of AlphaPose, and of COCO's evaluation
    image_id: int | str
    keypoints: list[float]


class _Body(msgspec.Struct):  # of AlphaPose with --format cmu
    joints: list[float]


class _OpenPosePerson(msgspec.Struct):  # of AlphaPose with --format open
    pose_keypoints_2d: list[float]


class _Image(msgspec.Struct):
    bodies: list[_Body] = []
    people: list[_OpenPosePerson] = []


class _Instance(msgspec.Struct):  # of MMPose
    keypoints: list[list[float]]
    keypoint_scores: list[float]


class _Frame(msgspec.Struct):
    frame_id: int
    instances: list[_Instance]


class _Predictions(msgspec.Struct):
    instance_info: list[_Frame]


def is_per_camera(path: Path) -> bool:
    """Returns whether a JSON file has the results of a camera rather than one frame of OpenPose, by its beginning."""
    text = beginning(path)
    key = re.match(rb'\{\s*"([^"]*)"', text)
    return text.startswith(b"[") or (key is not None and key[1].decode("utf-8", "replace") not in OPENPOSE_KEYS)


def read_per_camera(source: Path, files: Sequence[Path], options: ImportOptions) -> Keypoints:
    """Returns the 2D keypoints of result files.

    The last number in the name of an image is the frame number; equal numbers are equal times.

    Raises:
        ContentError: A file is damaged or has another format, or coordinates are not pixels of images of that size.
        UsageError: The rate, the sizes or the landmark set are unknown.
    """
    names = [
        path.parent.name if path.stem.lower() in GENERIC_STEMS and path.parent.name else path.stem for path in files
    ]
    cameras = {name if names.count(name) == 1 else str(path): path for name, path in zip(names, files, strict=True)}
    folder = source if source.is_dir() else source.parent
    fps, views, schema = options.rate_hz(source), options.views(folder, tuple(cameras)), options.schema
    tracks = {name: read_results(path) for name, path in cameras.items()}
    counts = {frame.shape[1] for track in tracks.values() for frame in track.values()}
    if schema is None and counts == {len(SCHEMAS["coco18"])}:
        schema = "coco18"  # AlphaPose's formats cmu and open
    return assembled_keypoints(source, tracks, fps, views, schema)


def read_results(path: Path) -> Frames:
    """Returns the frames of a result file.

    Raises:
        ContentError: It is damaged, or has another format.
    """
    reasons: list[Exception] = []
    for kind, frames_of in _FORMS:
        try:
            return _frames(path, frames_of(read_json(path, kind)))
        except JSON_ERRORS as error:
            reasons.append(error)
    reason = next((error for error in reasons if not isinstance(error, msgspec.DecodeError)), reasons[0])
    if beginning(path).startswith(b"{") and b'"annotations"' in beginning(path, 1 << 16):
        raise ContentError(f"{path} is a COCO data set of annotations.", REMEDY)
    raise ContentError(f"{path} has no known format of keypoints: {reason}.", REMEDY)


def _frames(path: Path, found: Iterable[FramePeople]) -> Frames:
    people: dict[int, list[Person]] = {}
    for image, some in found:
        people.setdefault(_number(path, image), []).extend(some)
    if not any(people.values()):
        raise ContentError(f"{path}: there is no person in any frame.", "Check the detector that wrote it.")
    counts = {len(person) for some in people.values() for person in some}
    if len(counts) > 1:
        raise ContentError(
            f"{path}: people have {' or '.join(map(str, sorted(counts)))} landmarks.",
            "Detect all people with the same model.",
        )
    shape = (-1, counts.pop(), 3)
    return {number: np.array(people.get(number, ()), np.float32).reshape(shape) for number in _numbers(sorted(people))}


def _numbers(detected: list[int]) -> Sequence[int]:
    """Returns the numbers of all frames from those with people: results may omit the others."""
    step = math.gcd(*np.diff(detected).tolist()) or 1
    count = (detected[-1] - detected[0]) // step + 1
    return range(detected[0], detected[-1] + 1, step) if count <= MAX_FRAMES_PER_RESULT * len(detected) else detected


def _number(path: Path, image: int | str) -> int:
    number = frame_number(image) if isinstance(image, str) else image
    if number is None:
        raise ContentError(f"{path}: the image {str(image)[:80]!r} has no number.", "Name images by frame number.")
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


def _of_results(results: list[_Result]) -> Iterable[FramePeople]:
    return ((result.image_id, [_person(result.keypoints)]) for result in results)


def _of_images(images: dict[str, _Image]) -> Iterable[FramePeople]:
    for name, image in images.items():
        flat = [body.joints for body in image.bodies] + [person.pose_keypoints_2d for person in image.people]
        yield name, [_person(one) for one in flat]


def _of_frames(frames: list[_Frame]) -> Iterable[FramePeople]:
    return ((frame.frame_id, [_instance(one) for one in frame.instances]) for frame in frames)


def _of_predictions(predictions: _Predictions) -> Iterable[FramePeople]:
    return _of_frames(predictions.instance_info)


_FORMS: tuple[tuple[Any, Callable[[Any], Iterable[FramePeople]]], ...] = (
    (list[_Result], _of_results),
    (list[_Frame], _of_frames),
    (_Predictions, _of_predictions),
    (dict[str, _Image], _of_images),
)
