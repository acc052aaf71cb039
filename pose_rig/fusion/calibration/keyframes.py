"""Keyframes: a bounded set of detections in which the images differ.

A person who stands still for an hour adds no information. When the set is full, one of the two most similar keyframes
is dropped; similarity is measured in the images, so that positions, directions and poses all count.

Axes: N keyframes, V views, J = 17 joints, L limb joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.geometry import length2
from pose_rig.skeleton import LIMBS

MAX_KEYFRAMES = 120
MIN_WEIGHT_RATIO = 1.5  # an older keyframe is kept if the views of the newer one agree so much less
DISJOINT_DISTANCE = 10.0  # person sizes; of keyframes without a view in common
_LIMBS = list(LIMBS)


@dataclass(frozen=True, slots=True)
class Keyframe:
    """Detections at one time step.

    Attributes:
        t_ns: Time.
        xy_px: (V,J,2) of the candidates assigned.
        score: (V,J) 0–1, 0 = not visible.
        inlier: (V,J) 0–1, probability of an inlier given the other views.
        weight: (V,) 0 where a view was absent or inconsistent.
        camera_from_body: (V,3,3) with the lifter's rotations; None if the rotations were given.
        up: (V,3) the vertical in camera axes, as estimated by the lifter.
        pelvis_depth: (V,) distance of the pelvis in body heights, from the size of the fused pose in each image.
        ray_depth: (V,J) as estimated by the detector (`pose_rig.geometry.ray_depths`), NaN = unknown; None = all are.
    """

    t_ns: int
    xy_px: Floats
    score: Floats
    inlier: Floats
    weight: Floats
    camera_from_body: Floats | None
    up: Floats
    pelvis_depth: Floats
    ray_depth: Floats | None = None


class Keyframes:
    """The keyframes of a rig.

    Attributes:
        frames: Oldest first.
    """

    def __init__(self) -> None:
        self.frames: list[Keyframe] = []
        self._distance = np.zeros((0, 0))
        self._limbs: tuple[Floats, NDArray[np.bool_]] | None = None  # of all; None = to be computed

    def add(self, keyframe: Keyframe) -> None:
        """Adds a keyframe and, if there are too many, drops the most redundant one."""
        if self._limbs is None:
            self._limbs = _limbs(self.frames) if self.frames else None
        own = _limbs([keyframe])
        row = np.zeros(0) if self._limbs is None else _image_distance(*own, *self._limbs)
        self._limbs = own if self._limbs is None else (
            np.concatenate([self._limbs[0], own[0]]), np.concatenate([self._limbs[1], own[1]])
        )  # fmt: skip
        self.frames.append(keyframe)
        grown = np.full((len(row) + 1, len(row) + 1), np.inf)
        grown[:-1, :-1], grown[-1, :-1], grown[:-1, -1] = self._distance, row, row
        self._distance = grown
        if len(self.frames) > MAX_KEYFRAMES:
            index = self._most_redundant()
            del self.frames[index]
            self._limbs = np.delete(self._limbs[0], index, 0), np.delete(self._limbs[1], index, 0)
            self._distance = np.delete(np.delete(self._distance, index, 0), index, 1)

    def without_view(self, view: int, since_ns: int = 0) -> None:
        """Sets the weight of a view to 0, in keyframes since a time."""
        self.frames = [
            replace(k, weight=k.weight * (np.arange(len(k.weight)) != view)) if k.t_ns >= since_ns else k
            for k in self.frames
        ]
        self._limbs = None

    def _most_redundant(self) -> int:
        """Returns the older of the two most similar keyframes, unless its views agree much better."""
        a, b = sorted(np.unravel_index(int(np.argmin(self._distance)), self._distance.shape))
        weight = [float(self.frames[int(i)].weight.sum()) for i in (a, b)]
        return int(b) if weight[0] > MIN_WEIGHT_RATIO * weight[1] else int(a)


def image_distance(keyframe: Keyframe, others: Sequence[Keyframe]) -> Floats:
    """Returns (N,) distances to others: the mean over limb joints and views, in person sizes."""
    if not others:
        return np.zeros(0)
    return _image_distance(*_limbs([keyframe]), *_limbs(others))


def _image_distance(
    xy_px: Floats, visible: NDArray[np.bool_], others_px: Floats, others_visible: NDArray[np.bool_]
) -> Floats:
    size = np.maximum(np.ptp(xy_px[0], axis=1).max(-1), 1.0)
    both = visible & others_visible
    moved = np.sqrt(length2(others_px - xy_px)) / size[:, None]
    count = both.sum((1, 2))
    return np.where(count > 0, (moved * both).sum((1, 2)) / np.maximum(count, 1), DISJOINT_DISTANCE)


def _limbs(keyframes: Sequence[Keyframe]) -> tuple[Floats, NDArray[np.bool_]]:
    """Returns the limb joints (N,V,L,2) px and (N,V,L) whether they are visible in a view that is used."""
    xy_px, score, weight = (np.stack([getattr(k, name) for k in keyframes]) for name in ("xy_px", "score", "weight"))
    return xy_px[:, :, _LIMBS], (score[:, :, _LIMBS] > 0) & (weight > 0)[..., None]
