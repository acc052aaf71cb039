"""2D keypoints from folders as OpenPose and Pose2Sim keep them: one JSON per frame, one folder per camera.

Axes: V views, T frames, P people, K landmarks.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from pose_rig.capture.keypoint_file import SCORE_LIMIT, Keypoints
from pose_rig.errors import SourceError, UsageError
from pose_rig.session.pose2sim_project import PROJECT_FOLDERS, frame_rate, views
from pose_rig.skeleton import SCHEMAS, landmarks

# OpenPose's experimental model; 25 like body25, in another order
BODY_25B = (
    f"{','.join(SCHEMAS['coco17'])},neck,head_top,left_foot_index,left_small_toe,left_heel,right_foot_index,"
    "right_small_toe,right_heel"
)
SETS = {17: "coco17", 25: "body25", 26: "halpe26", 33: "mediapipe33"}
MOST_OUTSIDE = 0.05  # share of keypoints beyond the image; detectors put few there, a wrong size many
NORMALISED = 1.5  # keypoints that all lie within this are no pixels


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

    Args:
        folder: Where; of a project, ``pose-sync`` is taken rather than ``pose``.
        fps: Frames per second; None = ``frame_rate`` in Pose2Sim's Config.toml.
        sizes_px: (width, height) of each camera, or once for all; empty = from Pose2Sim's calibration.
        schema: Landmark set; None = by the number of landmarks (`SETS`).

    Raises:
        SourceError: There are no such files, one is damaged, or the keypoints are no pixels of images of that size.
        UsageError: The rate, the sizes or the landmark set are not known.
    """
    folder = next((folder / name for name in PROJECT_FOLDERS if (folder / name).is_dir()), folder)
    cameras = _cameras(folder)
    if fps is not None and not fps > 0:
        raise UsageError(f"{fps:g} frames per second are none.", "Give the rate of the videos, such as --fps 60.")
    fps = fps or frame_rate(folder)
    known = views(folder, tuple(cameras), sizes_px)
    tracks = [_read_camera(files) for files in cameras.values()]
    counts = {frame.shape[1] // 3 for track in tracks for frame in track.values() if len(frame)}
    if len(counts) > 1:
        raise SourceError(
            f"{folder}: people have {' or '.join(map(str, sorted(counts)))} landmarks.",
            "Detect all cameras with the same model.",
        )
    t_ns, xy, score = _arrays(tracks, counts.pop() if counts else 0, fps)
    if not score.any():
        raise SourceError(f"{folder}: there is nobody in any file.", "Check the detector that wrote them.")
    schema = schema or _schema(folder, xy)
    named = len(landmarks(schema).names)
    if named != xy.shape[-2]:
        raise UsageError(f"{folder}: people have {xy.shape[-2]} landmarks, {schema} has {named}.", "Name another set.")
    _check_pixels(folder, xy, score, known.size_px)
    return Keypoints(xy, score, t_ns, schema, known.size_px, tuple(cameras), known.focal_px)


def _cameras(folder: Path) -> dict[str, dict[int, Path]]:
    """Returns the files of each camera by frame number, the cameras in the order of the numbers in their names."""
    folders = sorted((path for path in folder.glob("*json*") if path.is_dir()), key=_natural)
    found = {re.sub(r"_?json$", "", path.name) or path.name: _files(path) for path in folders or [folder]}
    found = {camera: files for camera, files in found.items() if files}
    if not found:
        raise SourceError(
            f"{folder} holds neither OpenPose's JSON files nor folders *_json of them.",
            "Name the folder of one camera, Pose2Sim's folder `pose`, or its project.",
        )
    return found


def _natural(path: Path) -> list[tuple[int, str]]:
    """Returns a key that sorts cam2 before cam10, as Pose2Sim does."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", path.name)]


def _files(folder: Path) -> dict[int, Path]:
    files: dict[int, Path] = {}
    for path in sorted(folder.glob("*.json")):
        numbers = re.findall(r"\d+", path.stem)
        if not numbers:
            continue
        number = int(numbers[-1])
        if number in files:
            raise SourceError(
                f"{path} and {files[number].name} have the same frame number.", "Keep one recording in a folder."
            )
        files[number] = path
    return dict(sorted(files.items()))


def _read_camera(files: dict[int, Path]) -> dict[int, NDArray[np.float32]]:
    """Returns (P,3K) of each frame by its number."""
    decoder = msgspec.json.Decoder(_Frame)
    frames: dict[int, NDArray[np.float32]] = {}
    for number, path in files.items():
        try:
            people = [person.pose_keypoints_2d for person in decoder.decode(path.read_bytes()).people]
            frames[number] = np.array([person for person in people if person], np.float32)
        except (OSError, msgspec.DecodeError, ValueError) as error:
            raise SourceError(
                f"{path} cannot be read as OpenPose's JSON: {error}.", "Remove it, or run the detector again."
            ) from error
        if len(frames[number]) and frames[number].shape[1] % 3:
            raise SourceError(f"{path}: keypoints are not x, y, score in turn.", "Run the detector again.")
    return frames


def _arrays(
    tracks: Sequence[dict[int, NDArray[np.float32]]], count: int, fps: float
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Returns t_ns (V,T), xy (V,T,P,K,2) with NaN where not seen, and score.

    Rows after a camera's last frame repeat its time: they are no frames.
    """
    first = min(min(track) for track in tracks)
    length = max(len(track) for track in tracks)
    people = max(len(frame) for track in tracks for frame in track.values())
    data = np.zeros((len(tracks), length, people, count, 3), np.float32)
    t_ns = np.zeros((len(tracks), length), np.int64)
    for v, track in enumerate(tracks):
        numbers = np.array(list(track)) - first
        t_ns[v, : len(numbers)] = np.round(numbers * (1e9 / fps))
        t_ns[v, len(numbers) :] = t_ns[v, len(numbers) - 1]
        for row, frame in enumerate(track.values()):
            data[v, row, : len(frame)] = frame.reshape(len(frame), count, 3) if len(frame) else 0.0
    score = np.where(np.isfinite(data).all(-1), data[..., 2], 0.0)
    return t_ns, np.where(score[..., None] > 0, data[..., :2], np.float32(np.nan)), score


def _schema(folder: Path, xy: NDArray[np.float32]) -> str:
    """Returns the landmark set by the number of landmarks; of the two sets of 25, the one whose hips have a middle."""
    count = xy.shape[-2]
    if count not in SETS:
        raise UsageError(
            f"{folder}: no landmark set of {count} is known, only {', '.join(f'{n} ({SETS[n]})' for n in SETS)}.",
            "Name the landmarks, or detect with one of these models.",
        )
    if SETS[count] != "body25":
        return SETS[count]
    neck, mid_hip, hips = xy[..., 1, :], xy[..., 8, :], (xy[..., 9, :] + xy[..., 12, :]) / 2
    off = np.linalg.norm(mid_hip - hips, axis=-1) / np.maximum(np.linalg.norm(mid_hip - neck, axis=-1), 1.0)
    off = off[np.isfinite(off)]
    return "body25" if not len(off) or np.median(off) < 0.25 else BODY_25B


def _check_pixels(
    folder: Path, xy: NDArray[np.float32], score: NDArray[np.float32], size_px: Sequence[tuple[int, int]]
) -> None:
    if score.max() > SCORE_LIMIT:
        raise SourceError(f"{folder}: scores reach {score.max():g}, expected 0–1.", "Divide them by their largest.")
    if np.nanmax(np.abs(xy)) < NORMALISED:
        raise SourceError(f"{folder}: keypoints are not in pixels.", "Run OpenPose with --keypoint_scale 0.")
    for view, (width, height) in zip(xy, size_px, strict=True):
        points = view[np.isfinite(view).all(-1)]
        outside = ((points < 0) | (points > (width, height))).any(-1)
        if len(points) and outside.mean() > MOST_OUTSIDE:
            raise SourceError(
                f"{folder}: {outside.mean():.0%} of a camera's keypoints lie outside of {width}×{height} px.",
                "Give the size of the images that were detected in, width first, with --size.",
            )
