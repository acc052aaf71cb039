"""Correction of identity switches: evidence over time that another person is the same one in all views.

At one time step another person may agree almost as well: two people standing look alike. Over time they do not. Ten
times a second the current assignment is compared with others, always with the lifter's rotations (a rig estimated from
the wrong person would confirm the error). Evidence is accumulated; once it suffices, the views are switched.

Axes: H assignments, V views.
"""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.computation import Computations
from pose_rig.fusion.pose.hypothesis import UNASSIGNED, graph_run, inconsistency
from pose_rig.fusion.pose.observation import Observation
from pose_rig.graph import Engine

INTERVAL_NS = 100_000_000
MAX_ASSIGNMENTS = 32  # compared at once; beyond that only those that differ in one view
MIN_EVIDENCE = 0.8  # sum of differences in inconsistency: a second or less of a clear case
DECAY = 0.9


class PersonSwitch:
    """Accumulates evidence for other assignments."""

    def __init__(self, views: int) -> None:
        self._evidence = np.zeros(views)
        self._last_ns = -INTERVAL_NS

    def update(
        self, observation: Observation, assignment: NDArray[np.int64], engine: Engine
    ) -> Computations[NDArray[np.int64] | None]:
        """Returns the assignment (V,) to switch to, None to keep the current one; without mirrored candidates."""
        if 0 <= observation.t_ns - self._last_ns < INTERVAL_NS:
            return None
        self._last_ns = observation.t_ns
        others = candidate_assignments(observation, assignment)
        if len(others) < 2:
            return None
        costs = yield from assignment_costs(observation, others, engine)
        best = int(np.argmin(costs))
        differs = others[best] != assignment
        gain = float(costs[0] - costs[best])
        self._evidence = np.where(differs, self._evidence * DECAY + gain, self._evidence * DECAY * 0.5)
        if not differs.any() or self._evidence[differs].min() < MIN_EVIDENCE:
            return None
        self._evidence[:] = 0
        return np.asarray(others[best])


def assignment_costs(observation: Observation, assignments: NDArray[np.int64], engine: Engine) -> Computations[Floats]:
    """Returns (H,) the inconsistency of assignments (H,V), summed over the views, with the lifter's rotations."""
    out = yield graph_run(engine, observation, assignments, None, np.ones(observation.views))
    return np.asarray(inconsistency(out.model_sd, assignments != UNASSIGNED).sum(-1))


def candidate_assignments(observation: Observation, assignment: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns (H,V) assignments of one candidate per view, the current one first; unassigned views stay so."""
    options = [
        [int(current), *(int(c) for c in observation.candidates_of(v) if c != current)]
        if current != UNASSIGNED
        else [UNASSIGNED]
        for v, current in enumerate(assignment)
    ]
    if np.prod([len(choices) for choices in options]) <= MAX_ASSIGNMENTS:
        return np.array(list(product(*options)), np.int64)
    index = np.arange(observation.views)
    changed = [np.where(index == v, c, assignment) for v, choices in enumerate(options) for c in choices[1:]]
    return np.array([assignment, *changed], np.int64)
