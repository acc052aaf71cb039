"""People among the candidates of a solved rig that are not assigned: new ones, and those who were lost."""

from collections.abc import Sequence

import numpy as np

from pose_rig.config import Config
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.people.candidates import Candidates
from pose_rig.fusion.people.new_people import Group, find_groups
from pose_rig.fusion.people.tracked_person import LEAVES_AFTER_S, TrackedPerson, average_bones, mean_distance
from pose_rig.fusion.pose.observation import Observation

INTERVAL_NS = 100_000_000  # between searches
SAME_PERSON_M = 0.25  # mean distance of points, nearer than two people can be


class PeopleSearch:
    """Searches ten times a second.

    Args:
        config: Says how many people there are at most.

    Attributes:
        found_no_body: Whether two views or more showed candidates in the last search, which are no body: their cameras
            may have been moved.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._last_ns = -INTERVAL_NS
        self.found_no_body = False

    def find(
        self,
        observation: Observation,
        candidates: Candidates,
        cameras: Calibration,
        people: Sequence[TrackedPerson],
        new: Sequence[TrackedPerson],
    ) -> list[TrackedPerson]:
        """Moves people who were lost to where they are, and returns new ones, who have no identity yet.

        A person in one view alone may be nearer to the camera or farther away than expected: their candidates in
        other views are then not assigned, and their own one is compared with these.

        Args:
            observation: All candidates.
            candidates: Whose they are.
            cameras: The rig.
            people: Those who are tracked.
            new: Those who were detected a moment ago.
        """
        t_ns = observation.t_ns
        if 0 <= t_ns - self._last_ns < INTERVAL_NS:
            return []
        self._last_ns = t_ns
        weak = [person for person in people if person.is_weak(t_ns)]
        room = self._config.people - len(new) - sum(person.lost_s(t_ns) <= LEAVES_AFTER_S for person in people)
        if room + len(weak) <= 0:
            return []
        found: list[TrackedPerson] = []
        compared = candidates.free.copy()
        for person in weak:
            compared[candidates.of(person)] = True
        groups = find_groups(observation, compared, cameras, room + len(weak))
        views = np.unique(observation.view[candidates.free & cameras.known[observation.view]])
        self.found_no_body = len(views) > 1 and not groups
        for group in groups:
            if any(_is_tracked_as(person, group, t_ns) for person in [*people, *new, *found]):
                continue
            owners = [person for person in weak if np.isin(group.candidate, candidates.of(person)).any()]
            lost = _lost(group, owners or weak, t_ns)
            if lost is not None:
                lost.move_to(t_ns, group.points)
                weak.remove(lost)
            elif not owners and len(found) < room:
                found.append(self._new(group, t_ns))
        return found

    def _new(self, group: Group, t_ns: int) -> TrackedPerson:
        person = TrackedPerson(None, self._config, t_ns)
        person.bones_m = average_bones(group.height_m)
        person.move_to(t_ns, group.points)
        if group.is_sure:
            person.confirmed_after_s = 0.0
        return person


def _is_tracked_as(person: TrackedPerson, group: Group, t_ns: int) -> bool:
    """Whether a group is a person who is tracked well already."""
    place = person.expected(t_ns)
    if place is None or person.is_weak(t_ns):
        return False
    return bool(mean_distance(place, group.points) < SAME_PERSON_M)


def _lost(group: Group, weak: Sequence[TrackedPerson], t_ns: int) -> TrackedPerson | None:
    """Returns the nearest of the people who were lost, and may have come to where a group is."""
    reached = [
        (distance, i)
        for i, person in enumerate(weak)
        if person.lost_s(t_ns) <= LEAVES_AFTER_S
        and (place := person.expected(t_ns)) is not None
        and (distance := mean_distance(place, group.points)) < person.reach_m(t_ns)
        and person.may_be_as_tall_as(group.height_m)
    ]
    return weak[min(reached)[1]] if reached else None
