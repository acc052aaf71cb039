"""2D keypoints from a file, in place of cameras and a detector.

Axes: V views, T frames, P people, K landmarks.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig import skeleton
from pose_rig.capture.recording import Instant
from pose_rig.capture.source import Image, People
from pose_rig.errors import SourceError
from pose_rig.npz import read_arrays

REQUIRED = ("xy", "score", "t_ns", "landmarks", "size_px")
SCORE_LIMIT = 1.5  # heads with SimCC or heat maps overshoot 1 a little; beyond this it is another scale
REMEDY = "docs/cameras.md describes the file of 2D keypoints."


@dataclass(frozen=True, slots=True)
class Keypoints:
    """A checked file of 2D keypoints.

    Attributes:
        xy: (V,T,P,K,2) px, NaN = not seen.
        score: (V,T,P,K).
        t_ns: (V,T) int64, increasing in T, from 0; frames that do not advance are empty (see `advances`).
        landmarks: Schema name, or K names joined by commas.
        size_px: (width, height) of each view.
        cameras: Name of each view; empty names where the file has none.
        focal_px: Focal length of each view, None where the file has none.
    """

    xy: NDArray[np.floating]
    score: NDArray[np.floating]
    t_ns: NDArray[np.int64]
    landmarks: str
    size_px: tuple[tuple[int, int], ...]
    cameras: tuple[str, ...]
    focal_px: tuple[float | None, ...]


def load(path: Path) -> Keypoints:
    """Returns the content of an npz of 2D keypoints (architecture: "2D in").

    Raises:
        SourceError: The file cannot be read, or a key is missing or has the wrong shape or values; names the key.
        UsageError: The landmark set is unknown.
    """
    arrays = read_arrays(path, REMEDY)
    for key in REQUIRED:
        if key not in arrays:
            raise _bad(path, key, "is missing")
    xy, score, t_ns, size_px = (arrays[key] for key in ("xy", "score", "t_ns", "size_px"))
    if xy.ndim not in (4, 5) or xy.shape[-1] != 2 or xy.dtype.kind not in "iuf":
        raise _bad(path, "xy", f"is {xy.dtype} {xy.shape}, expected numbers (V,T,K,2) or (V,T,P,K,2)")
    if score.shape != xy.shape[:-1] or score.dtype.kind not in "iuf":
        raise _bad(path, "score", f"is {score.dtype} {score.shape}, expected numbers {xy.shape[:-1]} like xy")
    if (np.nan_to_num(score) > SCORE_LIMIT).any():
        raise _bad(path, "score", f"reaches {np.nanmax(score):g}, expected 0–1")
    if t_ns.shape != xy.shape[:2] or t_ns.dtype.kind not in "iu":
        raise _bad(path, "t_ns", f"is {t_ns.dtype} {t_ns.shape}, expected whole numbers {xy.shape[:2]}")
    seen = np.isfinite(xy).any(axis=tuple(range(2, xy.ndim)))
    if (t_ns < 0).any() or (seen & ~advances(t_ns.astype(np.int64))).any():
        raise _bad(path, "t_ns", "must start at 0 or later and increase from frame to frame")
    views = len(xy)
    if size_px.shape != (views, 2) or size_px.dtype.kind not in "iuf" or not (size_px >= 1).all():
        raise _bad(path, "size_px", f"is {size_px.dtype} {size_px.shape}, expected positive numbers {(views, 2)}")
    names = _landmarks(path, arrays["landmarks"], xy.shape[-2])
    if xy.ndim == 4:
        xy, score = xy[:, :, None], score[:, :, None]
    return Keypoints(
        xy, score, t_ns.astype(np.int64), names,
        tuple((int(width), int(height)) for width, height in size_px),
        _cameras(path, arrays, views), _focals(path, arrays, views),
    )  # fmt: skip


def advances(t_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Returns (V,T) whether a frame is later than all before it; others are padding where a camera had no frame."""
    before = np.maximum.accumulate(t_ns, axis=1)[:, :-1]
    first = np.ones((len(t_ns), 1), bool)
    return np.concatenate([first, t_ns[:, 1:] > before], axis=1)


class KeypointTrack:
    """One view of a keypoint file as a recording.

    Args:
        path: The file.
        member: Which view, from 0.

    Raises:
        SourceError: As `load`, or the file has no such view.
    """

    def __init__(self, path: Path, member: int) -> None:
        keypoints = load(path)
        if not 0 <= member < len(keypoints.xy):
            raise SourceError(f"{path} has no view {member}.", f"Its views are 0 to {len(keypoints.xy) - 1}.")
        kept = advances(keypoints.t_ns)[member]
        self._xy, self._score = keypoints.xy[member][kept], keypoints.score[member][kept]
        self._t_ns = keypoints.t_ns[member][kept]
        self._at = -1
        self.identity = f"{path}#{member}"
        self.size_px = keypoints.size_px[member]
        self.total_frames: int | None = len(self._t_ns)
        self.landmarks = keypoints.landmarks
        self.fps = 1e9 / float(np.median(np.diff(self._t_ns))) if len(self._t_ns) > 1 else 30.0
        self.detail = f"2D keypoints, {self._xy.shape[-2]} landmarks at {self.fps:.4g}/s"

    def advance(self) -> Instant | None:
        """Moves on to the next frame; None at the end."""
        self._at += 1
        return Instant(self._at, int(self._t_ns[self._at])) if self._at < len(self._t_ns) else None

    def seek(self, own_ns: int) -> None:
        """Goes to just before ``own_ns``."""
        self._at = int(np.searchsorted(self._t_ns, own_ns)) - 1

    def content(self) -> tuple[Image | None, People | None]:
        """Returns the people of the frame."""
        return None, People.from_arrays(self._xy[self._at], self._score[self._at])

    def close(self) -> None:
        """Nothing is held open."""


def _bad(path: Path, key: str, reason: str) -> SourceError:
    return SourceError(f"{path}: key {key!r} {reason}.", REMEDY)


def _landmarks(path: Path, names: NDArray[Any], count: int) -> str:
    if names.dtype.kind != "U":
        raise _bad(path, "landmarks", f"is {names.dtype}, expected text")
    schema = ",".join(str(name) for name in names.reshape(-1))
    known = skeleton.landmarks(schema)
    if len(known.names) != count:
        raise _bad(path, "landmarks", f"names {len(known.names)} landmarks, xy has {count}")
    return schema


def _cameras(path: Path, arrays: dict[str, NDArray[Any]], views: int) -> tuple[str, ...]:
    names = arrays.get("cameras", np.full(views, ""))
    if names.shape != (views,) or names.dtype.kind != "U":
        raise _bad(path, "cameras", f"is {names.dtype} {names.shape}, expected {views} names")
    return tuple(str(name) for name in names)


def _focals(path: Path, arrays: dict[str, NDArray[Any]], views: int) -> tuple[float | None, ...]:
    if "focal_px" not in arrays:
        return (None,) * views
    focal = arrays["focal_px"]
    if focal.shape != (views,) or focal.dtype.kind not in "iuf":
        raise _bad(path, "focal_px", f"is {focal.dtype} {focal.shape}, expected {views} numbers")
    return tuple(float(f) if np.isfinite(f) and f > 0 else None for f in focal)
