"""2D keypoints of a whole recording, and their validation.

Axes: V views, T frames, P people, K landmarks, N points.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import ContentError
from pose_rig.skeleton import landmarks
from pose_rig.wire.messages import MAX_IMAGE_SIDE_PX

MAX_SCORE = 1.5  # SimCC and heat-map heads overshoot 1 a little; above this it is another scale
MAX_NORMALIZED_MEDIAN = 1.5  # median coordinates below this are not in pixels
MIN_SCORE_FRACTION = 0.5  # of the 0.9 quantile; lower scores: points extrapolated beyond the image border
MAX_OUTSIDE_FRACTION = 0.2  # of the reliable points; real takes have almost none outside, a wrong image size many
MAX_OUTSIDE_IF_SWAPPED = 0.02  # the same, if swapping width and height brings them inside
MIN_FRAME_INTERVAL_NS, MAX_FRAME_INTERVAL_NS = 10**5, 10**10  # 10 000 fps, and 10 s
MIN_FRAME_INTERVALS = 3  # fewer are not checked
FOCAL_PER_LARGER_SIDE_RANGE = (0.1, 100.0)  # from fisheye to telescope
MAX_TIME_NS, YEAR_NS = 1 << 61, 365.25 * 86400e9  # 73 years, half of what messages hold (`messages.TimeNs`)
MAX_TIME_GAP_NS = 10**9  # between the detections of two views of one take


@dataclass(frozen=True, slots=True)
class Keypoints:
    """2D keypoints of all cameras.

    Attributes:
        xy: (V,T,P,K,2) px, NaN = not visible.
        score: (V,T,P,K).
        t_ns: (V,T) int64, increasing in T, from 0; frames that are not later are empty (see `is_later`).
        landmarks: Schema name, or K names joined by commas.
        size_px: (width, height) of each view.
        cameras: Name of each view, empty if the file has none.
        focal_px: Focal length of each view, None if the file has none.
        depth: (V,T,P,K) px as in `pose_rig.wire.messages.Keypoints2D`, NaN = unknown; None if the file has none.
    """

    xy: NDArray[np.floating]
    score: NDArray[np.floating]
    t_ns: NDArray[np.int64]
    landmarks: str
    size_px: tuple[tuple[int, int], ...]
    cameras: tuple[str, ...]
    focal_px: tuple[float | None, ...]
    depth: NDArray[np.floating] | None = None


def is_later(t_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Returns (V,T) whether a frame is later than all before it; the others are padding of a camera without a frame."""
    before = np.maximum.accumulate(t_ns, axis=1)[:, :-1]
    first = np.ones((len(t_ns), 1), bool)
    return np.concatenate([first, t_ns[:, 1:] > before], axis=1)


def validate(keypoints: Keypoints, name: str, remedy: str) -> Keypoints:
    """Returns validated keypoints as float32, with NaN and score 0 where they are not visible.

    A keypoint at (0, 0), left of or above the image is not visible, whatever its score: detectors encode it so.

    Args:
        keypoints: Arrays of valid shapes and dtypes.
        name: Name of the file, for messages.
        remedy: A sentence that refers to the documentation of the format.

    Raises:
        ContentError: No keypoint is visible, coordinates are not pixels of images of that size, scores are not 0–1, or
            times are not nanoseconds.
    """
    for axis, side in zip(("cameras", "frames", "people", "landmarks"), keypoints.xy.shape, strict=False):
        if not side and axis != "people":
            raise ContentError(f"{name} has no {axis}.", f"Check the program that wrote it. {remedy}")
    with np.errstate(over="ignore"):  # values beyond float32 become infinite: not visible
        xy, score = keypoints.xy.astype(np.float32), keypoints.score.astype(np.float32)
        depth = None if keypoints.depth is None else keypoints.depth.astype(np.float32)
    _check_scores(score, name)
    present = np.isfinite(xy).all(-1) & (score > 0)
    present &= (xy[..., 0] > 0) | (xy[..., 0] != xy[..., 1])  # (0, 0) and (−1, −1) are placeholders
    if not present.any():
        raise ContentError(f"{name} has no visible keypoint in any frame.", "Check the detector that wrote it.")
    for view, (size_px, focal_px) in enumerate(zip(keypoints.size_px, keypoints.focal_px, strict=True)):
        _check_camera(size_px, focal_px, f"{name}, {_camera(keypoints, view)}", remedy)
    _check_pixels(xy, score, present, keypoints, name)
    visible = present & (xy >= 0).all(-1)
    if depth is not None and not in_pixels(depth[visible & np.isfinite(depth)][:, None]):
        raise ContentError(f"{name}: depths are not in pixels.", f"Give them at the scale of xy. {remedy}")
    detected: NDArray[np.bool_] = np.any(visible, axis=(2, 3))
    _check_times(keypoints.t_ns, detected, name, remedy)
    return replace(
        keypoints,
        xy=np.where(visible[..., None], xy, np.float32(np.nan)),
        score=np.where(visible, score, np.float32(0)),
        depth=depth,
    )


def _check_scores(score: NDArray[np.float32], name: str) -> None:
    known = score[~np.isnan(score)]
    if not known.size:
        return
    if known.max() > MAX_SCORE and known.min() < 0:
        raise ContentError(
            f"{name}: scores go from {known.min():g} to {known.max():g}, expected 0–1.",
            "Write how likely each point is; of a logit x that is 1 / (1 + exp(−x)).",
        )
    if known.max() > MAX_SCORE:
        by = "by 100, as they are per cent" if known.max() <= 100 else "by their largest"
        raise ContentError(f"{name}: scores reach {known.max():g}, expected 0–1.", f"Divide them {by}.")
    if known.min() < 0 and known.max() <= 0:
        raise ContentError(
            f"{name}: no score is above 0, the lowest is {known.min():g}.", "Write how likely each point is, 0–1."
        )


def _check_camera(size_px: tuple[int, int], focal_px: float | None, name: str, remedy: str) -> None:
    if not all(1 <= side <= MAX_IMAGE_SIDE_PX for side in size_px):
        raise ContentError(f"{name}: {size_px[0]}×{size_px[1]} px is not a valid image size.", remedy)
    low, high = (factor * max(size_px) for factor in FOCAL_PER_LARGER_SIDE_RANGE)
    if focal_px is not None and not low <= focal_px <= high:
        raise ContentError(
            f"{name}: a focal length of {focal_px:g} px is not plausible for images of {size_px[0]}×{size_px[1]} px.",
            "Give focal_px in pixels, or NaN if unknown.",
        )


def _check_pixels(
    xy: NDArray[np.float32], score: NDArray[np.float32], present: NDArray[np.bool_], keypoints: Keypoints, name: str
) -> None:
    for view in range(len(xy)):
        if not in_pixels(xy[view][present[view]]):
            raise ContentError(
                f"{name}: keypoints are not in pixels.",
                "Run OpenPose with --keypoint_scale 0; or multiply x by the width and y by the height of the images.",
            )
    body = present & landmarks(keypoints.landmarks).weights.any(0)  # the 68 points of a face would dominate
    reliable = [xy[view][body[view] & (score[view] >= _min_score(score[view][body[view]]))] for view in range(len(xy))]
    sizes = np.array(keypoints.size_px)
    outside = [_outside(points, size) for points, size in zip(reliable, sizes, strict=True)]
    swapped = [_outside(points, size[::-1]) for points, size in zip(reliable, sizes, strict=True)]
    is_swapped = max(outside) > MAX_OUTSIDE_IF_SWAPPED and sum(swapped) < 0.1 * sum(outside)
    for view, fraction in enumerate(outside):
        if fraction > (MAX_OUTSIDE_IF_SWAPPED if is_swapped else MAX_OUTSIDE_FRACTION):
            width, height = keypoints.size_px[view]
            hint = " With width and height, or x and y, swapped they are inside." if is_swapped else ""
            raise ContentError(
                f"{name}, {_camera(keypoints, view)}: {fraction:.0%} of a camera's keypoints lie outside of "
                f"{width}×{height} px.",
                f"Give the size of the images that the detector processed, width first: --size or size_px.{hint}",
            )


def _camera(keypoints: Keypoints, view: int) -> str:
    return f"camera {keypoints.cameras[view] or view}"


def in_pixels(points: NDArray[np.floating]) -> bool:
    """Returns whether points (N,2) can be pixels; no points, or identical ones, can."""
    return len(points) == 0 or bool(
        np.median(np.abs(points), axis=0).max() >= MAX_NORMALIZED_MEDIAN or np.ptp(points) == 0
    )


def _min_score(score: NDArray[np.float32]) -> float:
    """Returns the score above which a keypoint of this detector, with scores (N,), is reliable."""
    return MIN_SCORE_FRACTION * float(np.quantile(score, 0.9)) if len(score) else 1.0


def _outside(points: NDArray[np.float32], size_px: NDArray[np.int64]) -> float:
    """Returns the fraction of points (N,2) outside an image."""
    return float(((points < 0) | (points > size_px)).any(-1).mean()) if len(points) else 0.0


def _check_times(t_ns: NDArray[np.int64], detected: NDArray[np.bool_], name: str, remedy: str) -> None:
    """Checks t_ns (V,T); ``detected`` (V,T) marks frames with a visible keypoint."""
    later = is_later(t_ns)
    if (t_ns < 0).any() or (detected & ~later).any():
        raise ContentError(
            f"{name}: times (key 't_ns') must start at 0 or later and increase from frame to frame.", remedy
        )
    if (t_ns >= MAX_TIME_NS).any():
        raise ContentError(
            f"{name}: times (key 't_ns') reach {t_ns.max() / YEAR_NS:.0f} years.",
            "They are nanoseconds; start at 0 or use Unix time.",
        )
    steps = [np.diff(row[kept]) for row, kept in zip(t_ns, later, strict=True)]
    for step in (float(np.median(step)) for step in steps if len(step) >= MIN_FRAME_INTERVALS):
        if not MIN_FRAME_INTERVAL_NS <= step <= MAX_FRAME_INTERVAL_NS:
            raise ContentError(
                f"{name}: frames are {step:g} ns apart, which is not a plausible frame rate.",
                "Times (key 't_ns') are nanoseconds, whole numbers: 30 frames per second are 33333333 apart.",
            )
    spans = [(int(row[some][0]), int(row[some][-1])) for row, some in zip(t_ns, detected, strict=True) if some.any()]
    first, last = (max(start for start, _ in spans), min(end for _, end in spans))
    if first - last > MAX_TIME_GAP_NS and not _all_overlap(spans):
        raise ContentError(
            f"{name}: the detections of two cameras do not overlap in time: {(first - last) * 1e-9:.3g} s apart.",
            "Write the times (key 't_ns') of all cameras from the same clock.",
        )


def _all_overlap(spans: list[tuple[int, int]]) -> bool:
    """Returns whether every time span overlaps with another one."""
    return all(
        any(a[0] <= b[1] + MAX_TIME_GAP_NS and b[0] <= a[1] + MAX_TIME_GAP_NS for j, b in enumerate(spans) if i != j)
        for i, a in enumerate(spans)
    )
