"""The people of a rig that is not solved: which detections are of one person, and where that is, approximately.

Axes: N people, C candidates.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.people.arrangement import Arrangement, ArrangementEstimate, RoughCameras, groups
from pose_rig.fusion.people.assignment import cheapest
from pose_rig.fusion.people.single_views import SingleViews
from pose_rig.fusion.people.tracked_person import TrackedPerson
from pose_rig.fusion.pose.hypothesis import UNASSIGNED
from pose_rig.fusion.pose.observation import Observation
from pose_rig.fusion.rig.background import BackgroundTask

MAX_MOVE, MOVE_PER_S = 0.5, 0.5  # of a person between time steps, body heights
MAX_RECENT = 24  # time steps that are computed again, 1.6 s
MAX_ESTIMATES = 14  # half a minute, after which a solved rig is no longer checked

T = TypeVar("T")
Seen = tuple[Observation, SingleViews]
Correct = Callable[[RoughCameras, Sequence[Seen]], T]  # estimates time steps again, with other groups of detections


@dataclass(frozen=True, slots=True)
class Regrouping(Generic[T]):
    """What a computation in the background has found.

    Attributes:
        estimate: Of the arrangement of the views.
        corrected: What the correction returned; None if none was asked for, or needed.
    """

    estimate: ArrangementEstimate
    corrected: T | None


class RoughPlaces(Generic[T]):
    """Groups detections by how the views are arranged, which is estimated in the background.

    Args:
        views: How many there are.
        task: Estimates; one that is running is for other places, and is discarded.

    Attributes:
        cameras: By which detections are grouped, None until several people are known apart.
    """

    def __init__(self, views: int, task: BackgroundTask[Regrouping[T]]) -> None:
        self._arrangement, self._task = Arrangement(views), task
        self._task.discard()
        self._recent: deque[Seen] = deque(maxlen=MAX_RECENT)  # from which the arrangement was estimated
        self.cameras: RoughCameras | None = None

    @property
    def known(self) -> bool:
        """Whether detections can be grouped: the arrangement is known, and views have shown several people."""
        return self.cameras is not None and self._arrangement.shows_several

    @property
    def is_regrouping(self) -> bool:
        """Whether views show several people, and which detections are of one is being found out."""
        return self._task.busy and not self.known and self._arrangement.shows_several

    def add(self, observation: Observation, seen: SingleViews, correct: Correct[T]) -> T | None:
        """Adds a time step; returns the corrected ones before it, if their groups have turned out to be wrong.

        Args:
            observation: Of the time step.
            seen: The same.
            correct: Estimates those before it again, given the arrangement; in the background, too.
        """
        self._add(observation, seen)
        if not self._arrangement.shows_several:
            self.cameras = None
        for _ in range(2):  # before, and after, another one is begun
            found = self._task.take()
            if found is not None:
                corrected = self._use(found)
                if corrected is not None:
                    return corrected
            if not self._task.busy and (self._arrangement.estimate_is_due or self._is_outdated):
                self._begin(correct)
        return None

    def contradicts(self, observation: Observation, seen: SingleViews, solution: RigSolution) -> bool:
        """Adds a time step of a solved rig; returns whether the detections show that it is wrong."""
        self._add(observation, seen)
        for _ in range(2):
            found = self._task.take()
            if found is not None:
                self._arrangement.use(found.estimate)
                self.cameras = self._arrangement.cameras
                cameras = solution.cameras
                return self.known and self._arrangement.contradicts(cameras.rotation, cameras.known)
            if not self._task.busy and self._arrangement.estimate_is_due:
                self._begin(None)
        return False

    def is_due(self, t_ns: int) -> bool:
        """Whether a time step of a solved rig is to be added."""
        return self._arrangement.estimates < MAX_ESTIMATES and self._arrangement.is_due(t_ns)

    def _add(self, observation: Observation, seen: SingleViews) -> None:
        if self._arrangement.add(seen):
            self._recent.append((observation, seen))

    @property
    def _is_outdated(self) -> bool:
        """Whether the arrangement is known, and detections are not grouped by it."""
        cameras = self._arrangement.cameras
        return cameras is not None and self._arrangement.shows_several and _are_others(self.cameras, cameras)

    def _begin(self, correct: Correct[T] | None) -> None:
        if not self._arrangement.shows_several:
            correct = None
        self._task.start(_regroup, self._arrangement.begin(), self.cameras, correct, tuple(self._recent)[:-1])

    def _use(self, found: Regrouping[T]) -> T | None:
        self._arrangement.use(found.estimate)
        if found.corrected is not None or not self._is_outdated:
            self.cameras = self._arrangement.cameras
        return found.corrected


def assign(
    seen: SingleViews, people: Sequence[TrackedPerson], cameras: RoughCameras
) -> tuple[list[NDArray[np.int64]], list[tuple[NDArray[np.int64], Floats]]]:
    """Returns (N) the candidates of each person, and those of others with their place (3,), body heights.

    Updates where the people are; one whose place is unknown is in the most prominent group. The others are in this
    order, too.
    """
    nearness = 1 / np.maximum(np.linalg.norm(seen.pelvis, axis=-1), 0.1)
    found = sorted(groups(seen, cameras), key=lambda group: -float(nearness[group].sum()))  # the most prominent first
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


def _regroup(
    estimated: Callable[[], ArrangementEstimate],
    used: RoughCameras | None,
    correct: Correct[T] | None,
    recent: Sequence[Seen],
) -> Regrouping[T]:
    """Returns an estimate of the arrangement, and time steps corrected by it if others are used so far."""
    estimate = estimated()
    cameras, corrected = estimate.cameras, None
    if correct is not None and cameras is not None and _are_others(used, cameras):
        corrected = correct(cameras, recent)
    return Regrouping(estimate, corrected)


def _are_others(used: RoughCameras | None, cameras: RoughCameras) -> bool:
    return used is None or used.differ(cameras)
