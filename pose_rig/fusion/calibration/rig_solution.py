"""A solved rig: its cameras, and the bones of the people it was solved from.

Axes: N poses, L bones, J joints.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.skeleton import J


@dataclass(frozen=True, slots=True)
class RigSolution:
    """The solved cameras and the bones of the people.

    Attributes:
        cameras: In the frame of the rig in use; else in that of the averaged rotations.
        bone_length_m: (L,) the bones (`segments`) of the first person.
        poses: (N,J,3) m, from which the rig was solved.
        validation_error: Median reprojection error of the detections that were not used, in standard deviations of a
            good detector: about 1.2.
        chirality: −1 … 1, near 1: the poses are human rather than mirrored.
        previous_error: The validation error of the rig in use so far; infinite if there was none.
        person: Identity of the first person: the lowest one in the keyframes.
        others_bone_length_m: The bones of further people by identity.
        pose_person: (N,) identities of the poses; None = all are of the first person.
    """

    cameras: Calibration
    bone_length_m: Floats
    poses: Floats = field(default_factory=lambda: np.zeros((0, J, 3)))
    validation_error: float = 0.0
    chirality: float = 1.0
    previous_error: float = np.inf
    person: int = 0
    others_bone_length_m: Mapping[int, Floats] = field(default_factory=dict)
    pose_person: NDArray[np.int64] | None = None

    def bones_of(self, person: int) -> Floats | None:
        """Returns the bones (L,) m of a person, None if they are unknown."""
        return self.bone_length_m if person == self.person else self.others_bone_length_m.get(person)

    @property
    def poses_by_person(self) -> dict[int, Floats]:
        """The poses (N,J,3) m of all people by identity, the first person first."""
        if self.pose_person is None:
            return {self.person: self.poses}
        people = (self.person, *self.others_bone_length_m)
        return {person: self.poses[self.pose_person == person] for person in people}

    def renamed(self, names: Mapping[int, int]) -> "RigSolution":
        """Returns the same rig with other identities of people, by those so far."""
        new = [*names.values()]
        others = {
            names.get(person, person): own
            for person, own in self.others_bone_length_m.items()
            if person in names or person not in new
        }
        pose_person = self.pose_person
        if pose_person is not None:
            pose_person = np.array([names.get(person, person) for person in pose_person.tolist()], np.int64)
        person = names.get(self.person, self.person)
        return replace(self, person=person, others_bone_length_m=others, pose_person=pose_person)

    def transformed(self, rotation: Floats, origin: Floats, scale: float = 1.0) -> "RigSolution":
        """Returns the same rig in another frame: ``x_new = scale rotation (x_old − origin)``."""
        return replace(
            self,
            cameras=self.cameras.transformed(rotation, origin, scale),
            bone_length_m=scale * self.bone_length_m,
            others_bone_length_m={person: scale * own for person, own in self.others_bone_length_m.items()},
            poses=scale * (self.poses - origin) @ rotation.T,
        )
