"""The people who are tracked: those with an identity, and those who were just detected; they come and leave.

Axes: P points (`segments.POINTS`).
"""

from collections.abc import Mapping

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.config import Config
from pose_rig.fusion.people.identities import Identities
from pose_rig.fusion.people.person_tracker import PersonTracker
from pose_rig.fusion.people.tracked_person import LEAVES_AFTER_S, TrackedPerson, mean_distance
from pose_rig.fusion.pose.observation import Observation

MIN_WELL_SEEN = 0.7  # share of the time steps, of a new person who is confirmed
UNDECIDED_S = 3.0  # after which a new person gets a new identity, and the last who left may be anyone who returns
DUPLICATE_M = 0.12  # mean distance of points, of two identities that are the same person
DUPLICATE_AFTER_NS = 500_000_000


class Roster:
    """The people of a rig.

    Args:
        config: Says how many there are at most.

    Attributes:
        people: In the order of their identities; at least one.
        new: Those without an identity yet.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._identities = Identities()
        self.people = [TrackedPerson(self._identities.next(), config)]
        self.new: list[TrackedPerson] = []
        self._apart_ns = 0  # when no two were the same person
        self._returned_ns: int | None = None  # since when there are detections again, after all have left

    @property
    def everyone(self) -> list[TrackedPerson]:
        """All of them, new ones last."""
        return [*self.people, *self.new]

    @property
    def count(self) -> int:
        """How many people there have been."""
        return self._identities.count

    @property
    def first(self) -> PersonTracker:
        """The person of the lowest identity."""
        return self.people[0].tracker

    @first.setter
    def first(self, tracker: PersonTracker) -> None:
        self.people[0].tracker = tracker

    def add_new(self, t_ns: int, rough_place: Floats) -> TrackedPerson | None:
        """Returns a new person at a place (3,) as of `TrackedPerson.rough_place`; None if there are enough."""
        if len(self.everyone) >= self._config.people:
            return None
        person = TrackedPerson(None, self._config, t_ns)
        person.rough_place = rough_place
        self.new.append(person)
        return person

    def transform(self, config: Config, origin: Floats, scale: float) -> None:
        """Continues with the same people in another frame of the solved rig: ``x_new = scale (x_old − origin)``.

        Args:
            config: From now on.
            origin: (3,) m, in the frame so far.
            scale: As above.
        """
        self._config = config
        self._identities.transform(origin, scale)
        for person in self.everyone:
            person.transform(config, origin, scale)

    def rename(self, names: Mapping[int, int], count: int) -> dict[int, int]:
        """Gives people other identities, and returns all that have changed.

        Args:
            names: New identities by old ones; others keep theirs, or get new ones if these are taken.
            count: From which on identities are new.
        """
        self._identities.rename(names, count)
        taken, changed = set(names.values()), dict(names)
        for person in self.people:
            if person.identity is not None and person.identity not in names and person.identity in taken:
                changed[person.identity] = self._identities.next()
        for person in self.people:
            person.identity = None if person.identity is None else changed.get(person.identity, person.identity)
        self.people = sorted(self.people, key=lambda one: one.identity or 0)
        return changed

    def restart(self) -> None:
        """Forgets all but the first person, and where they are: the rig is not solved any more."""
        for person in self.people[1:]:
            self._identities.leave(person)
        self.people, self.new = self.people[:1], []
        self._identities.restart(self.people[0].identity or 0)
        self.people[0].tracker.restart_position()
        self.people[0].rough_place = None

    def begun_again(self) -> "Roster":
        """Returns another one with one person, nowhere yet, of the first identity."""
        out, first = Roster(self._config), self.people[0].identity or 0
        out._identities.restart(first)
        out.people = [TrackedPerson(first, self._config)]
        return out

    def is_return(self, observation: Observation) -> bool:
        """Whether all people have left, and who returns is not known yet: they are new until they are recognised."""
        last, t_ns = self.people[0], observation.t_ns
        gone = self._identities.count > 1 and len(self.people) == 1 and last.lost_s(t_ns) > LEAVES_AFTER_S
        if not gone or not len(observation.view):
            self._returned_ns = None
        elif self._returned_ns is None:
            self._returned_ns = t_ns
        waited_ns = 0 if self._returned_ns is None else t_ns - self._returned_ns
        return gone and (bool(self.new) or waited_ns < UNDECIDED_S * 1e9)

    def update(self, t_ns: int) -> None:
        """Gives identities to those who are new and were well seen, and removes those who have left."""
        self._confirm(t_ns)
        self._remove(t_ns)

    def _confirm(self, t_ns: int) -> None:
        """Gives identities to those who are new and were well seen; the others are dropped."""
        for person in list(self.new):
            age_s = (t_ns - person.began_ns) * 1e-9
            if person.is_weak(t_ns) or age_s < 0:
                self.new.remove(person)
            elif age_s >= person.confirmed_after_s and person.well_seen >= max(1, MIN_WELL_SEEN * person.steps):
                present = [one for one in self.people if one.lost_s(t_ns) <= LEAVES_AFTER_S]
                for one in self.people:
                    if one not in present:  # the only person, or `_remove` had let them go
                        self._identities.leave(one)
                identity = self._identities.of(person, present)
                if identity is None and age_s < UNDECIDED_S:
                    continue
                self.new.remove(person)
                person.identity = self._identities.next() if identity is None else identity
                self.people = sorted([*present, person], key=lambda one: one.identity or 0)

    def _remove(self, t_ns: int) -> None:
        """Removes people who have left, as long as one remains, and second identities of the same person."""
        for person in list(self.people):
            if len(self.people) > 1 and person.lost_s(t_ns) > LEAVES_AFTER_S:
                self.people.remove(person)
                self._identities.leave(person)
        same = self._same_person(t_ns)
        if same is None:
            self._apart_ns = t_ns
        elif t_ns - self._apart_ns > DUPLICATE_AFTER_NS:
            self.people.remove(same)
            self._apart_ns = t_ns

    def _same_person(self, t_ns: int) -> TrackedPerson | None:
        """Returns who is in the same place as another person: the one that fewer views show, or the later one."""
        found = [(person, place) for person in self.people if (place := person.expected(t_ns)) is not None]
        if len(found) < 2:
            return None
        place = np.stack([place for _, place in found])
        near = np.triu(mean_distance(place[:, None], place) < DUPLICATE_M, 1)
        for i, j in np.argwhere(near).tolist():
            one, other = found[i][0], found[j][0]
            return one if one.views < other.views else other
        return None
