"""The people of the rig, retargeted live, each by a `LiveRetargeter`."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Literal

from pose_rig.streaming.live_pose import LivePose
from pose_rig.streaming.live_retargeter import LiveRetargeter
from pose_rig.wire.messages import Pose3D
from pose_rig.wire.tracked_people import FIRST, MAX_STEPS_MISSED

MAX_KEPT = 24  # people who are kept for their return; each measures its bones again after that
GONE = -9  # index of a person who is not present


@dataclass(frozen=True, slots=True, eq=False)
class LivePoses:
    """The poses to send at one time.

    Attributes:
        first: Of the first person, or of the lowest identity present once that one is gone; has all ``people`` of
            `LivePose` where several are followed.
        by_person: By identity, at least of those who are asked for.
    """

    first: LivePose
    by_person: dict[int, LivePose]

    def changed(self, change: Callable[[LivePose], LivePose]) -> "LivePoses":
        """Returns these poses with a change of each."""
        by_person = {person: change(pose) for person, pose in self.by_person.items()}
        every = self.first.people
        people = None if every is None else tuple(by_person[one.person] for one in every)
        return LivePoses(replace(by_person[self.first.person], people=people), by_person)

    def of(self, person: int | None) -> LivePose:
        """Returns the pose of a person; None: the first."""
        return self.first if person is None else self.by_person[person]


class LivePeople:
    """Turns the poses of the rig into the poses to send.

    Args:
        lead: As in `LiveRetargeter`, and so ``foot_lock``.
        targeted: Identities whose poses are always made, also before these people appear.
        all_people: Whether the first person's pose has those of all people.
    """

    def __init__(
        self,
        lead: float | Literal["auto"] = 0.0,
        *,
        foot_lock: bool = False,
        targeted: Collection[int] = (),
        all_people: bool = False,
    ) -> None:
        self._lead, self._foot_lock = lead, foot_lock
        self._targeted, self._with_all = sorted(set(targeted)), all_people
        self._people = {person: self._retargeter() for person in (FIRST, *self._targeted)}
        self._index = -1  # of the newest time step
        self._indices: dict[int, int] = {}  # of the newest pose of each person, who came last is last
        self._arrived: set[int] = set()  # people of the newest time step, as far as they arrived
        self._expected: set[int] = set()  # those of the time step before

    def add(self, pose: Pose3D, now_ns: int) -> None:
        """Adds a received pose."""
        if pose.index < self._index:  # the fusion was restarted
            self._indices = dict.fromkeys(self._indices, GONE)
        if pose.index != self._index or pose.person in self._arrived:
            self._index = pose.index
            self._expected, self._arrived = self._arrived, set()
        self._arrived.add(pose.person)
        self._indices.pop(pose.person, None)
        self._indices[pose.person] = pose.index
        if pose.person not in self._people:
            self._people[pose.person] = self._retargeter()
            self._forget_oldest()
        self._people[pose.person].add(pose, now_ns)

    @property
    def present(self) -> list[int]:
        """Identities of the people who have a pose at the newest time step, in ascending order."""
        return sorted(person for person, index in self._indices.items() if 0 <= self._index - index <= MAX_STEPS_MISSED)

    @property
    def has_new(self) -> bool:
        """Whether a time step has arrived completely that was not sent yet."""
        return self._expected <= self._arrived and any(self._people[person].has_new for person in self._shown())

    def poses_at(self, now_ns: int) -> LivePoses:
        """Returns the poses to send now; of a person who never appeared, the rest pose."""
        poses = {person: replace(self._people[person].pose_at(now_ns), person=person) for person in self._shown()}
        first = poses[self._first()]
        if self._with_all:
            first = replace(first, people=tuple(poses[person] for person in self.present))
        return LivePoses(first, poses)

    def _first(self) -> int:
        present = self.present
        return present[0] if present and FIRST not in present else FIRST

    def _shown(self) -> list[int]:
        return sorted({self._first(), *self._targeted, *(self.present if self._with_all else ())})

    def _forget_oldest(self) -> None:
        others = [person for person in self._indices if person not in (FIRST, *self._targeted)]
        for person in others[: max(0, len(others) - MAX_KEPT)]:
            del self._people[person], self._indices[person]

    def _retargeter(self) -> LiveRetargeter:
        return LiveRetargeter(self._lead, foot_lock=self._foot_lock)
