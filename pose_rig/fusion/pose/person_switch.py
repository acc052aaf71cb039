"""Second thoughts about who is followed, where a view shows several people.

At one instant another person may fit almost as well: two people stand much alike. Over time they do not. A few times a
second the assignment in use is therefore compared with others, guessed rotations throughout (a rig learned from the
wrong person would defend its error); what speaks for another one is added up, and once it is enough, the views are
switched.

Axes: H candidate_assignments, V views.
"""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from pose_rig.fusion.pose.hypothesis import UNASSIGNED, disagreement, run_graph
from pose_rig.fusion.pose.observation import Observation
from pose_rig.graph import Engine

EVERY_NS = 100_000_000
MOST = 32  # candidate_assignments compared at once; beyond that only those that differ in one view
ENOUGH = 0.8  # evidence (sum of differences in disagreement) for a switch: a second or less of a clear case
FADES = 0.9


class PersonSwitch:
    """Adds up what speaks for following somebody else."""

    def __init__(self, views: int) -> None:
        self._evidence = np.zeros(views)
        self._last_ns = -EVERY_NS

    def update(
        self, observation: Observation, assignment: NDArray[np.int64], engine: Engine
    ) -> NDArray[np.int64] | None:
        """Returns the assignment (V,) to go on with if another one has proved better, else None.

        Args:
            observation: The candidates as detected, without mirrored ones.
            assignment: (V,) the assignment in use.
            engine: Runs the graph.
        """
        if 0 <= observation.t_ns - self._last_ns < EVERY_NS:
            return None
        self._last_ns = observation.t_ns
        others = candidate_assignments(observation, assignment)
        if len(others) < 2:
            return None
        out = run_graph(engine, observation, others, None, np.ones(observation.views))
        costs = disagreement(out.model_sd, others != UNASSIGNED).sum(-1)
        best = int(np.argmin(costs))
        differs = others[best] != assignment
        gain = float(costs[0] - costs[best])
        self._evidence = np.where(differs, self._evidence * FADES + gain, self._evidence * FADES * 0.5)
        if not differs.any() or self._evidence[differs].min() < ENOUGH:
            return None
        self._evidence[:] = 0
        return np.asarray(others[best])


def candidate_assignments(observation: Observation, assignment: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns (H,V) ways to follow one person per view, the one in use first; views left out stay so."""
    options = [
        [int(assignment[v]), *(int(c) for c in observation.candidates_of(v) if c != assignment[v])]
        if assignment[v] != UNASSIGNED
        else [UNASSIGNED]
        for v in range(observation.views)
    ]
    if np.prod([len(choices) for choices in options]) <= MOST:
        return np.array(list(product(*options)), np.int64)
    found = [assignment]
    for v, choices in enumerate(options):
        for other in choices[1:]:
            changed = assignment.copy()
            changed[v] = other
            found.append(changed)
    return np.array(found, np.int64)
