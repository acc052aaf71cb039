"""The people who are tracked in one rig.

Until the rig is solved, detections of several views that are one person are found by how the views are arranged
(`arrangement`). In a solved rig, every person is expected somewhere in the room: the candidates of a view are assigned
to people by that, and what is left over in several views is a new person, or one who was lost.

Axes: C candidates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from pose_rig.config import Config
from pose_rig.fusion.calibration.bundle.segments import body_height, joints_from_points
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.people.arrangement import RoughCameras
from pose_rig.fusion.people.candidates import Candidates
from pose_rig.fusion.people.people_search import PeopleSearch
from pose_rig.fusion.people.roster import Roster
from pose_rig.fusion.people.rough_places import Regrouping, RoughPlaces, Seen, assign
from pose_rig.fusion.people.single_views import SingleViews, single_views
from pose_rig.fusion.people.step_input import StepInput
from pose_rig.fusion.people.tracked_person import LEAVES_AFTER_S, PersonStep
from pose_rig.fusion.people.unplaced_views import UnplacedViews
from pose_rig.fusion.pose.computation import Computations, together
from pose_rig.fusion.pose.hypothesis import UNASSIGNED
from pose_rig.fusion.pose.observation import Observation
from pose_rig.fusion.rig.background import BackgroundCompute, BackgroundTask


class People:
    """Estimates one person or several.

    Args:
        config: Says how many there are at most.
        task: Finds out which detections are of one person while the rig is not solved; None = within a time step.

    Attributes:
        roster: Who they are.
        rig_is_wrong: Whether all detections together show that the solved rig is wrong.
        corrected: Time steps before the last one, if it has shown that their detections were grouped wrongly.
    """

    def __init__(self, config: Config, task: "BackgroundTask[Regrouping[Corrected]] | None" = None) -> None:
        self._most, self._views = config.people, len(config.camera)
        self._task = task or BackgroundTask(BackgroundCompute())
        self.roster = Roster(config)
        self._rough, self._unplaced = RoughPlaces(self._views, self._task), UnplacedViews(self._views)
        self._search = PeopleSearch(config)
        self.corrected: Sequence[tuple[Observation, list[PersonStep]]] = ()
        self._was_solved = self.rig_is_wrong = False
        self._seen: tuple[Observation, SingleViews] | None = None  # the last ones

    @property
    def are_mixed(self) -> bool:
        """Whether detections of several people are taken for one while those of each person are being found."""
        return self._rough.is_regrouping

    def estimate(self, given: StepInput) -> Computations[list[PersonStep]]:
        """Returns all people at a time step; at least one person, who may be in no view."""
        roster, observation, solution = self.roster, given.observation, given.rig.solution
        if self._most == 1:
            return [(yield from roster.people[0].estimate(given))]
        self.corrected = ()
        if solution is None and self._was_solved:
            self._restart()
        self._was_solved = solution is not None
        candidates = Candidates(observation)
        if any(person.expected(given.t_ns) is None for person in roster.people) and len(observation.view):
            seen = yield from self._single_views(given)
            if solution is None:
                corrected = self._rough.add(observation, seen, partial(_corrected, given, self.roster.begun_again()))
                if corrected is not None:
                    self.roster, self.corrected = corrected.roster, corrected.steps
            self._give_by_rough_places(seen, candidates)
        cameras = given.solved_cameras
        if solution is None or cameras is None:
            return _estimated(given, self.roster, candidates)
        self._give_by_places(observation, solution, cameras, candidates)
        yield from self._lend_unplaced_views(given, solution, cameras, candidates)
        steps = _estimated(given, roster, candidates)
        roster.new += self._search.find(observation, candidates, cameras, roster.people, roster.new)
        if self._rough.is_due(given.t_ns) and len(observation.view):
            seen = yield from self._single_views(given)
            self.rig_is_wrong = self._rough.contradicts(observation, seen, solution)
        return steps

    def _single_views(self, given: StepInput) -> Computations[SingleViews]:
        """Returns what each candidate shows by itself, computed once for a time step."""
        if self._seen is None or self._seen[0] is not given.observation:
            self._seen = given.observation, (yield from single_views(given.observation, given.engine))
        return self._seen[1]

    def _restart(self) -> None:
        """Begins as before the rig was solved, with the first person."""
        self.roster.restart()
        if self.rig_is_wrong:
            self._rough.cameras, self.rig_is_wrong = None, False
        else:
            self._rough = RoughPlaces(self._views, self._task)
        self._unplaced = UnplacedViews(self._views)

    def _give_by_rough_places(self, seen: SingleViews, candidates: Candidates) -> None:
        """Gives candidates to people who have no place in a solved rig yet.

        The first person may be any of them until it is known which detections are of one person.
        """
        if self._rough.known and self._rough.cameras is not None:
            _give_by_rough_places(seen, candidates, self.roster, self._rough.cameras)
        else:
            people = [person for person in self.roster.everyone if person.expected(seen.t_ns) is None]
            candidates.give(people[0], np.arange(len(seen.view)))

    def _give_by_places(
        self, observation: Observation, solution: RigSolution, cameras: Calibration, candidates: Candidates
    ) -> None:
        """Gives candidates to people by their places in the solved rig; new people choose last.

        In views without an assigned candidate, as of a camera that was moved, the first person may be any of them.
        """
        returns = self.roster.is_return(observation)
        for people in ([] if returns else self.roster.people, self.roster.new):
            candidates.give_by_places(people, solution, cameras)
        first = self.roster.people[0]
        may_be_other = first.lost_s(observation.t_ns) > LEAVES_AFTER_S and not self._search.found_no_body
        if not returns and not may_be_other:
            candidates.lend_other_views(first, cameras)

    def _lend_unplaced_views(
        self, given: StepInput, solution: RigSolution, cameras: Calibration, candidates: Candidates
    ) -> Computations[None]:
        """Lets people have the candidates in views whose camera pose is unknown that may be theirs."""
        self._unplaced.forget(cameras.known)
        free = candidates.free & ~cameras.known[given.observation.view]
        expected = [(person, person.expected(given.t_ns)) for person in self.roster.people]
        people = [(person, place) for person, place in expected if place is not None and np.isfinite(place).all()]
        if not free.any() or not people:
            return
        seen = yield from self._single_views(given)
        joints = [joints_from_points(place) for _, place in people]
        height_m = [body_height(person.bones(solution)) for person, _ in people]
        for (person, _), own in zip(people, self._unplaced.assign(seen, free, joints, height_m), strict=True):
            candidates.lend(person, own[own != UNASSIGNED])


def _estimated(given: StepInput, roster: Roster, candidates: Candidates) -> list[PersonStep]:
    """Returns all people with their candidates."""
    people = roster.everyone
    steps = together([person.estimate(given.part(candidates.of(person))) for person in people])
    for person, step in zip(people, steps, strict=True):
        person.update(given.t_ns, step, given.solved_cameras)
    result = [(person, step) for person, step in zip(people, steps, strict=True) if person.identity is not None]
    roster.update(given.t_ns)
    return [step for person, step in result if person in roster.people] or [result[0][1]]


def _give_by_rough_places(seen: SingleViews, candidates: Candidates, roster: Roster, cameras: RoughCameras) -> None:
    """Gives candidates to people as far as they have no place in a solved rig yet; others are new people."""
    people = [person for person in roster.everyone if person.expected(seen.t_ns) is None]
    own, others = assign(seen, people, cameras)
    for person, rows in zip(people, own, strict=True):
        candidates.give(person, rows)
    for rows, place in others:
        new = roster.add_new(seen.t_ns, place)
        if new is not None:
            candidates.give(new, rows)


@dataclass(frozen=True, slots=True)
class Corrected:
    """Time steps that were estimated again, with other groups of detections.

    Attributes:
        roster: The people after them.
        steps: Their detections and people.
    """

    roster: Roster
    steps: list[tuple[Observation, list[PersonStep]]]


def _corrected(given: StepInput, roster: Roster, cameras: RoughCameras, recent: Sequence[Seen]) -> Corrected:
    """Returns time steps before the one that is given, with detections grouped by an arrangement of the views."""
    rig = replace(given.rig, mode="cold", prior=None, weight=np.ones_like(given.rig.weight))
    steps = []
    for observation, seen in recent:
        candidates = Candidates(observation)
        _give_by_rough_places(seen, candidates, roster, cameras)
        steps.append((observation, _estimated(replace(given, observation=observation, rig=rig), roster, candidates)))
    return Corrected(roster, steps)
