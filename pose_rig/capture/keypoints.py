"""2D keypoints of a whole recording, and what has to be true of them wherever they come from.

Axes: V views, T frames, P people, K landmarks, N points.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import ContentError
from pose_rig.skeleton import landmarks
from pose_rig.wire.messages import MAX_IMAGE_SIDE_PX

SCORE_LIMIT = 1.5  # heads with SimCC or heat maps overshoot 1 a little; beyond this it is another scale
NORMALISED = 1.5  # half of the coordinates lie within this: no pixels
SURE = 0.5  # of what the surest tenth scores: detectors that guess beyond the image's border say so by a low score
MOST_OUTSIDE = 0.2  # share of sure points beyond the image; real takes have next to none, a wrong size many
EXCHANGED = 0.02  # and this share, if all are inside with the axes exchanged
SHORTEST_NS, LONGEST_NS = 10**5, 10**10  # between two frames: 10 000 fps, and 10 s
FEWEST_STEPS = 3  # of which something can be told
FOCAL_PER_SIDE = (0.1, 100.0)  # of lenses: fisheyes to telescopes
LATEST_NS, YEAR_NS = 1 << 61, 365.25 * 86400e9  # 73 years; twice that no message holds (`messages.Instant`)
APART_NS = 10**9  # views whose frames are further apart in time never see the same


@dataclass(frozen=True, slots=True)
class Keypoints:
    """2D keypoints of all cameras.

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


def advances(t_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Returns (V,T) whether a frame is later than all before it; others are padding where a camera had no frame."""
    before = np.maximum.accumulate(t_ns, axis=1)[:, :-1]
    first = np.ones((len(t_ns), 1), bool)
    return np.concatenate([first, t_ns[:, 1:] > before], axis=1)


def checked(keypoints: Keypoints, name: str, remedy: str) -> Keypoints:
    """Returns keypoints that a rig can use: float32, what is not seen has NaN and the score 0.

    A point at (0, 0), left of or above the image is not seen, whatever its score: that is how detectors write it.

    Args:
        keypoints: Arrays of the right shapes and kinds.
        name: Where they come from, for people.
        remedy: Where it is described what is wanted, for people.

    Raises:
        ContentError: There is nobody, or the points are no pixels of images of that size, the scores are not 0–1, or
            the times no nanoseconds.
    """
    for axis, side in zip(("cameras", "frames", "people", "landmarks"), keypoints.xy.shape, strict=False):
        if not side and axis != "people":
            raise ContentError(f"{name} has no {axis}.", f"Check what wrote it. {remedy}")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which is not seen
        xy, score = keypoints.xy.astype(np.float32), keypoints.score.astype(np.float32)
    _check_scores(score, name)
    given = np.isfinite(xy).all(-1) & (score > 0)
    given &= (xy[..., 0] > 0) | (xy[..., 0] != xy[..., 1])  # (0, 0) and (−1, −1) stand for nothing
    if not given.any():
        raise ContentError(f"{name} sees nobody in any frame.", "Check the detector that wrote it.")
    for view, (size_px, focal_px) in enumerate(zip(keypoints.size_px, keypoints.focal_px, strict=True)):
        _check_camera(size_px, focal_px, f"{name}, {_camera(keypoints, view)}", remedy)
    _check_pixels(xy, score, given, keypoints, name)
    seen = given & (xy >= 0).all(-1)
    somebody: NDArray[np.bool_] = np.any(seen, axis=(2, 3))
    _check_times(keypoints.t_ns, somebody, name, remedy)
    return replace(
        keypoints,
        xy=np.where(seen[..., None], xy, np.float32(np.nan)),
        score=np.where(seen, score, np.float32(0)),
    )


def _check_scores(score: NDArray[np.float32], name: str) -> None:
    known = score[~np.isnan(score)]
    if not known.size:
        return
    if known.max() > SCORE_LIMIT and known.min() < 0:
        raise ContentError(
            f"{name}: scores go from {known.min():g} to {known.max():g}, expected 0–1.",
            "Write how likely each point is; of a logit x that is 1 / (1 + exp(−x)).",
        )
    if known.max() > SCORE_LIMIT:
        by = "by 100, as they are per cent" if known.max() <= 100 else "by their largest"
        raise ContentError(f"{name}: scores reach {known.max():g}, expected 0–1.", f"Divide them {by}.")
    if known.min() < 0 and known.max() <= 0:
        raise ContentError(
            f"{name}: no score is above 0, the lowest is {known.min():g}.", "Write how likely each point is, 0–1."
        )


def _check_camera(size_px: tuple[int, int], focal_px: float | None, name: str, remedy: str) -> None:
    if not all(1 <= side <= MAX_IMAGE_SIDE_PX for side in size_px):
        raise ContentError(f"{name}: {size_px[0]}×{size_px[1]} px is no size of an image.", remedy)
    low, high = (factor * max(size_px) for factor in FOCAL_PER_SIDE)
    if focal_px is not None and not low <= focal_px <= high:
        raise ContentError(
            f"{name}: a focal length of {focal_px:g} px does not belong to images of {size_px[0]}×{size_px[1]} px.",
            "Give focal_px in pixels, or NaN where it is not known.",
        )


def _check_pixels(
    xy: NDArray[np.float32], score: NDArray[np.float32], given: NDArray[np.bool_], keypoints: Keypoints, name: str
) -> None:
    for view in range(len(xy)):
        if not in_pixels(xy[view][given[view]]):
            raise ContentError(
                f"{name}: keypoints are not in pixels.",
                "Run OpenPose with --keypoint_scale 0; or multiply x by the width and y by the height of the images.",
            )
    body = given & landmarks(keypoints.landmarks).weights.any(0)  # a face of 68 would outvote it
    sure = [xy[view][body[view] & (score[view] >= _sure(score[view][body[view]]))] for view in range(len(xy))]
    sizes = np.array(keypoints.size_px)
    outside = [_outside(points, size) for points, size in zip(sure, sizes, strict=True)]
    exchanged = [_outside(points, size[::-1]) for points, size in zip(sure, sizes, strict=True)]
    turned = max(outside) > EXCHANGED and sum(exchanged) < 0.1 * sum(outside)
    for view, share in enumerate(outside):
        if share > (EXCHANGED if turned else MOST_OUTSIDE):
            width, height = keypoints.size_px[view]
            hint = " With width and height, or x and y, exchanged they are inside." if turned else ""
            raise ContentError(
                f"{name}, {_camera(keypoints, view)}: {share:.0%} of a camera's keypoints lie outside of "
                f"{width}×{height} px.",
                f"Give the size of the images that were detected in, width first: with --size, or as size_px.{hint}",
            )


def _camera(keypoints: Keypoints, view: int) -> str:
    return f"camera {keypoints.cameras[view] or view}"


def in_pixels(points: NDArray[np.floating]) -> bool:
    """Returns whether points (N,2) can be pixels; of none, or one and the same, everything is possible."""
    return len(points) == 0 or bool(np.median(np.abs(points), axis=0).max() >= NORMALISED or np.ptp(points) == 0)


def _sure(score: NDArray[np.float32]) -> float:
    """Returns from which score (N,) on a point of this detector is no guess."""
    return SURE * float(np.quantile(score, 0.9)) if len(score) else 1.0


def _outside(points: NDArray[np.float32], size_px: NDArray[np.int64]) -> float:
    """Returns the share of points (N,2) beyond an image."""
    return float(((points < 0) | (points > size_px)).any(-1).mean()) if len(points) else 0.0


def _check_times(t_ns: NDArray[np.int64], seen: NDArray[np.bool_], name: str, remedy: str) -> None:
    """Checks t_ns (V,T) of frames of which ``seen`` (V,T) show somebody."""
    real = advances(t_ns)
    if (t_ns < 0).any() or (seen & ~real).any():
        raise ContentError(
            f"{name}: times (key 't_ns') must start at 0 or later and increase from frame to frame.", remedy
        )
    if (t_ns >= LATEST_NS).any():
        raise ContentError(
            f"{name}: times (key 't_ns') reach {t_ns.max() / YEAR_NS:.0f} years.",
            "They are nanoseconds; let them start at 0, or be the time of day.",
        )
    steps = [np.diff(row[kept]) for row, kept in zip(t_ns, real, strict=True)]
    for step in (float(np.median(step)) for step in steps if len(step) >= FEWEST_STEPS):
        if not SHORTEST_NS <= step <= LONGEST_NS:
            raise ContentError(
                f"{name}: frames are {step:g} ns apart, which is no camera's rate.",
                "Times (key 't_ns') are nanoseconds, whole numbers: 30 frames per second are 33333333 apart.",
            )
    spans = [(int(row[some][0]), int(row[some][-1])) for row, some in zip(t_ns, seen, strict=True) if some.any()]
    first, last = (max(start for start, _ in spans), min(end for _, end in spans))
    if first - last > APART_NS and not _chained(spans):
        raise ContentError(
            f"{name}: a camera sees somebody only when no other does, {(first - last) * 1e-9:.3g} s apart.",
            "Times (key 't_ns') of all cameras are of the same clock.",
        )


def _chained(spans: list[tuple[int, int]]) -> bool:
    """Returns whether every span of time has another that it meets."""
    return all(
        any(a[0] <= b[1] + APART_NS and b[0] <= a[1] + APART_NS for j, b in enumerate(spans) if i != j)
        for i, a in enumerate(spans)
    )
