"""Who is followed: in every view the candidate that agrees with the other views.

A detector that prefers a bystander in one camera, or takes a back for a front, must not pull the pose. First every view
continues with whom it followed. If the views then disagree, or the person would have jumped, other hypotheses of the
instant are tried, all in one batch: in one view another candidate, or left and right exchanged, or the view left out.
The hypothesis whose views explain each other best is taken, and bettered again.

Axes: H hypotheses, V views, C candidates, J joints.
"""

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.hypothesis import UNASSIGNED, Hypothesis, RotationPrior, disagreement, run_graph, select
from pose_rig.fusion.pose.observation import Observation
from pose_rig.fusion.pose.person_switch import PersonSwitch, candidate_assignments
from pose_rig.graph import GATE_MODEL_SD, Engine, GraphOutput
from pose_rig.skeleton import J

NEVER_NS = -(1 << 60)

DOUBT = 0.5 * GATE_MODEL_SD  # a view whose model error exceeds this makes us look for another hypothesis
LEFT_OUT = float(np.log(1 + 1.5**2))  # leaving a view out costs as much as a model error of 1.5 gates
BETTER_BY = 0.25  # another hypothesis must be this much cheaper: no flicker between equals
JUMP = 0.25  # a person moving by this share of their size between looks is as dear as a model error of one gate
STIR = 0.2  # jumps below this are everyday movement between two looks
FORGET_S = 1.0  # where a person was matters no longer after this
BODY_JUMP = 0.15  # change of the 3D pose, as a share of its size (about 7 cm per joint), as dear as one gate
BODY_FORGET_S = 0.2
MOST_STEPS = 3


class PersonTracker:
    """Follows one person through all views."""

    def __init__(self, views: int) -> None:
        self._last = np.zeros((views, J, 2))
        self._last_seen = np.zeros((views, J), bool)
        self._seen_ns = np.full(views, NEVER_NS)
        self._left_out = np.zeros(views, bool)
        self._person_switch = PersonSwitch(views)
        self._body: Floats | None = None
        self._body_ns = 0

    def associate(
        self, observation: Observation, engine: Engine, prior: RotationPrior | None, trust: Floats
    ) -> Hypothesis | None:
        """Returns the best hypothesis of an instant, None if nobody is there.

        Args:
            observation: The candidates.
            engine: Runs the graph.
            prior: The cameras' rotations, None while the rig is cold.
            trust: (V,) weight of each view.
        """
        if not len(observation.view):
            return None
        seen = observation
        jumps = self._jumps(observation)
        assignment = self._continue(observation, jumps)
        if observation.t_ns - self._seen_ns.max() > FORGET_S * 1e9:
            assignment = self._first(observation, assignment, engine)
        elif jumps[assignment].max() > STIR:
            observation, jumps, assignment = self._as_before(observation, jumps, assignment)
        out = run_graph(engine, observation, assignment[None], prior, trust)
        body_jumps = self._body_jumps(observation, out)
        judged = trust > 0  # a view whose place is not known yet cannot be judged
        if (assignment != UNASSIGNED).sum() > 1 and not self._calm(assignment, out, jumps, body_jumps, judged):
            best = float(self._cost(observation, assignment[None], out, jumps, body_jumps, judged)[0])
            if observation is seen:
                observation = observation.with_mirrors()
                jumps = self._jumps(observation)
            for _ in range(MOST_STEPS):
                others = neighbours(observation, assignment)
                tried = run_graph(engine, observation, others, prior, trust)
                body_jumps = self._body_jumps(observation, tried)
                costs = self._cost(observation, others, tried, jumps, body_jumps, judged)
                winner = int(np.argmin(costs))
                if costs[winner] > best - BETTER_BY:
                    break
                assignment, best, out = others[winner], float(costs[winner]), select(tried, winner)
                if self._calm(assignment, out, jumps, body_jumps[winner : winner + 1], judged):
                    break
        other = None if assignment.max() >= len(seen.view) else self._person_switch.update(seen, assignment, engine)
        if other is not None:
            observation, assignment, out = seen, other, run_graph(engine, seen, other[None], prior, trust)
        self._remember(observation, assignment, out)
        return Hypothesis(observation, assignment, out, switched=other is not None)

    def _as_before(
        self, observation: Observation, jumps: Floats, assignment: NDArray[np.int64]
    ) -> tuple[Observation, Floats, NDArray[np.int64]]:
        """Returns the candidates, their jumps and a hypothesis that goes on with what was found out an instant ago.

        Who lies nearer when mirrored is taken so; a view left out stays so while its candidate is elsewhere.
        """
        once = len(observation.view)
        both = observation.with_mirrors()
        all_jumps = self._jumps(both)
        present = assignment != UNASSIGNED
        jump = np.where(present, jumps[assignment], 0.0)
        mirrored = present & (jump > STIR) & (all_jumps[np.where(present, assignment + once, 0)] < 0.5 * jump)
        gone = self._left_out & (jump > 1.0) & ~mirrored
        assignment = np.where(mirrored, assignment + once, assignment)
        if present.sum() > gone.sum():
            assignment = np.where(gone, UNASSIGNED, assignment)
        return (both, all_jumps, assignment) if mirrored.any() else (observation, jumps, assignment)

    @staticmethod
    def _first(observation: Observation, assignment: NDArray[np.int64], engine: Engine) -> NDArray[np.int64]:
        """Returns whom to follow when nobody was: those who agree best."""
        others = candidate_assignments(observation, assignment)
        if len(others) < 2:
            return assignment
        out = run_graph(engine, observation, others, None, np.ones(observation.views))
        costs = disagreement(out.model_sd, others != UNASSIGNED).sum(-1)
        return np.asarray(others[int(np.argmin(costs))])

    def _continue(self, observation: Observation, jumps: Floats) -> NDArray[np.int64]:
        """Each view's candidate nearest to whom it followed; the largest sure one where it followed nobody."""
        assignment = np.full(observation.views, UNASSIGNED)
        assignment[observation.view] = np.arange(len(observation.view))
        crowded = np.flatnonzero(np.bincount(observation.view) > 1)
        if len(crowded):
            worth = extent(observation) * observation.score.mean(-1)
        for v in crowded.tolist():
            candidates = observation.candidates_of(v)
            assignment[v] = candidates[np.lexsort((-worth[candidates], jumps[candidates]))[0]]
        return assignment

    def _jumps(self, observation: Observation) -> Floats:
        """Returns (C,) how far each candidate is from whom its view followed, in units of `JUMP`; 0 = nobody."""
        age_s = (observation.t_ns - self._seen_ns[observation.view]) * 1e-9
        both = (observation.score > 0) & self._last_seen[observation.view]
        distance = np.linalg.norm(observation.xy_px - self._last[observation.view], axis=-1)
        moved = (distance * both).sum(-1) / np.maximum(both.sum(-1), 1)
        return np.where((age_s >= 0) & (age_s <= FORGET_S), moved / extent(observation) / JUMP, 0.0)

    @staticmethod
    def _calm(
        assignment: NDArray[np.int64], out: GraphOutput, jumps: Floats, body_jumps: Floats, judged: NDArray[np.bool_]
    ) -> bool:
        """Whether a hypothesis gives no reason to look for another."""
        present = assignment != UNASSIGNED
        agreed = out.model_sd[0][present & judged].max(initial=0.0) <= DOUBT
        return bool(agreed and jumps[assignment[present]].max() <= 1.0 and body_jumps.max() <= 1.0)

    def _body_jumps(self, observation: Observation, out: GraphOutput) -> Floats:
        """Returns (H,) how far the 3D poses are from the last one, in units of `BODY_JUMP`, however they are turned."""
        age_s = (observation.t_ns - self._body_ns) * 1e-9
        if self._body is None or not 0 <= age_s <= BODY_FORGET_S:
            return np.zeros(len(out.body))
        # after the rotation that fits best, |X R − Y|² is 2 minus twice the singular values of XᵀY, the least of them
        # negative where it would be a reflection
        product = self._body.T @ shape_of(out.body)
        fit = np.linalg.svd(product, compute_uv=False)
        fit[:, 2] *= np.sign(np.linalg.det(product))
        return np.asarray(np.sqrt(np.maximum(2 - 2 * fit.sum(-1), 0.0)) / BODY_JUMP)

    @staticmethod
    def _cost(
        observation: Observation,
        assignments: NDArray[np.int64],
        out: GraphOutput,
        jumps: Floats,
        body_jumps: Floats,
        judged: NDArray[np.bool_],
    ) -> Floats:
        """Returns (H,) how ill the views explain each other; views left out cost a fixed price."""
        present = assignments != UNASSIGNED
        error = disagreement(out.model_sd, present & judged) + np.log1p(jumps[assignments] ** 2)
        price = np.where(present, error, LEFT_OUT * observation.present)
        return np.asarray(price.sum(-1) + np.log1p(body_jumps**2))

    def _remember(self, observation: Observation, assignment: NDArray[np.int64], out: GraphOutput) -> None:
        self._body, self._body_ns = shape_of(out.body)[0], observation.t_ns
        followed = assignment != UNASSIGNED
        self._left_out = ~followed & observation.present
        self._last[followed] = observation.xy_px[assignment[followed]]
        self._last_seen[followed] = observation.score[assignment[followed]] > 0
        self._seen_ns[followed] = observation.t_ns


def extent(observation: Observation) -> Floats:
    """Returns (C,) the larger side of each candidate's bounding box, px."""
    seen = (observation.score > 0)[..., None]
    low = np.where(seen, observation.xy_px, np.inf).min(1)
    high = np.where(seen, observation.xy_px, -np.inf).max(1)
    return np.asarray(np.maximum((high - low).max(-1), 1.0))


def shape_of(body: NDArray[np.float32]) -> Floats:
    """Returns (H,J,3) poses about their centres, of unit size."""
    centred = body.astype(float) - body.mean(1, keepdims=True)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=(1, 2), keepdims=True), 1e-9))


def neighbours(observation: Observation, assignment: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns (H,V) the hypotheses that differ in one view: another candidate, the same mirrored, or none.

    Args:
        observation: The candidates and, after them, the mirrored ones.
        assignment: (V,) the hypothesis to start from.
    """
    found = []
    once = len(observation.view) // 2  # the mirrored ones come after the others
    for v in range(observation.views):
        mirrored = (int(assignment[v]) + once) % (2 * once) if assignment[v] != UNASSIGNED else UNASSIGNED
        options = [int(c) for c in observation.candidates_of(v) if c != assignment[v] and (c < once or c == mirrored)]
        if assignment[v] != UNASSIGNED and (assignment != UNASSIGNED).sum() > 1:
            options.append(UNASSIGNED)
        for option in options:
            other = assignment.copy()
            other[v] = option
            found.append(other)
    return np.array(found, np.int64).reshape(-1, observation.views)
