"""Assembling 2D keypoints of single frames into keypoints of a recording.

Axes: V views, T frames, P people, K landmarks.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from pose_rig.capture.keypoints import Keypoints, validate
from pose_rig.errors import ContentError, UsageError
from pose_rig.session.keypoints.pose2sim_project import Views, frame_rate, views
from pose_rig.skeleton import SCHEMAS, landmarks, schema_name

Frames = dict[int, NDArray[np.float32]]  # (P,K,3) x, y, score of each frame number

# OpenPose's experimental model; 25 like body25, in another order
BODY_25B = (
    f"{','.join(SCHEMAS['coco17'])},neck,head_top,left_foot_index,left_small_toe,left_heel,right_foot_index,"
    "right_small_toe,right_heel"
)
SET_BY_COUNT = {
    17: "coco17", 18: "coco18", 25: "body25", 26: "halpe26", 33: "mediapipe33", 133: "wholebody133", 136: "halpe136",
}  # fmt: skip
MAX_FPS = 10_000.0
MAX_BYTES = 1 << 31  # of one array; an hour of 16 cameras at 60/s with one person of 133 landmarks fits
MAX_FRAME = 1 << 28  # sixty days at 50/s; larger numbers are timestamps
MAX_DIGITS = 40  # of a frame number
SIZE_REMEDY = "Check the program that wrote it, --fps (rate of the videos) and --size (size of their images)."


def frame_number(name: str) -> int | None:
    """Returns the last number in the name of an image or file, which is its frame; None if there is none."""
    numbers = re.findall(r"\d+", PurePosixPath(name).stem)
    return int(numbers[-1][-MAX_DIGITS:]) if numbers else None


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What most files do not contain.

    Attributes:
        fps: Frames per second; None = ``frame_rate`` in the Config.toml of a Pose2Sim project.
        sizes_px: Image (width, height) of each camera, or once for all; empty = from the calibration of the project.
        schema: Landmark set; None = by the number or the names of the landmarks.
    """

    fps: float | None = None
    sizes_px: Sequence[tuple[int, int]] = ()
    schema: str | None = None

    def rate_hz(self, source: Path) -> float:
        """Returns the frame rate.

        Raises:
            UsageError: It is unknown or out of range.
        """
        fps = frame_rate(source) if self.fps is None else self.fps
        if not 0 < fps <= MAX_FPS:
            raise UsageError(
                f"The frame rate must be between 0 and {MAX_FPS:g}; got {fps:g}.",
                "Give the rate of the videos: --fps 60.",
            )
        return fps

    def views(self, folder: Path, cameras: Sequence[str]) -> Views:
        """Returns image sizes and focal lengths of the cameras.

        Raises:
            UsageError: The sizes are unknown.
        """
        return views(folder, cameras, self.sizes_px)


def assembled_keypoints(
    source: Path, cameras: Mapping[str, Frames], fps: float, views: Views, schema: str | None
) -> Keypoints:
    """Returns the keypoints of all cameras. Equal frame numbers are equal times; missing numbers are dropped frames.

    Raises:
        ContentError: The cameras have different landmarks, or coordinates are not pixels of images of that size.
        UsageError: The landmark set is unknown.
    """
    tracks = list(cameras.values())
    counts = {frame.shape[1] for track in tracks for frame in track.values() if len(frame)}
    if len(counts) > 1:
        raise ContentError(
            f"{source}: people have {' or '.join(map(str, sorted(counts)))} landmarks.",
            "Detect all cameras with the same model.",
        )
    t_ns, xy, score = _arrays(source, tracks, counts.pop() if counts else 0, fps)
    if not score.any():
        raise ContentError(f"{source}: there is no person in any file.", "Check the detector that wrote them.")
    schema = schema_name(schema) if schema else _schema(source, xy)
    count = len(landmarks(schema).names)
    if count != xy.shape[-2]:
        raise UsageError(f"{source}: people have {xy.shape[-2]} landmarks, {schema} has {count}.", "Name another set.")
    keypoints = Keypoints(xy, score, t_ns, schema, views.size_px, tuple(cameras), views.focal_px)
    return validate(keypoints, str(source), SIZE_REMEDY)


def _arrays(
    source: Path, tracks: Sequence[Frames], count: int, fps: float
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Returns t_ns (V,T), xy (V,T,P,K,2) with NaN where not visible, and score.

    Rows after the last frame of a camera are padding: they repeat its time.
    """
    first, last = min(min(track) for track in tracks), max(max(track) for track in tracks)
    if last - first > MAX_FRAME:
        raise ContentError(
            f"{source}: frame numbers go from {first} to {last}.", "The last number in a name must be the frame number."
        )
    length = max(len(track) for track in tracks)
    people = max(len(frame) for track in tracks for frame in track.values())
    shape = (len(tracks), length, people, count, 3)
    if 4 * np.prod(shape, dtype=float) > MAX_BYTES:
        raise ContentError(
            f"{source}: {length} frames of up to {people} people are too many to read at once.", "Import it in parts."
        )
    data = np.zeros(shape, np.float32)
    t_ns = np.zeros((len(tracks), length), np.int64)
    for v, track in enumerate(tracks):
        numbers = np.array([number - first for number in track], np.int64)
        t_ns[v, : len(numbers)] = np.round(numbers * (1e9 / fps))
        t_ns[v, len(numbers) :] = t_ns[v, len(numbers) - 1]
        for row, frame in enumerate(track.values()):
            if len(frame):
                data[v, row, : len(frame)] = frame
    score = np.where(np.isfinite(data).all(-1), data[..., 2], 0.0)
    return t_ns, np.where(score[..., None] > 0, data[..., :2], np.float32(np.nan)), score


def _schema(source: Path, xy: NDArray[np.float32]) -> str:
    """Returns the landmark set by the number of landmarks; of the two with 25, by whether landmark 8 is the mid hip."""
    count = xy.shape[-2]
    if count not in SET_BY_COUNT:
        known = ", ".join(f"{number} ({name})" for number, name in SET_BY_COUNT.items())
        raise UsageError(
            f"{source}: no landmark set has {count} landmarks, only {known}.",
            "Name the landmarks in their order with --landmarks NAME,NAME,…, or detect with one of these models.",
        )
    if SET_BY_COUNT[count] != "body25":
        return SET_BY_COUNT[count]
    neck, mid_hip, hips = xy[..., 1, :], xy[..., 8, :], (xy[..., 9, :] + xy[..., 12, :]) / 2
    off = np.linalg.norm(mid_hip - hips, axis=-1) / np.maximum(np.linalg.norm(mid_hip - neck, axis=-1), 1.0)
    off = off[np.isfinite(off)]
    return "body25" if not len(off) or np.median(off) < 0.25 else BODY_25B
