"""Which candidates belong to which person at one time step.

Axes: V views, C candidates over all views.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pose_rig.fusion.calibration.bundle.segments import body_height
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.people.assignment import assign
from pose_rig.fusion.people.tracked_person import TrackedPerson
from pose_rig.fusion.pose.hypothesis import UNASSIGNED
from pose_rig.fusion.pose.observation import Observation

NO_CANDIDATES = np.zeros(0, np.int64)


class Candidates:
    """The candidates of each person: given to one, or lent, where they may be another's; at first there are none.

    Attributes:
        free: (C,) those that were not given to a person.
    """

    def __init__(self, observation: Observation) -> None:
        self._observation = observation
        self._own: dict[int, NDArray[np.int64]] = {}
        self.free = np.ones(len(observation.view), bool)

    def of(self, person: TrackedPerson) -> NDArray[np.int64]:
        """Returns those of a person, in ascending order."""
        return self._own.get(id(person), NO_CANDIDATES)

    def give(self, person: TrackedPerson, candidates: NDArray[np.int64]) -> None:
        """Gives candidates to a person, instead of any others."""
        self._own[id(person)] = candidates
        self.free[candidates] = False

    def lend(self, person: TrackedPerson, candidates: NDArray[np.int64]) -> None:
        """Lets a person have further candidates, which stay free."""
        self._own[id(person)] = np.sort(np.concatenate([self.of(person), candidates]))

    def give_by_places(self, people: Sequence[TrackedPerson], solution: RigSolution, cameras: Calibration) -> None:
        """Gives people the free candidates that are where they are expected in the solved rig.

        Args:
            people: Those without a place in the rig get none.
            solution: The solved rig.
            cameras: Those that are in use.
        """
        t_ns = self._observation.t_ns
        expected = [(person, place) for person in people if (place := person.expected(t_ns)) is not None]
        if not expected:
            return
        chosen = assign(
            self._observation,
            cameras,
            self.free,
            np.stack([place for _, place in expected]),
            np.array([body_height(person.bones(solution)) for person, _ in expected]),
            np.array([person.max_distance(t_ns) for person, _ in expected]),
        )
        for (person, _), own in zip(expected, chosen, strict=True):
            self.give(person, own[own != UNASSIGNED])

    def lend_other_views(self, person: TrackedPerson, cameras: Calibration) -> None:
        """Lets a person be any candidate of views in which all are free, as of a camera that was moved."""
        view = self._observation.view
        owned = np.bincount(view[~self.free], minlength=self._observation.views) > 0
        self.lend(person, np.flatnonzero(self.free & ~owned[view] & cameras.known[view]))
