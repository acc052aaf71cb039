"""Which people of a tracker that is a little behind are which of the one that gives the poses, by their places."""

from collections import Counter, deque
from collections.abc import Sequence

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.people.tracked_person import PersonStep

KEEP_NS = 8_000_000_000  # the oldest samples from which a rig learns
MAX_BETWEEN_NS = 40_000_000
MAX_DISTANCE_M = 0.25  # mean distance of joints, nearer than two people can be
MIN_VOTES = 5  # time steps, a third of a second


class Namesakes:
    """Compares the places of people at the same times in the solved rig."""

    def __init__(self) -> None:
        self._places: deque[tuple[int, dict[int, Floats]]] = deque()  # by identity
        self._votes: Counter[tuple[int, int]] = Counter()

    def add(self, t_ns: int, steps: Sequence[PersonStep]) -> None:
        """Adds a time step of the tracker that gives the poses; what was before the rig was solved is forgotten."""
        places = _places(steps)
        if not places and all(step.solved is None for step in steps):
            self._places.clear()
            return
        self._places.append((t_ns, places))
        while self._places[0][0] < t_ns - KEEP_NS:
            self._places.popleft()

    def compare(self, t_ns: int, steps: Sequence[PersonStep]) -> None:
        """Adds a time step of the tracker that is behind."""
        if not self._places:
            return
        then_ns, places = min(self._places, key=lambda one: abs(one[0] - t_ns))
        if abs(then_ns - t_ns) > MAX_BETWEEN_NS or not places:
            return
        for identity, here in _places(steps).items():
            distance_m = {one: float(np.linalg.norm(there - here, axis=-1).mean()) for one, there in places.items()}
            nearest = min(distance_m, key=lambda one: distance_m[one])
            if distance_m[nearest] < MAX_DISTANCE_M:
                self._votes[identity, nearest] += 1

    def found(self, least: int = MIN_VOTES) -> dict[int, int]:
        """Returns the identities of people who have others in the tracker that is behind, by these; then starts over.

        Args:
            least: Time steps at which two people were in the same place.
        """
        pairs: dict[int, int] = {}
        for (behind, identity), votes in self._votes.most_common():
            if votes >= least and behind not in pairs and identity not in pairs.values():
                pairs[behind] = identity
        if all(behind == identity for behind, identity in pairs.items()):
            return {}
        self._votes.clear()
        return pairs


def _places(steps: Sequence[PersonStep]) -> dict[int, Floats]:
    return {step.pose.person: step.solved.joints for step in steps if step.solved is not None and step.views > 1}
