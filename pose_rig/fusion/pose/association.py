"""Data association: in every view the candidate that is consistent with the other views.

A detector that prefers a bystander in one camera, or confuses front and back, must not distort the pose. First every
view keeps the candidate nearest to its last one. If the views are then inconsistent, or the person would have jumped,
other assignment hypotheses are evaluated in one batch: in one view another candidate, or left and right exchanged, or
no candidate. The hypothesis of lowest cost is taken, and improved in the same way again.

Axes: H hypotheses, V views, C candidates, J joints.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.computation import Computations
from pose_rig.fusion.pose.hypothesis import UNASSIGNED, Hypothesis, RotationPrior, graph_run, inconsistency, select
from pose_rig.fusion.pose.observation import Observation
from pose_rig.fusion.pose.person_switch import PersonSwitch, assignment_costs, candidate_assignments
from pose_rig.graph import GATE_MODEL_SD, Engine, GraphOutput
from pose_rig.skeleton import J

NEVER_NS = -(1 << 60)

SEARCH_MODEL_SD = 0.5 * GATE_MODEL_SD  # of a view; above, other hypotheses are evaluated
UNASSIGNED_COST = float(np.log(1 + 1.5**2))  # that of a model error of 1.5 gates
MIN_GAIN = 0.25  # in cost, for another hypothesis: no flicker between equals
JUMP_SCALE = 0.25  # Cauchy scale of a person's motion between frames, as a share of their size
USUAL_JUMP = 0.2  # in units of JUMP_SCALE; everyday motion between two frames
TRACK_TIMEOUT_S = 1.0  # after which a person's last position has no weight
BODY_JUMP_SCALE = 0.15  # Cauchy scale of changes of the 3D pose, as a share of its size (about 7 cm per joint)
BODY_TIMEOUT_S = 0.2
MAX_STEPS = 3  # of the search


# the annotations of inner functions are evaluated in every call
_Assignments = NDArray[np.int64]
_Evaluated = Computations[tuple[GraphOutput, Floats, NDArray[np.bool_]]]


class DataAssociation:
    """Associates the candidates of all views with one person, from frame to frame.

    Args:
        views: Number of views.
        may_switch: Whether another person is tracked instead where the evidence suffices.
    """

    def __init__(self, views: int, *, may_switch: bool = True) -> None:
        self._last_xy_px = np.zeros((views, J, 2))
        self._last_visible = np.zeros((views, J), bool)
        self._last_ns = np.full(views, NEVER_NS)
        self._unassigned = np.zeros(views, bool)
        self._person_switch = PersonSwitch(views) if may_switch else None
        self._body: Floats | None = None
        self._body_ns = 0

    def associate(
        self, observation: Observation, engine: Engine, prior: RotationPrior | None, view_weight: Floats
    ) -> Computations[Hypothesis | None]:
        """Returns the best hypothesis, None without any candidate.

        Args:
            observation: The candidates.
            engine: Runs the graph.
            prior: The cameras' rotations, None while they are unknown.
            view_weight: (V,).
        """
        if not len(observation.view):
            return None
        detected = observation
        jumps = self._jumps(observation)
        assignment = self._nearest(observation, jumps)
        if observation.t_ns - self._last_ns.max() > TRACK_TIMEOUT_S * 1e9:
            assignment = yield from self._most_consistent(observation, assignment, engine)
        elif jumps[assignment].max() > USUAL_JUMP:
            observation, jumps, assignment = self._as_last(observation, jumps, assignment)

        def evaluate(assignments: _Assignments) -> _Evaluated:
            out = yield graph_run(engine, observation, assignments, prior, view_weight)
            return out, *self._assess(observation, assignments, out, jumps, view_weight > 0)

        out, costs, plausible = yield from evaluate(assignment[None])
        if (assignment != UNASSIGNED).sum() > 1 and not plausible[0]:
            if observation is detected:
                observation = observation.with_mirrors()
                jumps = self._jumps(observation)
            assignment, out = yield from self._improved(observation, jumps, assignment, out, float(costs[0]), evaluate)
        other = None
        if self._person_switch is not None and assignment.max() < len(detected.view):
            other = yield from self._person_switch.update(detected, assignment, engine)
        if other is not None:
            observation, assignment = detected, other
            out = yield graph_run(engine, detected, other[None], prior, view_weight)
        self._update(observation, assignment, out)
        return Hypothesis(observation, assignment, out, switched=other is not None)

    def _improved(
        self,
        observation: Observation,
        jumps: Floats,
        assignment: _Assignments,
        out: GraphOutput,
        best: float,
        evaluate: Callable[[_Assignments], _Evaluated],
    ) -> Computations[tuple[_Assignments, GraphOutput]]:
        """Returns the assignment of lowest cost that is found from one of cost ``best``, and its output."""
        for _ in range(MAX_STEPS):
            others = neighbours(observation, assignment)
            may_win = least_costs(observation, others, jumps) <= best - MIN_GAIN
            if not may_win.any():
                break
            if self._person_switch is None:  # of one person all are computed: their number changes the rounding
                others = others[may_win]
            outs, costs, plausible = yield from evaluate(others)
            winner = int(np.argmin(costs))
            if costs[winner] > best - MIN_GAIN:
                break
            assignment, best, out = others[winner], float(costs[winner]), select(outs, winner)
            if plausible[winner]:
                break
        return assignment, out

    def _as_last(
        self, observation: Observation, jumps: Floats, assignment: NDArray[np.int64]
    ) -> tuple[Observation, Floats, NDArray[np.int64]]:
        """Returns candidates, their jumps and the assignment with the corrections of the last time step.

        A candidate that is nearer when mirrored is mirrored; an unassigned view stays so while its candidate is far.
        """
        count = len(observation.view)
        both = observation.with_mirrors()
        all_jumps = self._jumps(both)
        present = assignment != UNASSIGNED
        jump = np.where(present, jumps[assignment], 0.0)
        mirrored = present & (jump > USUAL_JUMP) & (all_jumps[np.where(present, assignment + count, 0)] < 0.5 * jump)
        far = self._unassigned & (jump > 1.0) & ~mirrored
        assignment = np.where(mirrored, assignment + count, assignment)
        if present.sum() > far.sum():
            assignment = np.where(far, UNASSIGNED, assignment)
        return (both, all_jumps, assignment) if mirrored.any() else (observation, jumps, assignment)

    @staticmethod
    def _most_consistent(
        observation: Observation, assignment: NDArray[np.int64], engine: Engine
    ) -> Computations[NDArray[np.int64]]:
        """Returns the most consistent assignment, for a new track."""
        others = candidate_assignments(observation, assignment)
        if len(others) < 2:
            return assignment
        costs = yield from assignment_costs(observation, others, engine)
        return np.asarray(others[int(np.argmin(costs))])

    def _nearest(self, observation: Observation, jumps: Floats) -> NDArray[np.int64]:
        """Returns (V,) each view's candidate nearest to its last one; without one the largest of high score."""
        assignment = np.full(observation.views, UNASSIGNED)
        assignment[observation.view] = np.arange(len(observation.view))
        crowded = np.flatnonzero(np.bincount(observation.view) > 1)
        if len(crowded):
            weight = extent(observation) * observation.score.mean(-1)
        for v in crowded.tolist():
            candidates = observation.candidates_of(v)
            assignment[v] = candidates[np.lexsort((-weight[candidates], jumps[candidates]))[0]]
        return assignment

    def _jumps(self, observation: Observation) -> Floats:
        """Returns (C,) each candidate's distance to its view's last one, in units of `JUMP_SCALE`; 0 without one."""
        age_s = (observation.t_ns - self._last_ns[observation.view]) * 1e-9
        both = (observation.score > 0) & self._last_visible[observation.view]
        distance = np.linalg.norm(observation.xy_px - self._last_xy_px[observation.view], axis=-1)
        moved = (distance * both).sum(-1) / np.maximum(both.sum(-1), 1)
        current = (age_s >= 0) & (age_s <= TRACK_TIMEOUT_S)
        return np.where(current, moved / extent(observation) / JUMP_SCALE, 0.0)

    def _assess(
        self,
        observation: Observation,
        assignments: NDArray[np.int64],
        out: GraphOutput,
        jumps: Floats,
        compared: NDArray[np.bool_],
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Returns (H,) costs of assignments, and (H,) whether other hypotheses need not be evaluated.

        Costs are Cauchy losses of model errors and jumps, and a constant for unassigned views. The model errors of
        views with unknown camera poses, those not ``compared`` (V,), mean nothing.
        """
        present = assignments != UNASSIGNED
        body_jumps = self._body_jumps(observation, out)
        error = inconsistency(out.model_sd, present & compared) + np.log1p(jumps[assignments] ** 2)
        costs = np.where(present, error, UNASSIGNED_COST * observation.present).sum(-1) + np.log1p(body_jumps**2)
        consistent = np.where(present & compared, out.model_sd, 0).max(-1) <= SEARCH_MODEL_SD
        steady = np.where(present, jumps[assignments], 0.0).max(-1) <= 1.0
        return np.asarray(costs), np.asarray(consistent & steady & (body_jumps <= 1.0))

    def _body_jumps(self, observation: Observation, out: GraphOutput) -> Floats:
        """Returns (H,) Procrustes distances of the 3D poses to the last one, in units of `BODY_JUMP_SCALE`."""
        age_s = (observation.t_ns - self._body_ns) * 1e-9
        if self._body is None or not 0 <= age_s <= BODY_TIMEOUT_S:
            return np.zeros(len(out.body))
        # after the best rotation, |X R − Y|² is 2 minus twice the singular values of XᵀY, the least of them negative
        # where it would be a reflection
        product = self._body.T @ shape_of(out.body)
        singular = np.linalg.svd(product, compute_uv=False)
        singular[:, 2] *= np.sign(np.linalg.det(product))
        return np.asarray(np.sqrt(np.maximum(2 - 2 * singular.sum(-1), 0.0)) / BODY_JUMP_SCALE)

    def _update(self, observation: Observation, assignment: NDArray[np.int64], out: GraphOutput) -> None:
        self._body, self._body_ns = shape_of(out.body)[0], observation.t_ns
        present = assignment != UNASSIGNED
        self._unassigned = ~present & observation.present
        self._last_xy_px[present] = observation.xy_px[assignment[present]]
        self._last_visible[present] = observation.score[assignment[present]] > 0
        self._last_ns[present] = observation.t_ns


def least_costs(observation: Observation, assignments: NDArray[np.int64], jumps: Floats) -> Floats:
    """Returns (H,) the costs of assignments if nothing but the jumps of their candidates (C,) costs."""
    present = assignments != UNASSIGNED
    costs = np.where(present, np.log1p(jumps[assignments] ** 2), UNASSIGNED_COST * observation.present)
    return np.asarray(costs.sum(-1))


def extent(observation: Observation) -> Floats:
    """Returns (C,) the larger side of each candidate's bounding box, px."""
    visible = (observation.score > 0)[..., None]
    low = np.where(visible, observation.xy_px, np.inf).min(1)
    high = np.where(visible, observation.xy_px, -np.inf).max(1)
    return np.asarray(np.maximum((high - low).max(-1), 1.0))


def shape_of(body: NDArray[np.float32]) -> Floats:
    """Returns (H,J,3) poses about their centres, of unit size."""
    centred = body.astype(float) - body.mean(1, keepdims=True)
    size = np.sqrt((centred * centred).sum((1, 2), keepdims=True))
    return np.asarray(centred / np.maximum(size, 1e-9))


def neighbours(observation: Observation, assignment: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns (H,V) the assignments that differ in one view: another candidate, the same mirrored, or none.

    Args:
        observation: The candidates and, after them, the mirrored ones.
        assignment: (V,) the current one.
    """
    found = []
    count = len(observation.view) // 2  # mirrored candidates come after the others
    for v, current in enumerate(assignment.tolist()):
        mirrored = (current + count) % (2 * count) if current != UNASSIGNED else UNASSIGNED
        options = [int(c) for c in observation.candidates_of(v) if c != current and (c < count or c == mirrored)]
        if current != UNASSIGNED and (assignment != UNASSIGNED).sum() > 1:
            options.append(UNASSIGNED)
        found += [np.where(np.arange(observation.views) == v, option, assignment) for option in options]
    return np.array(found, np.int64).reshape(-1, observation.views)
