"""Who is tracked at the newest time step, as received from the fusion."""

from pose_rig.skeleton import INDEX, J
from pose_rig.wire.messages import Pose3D

FIRST = 0  # identity of the first person
MAX_STEPS_MISSED = 1  # of a present person: the poses of a time step arrive one after the other


class TrackedPeople:
    """The newest pose of every person.

    Attributes:
        poses: Number of poses in which each person was tracked, by identity.
        most: The largest number of people that were tracked at one time step.
    """

    def __init__(self) -> None:
        self.poses: dict[int, int] = {}
        self.most = 0
        self._newest: dict[int, Pose3D] = {}
        self._index = self._person = -1

    def update(self, pose: Pose3D) -> bool:
        """Takes a pose, and returns whether it is the first of its time step."""
        first = pose.index != self._index or pose.person <= self._person
        if pose.index < self._index:  # the fusion was restarted
            self._newest = {person: one for person, one in self._newest.items() if person == FIRST}
        self._index, self._person = pose.index, pose.person
        self._newest[pose.person] = pose
        self._newest = {one: newest for one, newest in self._newest.items() if one == FIRST or self._is_recent(newest)}
        if pose.tracking:
            self.poses[pose.person] = self.poses.get(pose.person, 0) + 1
            self.most = max(self.most, self.count)
        return first

    @property
    def present(self) -> list[Pose3D]:
        """The newest poses of those who have one at the newest time step, in the order of their identities."""
        return [pose for _, pose in sorted(self._newest.items()) if self._is_recent(pose)]

    @property
    def count(self) -> int:
        """How many people are tracked."""
        return sum(pose.tracking > 0 for pose in self.present)

    def newest(self, person: int) -> Pose3D | None:
        """Returns the newest pose of a person; None of one who is not there."""
        return self._newest.get(person)

    def lines(self) -> list[str]:
        """Returns one line per person: whether they are tracked, their height, the joints measured, where they are."""
        return [_line(pose) for pose in self.present]

    def _is_recent(self, pose: Pose3D) -> bool:
        return 0 <= self._index - pose.index <= MAX_STEPS_MISSED


def people_count(count: int) -> str:
    """Returns a number of people in words."""
    return "no person" if count == 0 else "1 person" if count == 1 else f"{count} people"


def _line(pose: Pose3D) -> str:
    height = f"height {pose.height_m:.2f} m" + (" assumed" if pose.height_assumed else "")
    facts = [f"person {pose.person + 1}: {'tracked' if pose.tracking else 'lost'}", height]
    if pose.tracking:
        x, _, z = (float(value) for value in pose.xyz[INDEX["pelvis"]])
        facts.append(f"{int((pose.score[:J] > 0).sum())} of {J} joints")
        facts += [f"at {x:+.1f} {z:+.1f} m"] if pose.mode == "solved" else []
    return "   ".join(facts)
