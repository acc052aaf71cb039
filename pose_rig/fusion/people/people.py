"""The people who are tracked in one rig.

Until the rig is solved, detections of several views that are one person are found by how the views are arranged
(`arrangement`). In a solved rig, every person is expected somewhere in the room: the candidates of a view are assigned
to people by that, and what is left over in several views is a new person, or one who was lost.

Axes: V views, C candidates, P points (`segments.POINTS`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.config import Config
from pose_rig.fusion.calibration.bundle.segments import JOINTS_FROM_POINTS, body_height
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.self_solve import RigSolution
from pose_rig.fusion.people.assignment import assign
from pose_rig.fusion.people.identities import Identities
from pose_rig.fusion.people.people_search import PeopleSearch
from pose_rig.fusion.people.person_tracker import PersonTracker
from pose_rig.fusion.people.rough_places import RoughPlaces
from pose_rig.fusion.people.single_views import SingleViews, single_views
from pose_rig.fusion.people.tracked_person import LEAVES_AFTER_S, PersonStep, TrackedPerson, mean_distance
from pose_rig.fusion.people.unplaced_views import UnplacedViews
from pose_rig.fusion.pose.computation import Computations, together
from pose_rig.fusion.pose.hypothesis import UNASSIGNED
from pose_rig.fusion.pose.observation import Observation
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.rig.camera_properties import CameraProperties
from pose_rig.fusion.rig.rig_view import RigView
from pose_rig.graph import Engine

MIN_WELL_SEEN = 0.7  # share of the time steps, of a new person who is confirmed
UNDECIDED_S = 3.0  # after which a new person gets a new identity, and the last who left may be anyone who returns
DUPLICATE_M = 0.12  # mean distance of points, of two identities that are the same person
DUPLICATE_AFTER_NS = 500_000_000
NO_CANDIDATES = np.zeros(0, np.int64)


class People:
    """The people, in the order of their identities.

    Args:
        config: Says how many there are at most.

    Attributes:
        rig_is_wrong: Whether all detections together show that the solved rig is wrong.
        corrected: Time steps before the last one, if it has shown that their detections were grouped wrongly.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._identities = Identities()
        self._people = [TrackedPerson(self._identities.next(), config)]
        self._new: list[TrackedPerson] = []
        self._rough = RoughPlaces(len(config.camera))
        self._unplaced = UnplacedViews(len(config.camera))
        self.corrected: list[tuple[Observation, list[PersonStep]]] = []
        self._was_solved = self._were_several = self.rig_is_wrong = False
        self._search = PeopleSearch(config)
        self._seen: tuple[Observation, SingleViews] | None = None  # the last ones
        self._apart_ns = 0  # when no two were the same person
        self._returned_ns: int | None = None  # since when there are detections again, after all have left

    @property
    def are_several(self) -> bool:
        """Whether more than one person is, or was, in view."""
        return self._config.people > 1 and (self._were_several or len(self._people) > 1 or self._rough.known)

    @property
    def count(self) -> int:
        """How many people there have been."""
        return self._identities.count

    def transform(self, config: Config, origin: Floats, scale: float) -> None:
        """Continues with the same people in another frame of the solved rig: ``x_new = scale (x_old − origin)``.

        Args:
            config: From now on.
            origin: (3,) m, in the frame so far.
            scale: As above.
        """
        self._config = config
        self._identities.transform(origin, scale)
        for person in [*self._people, *self._new]:
            person.transform(config, origin, scale)

    def rename(self, names: Mapping[int, int], count: int) -> dict[int, int]:
        """Gives people other identities, and returns all that have changed.

        Args:
            names: New identities by old ones; others keep theirs, or get new ones if these are taken.
            count: From which on identities are new.
        """
        self._identities.rename(names, count)
        taken, changed = set(names.values()), dict(names)
        for person in self._people:
            if person.identity is not None and person.identity not in names and person.identity in taken:
                changed[person.identity] = self._identities.next()
        for person in self._people:
            person.identity = None if person.identity is None else changed.get(person.identity, person.identity)
        self._people = sorted(self._people, key=lambda one: one.identity or 0)
        return changed

    @property
    def first(self) -> PersonTracker:
        """The person of the lowest identity."""
        return self._people[0].tracker

    @first.setter
    def first(self, tracker: PersonTracker) -> None:
        self._people[0].tracker = tracker

    def estimate(
        self,
        observation: Observation,
        samples: Sequence[Sample | None],
        cameras: CameraProperties,
        rig: RigView,
        engine: Engine,
    ) -> Computations[list[PersonStep]]:
        """Returns all people at a time step; at least one person, who may be in no view.

        Arguments are those of `PersonTracker.estimate`.
        """
        if self._config.people == 1:
            return [(yield from self._people[0].estimate(observation, samples, cameras, rig, engine))]
        self.corrected = []
        if rig.solution is None and self._was_solved:
            self._restart()
        self._was_solved = rig.solution is not None
        self._were_several = self.are_several
        rows = dict.fromkeys(map(id, [*self._people, *self._new]), NO_CANDIDATES)
        if any(person.expected(observation.t_ns) is None for person in self._people) and len(observation.view):
            seen = yield from self._single_views(observation, engine)
            if (self._rough.add(observation, seen) or self.rig_is_wrong) and rig.solution is None:
                self.rig_is_wrong = False
                self._correct(samples, cameras, rig, engine)
            rows |= self._by_rough_places(seen)
        free = np.zeros(len(observation.view), bool)
        if rig.solution is not None:
            usable = replace(rig.solution.cameras, known=rig.known)
            rows, free = self._by_places(observation, rig.solution, usable, rows)
            yield from self._in_unplaced_views(observation, rig.solution, usable, rows, free, engine)
        steps = self._estimated(observation, rows, samples, cameras, rig, engine)
        if rig.solution is not None:
            self._new += self._search.find(observation, free, usable, self._people, self._new)
            if self._rough.is_due(observation.t_ns) and len(observation.view):
                seen = yield from self._single_views(observation, engine)
                self.rig_is_wrong = self._rough.contradicts(observation, seen, rig.solution)
        return steps

    def _single_views(self, observation: Observation, engine: Engine) -> Computations[SingleViews]:
        """Returns what each candidate shows by itself, computed once for a time step."""
        if self._seen is None or self._seen[0] is not observation:
            self._seen = observation, (yield from single_views(observation, engine))
        return self._seen[1]

    def _estimated(
        self,
        observation: Observation,
        rows: dict[int, NDArray[np.int64]],
        samples: Sequence[Sample | None],
        cameras: CameraProperties,
        rig: RigView,
        engine: Engine,
    ) -> list[PersonStep]:
        """Returns all people, whose candidates are given by `id`."""
        people = [*self._people, *self._new]
        parts = [observation.part(rows[id(person)]) for person in people]
        steps = together(
            [person.estimate(part, samples, cameras, rig, engine) for person, part in zip(people, parts, strict=True)]
        )
        usable = None if rig.solution is None else replace(rig.solution.cameras, known=rig.known)
        for person, step in zip(people, steps, strict=True):
            person.update(observation.t_ns, step, usable)
        result = [(person, step) for person, step in zip(people, steps, strict=True) if person.identity is not None]
        self._confirm(observation.t_ns)
        self._remove(observation.t_ns)
        return [step for person, step in result if person in self._people] or [result[0][1]]

    def _restart(self) -> None:
        """Forgets all but the first person, and where they are: the rig is not solved any more."""
        for person in self._people[1:]:
            self._identities.leave(person)
        self._people, self._new = self._people[:1], []
        self._identities.restart(self._people[0].identity or 0)
        self._people[0].tracker.restart_position()
        self._people[0].rough_place = None
        if not self.rig_is_wrong:
            self._rough = RoughPlaces(len(self._config.camera))
        self._unplaced = UnplacedViews(len(self._config.camera))

    def _correct(
        self, samples: Sequence[Sample | None], cameras: CameraProperties, rig: RigView, engine: Engine
    ) -> None:
        """Estimates the last time steps again, with other groups of detections, for `corrected`."""
        self._people, self._new = [TrackedPerson(self._people[0].identity, self._config)], []
        self._identities.restart(self._people[0].identity or 0)
        rig = replace(rig, mode="cold", prior=None, weight=np.ones_like(rig.weight))
        for observation, seen in list(self._rough.recent)[:-1]:
            rows = self._by_rough_places(seen)
            steps = self._estimated(observation, rows, samples, cameras, rig, engine)
            self.corrected.append((observation, steps))

    def _by_rough_places(self, seen: SingleViews) -> dict[int, NDArray[np.int64]]:
        """Returns the candidates of people, by `id`, as far as they have no place in a solved rig yet.

        The first person may be any of them until it is known which detections are of one person.
        """
        people = [person for person in [*self._people, *self._new] if person.expected(seen.t_ns) is None]
        if not self._rough.known:
            return {id(people[0]): np.arange(len(seen.view))}
        own, others = self._rough.assign(seen, people)
        rows = {id(person): candidates for person, candidates in zip(people, own, strict=True)}
        room = self._config.people - len(self._people) - len(self._new)
        for candidates, place in others[:room]:
            person = TrackedPerson(None, self._config, seen.t_ns)
            person.rough_place = place
            self._new.append(person)
            rows[id(person)] = candidates
        return rows

    def _by_places(
        self,
        observation: Observation,
        solution: RigSolution,
        cameras: Calibration,
        rows: dict[int, NDArray[np.int64]],
    ) -> tuple[dict[int, NDArray[np.int64]], NDArray[np.bool_]]:
        """Returns the candidates of each person, by `id`, and (C,) which are not assigned; new people choose last.

        In views without an assigned candidate, as of a camera that was moved, the first person may be any of them.

        Args:
            observation: The candidates.
            solution: The solved rig.
            cameras: Those that are in use.
            rows: The candidates of people who have no place in the rig yet.
        """
        t_ns, free, rows = observation.t_ns, np.ones(len(observation.view), bool), dict(rows)
        for taken in rows.values():
            free[taken] = False
        return_of_anyone = self._is_return(observation)
        for people in ([] if return_of_anyone else self._people, self._new):
            expected = [(person, place) for person in people if (place := person.expected(t_ns)) is not None]
            if not expected:
                continue
            chosen = assign(
                observation,
                cameras,
                free,
                np.stack([place for _, place in expected]),
                np.array([body_height(person.bones(solution)) for person, _ in expected]),
                np.array([person.max_distance(t_ns) for person, _ in expected]),
            )
            for (person, _), own in zip(expected, chosen, strict=True):
                rows[id(person)] = own[own != UNASSIGNED]
                free[rows[id(person)]] = False
        if return_of_anyone:
            return rows, free
        first = self._people[0]
        if first.lost_s(t_ns) > LEAVES_AFTER_S and not self._search.found_no_body:  # it may be another person
            return rows, free
        owned = np.bincount(observation.view[~free], minlength=observation.views) > 0
        others = np.flatnonzero(free & ~owned[observation.view] & cameras.known[observation.view])
        rows[id(first)] = np.sort(np.concatenate([rows[id(first)], others]))
        return rows, free

    def _is_return(self, observation: Observation) -> bool:
        """Whether all people have left, and who returns is not known yet: they are new until they are recognised."""
        last, t_ns = self._people[0], observation.t_ns
        gone = self._identities.count > 1 and len(self._people) == 1 and last.lost_s(t_ns) > LEAVES_AFTER_S
        if not gone or not len(observation.view):
            self._returned_ns = None
        elif self._returned_ns is None:
            self._returned_ns = t_ns
        waited_ns = 0 if self._returned_ns is None else t_ns - self._returned_ns
        return gone and (bool(self._new) or waited_ns < UNDECIDED_S * 1e9)

    def _in_unplaced_views(
        self,
        observation: Observation,
        solution: RigSolution,
        cameras: Calibration,
        rows: dict[int, NDArray[np.int64]],
        free: NDArray[np.bool_],
        engine: Engine,
    ) -> Computations[None]:
        """Adds to ``rows`` the candidates in views whose camera pose is unknown; arguments as in `_by_places`."""
        self._unplaced.forget(cameras.known)
        free = free & ~cameras.known[observation.view]
        expected = [(person, person.expected(observation.t_ns)) for person in self._people]
        people = [(person, place) for person, place in expected if place is not None and np.isfinite(place).all()]
        if not free.any() or not people:
            return
        seen = yield from self._single_views(observation, engine)
        joints = [np.asarray(JOINTS_FROM_POINTS @ place) for _, place in people]
        height_m = [body_height(person.bones(solution)) for person, _ in people]
        for (person, _), own in zip(people, self._unplaced.assign(seen, free, joints, height_m), strict=True):
            rows[id(person)] = np.sort(np.concatenate([rows[id(person)], own[own != UNASSIGNED]]))

    def _confirm(self, t_ns: int) -> None:
        """Gives identities to those who are new and were well seen; the others are dropped."""
        for person in list(self._new):
            age_s = (t_ns - person.began_ns) * 1e-9
            if person.is_weak(t_ns) or age_s < 0:
                self._new.remove(person)
            elif age_s >= person.confirmed_after_s and person.well_seen >= max(1, MIN_WELL_SEEN * person.steps):
                present = [one for one in self._people if one.lost_s(t_ns) <= LEAVES_AFTER_S]
                for one in self._people:
                    if one not in present:  # the only person, or `_remove` had let them go
                        self._identities.leave(one)
                identity = self._identities.of(person, present)
                if identity is None and age_s < UNDECIDED_S:
                    continue
                self._new.remove(person)
                person.identity = self._identities.next() if identity is None else identity
                self._people = sorted([*present, person], key=lambda one: one.identity or 0)

    def _remove(self, t_ns: int) -> None:
        """Removes people who have left, as long as one remains, and second identities of the same person."""
        for person in list(self._people):
            if len(self._people) > 1 and person.lost_s(t_ns) > LEAVES_AFTER_S:
                self._people.remove(person)
                self._identities.leave(person)
        same = self._same_person(t_ns)
        if same is None:
            self._apart_ns = t_ns
        elif t_ns - self._apart_ns > DUPLICATE_AFTER_NS:
            self._people.remove(same)
            self._apart_ns = t_ns

    def _same_person(self, t_ns: int) -> TrackedPerson | None:
        """Returns who is in the same place as another person: the one that fewer views show, or the later one."""
        found = [(person, place) for person in self._people if (place := person.expected(t_ns)) is not None]
        if len(found) < 2:
            return None
        place = np.stack([place for _, place in found])
        near = np.triu(mean_distance(place[:, None], place) < DUPLICATE_M, 1)
        for i, j in np.argwhere(near).tolist():
            one, other = found[i][0], found[j][0]
            return one if one.views < other.views else other
        return None
