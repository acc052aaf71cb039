"""Identities over time: a person who returns after more than a moment is recognised by their bones.

Axes: L segment lengths.
"""

from pose_rig.arrays import Floats
from pose_rig.fusion.people.tracked_person import TrackedPerson, bone_difference

MAX_DIFFERENCE = 0.35  # between the bones of one person, measured twice; 1 = of any two people in the mean
MIN_ADVANTAGE = 2.0  # of the person whose bones are nearest, over the next one


class Identities:
    """Numbers for people."""

    def __init__(self) -> None:
        self._next = 0
        self._left: dict[int, Floats] = {}  # bones of those who have left, where they were measured

    def next(self) -> int:
        """Returns a new identity."""
        self._next += 1
        return self._next - 1

    def leave(self, person: TrackedPerson) -> None:
        """Remembers a person who has left, if their bones were measured."""
        if person.identity is not None and person.measured_bones_m is not None:
            self._left[person.identity] = person.measured_bones_m

    def of(self, person: TrackedPerson) -> int | None:
        """Returns the identity of a new person; None while their bones are to be measured first."""
        if not self._left:
            return self.next()
        measured_m = person.measured_bones_m
        if measured_m is None:
            return None
        differences = sorted((bone_difference(bones_m, measured_m), who) for who, bones_m in self._left.items())
        least, who = differences[0]
        if least > MAX_DIFFERENCE or (len(differences) > 1 and differences[1][0] < MIN_ADVANTAGE * least):
            return self.next()
        del self._left[who]
        return who
