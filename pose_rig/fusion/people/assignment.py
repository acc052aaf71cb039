"""Which candidate of each view is which person, by where they are expected in the room.

Axes: N people, V views, C candidates over all views, P points (`segments.POINTS`).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.segments import POINTS
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.pose.hypothesis import UNASSIGNED
from pose_rig.fusion.pose.observation import Observation
from pose_rig.geometry import MIN_DEPTH_M
from pose_rig.skeleton import MIRROR

MAX_OPTIONS = 3  # candidates of a view that are considered for one person
MIRROR_COST = 0.02  # of a candidate that fits only with left and right exchanged
_POINTS = list(POINTS)
_MIRRORED_POINTS = [MIRROR[point] for point in POINTS]


def assign(
    observation: Observation,
    cameras: Calibration,
    free: NDArray[np.bool_],
    expected: Floats,
    height_m: Floats,
    gate: Floats,
) -> NDArray[np.int64]:
    """Returns (N,V) the candidate of each person in each view with a known pose, `UNASSIGNED` for none.

    Args:
        observation: The candidates, none of them mirrored.
        cameras: The rig.
        free: (C,) candidates that may be assigned.
        expected: (N,P,3) m, where the people are expected.
        height_m: (N,) body heights.
        gate: (N,) the largest cost of a candidate, as a share of the body height.
    """
    found = np.full((len(expected), observation.views), UNASSIGNED)
    if not free.any():
        return found
    cost = distances(observation, cameras, expected, height_m)
    for view in sorted(set(observation.view[free & cameras.known[observation.view]].tolist())):
        candidates = np.flatnonzero(free & (observation.view == view))
        chosen = cheapest(cost[:, candidates], gate)
        found[:, view] = np.where(chosen == UNASSIGNED, UNASSIGNED, candidates[chosen])
    return found


def distances(observation: Observation, cameras: Calibration, expected: Floats, height_m: Floats) -> Floats:
    """Returns (N,C) mean distances of candidates from people in the image, in body heights, at most 1 per point.

    Infinite where the camera's pose is unknown, or the person is behind it. Points that are NaN do not count. Arguments
    as in `assign`.
    """
    unknown = np.isnan(expected[..., 0])
    if unknown.any():
        middle = np.nanmean(expected, axis=1, keepdims=True)
        expected = np.where(unknown[..., None], middle, expected)
    expected_px, depth = cameras.project(expected)  # (N,V,P,2), (N,V,P)
    near = depth.min(-1) > MIN_DEPTH_M
    size_px = height_m[:, None] * cameras.focal_px / np.maximum(depth.mean(-1), MIN_DEPTH_M)  # (N,V)
    view = observation.view

    def cost(points: list[int]) -> Floats:
        away = expected_px[:, view] - observation.xy_px[:, points]  # (N,C,P,2)
        distance = np.minimum(np.sqrt((away * away).sum(-1)) / size_px[:, view, None], 1.0)
        visible = (observation.score[:, points] > 0) & ~unknown[:, None]
        count = visible.sum(-1)
        return np.where(count > 0, (distance * visible).sum(-1) / np.maximum(count, 1), 1.0)

    nearest = np.minimum(cost(_POINTS), MIRROR_COST + cost(_MIRRORED_POINTS))
    return np.where(near[:, view] & cameras.known[view], nearest, np.inf)


def cheapest(cost: Floats, gate: Floats) -> NDArray[np.int64]:
    """Returns (N,) each person's candidate, at least total cost.

    A person without one costs as much as any other: the wide gate of one who was lost takes no candidate from another.

    Args:
        cost: (N,C).
        gate: (N,) the largest cost of each person's candidate.
    """
    if not cost.size:
        return np.full(len(cost), UNASSIGNED)
    nearest = cost.argmin(1)
    nearest = np.where(cost[np.arange(len(cost)), nearest] < gate, nearest, UNASSIGNED)
    taken = nearest[nearest != UNASSIGNED].tolist()
    if len(taken) == len(set(taken)):
        return nearest
    none = float(gate.max(initial=0.0))
    return np.array(_least([_options(row, limit, none) for row, limit in zip(cost, gate.tolist(), strict=True)]))


def _options(cost: Floats, gate: float, none: float) -> list[tuple[float, int]]:
    """Returns the costs and indices of the nearest candidates within the gate, nearest first, and of `UNASSIGNED`."""
    order = np.argsort(cost, kind="stable")[:MAX_OPTIONS]
    return [*((float(cost[c]), int(c)) for c in order if cost[c] < gate), (none, UNASSIGNED)]


def _least(options: Sequence[Sequence[tuple[float, int]]]) -> list[int]:
    """Returns one option of each person, at least total cost; no candidate twice."""
    rest = [sum(choices[0][0] for choices in options[person:]) for person in range(len(options) + 1)]
    least, chosen = np.inf, [UNASSIGNED] * len(options)

    def search(trial: list[int], total: float) -> None:
        nonlocal least, chosen
        if len(trial) == len(options):
            least, chosen = total, trial
            return
        for cost, choice in options[len(trial)]:
            if total + cost + rest[len(trial) + 1] >= least:
                break  # nor does any farther one lead to less
            if choice == UNASSIGNED or choice not in trial:
                search([*trial, choice], total + cost)

    search([], 0.0)
    return chosen
