"""What the rig remembers: a bounded choice of instants that differ.

A person who stands still for an hour teaches nothing new. Once the memory is full, the instant that resembles another
one most makes room; what resembles is measured in the pictures, so places, directions and poses all count.

Axes: N remembered instants, V views, J = 17 joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.triangulate import length2
from pose_rig.skeleton import LIMBS

REMEMBERED = 120
FAR_BETTER = 1.5
SEEN_ONCE = 10.0  # how different two instants are that no view saw both, in sizes of a person
_LIMBS = list(LIMBS)


@dataclass(frozen=True, slots=True)
class Keyframe:
    """What is remembered of one instant.

    Attributes:
        t_ns: The instant.
        xy_px: (V,J,2) of the candidates followed.
        score: (V,J) 0–1, 0 = not seen.
        inlier: (V,J) 0–1, how far the views bore each other out.
        weight: (V,) 0 where a view was absent or disagreed.
        camera_from_body: (V,3,3) with the lifter's rotations; None if the rotations were given.
        up: (V,3) the vertical in camera axes, as estimated by the lifter.
        pelvis_depth: (V,) distance of the pelvis in body heights, from the size of the fused pose in each image.
    """

    t_ns: int
    xy_px: Floats
    score: Floats
    inlier: Floats
    weight: Floats
    camera_from_body: Floats | None
    up: Floats
    pelvis_depth: Floats


@dataclass(frozen=True, slots=True)
class _Looks:
    """What tells instants apart. L limb joints.

    Attributes:
        xy_px: (N,V,L,2).
        seen: (N,V,L).
    """

    xy_px: Floats
    seen: NDArray[np.bool_]

    @classmethod
    def of(cls, instants: Sequence[Keyframe]) -> "_Looks":
        xy_px, score = (np.stack([getattr(i, name)[:, _LIMBS] for i in instants]) for name in ("xy_px", "score"))
        return cls(xy_px, (score > 0) & (np.stack([i.weight for i in instants]) > 0)[..., None])

    def and_one(self, other: "_Looks") -> "_Looks":
        return _Looks(np.concatenate([self.xy_px, other.xy_px]), np.concatenate([self.seen, other.seen]))

    def without(self, index: int) -> "_Looks":
        return _Looks(np.delete(self.xy_px, index, 0), np.delete(self.seen, index, 0))


class Keyframes:
    """Holds the instants that say most."""

    def __init__(self) -> None:
        self.frames: list[Keyframe] = []
        self._looks: _Looks | None = None
        self._apart = np.zeros((0, 0))

    def add(self, instant: Keyframe) -> None:
        """Takes an instant in, and drops the one that is missed least when there are too many."""
        look = _Looks.of([instant])
        row = np.zeros(0) if self._looks is None else _difference(look, self._looks)
        self._looks = look if self._looks is None else self._looks.and_one(look)
        self.frames.append(instant)
        grown = np.full((len(row) + 1, len(row) + 1), np.inf)
        grown[:-1, :-1], grown[-1, :-1], grown[:-1, -1] = self._apart, row, row
        self._apart = grown
        if len(self.frames) > REMEMBERED:
            self._drop(self._least())

    def without_view(self, view: int) -> None:
        """Forgets what a view saw."""
        if self._looks is None:
            return
        there = np.arange(len(self.frames[0].weight)) != view
        self.frames = [replace(instant, weight=instant.weight * there) for instant in self.frames]
        self._looks = _Looks.of(self.frames)

    def _least(self) -> int:
        """Returns which instant to drop: of the two most alike the older, unless its views bear it out far better."""
        a, b = sorted(np.unravel_index(int(np.argmin(self._apart)), self._apart.shape))
        worth = [float(self.frames[int(i)].weight.sum()) for i in (a, b)]
        return int(b) if worth[0] > FAR_BETTER * worth[1] else int(a)

    def _drop(self, index: int) -> None:
        del self.frames[index]
        self._looks = None if self._looks is None else self._looks.without(index)
        self._apart = np.delete(np.delete(self._apart, index, 0), index, 1)


def difference(a: Keyframe, others: Sequence[Keyframe]) -> Floats:
    """Returns (N,) how different others look: mean distance of the limb joints over all views, in person sizes."""
    return _difference(_Looks.of([a]), _Looks.of(others)) if others else np.zeros(0)


def _difference(a: _Looks, others: _Looks) -> Floats:
    size = np.maximum(np.ptp(a.xy_px[0], axis=1).max(-1), 1.0)
    both = a.seen & others.seen
    moved = np.sqrt(length2(others.xy_px - a.xy_px)) / size[:, None]
    count = both.sum((1, 2))
    return np.where(count > 0, (moved * both).sum((1, 2)) / np.maximum(count, 1), SEEN_ONCE)
