"""Identities over time: a person who returns after more than a moment is recognised by their bones and appearance.

Axes: L segment lengths, P points (`segments.POINTS`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pose_rig.arrays import Floats
from pose_rig.fusion.people.appearance import Appearance
from pose_rig.fusion.people.tracked_person import TrackedPerson, bone_difference, mean_distance

MAX_DIFFERENCE = 0.35  # between the bones of one person, measured twice; 1 = of any two people in the mean
MIN_ADVANTAGE = 2.0  # of the person whose bones are nearest, over the next one
MAX_DIFFERENCE_NEAR, MAX_AWAY_S = 0.7, 10.0  # of a person who was hidden, and returns near the place where they were
REACH_M, REACH_M_S, MAX_REACH_M = 0.6, 0.5, 2.5  # how far from it
MIN_ADVANTAGE_IN_LOOKS = 1.5  # the same for the appearance
MEASURED_RATIO = 0.5  # `Likeness.ratio` of the same person, in the mean; a smaller one is chance


@dataclass(frozen=True, slots=True)
class Left:
    """A person who has left.

    Attributes:
        bones_m: (L,) segment lengths, as measured.
        appearance: What they looked like.
        place: (P,3) m where they were last, at ``t_ns``; None = unknown.
    """

    bones_m: Floats
    appearance: Appearance
    place: Floats | None
    t_ns: int


class Identities:
    """Numbers for people."""

    def __init__(self) -> None:
        self._next = 0
        self._left: dict[int, Left] = {}  # those whose bones were measured

    @property
    def count(self) -> int:
        """How many there have been."""
        return self._next

    def restart(self, first: int) -> None:
        """Numbers people again, after the one who is left; nothing is known of others."""
        self._next, self._left = first + 1, {}

    def rename(self, names: Mapping[int, int], count: int) -> None:
        """Gives those who have left other identities; new ones begin at ``count`` or later."""
        taken = set(names.values())
        self._left = {names.get(who, who): left for who, left in self._left.items() if who in names or who not in taken}
        self._next = max(self._next, count)

    def next(self) -> int:
        """Returns a new identity."""
        self._next += 1
        return self._next - 1

    def leave(self, person: TrackedPerson) -> None:
        """Remembers a person who has left, if their bones were measured."""
        if person.identity is not None and person.measured_bones_m is not None:
            place, t_ns = person.expected(person.seen_ns), person.seen_ns
            self._left[person.identity] = Left(person.measured_bones_m, person.appearance, place, t_ns)

    def transform(self, origin: Floats, scale: float) -> None:
        """Continues in another frame of the rig: ``x_new = scale (x_old − origin)``."""
        self._left = {
            who: replace(
                left,
                bones_m=scale * left.bones_m,
                place=None if left.place is None else scale * (left.place - origin),
            )
            for who, left in self._left.items()
        }

    def of(self, person: TrackedPerson, present: Sequence[TrackedPerson] = ()) -> int | None:
        """Returns the identity of a new person; None while their bones are to be measured first.

        It is that of a person who has left if both bones and appearance are surely theirs. Where the appearance is
        unknown, bones suffice, or similar ones near the place where only one person was lost a moment ago; where
        several have such bones, the appearance decides among them.

        Args:
            person: The new one.
            present: Those who are there, whose appearance the new person may share.
        """
        for one in present:
            self._left.pop(one.identity or 0, None)  # has come back by tracking
        if not self._left:
            return self.next()
        measured_m = person.measured_bones_m
        if measured_m is None:
            return None
        differences = {who: bone_difference(left.bones_m, measured_m) for who, left in self._left.items()}
        likeness = {who: left.appearance.likeness(person.appearance) for who, left in self._left.items()}
        ratios = {who: alike.ratio for who, alike in likeness.items() if alike is not None}
        others = [one.appearance.likeness(person.appearance) for one in present]
        nearest = min([alike.ratio for alike in others if alike is not None], default=float("inf"))
        who = _by_bones(differences)
        if who is None or who in ratios:
            by_looks = _by_appearance(ratios, nearest)
            if who is None and by_looks is not None and differences[by_looks] <= MAX_DIFFERENCE:
                who = by_looks
            elif by_looks != who:
                who = None
        if who is None and not ratios:
            who = self._by_place(person, differences)
        if who is None:
            return self.next()
        del self._left[who]
        return who

    def _by_place(self, person: TrackedPerson, differences: dict[int, float]) -> int | None:
        """Returns who was lost a moment ago, near the place of a new person; None = no one, or several."""
        here, found = person.expected(person.seen_ns), []
        for who, left in self._left.items():
            away_s = (person.began_ns - left.t_ns) * 1e-9
            if here is None or left.place is None or not 0 <= away_s <= MAX_AWAY_S:
                continue
            reach_m = min(REACH_M + REACH_M_S * away_s, MAX_REACH_M)
            if differences[who] <= MAX_DIFFERENCE_NEAR and mean_distance(here, left.place) < reach_m:
                found.append(who)
        return found[0] if len(found) == 1 else None


def _by_bones(differences: dict[int, float]) -> int | None:
    """Returns whose bones are surely the same, None = not sure; differences by identity, one at least."""
    least, *others = sorted(differences.values())
    if least > MAX_DIFFERENCE or (others and others[0] < MIN_ADVANTAGE * least):
        return None
    return min(differences, key=lambda who: differences[who])


def _by_appearance(ratios: dict[int, float], nearest_present: float) -> int | None:
    """Returns who surely looks the same, None = not sure.

    Args:
        ratios: `Likeness.ratio` to each who has left, by identity, where it is known.
        nearest_present: The least of those who are present.
    """
    if not ratios:
        return None
    least, *others = sorted(ratios.values())
    if least > 1 or min([nearest_present, *others]) < MIN_ADVANTAGE_IN_LOOKS * max(least, MEASURED_RATIO):
        return None
    return min(ratios, key=lambda who: ratios[who])
