"""People who are not tracked yet: candidates of several views that are one body in the room.

Axes: F free candidates, M pairs of them, V views, C candidates, P points (`segments.POINTS`), S segments.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.segments import LENGTH_INDEX, LENGTH_PER_HEIGHT, POINTS, SEGMENTS
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.people.assignment import distances
from pose_rig.fusion.pose.association import extent
from pose_rig.fusion.pose.hypothesis import UNASSIGNED
from pose_rig.fusion.pose.observation import Observation
from pose_rig.geometry import MIN_DEPTH_M

MAX_PAIR_DISTANCE = 0.06  # mean reprojection error of two views, in body heights
MAX_VIEW_DISTANCE = 0.12  # that of a further view
MIN_COMMON_POINTS = 6  # visible in both views of a pair
MIN_ANGLE_SIN = 0.1  # between the two rays to a point
HEIGHT_RANGE_M = (0.8, 2.3)  # that the segments of a body imply, children included
MAX_LENGTH_SPREAD = 0.25  # median deviation of a segment from an average body of that height
MAX_FREE = 8  # candidates of a view, the most prominent ones
MAX_PAIRS = 24  # of which further views are compared
_POINTS = list(POINTS)
_SEGMENT_POINTS = SEGMENTS != 0  # (S,P) points that a segment depends on


@dataclass(frozen=True, slots=True)
class Group:
    """Candidates that are one body.

    Attributes:
        candidate: (V,) of each view, `UNASSIGNED` for none.
        points: (P,3) m; NaN where fewer than two views show them.
        height_m: Body height that the segments imply.
        distance: Mean distance of the candidates from the points in the images, in body heights.
    """

    candidate: NDArray[np.int64]
    points: Floats
    height_m: float
    distance: float

    @property
    def views(self) -> int:
        """How many views show the body."""
        return int((self.candidate != UNASSIGNED).sum())

    @property
    def is_sure(self) -> bool:
        """Whether the body is no coincidence: three views or more agree well."""
        return self.views > 2 and self.distance < MAX_PAIR_DISTANCE


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pairs of candidates: (M,2) which, (M,P,3) m points, (M,) body height and distance in the images."""

    candidate: NDArray[np.int64]
    points: Floats
    height_m: Floats
    distance: Floats


def find_groups(observation: Observation, free: NDArray[np.bool_], cameras: Calibration, most: int) -> list[Group]:
    """Returns bodies that several views show, the most prominent ones, those of most views first.

    Args:
        observation: The candidates.
        free: (C,) those that are not assigned.
        cameras: The rig.
        most: How many are wanted.
    """
    found: list[Group] = []
    free = _most_prominent(observation, free & cameras.known[observation.view])
    while len(found) < most:
        pairs = _pairs(observation, np.flatnonzero(free), cameras)
        if pairs is None:
            break
        group = _largest(observation, free, cameras, pairs)
        found.append(group)
        free = free.copy()
        free[group.candidate[group.candidate != UNASSIGNED]] = False
    return found


def _most_prominent(observation: Observation, free: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Returns ``free`` (C,) with at most `MAX_FREE` candidates of each view."""
    kept, prominence = np.zeros_like(free), extent(observation) * observation.score.mean(-1)
    for view in np.unique(observation.view[free]).tolist():
        candidates = np.flatnonzero(free & (observation.view == view))
        kept[candidates[np.argsort(-prominence[candidates], kind="stable")[:MAX_FREE]]] = True
    return kept


def _pairs(observation: Observation, free: NDArray[np.int64], cameras: Calibration) -> _Pairs | None:
    """Returns the pairs of free candidates (F,) that can be one body, the best first; None without any."""
    a, b = np.triu_indices(len(free), 1)
    a, b = free[a], free[b]
    apart = observation.view[a] != observation.view[b]
    pair = np.stack([a[apart], b[apart]], axis=1)
    if not len(pair):
        return None
    view, visible = observation.view[pair], observation.score[pair][..., _POINTS] > 0  # (M,2), (M,2,P)
    points, sine = _midpoints(_rays(observation, pair, cameras), cameras.centre[view])
    both = visible.all(1) & (sine > MIN_ANGLE_SIN)
    points = np.where(both[..., None], points, np.nan)
    height_m, spread = _heights(points)
    distance = _pair_distances(observation, pair, cameras, points, both, height_m)
    low, high = HEIGHT_RANGE_M
    usable = (both.sum(-1) >= MIN_COMMON_POINTS) & (distance < MAX_PAIR_DISTANCE)
    usable &= (height_m > low) & (height_m < high) & (spread < MAX_LENGTH_SPREAD)
    order = np.flatnonzero(usable)[np.argsort(distance[usable], kind="stable")][:MAX_PAIRS]
    return _Pairs(pair[order], points[order], height_m[order], distance[order]) if len(order) else None


def _rays(observation: Observation, pair: NDArray[np.int64], cameras: Calibration) -> Floats:
    """Returns (M,2,P,3) the directions of unit length, in the rig, in which candidates (M,2) show their points."""
    rows, column = np.unique(pair, return_inverse=True)
    view = observation.view[rows]
    ideal_xy = cameras.intrinsics.ideal_xy(observation.xy_px[rows][:, _POINTS], view)
    direction = np.concatenate([ideal_xy, np.ones((*ideal_xy.shape[:-1], 1))], axis=-1) @ cameras.rotation[view]
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    return np.asarray(direction[column.reshape(pair.shape)])


def _midpoints(direction: Floats, centre: Floats) -> tuple[Floats, Floats]:
    """Returns the points (M,P,3) nearest to both rays (M,2,P,3) from centres (M,2,3), and the sines (M,P) of angles."""
    u, v = direction[:, 0], direction[:, 1]
    base = (centre[:, 1] - centre[:, 0])[:, None]
    cosine = (u * v).sum(-1)
    square = np.maximum(1 - cosine * cosine, 1e-9)
    along_u, along_v = (base * u).sum(-1), (base * v).sum(-1)
    s = (along_u - cosine * along_v) / square
    t = (cosine * along_u - along_v) / square
    middle = 0.5 * (centre[:, None, 0] + s[..., None] * u + centre[:, None, 1] + t[..., None] * v)
    in_front = (s > MIN_DEPTH_M) & (t > MIN_DEPTH_M)
    return middle, np.where(in_front, np.sqrt(square), 0.0)


def _heights(points: Floats) -> tuple[Floats, Floats]:
    """Returns (M,) the body heights that the segments of points (M,P,3) imply, and how much they differ, as a share."""
    complete = ~(np.isnan(points[..., 0]) @ _SEGMENT_POINTS.T)  # (M,S)
    length = np.linalg.norm(SEGMENTS @ np.nan_to_num(points), axis=-1)
    implied = np.where(complete, length / LENGTH_PER_HEIGHT[LENGTH_INDEX], np.nan)
    implied[~complete.any(1)] = 0.0
    height_m = np.nanmedian(implied, axis=1)
    spread = np.nanmedian(np.abs(implied / np.maximum(height_m, 1e-6)[:, None] - 1), axis=1)
    return height_m, spread


def _pair_distances(
    observation: Observation,
    pair: NDArray[np.int64],
    cameras: Calibration,
    points: Floats,
    both: NDArray[np.bool_],
    height_m: Floats,
) -> Floats:
    """Returns (M,) mean distances of points (M,P,3) from the candidates of pairs, in body heights."""
    view = observation.view[pair]
    local = np.einsum("mkij,mpj->mkpi", cameras.rotation[view], np.nan_to_num(points))
    local = local + cameras.translation[view][:, :, None]
    depth = np.maximum(local[..., 2], MIN_DEPTH_M)
    ideal_xy = local[..., :2] / depth[..., None]
    flat = view.ravel()
    px = cameras.intrinsics.pixels(ideal_xy.reshape(len(flat), -1, 2), flat).reshape(ideal_xy.shape)
    size_px = height_m[:, None, None] * cameras.focal_px[view][..., None] / depth
    away = np.linalg.norm(px - observation.xy_px[pair][:, :, _POINTS], axis=-1) / np.maximum(size_px, 1e-6)
    return np.asarray((np.minimum(away, 1.0).mean(1) * both).sum(-1) / np.maximum(both.sum(-1), 1))


def _largest(observation: Observation, free: NDArray[np.bool_], cameras: Calibration, pairs: _Pairs) -> Group:
    """Returns the group of most views that begins with one of the pairs, the nearest of these."""
    cost = distances(observation, cameras, pairs.points, pairs.height_m)  # (M,C)
    cost = np.where(free, cost, np.inf)
    best: Group | None = None
    for row, (pair, height_m) in enumerate(zip(pairs.candidate, pairs.height_m.tolist(), strict=True)):
        candidate = np.full(observation.views, UNASSIGNED)
        candidate[observation.view[pair]] = pair
        total = [float(pairs.distance[row])] * 2
        for view in np.flatnonzero(candidate == UNASSIGNED).tolist():
            own = np.flatnonzero(observation.view == view)
            if len(own) and cost[row, own].min() < MAX_VIEW_DISTANCE:
                candidate[view] = own[int(np.argmin(cost[row, own]))]
                total.append(float(cost[row, own].min()))
        group = Group(candidate, pairs.points[row], height_m, float(np.mean(total)))
        if best is None or (-group.views, group.distance) < (-best.views, best.distance):
            best = group
    assert best is not None  # noqa: S101 - there is a pair
    return best
