"""The people of a rig that is not solved: which detections are of one person, and where that is, approximately.

Axes: N people, C candidates.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.people.arrangement import Arrangement, groups
from pose_rig.fusion.people.assignment import cheapest
from pose_rig.fusion.people.single_views import SingleViews
from pose_rig.fusion.people.tracked_person import TrackedPerson
from pose_rig.fusion.pose.hypothesis import UNASSIGNED
from pose_rig.fusion.pose.observation import Observation

MAX_MOVE, MOVE_PER_S = 0.5, 0.5  # of a person between time steps, body heights
MAX_RECENT = 24  # time steps that are computed again, 1.6 s
MAX_ESTIMATES = 14  # half a minute, after which a solved rig is no longer checked

Seen = tuple[Observation, SingleViews]


class RoughPlaces:
    """Groups detections by how the views are arranged.

    Attributes:
        recent: The last time steps from which the arrangement was estimated.
    """

    def __init__(self, views: int) -> None:
        self._arrangement = Arrangement(views)
        self.recent: deque[Seen] = deque(maxlen=MAX_RECENT)

    @property
    def known(self) -> bool:
        """Whether detections can be grouped: the arrangement is known, and views have shown several people."""
        return self._arrangement.cameras is not None and self._arrangement.shows_several

    def add(self, observation: Observation, seen: SingleViews) -> bool:
        """Adds a time step; returns whether the groups of earlier ones have turned out to be wrong."""
        known, changes = self.known, self._arrangement.changes
        if self._arrangement.add(seen):
            self.recent.append((observation, seen))
        return self.known and (not known or self._arrangement.changes != changes)

    def contradicts(self, observation: Observation, seen: SingleViews, solution: RigSolution) -> bool:
        """Adds a time step of a solved rig; returns whether the detections show that it is wrong."""
        changes = self._arrangement.estimates
        if self._arrangement.add(seen):
            self.recent.append((observation, seen))
        cameras = solution.cameras
        return (
            self._arrangement.estimates != changes
            and self.known
            and self._arrangement.contradicts(cameras.rotation, cameras.known)
        )

    def is_due(self, t_ns: int) -> bool:
        """Whether a time step of a solved rig is to be added."""
        return self._arrangement.estimates < MAX_ESTIMATES and self._arrangement.is_due(t_ns)

    def assign(
        self, seen: SingleViews, people: Sequence[TrackedPerson]
    ) -> tuple[list[NDArray[np.int64]], list[tuple[NDArray[np.int64], Floats]]]:
        """Returns (N) the candidates of each person, and those of others with their place (3,), body heights.

        Updates where the people are; one whose place is unknown is in the most prominent group. The others are in this
        order, too.
        """
        cameras = self._arrangement.cameras
        assert cameras is not None  # noqa: S101 - the arrangement is known
        nearness = 1 / np.maximum(np.linalg.norm(seen.pelvis, axis=-1), 0.1)
        found = sorted(
            groups(seen, cameras), key=lambda group: -float(nearness[group].sum())
        )  # the most prominent first
        place = np.array([cameras.places(seen)[0][group].mean(0) for group in found]).reshape(-1, 3)
        for person in people:
            if person.rough_place is None and len(found):
                person.rough_place = place[0]
        old = np.array([np.full(3, np.inf) if p.rough_place is None else p.rough_place for p in people]).reshape(-1, 3)
        gate = np.array([MAX_MOVE + MOVE_PER_S * person.lost_s(seen.t_ns) for person in people])
        chosen = cheapest(np.linalg.norm(old[:, None] - place[None], axis=-1), gate) if len(people) else np.zeros(0)
        rows = [np.zeros(0, np.int64)] * len(people)
        for index, (person, group) in enumerate(zip(people, chosen.tolist(), strict=True)):
            if group != UNASSIGNED:
                rows[index], person.rough_place = found[group], place[group]
        others = [index for index in range(len(found)) if index not in chosen.tolist()]
        return rows, [(found[index], place[index]) for index in others]
