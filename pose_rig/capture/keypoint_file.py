"""2D keypoints from a file, instead of cameras and a detector.

Axes: V views, T frames, P people, K landmarks.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig import skeleton
from pose_rig.arrays import Image
from pose_rig.capture.keypoints import Keypoints, is_later, validate
from pose_rig.capture.recording import RecordedFrame
from pose_rig.capture.source import Detections, SourceInfo
from pose_rig.errors import ContentError, SourceError
from pose_rig.npz import read_arrays
from pose_rig.wire.messages import MAX_IMAGE_SIDE_PX

REQUIRED = ("xy", "score", "t_ns", "landmarks", "size_px")
OPTIONAL = ("cameras", "focal_px", "depth")
REMEDY = "docs/cameras.md describes the file of 2D keypoints."


def load(path: Path) -> Keypoints:
    """Returns the content of an npz of 2D keypoints (docs/cameras.md).

    Raises:
        ContentError: The file cannot be read, or a key is missing or has an invalid shape or value; names the key.
        UsageError: The landmark set is unknown.
    """
    arrays = read_arrays(path, REMEDY, (*REQUIRED, *OPTIONAL))
    for key in REQUIRED:
        if key not in arrays:
            raise _bad(path, key, "is missing")
    xy, score, t_ns, size_px = (arrays[key] for key in ("xy", "score", "t_ns", "size_px"))
    depth = arrays.get("depth")
    _check_shapes(path, xy, score, t_ns, size_px)
    if depth is not None and (depth.shape != score.shape or depth.dtype.kind not in "iuf"):
        raise _bad(path, "depth", f"is {depth.dtype} {depth.shape}, expected numbers {score.shape} like score")
    names = _landmarks(path, arrays["landmarks"], xy.shape[-2])
    if xy.ndim == 4:
        xy, score, depth = xy[:, :, None], score[:, :, None], None if depth is None else depth[:, :, None]
    keypoints = Keypoints(
        xy, score, t_ns.astype(np.int64), names,
        tuple((int(width), int(height)) for width, height in size_px),
        _cameras(path, arrays, len(xy)), _focals(path, arrays, len(xy)), depth,
    )  # fmt: skip
    return validate(keypoints, str(path), REMEDY)


def _check_shapes(path: Path, xy: NDArray[Any], score: NDArray[Any], t_ns: NDArray[Any], size_px: NDArray[Any]) -> None:
    if xy.ndim not in (4, 5) or xy.shape[-1] != 2 or xy.dtype.kind not in "iuf":
        raise _bad(path, "xy", f"is {xy.dtype} {xy.shape}, expected numbers (V,T,K,2) or (V,T,P,K,2)")
    for side, axis in zip(xy.shape, ("cameras", "frames"), strict=False):
        if not side:
            raise ContentError(f"{path} has no {axis}.", REMEDY)
    views = len(xy)
    if size_px.ndim == 2 and len(size_px) == xy.shape[1] != views:
        raise _bad(path, "xy", f"is {xy.dtype} {xy.shape} and has the frames first: cameras are the first axis")
    if score.shape != xy.shape[:-1] or score.dtype.kind not in "iuf":
        raise _bad(path, "score", f"is {score.dtype} {score.shape}, expected numbers {xy.shape[:-1]} like xy")
    if t_ns.shape != xy.shape[:2] or t_ns.dtype.kind not in "iu":
        raise _bad(path, "t_ns", f"is {t_ns.dtype} {t_ns.shape}, expected whole numbers {xy.shape[:2]}, nanoseconds")
    if t_ns.dtype.kind == "u" and (t_ns > np.iinfo(np.int64).max).any():
        raise _bad(path, "t_ns", f"reaches {t_ns.max()}, too large for nanoseconds")
    valid = size_px.shape == (views, 2) and size_px.dtype.kind in "iuf"
    if not valid or not ((size_px >= 1) & (size_px <= MAX_IMAGE_SIDE_PX)).all():
        wanted = f"expected positive numbers {(views, 2)}, {MAX_IMAGE_SIDE_PX} at most"
        raise _bad(path, "size_px", f"is {size_px.dtype} {size_px.shape}, {wanted}")


class KeypointTrack:
    """One view of a keypoint file as a recording.

    Args:
        path: The file.
        member: Which view, from 0.

    Raises:
        SourceError: As `load`, or the file has no such view.
    """

    fault = ""

    def __init__(self, path: Path, member: int) -> None:
        keypoints = load(path)
        if not 0 <= member < len(keypoints.xy):
            raise SourceError(f"{path} has no view {member}.", f"Its views are 0 to {len(keypoints.xy) - 1}.")
        kept = is_later(keypoints.t_ns)[member]
        self._xy, self._score = keypoints.xy[member][kept], keypoints.score[member][kept]
        self._depth = None if keypoints.depth is None else keypoints.depth[member][kept]
        self._t_ns = keypoints.t_ns[member][kept]
        self._index = -1
        fps = 1e9 / float(np.median(np.diff(self._t_ns))) if len(self._t_ns) > 1 else 30.0
        detail = f"2D keypoints, {self._xy.shape[-2]} landmarks at {fps:.4g}/s"
        size_px = keypoints.size_px[member]
        self.info = SourceInfo(f"{path}#{member}", detail, size_px, fps, len(self._t_ns), keypoints.landmarks)

    def grab(self) -> RecordedFrame | None:
        """Moves to the next frame; None at the end."""
        self._index += 1
        return RecordedFrame(self._index, int(self._t_ns[self._index])) if self._index < len(self._t_ns) else None

    def seek(self, pts_ns: int) -> None:
        """Moves to the frame before ``pts_ns``."""
        self._index = int(np.searchsorted(self._t_ns, pts_ns)) - 1

    def retrieve(self) -> tuple[Image | None, Detections | None]:
        """Returns the detections of the frame."""
        depth = None if self._depth is None else self._depth[self._index]
        return None, Detections.from_arrays(self._xy[self._index], self._score[self._index], depth)

    def close(self) -> None:
        """Does nothing: the file is closed already."""


def _bad(path: Path, key: str, reason: str) -> ContentError:
    return ContentError(f"{path}: key {key!r} {reason}.", REMEDY)


def _landmarks(path: Path, names: NDArray[Any], count: int) -> str:
    if names.dtype.kind != "U":
        raise _bad(path, "landmarks", f"is {names.dtype}, expected text")
    schema = skeleton.schema_name(",".join(str(name) for name in names.reshape(-1)))
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
    return tuple(None if np.isnan(f) else float(f) for f in focal)
