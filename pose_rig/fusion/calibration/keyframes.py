"""Keyframes: a bounded set of detections in which the images differ.

A person who stands still for an hour adds no information. When the set is full, one of the two most similar keyframes
of a person is dropped; similarity is measured in the images, so that positions, directions and poses all count.

Axes: N keyframes, V views, J = 17 joints, L limb joints.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.geometry import length2
from pose_rig.skeleton import LIMBS

KEYFRAME_INTERVAL_NS = 66_000_000  # 15 Hz: neighbouring time steps are redundant (lag-1 correlation 0.9 at 25 Hz)
# Of all people together: with 20 more for each further person, rigs of two and four people were no more exact, and took
# a quarter longer to solve.
MAX_KEYFRAMES = 120
MIN_PER_PERSON = 12  # fewer of a person are not dropped for those of others
MAX_PEOPLE = 6  # in the set; those who were seen last
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
        person: Identity.
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
    person: int = 0


class Keyframes:
    """The keyframes of a rig, of one person or several.

    Attributes:
        frames: Oldest first.
    """

    def __init__(self) -> None:
        self.frames: list[Keyframe] = []
        self._person = np.zeros(0, np.int64)  # whose they are
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
        row = np.where(self._person == keyframe.person, row, np.inf)
        self.frames.append(keyframe)
        self._person = np.append(self._person, keyframe.person)
        grown = np.full((len(row) + 1, len(row) + 1), np.inf)
        grown[:-1, :-1], grown[-1, :-1], grown[:-1, -1] = self._distance, row, row
        self._distance = grown
        if len(self.people) > MAX_PEOPLE:
            self.without_person(self.people[0])
        elif len(self.frames) > MAX_KEYFRAMES:
            self._drop([self._most_redundant()])

    @property
    def people(self) -> tuple[int, ...]:
        """Whose keyframes there are; the person who was added last is the last one."""
        return tuple(reversed(dict.fromkeys(reversed(self._person.tolist()))))

    def without_person(self, person: int) -> None:
        """Removes the keyframes of a person."""
        self._drop(np.flatnonzero(self._person == person).tolist())

    def rename(self, names: Mapping[int, int]) -> None:
        """Gives people other identities; keyframes of those whose identity is another one's then are dropped."""
        for person in set(names.values()) - set(names):
            self.without_person(person)
        self.frames = [replace(frame, person=names.get(frame.person, frame.person)) for frame in self.frames]

    def without_view(self, view: int, since_ns: int = 0) -> None:
        """Sets the weight of a view to 0, in keyframes since a time."""
        self.frames = [
            replace(k, weight=k.weight * (np.arange(len(k.weight)) != view)) if k.t_ns >= since_ns else k
            for k in self.frames
        ]
        self._limbs = None

    def _drop(self, indices: Sequence[int]) -> None:
        kept = np.ones(len(self.frames), bool)
        kept[indices] = False
        for index in reversed(indices):
            del self.frames[index]
        if self._limbs is not None:
            self._limbs = self._limbs[0][kept], self._limbs[1][kept]
        self._person = self._person[kept]
        self._distance = self._distance[kept][:, kept]

    def _most_redundant(self) -> int:
        """Returns the older of the two most similar keyframes, unless its views agree much better."""
        distance = self._distance
        few = [one for one in self.people if (self._person == one).sum() <= MIN_PER_PERSON]
        if few:
            distance = np.where(np.isin(self._person, few), np.inf, distance)
        a, b = sorted(np.unravel_index(int(np.argmin(distance)), distance.shape))
        weight = [float(self.frames[int(i)].weight.sum()) for i in (a, b)]
        return int(b) if weight[0] > MIN_WEIGHT_RATIO * weight[1] else int(a)


def people_of(keyframes: Sequence[Keyframe]) -> list[int]:
    """Returns the identities in keyframes, in ascending order: the people (H) of a bundle adjustment."""
    return sorted({keyframe.person for keyframe in keyframes})


def of_each_person(keyframes: Sequence[Keyframe]) -> list[list[Keyframe]]:
    """Returns the keyframes of each person; those who have most come first."""
    people = [[keyframe for keyframe in keyframes if keyframe.person == person] for person in people_of(keyframes)]
    return sorted(people, key=len, reverse=True)


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
