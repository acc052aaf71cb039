"""Points on the clothes of the people in an image: on the trunk and on the legs.

Axes: P people, J = 17 joints, N points of a part of the body.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.skeleton import INDEX

MIN_SCORE = 0.5  # of a joint at the end of a part that is sampled
MIN_SHARE = 0.5  # of the points of a part that must be inside the image and free of others
MIN_LENGTH_PX = 8.0  # of a trunk or a segment of a leg, shorter ones are mostly background
ACROSS, ALONG = 8, 12  # points on a trunk
LEG_WIDTH = 0.06  # of the points on a leg to both sides of its middle, per length of thigh or shank

_TRUNK = [INDEX[name] for name in ("l_shoulder", "r_shoulder", "l_hip", "r_hip")]
_THIGHS = [INDEX[name] for name in ("l_hip", "l_knee", "r_hip", "r_knee")]
_SHANKS = [INDEX[name] for name in ("l_knee", "l_ankle", "r_knee", "r_ankle")]
_BODY = sorted({*_TRUNK, *_THIGHS, *_SHANKS})


@dataclass(frozen=True, slots=True)
class BodyPoints:
    """Points on one part of every person.

    Attributes:
        xy_px: (P,N,2), inside the image.
        weight: (P,N) with the sum 1, or 0 throughout where the part is not visible.
    """

    xy_px: NDArray[np.int64]
    weight: Floats


def trunk_points(xy_px: Floats, score: Floats, size_px: tuple[int, int]) -> BodyPoints:
    """Returns points between shoulders and hips.

    Args:
        xy_px: (P,J,2).
        score: (P,J) 0–1.
        size_px: Image (width, height).
    """
    u = np.linspace(0.15, 0.85, ACROSS)[None, :, None]
    v = np.linspace(0.1, 0.9, ALONG)[:, None, None]
    left, right, left_hip, right_hip = (xy_px[:, joint][:, None, None] for joint in _TRUNK)
    points = (1 - v) * ((1 - u) * left + u * right) + v * ((1 - u) * left_hip + u * right_hip)
    length = np.linalg.norm((left_hip + right_hip - left - right)[:, 0, 0], axis=-1) / 2
    seen = (score[:, _TRUNK].min(-1) > MIN_SCORE) & (length > MIN_LENGTH_PX)
    flat = points.reshape(len(xy_px), ACROSS * ALONG, 2)
    return _points(flat, _free(flat, xy_px, score, size_px) & seen[:, None])


def leg_points(xy_px: Floats, score: Floats, size_px: tuple[int, int]) -> BodyPoints:
    """Returns points on thighs and shanks, both with half of the weight; arguments as of `trunk_points`.

    Legs of which only thighs or only shanks are visible, as at a desk, have none: in shorts they have another colour.
    """
    halves = [_limb_points(xy_px, score, joints, size_px) for joints in (_THIGHS, _SHANKS)]
    weight = np.concatenate([half.weight for half in halves], 1) / 2
    whole = np.all([half.weight.any(-1) for half in halves], axis=0)
    return BodyPoints(np.concatenate([half.xy_px for half in halves], 1), weight * whole[:, None])


def _limb_points(xy_px: Floats, score: Floats, joints: list[int], size_px: tuple[int, int]) -> BodyPoints:
    """Returns points on the visible ones of two segments, given by the joints of both ends."""
    start, end = xy_px[:, joints[::2]][:, :, None, None], xy_px[:, joints[1::2]][:, :, None, None]
    bone = end - start  # (P,2,1,1,2)
    aside = np.stack([-bone[..., 1], bone[..., 0]], -1) * np.array([-LEG_WIDTH, 0.0, LEG_WIDTH])[:, None]
    points = start + bone * np.linspace(0.1, 0.9, ALONG)[:, None, None] + aside
    seen = (np.minimum(score[:, joints[::2]], score[:, joints[1::2]]) > MIN_SCORE) & (
        np.linalg.norm(bone[:, :, 0, 0], axis=-1) > MIN_LENGTH_PX
    )
    flat = points.reshape(len(xy_px), 2 * 3 * ALONG, 2)
    return _points(flat, _free(flat, xy_px, score, size_px) & np.repeat(seen, 3 * ALONG, axis=1), 0.5)


def _points(xy_px: Floats, usable: NDArray[np.bool_], share: float = 1.0) -> BodyPoints:
    """Returns the usable points, none of people who have too few; ``share`` of all points suffices to be complete."""
    count = usable.sum(-1)
    kept = usable & (count >= MIN_SHARE * share * usable.shape[-1])[:, None]
    pixels = np.where(kept[..., None], np.floor(xy_px), 0.0).astype(np.int64)
    return BodyPoints(pixels, kept / np.maximum(count, 1)[:, None])


def _free(points: Floats, xy_px: Floats, score: Floats, size_px: tuple[int, int]) -> NDArray[np.bool_]:
    """Returns (P,N) which points are inside the image, and not where another person's trunk or legs are."""
    inside = ((points >= 0) & (points < np.array(size_px, float))).all(-1)
    if len(points) < 2:
        return np.asarray(inside)
    seen = (score[:, _BODY] > 0)[..., None]
    low = np.where(seen, xy_px[:, _BODY], np.inf).min(1)  # (P,2)
    high = np.where(seen, xy_px[:, _BODY], -np.inf).max(1)
    within = ((points[:, None] >= low[:, None]) & (points[:, None] <= high[:, None])).all(-1)  # (P, other, N)
    within[np.arange(len(points)), np.arange(len(points))] = False
    return np.asarray(inside & ~within.any(1))
