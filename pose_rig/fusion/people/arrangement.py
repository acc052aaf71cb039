"""Which detections of several views are one person before anything is known of the cameras.

Static cameras reveal themselves through all people at once. Every pair of detections, one in each of two views, implies
a relative pose of the two cameras: if both show one person, always about the same one; otherwise a different one each
time. The most frequent relative poses that agree with each other are an approximate rig, in which the detections of one
person are near each other and face the same way. Rotations of lifts are accurate to about 10°, distances to 10 %.

Axes: V views, C candidates, K votes of a pair of views, M modes, S sets of camera poses.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.keyframes import KEYFRAME_INTERVAL_NS
from pose_rig.fusion.people.camera_votes import agreement, mean_pose, rotation_agreement
from pose_rig.fusion.people.single_views import SingleViews
from pose_rig.geometry import angle_deg, nearest_rotation

MAX_STEPS = 90  # six seconds
MIN_STEPS = 12
MAX_PER_VIEW = 6  # people of a crowd, the nearest to the camera
MAX_VOTES = 160  # of a pair of views
ALIKE_SCALE = 0.35  # of the distance of two poses of unit size
MODES, MODE_DISTANCE_DEG = 3, 35.0  # of a pair that are considered, and how different they are
TREES = 64  # of pairs that connect all views, which are compared
ALIKE_DEG = 30.0  # of two bodies that are not alike at all
MAX_GROUP_DEG = 60.0  # of two detections of one person: difference of direction and, converted, of place
DEG_PER_HEIGHT = 50.0
MIN_ADVANTAGE = 1.3  # in support, over a solved rig that is taken to be wrong then
MAX_CHANGE_DEG = 40.0  # of a relative rotation, from one estimate to the next


@dataclass(frozen=True, slots=True)
class _Votes:
    """The relative poses of one pair of views: (K,3,3) first_from_second and (K,3) body heights.

    ``weight`` (K,) is how alike the two bodies are, 0–1.
    """

    rotation: Floats
    translation: Floats
    weight: Floats


@dataclass(frozen=True, slots=True)
class RoughCameras:
    """Approximate camera poses in the frame of the first of them that is known.

    Attributes:
        rotation: (V,3,3) camera_from_rig.
        translation: (V,3) body heights.
        known: (V,) whether they are known.
        support: How well all votes agree with them, 0–1 per pair and detected person.
    """

    rotation: Floats
    translation: Floats
    known: NDArray[np.bool_]
    support: float

    def differ(self, others: "RoughCameras") -> bool:
        """Whether the pose of a camera that is known in both relative to another one is not the same."""
        both = np.flatnonzero(self.known & others.known)
        before, now = (one.rotation[both][:, None] @ one.rotation[both].swapaxes(-1, -2) for one in (self, others))
        return bool((angle_deg(before, now) > MAX_CHANGE_DEG).any())

    def places(self, seen: SingleViews) -> tuple[Floats, Floats]:
        """Returns (C,3) places, body heights, and (C,J,3) lifted poses in the axes of the rig."""
        rotation, translation = self.rotation[seen.view], self.translation[seen.view]
        place = np.einsum("cji,cj->ci", rotation, seen.pelvis - translation)
        return place, seen.lifted @ rotation


@dataclass(frozen=True, slots=True)
class ArrangementEstimate:
    """What detections show of the arrangement of the views.

    Attributes:
        cameras: Approximate camera poses, None if there are too few detections.
        votes: Of each pair of views.
    """

    cameras: RoughCameras | None = None
    votes: Mapping[tuple[int, int], _Votes] = field(default_factory=dict)


class Arrangement:
    """Collects detections, and says when approximate camera poses are to be estimated from them (`begin`).

    Attributes:
        estimates: How often they were estimated.
        changes: How often they have become others: what was learned with those before is wrong.
        estimate_is_due: Whether there are enough new detections for an estimate.
    """

    def __init__(self, views: int) -> None:
        self._views = views
        self._steps: deque[SingleViews] = deque(maxlen=MAX_STEPS)
        self._count, self._next_at = 0, MIN_STEPS
        self._random = np.random.default_rng(0)
        self._last = ArrangementEstimate()
        self.changes = self.estimates = 0

    @property
    def cameras(self) -> RoughCameras | None:
        """As estimated last, None until then."""
        return self._last.cameras

    def is_due(self, t_ns: int) -> bool:
        """Whether a time step is late enough after the last one to be added."""
        return not self._steps or not 0 <= t_ns - self._steps[-1].t_ns < KEYFRAME_INTERVAL_NS

    def add(self, seen: SingleViews) -> bool:
        """Adds a time step; returns False if it follows too closely."""
        if not self.is_due(seen.t_ns):
            return False
        self._steps.append(seen)
        self._count += 1
        return True

    @property
    def estimate_is_due(self) -> bool:
        """As above."""
        return self._count >= self._next_at

    def begin(self) -> Callable[[], ArrangementEstimate]:
        """Returns the estimate as a function; no other may be running when it is called."""
        self._next_at = self._count + max(3, self._count // 3)
        return partial(estimate_arrangement, tuple(self._steps), self._views, self._random)

    def use(self, estimate: ArrangementEstimate) -> None:
        """Uses what was estimated."""
        before, self._last = self.cameras, estimate
        self.estimates += 1
        if self.cameras is not None and (before is None or before.differ(self.cameras)):
            self.changes += 1

    @property
    def shows_several(self) -> bool:
        """Whether a view has shown more than one person."""
        return any(len(seen.view) > len(np.unique(seen.view)) for seen in self._steps)

    def contradicts(self, rotation: Floats, known: NDArray[np.bool_]) -> bool:
        """Whether cameras with other rotations (V,3,3) camera_from_rig support what the detections show clearly better.

        Args:
            rotation: Of a solved rig.
            known: (V,) whose are known.
        """
        if self.cameras is None:
            return False
        solved = RoughCameras(rotation, np.zeros((len(rotation), 3)), known & self.cameras.known, 0.0)
        if not self.cameras.differ(solved):
            return False
        both = {(u, v): votes for (u, v), votes in self._last.votes.items() if solved.known[u] and solved.known[v]}
        mine, other = (rotation_support(one.rotation, both) for one in (solved, self.cameras))
        return other > MIN_ADVANTAGE * mine


def estimate_arrangement(steps: Sequence[SingleViews], views: int, random: np.random.Generator) -> ArrangementEstimate:
    """Returns the approximate camera poses that the detections of some time steps support best."""
    votes = {
        pair: found for pair in combinations(range(views), 2) if (found := _votes_of(steps, *pair, random)) is not None
    }
    modes = {pair: _modes(found) for pair, found in votes.items()}
    if not modes:
        return ArrangementEstimate(None, votes)
    trees = [_connected(_tree(modes, views, None if trial == 0 else random), views) for trial in range(TREES)]
    rotation, translation, known = (np.stack(part) for part in zip(*trees, strict=True))
    support = _support(rotation, translation, known, votes)
    best = int(np.argmax(support))
    cameras = RoughCameras(rotation[best], translation[best], known[best], float(support[best]))
    return ArrangementEstimate(cameras, votes)


def _votes_of(steps: Sequence[SingleViews], u: int, v: int, random: np.random.Generator) -> _Votes | None:
    """Returns the votes of all pairs of detections in two views, None with too few."""
    found = [_pairs(seen, u, v) for seen in steps]
    found = [pairs for pairs in found if len(pairs[0])]
    if len(found) < MIN_STEPS // 2:
        return None
    a_pose, b_pose, a_pelvis, b_pelvis = (np.concatenate(part) for part in zip(*found, strict=True))
    if len(a_pose) > MAX_VOTES:
        kept = np.sort(random.choice(len(a_pose), MAX_VOTES, replace=False))
        a_pose, b_pose, a_pelvis, b_pelvis = a_pose[kept], b_pose[kept], a_pelvis[kept], b_pelvis[kept]
    rotation, alike = _aligned(a_pose, b_pose)
    return _Votes(rotation, a_pelvis - np.einsum("kij,kj->ki", rotation, b_pelvis), alike)


def _tree(modes: dict[tuple[int, int], "_Modes"], views: int, random: np.random.Generator | None) -> list["_Edge"]:
    """Returns pairs that connect as many views as possible, one mode of each, those of much support first.

    A random generator varies which of them come first.
    """
    edges = [
        _Edge(u, v, found.rotation[m], found.translation[m], found.support[m])
        for (u, v), found in modes.items()
        for m in range(len(found.support))
    ]
    noise = np.zeros(len(edges)) if random is None else random.gumbel(0.0, 0.3, len(edges))
    order = np.argsort(-(np.log(np.maximum([edge.support for edge in edges], 1e-9)) + noise), kind="stable")
    group, tree = list(range(views)), []
    for index in order.tolist():
        edge = edges[index]
        if group[edge.first] != group[edge.second]:
            old, new = group[edge.first], group[edge.second]
            group = [new if one == old else one for one in group]
            tree.append(edge)
    return tree


@dataclass(frozen=True, slots=True)
class _Modes:
    """The most frequent relative poses of a pair: (M,3,3), (M,3) and (M,) their support, the best first."""

    rotation: Floats
    translation: Floats
    support: Floats


@dataclass(frozen=True, slots=True)
class _Edge:
    """A relative pose of two views, first_from_second."""

    first: int
    second: int
    rotation: Floats
    translation: Floats
    support: float


def _modes(votes: _Votes) -> _Modes:
    near = agreement(votes.rotation[:, None], votes.translation[:, None], votes.rotation, votes.translation)
    near = near * votes.weight
    density = near.mean(1)
    rotation: list[Floats] = []
    translation: list[Floats] = []
    support: list[float] = []
    left = np.ones(len(density), bool)
    while len(support) < MODES and left.any():
        top = int(np.argmax(np.where(left, density, -1.0)))
        mean = mean_pose(votes.rotation, votes.translation, near[top])
        rotation.append(mean[0])
        translation.append(mean[1])
        support.append(float(density[top]))
        left &= angle_deg(votes.rotation, votes.rotation[top]) > MODE_DISTANCE_DEG
    return _Modes(np.array(rotation), np.array(translation), np.array(support))


def _pairs(seen: SingleViews, u: int, v: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Returns the lifted poses (K,J,3) of every detection in one view with every one in another, and pelvises (K,3)."""
    i, j = (index.ravel() for index in np.meshgrid(*(seen.nearest(w, MAX_PER_VIEW) for w in (u, v)), indexing="ij"))
    return seen.lifted[i], seen.lifted[j], seen.pelvis[i], seen.pelvis[j]


def _aligned(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Returns the rotations (K,3,3) a_from_b of poses (K,J,3), and (K,) how alike the poses are after them, 0–1."""
    a, b = (pose - pose.mean(1, keepdims=True) for pose in (a, b))
    a, b = (pose / np.maximum(np.linalg.norm(pose, axis=(1, 2), keepdims=True), 1e-9) for pose in (a, b))
    rotation = nearest_rotation(a.swapaxes(1, 2) @ b)
    square = np.maximum(2 - 2 * np.einsum("kja,kab,kjb->k", a, rotation, b), 0.0)
    return rotation, np.exp(-square / ALIKE_SCALE**2)


def _connected(tree: Sequence[_Edge], views: int) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Returns the camera poses (V,3,3), (V,3) that a tree implies, and (V,) whether it does, from its first edge."""
    rotation, translation, known = np.tile(np.eye(3), (views, 1, 1)), np.zeros((views, 3)), np.zeros(views, bool)
    known[min(tree[0].first, tree[0].second)] = True
    waiting = list(tree)
    while waiting:
        edge = next((one for one in waiting if known[one.first] != known[one.second]), None)
        if edge is None:
            break
        waiting.remove(edge)
        u, v = edge.first, edge.second
        if known[u]:  # x_u = G x_v + t
            rotation[v] = edge.rotation.T @ rotation[u]
            translation[v] = edge.rotation.T @ (translation[u] - edge.translation)
        else:
            rotation[u] = edge.rotation @ rotation[v]
            translation[u] = edge.rotation @ translation[v] + edge.translation
        known[u] = known[v] = True
    first = int(np.argmax(known))
    translation = translation - rotation @ rotation[first].T @ translation[first]
    return rotation @ rotation[first].T, translation, known


def _support(
    rotation: Floats, translation: Floats, known: NDArray[np.bool_], votes: dict[tuple[int, int], _Votes]
) -> Floats:
    """Returns (S,) the mean support of camera poses (S,V,3,3), (S,V,3), known (S,V), by the votes of all pairs."""
    total = np.zeros(len(rotation))
    for (u, v), one in votes.items():
        relative = rotation[:, u] @ rotation[:, v].swapaxes(-1, -2)
        shift = translation[:, u] - np.einsum("sij,sj->si", relative, translation[:, v])
        agreed = agreement(one.rotation, one.translation, relative[:, None], shift[:, None]) * one.weight
        total += agreed.mean(-1) * (known[:, u] & known[:, v])
    return total / len(votes)


def rotation_support(rotation: Floats, votes: Mapping[tuple[int, int], _Votes]) -> float:
    """Returns the mean support of camera rotations (V,3,3) by the votes of pairs."""
    support = [
        rotation_agreement(one.rotation, rotation[u] @ rotation[v].T) * one.weight for (u, v), one in votes.items()
    ]
    return float(np.mean([one.mean() for one in support])) if support else 0.0


def groups(seen: SingleViews, cameras: RoughCameras) -> list[NDArray[np.int64]]:
    """Returns the candidates of each person that two views show or more, at most one of each view."""
    rows = np.flatnonzero(cameras.known[seen.view])
    cost = _differences(seen, cameras)[np.ix_(rows, rows)]
    found: list[list[int]] = [[int(row)] for row in rows]
    while len(found) > 1:
        i, k = divmod(int(np.argmin(cost)), len(found))  # the least mean cost of two groups
        if cost[i, k] > MAX_GROUP_DEG:
            break
        sizes = len(found[i]), len(found[k])
        cost[i] = cost[:, i] = (sizes[0] * cost[i] + sizes[1] * cost[k]) / sum(sizes)
        cost = np.delete(np.delete(cost, k, axis=0), k, axis=1)
        found[i] += found.pop(k)
    return [np.sort(np.array(group)) for group in found if len(group) > 1]


def _differences(seen: SingleViews, cameras: RoughCameras) -> Floats:
    """Returns (C,C) how differently candidates face and where they are, converted to degrees; infinite in one view."""
    place, pose = cameras.places(seen)
    a, b = np.nonzero(np.triu(seen.view[:, None] != seen.view))
    rotation, alike = _aligned(pose[a], pose[b])
    cost = np.full((len(pose), len(pose)), np.inf)
    cost[a, b] = angle_deg(rotation, np.eye(3)) + ALIKE_DEG * (1 - alike)
    cost[a, b] += DEG_PER_HEIGHT * np.linalg.norm(place[a] - place[b], axis=-1)
    return np.asarray(np.fmin(cost, cost.T))
