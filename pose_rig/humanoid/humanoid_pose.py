"""One frame of retargeting: measured joints, and the humanoid pose that is built from them bone by bone."""

import math
from collections.abc import Sequence

from pose_rig.humanoid.bones import BONES, INDEX, PARENTS, RestPose
from pose_rig.humanoid.quaternion import (
    IDENTITY,
    Quaternion,
    Vector,
    add,
    inverse,
    multiply,
    rotate,
    rotate_towards,
    same_sign,
    subtract,
)


class JointFrame:
    """Joints and landmarks of one frame, by name.

    Args:
        column: Index of each name in the arrays.
        xyz: (J,3) m, as a list.
        score: (J) 0 = guessed.
        dt_s: Time since the previous frame.
    """

    def __init__(
        self, column: dict[str, int], xyz: Sequence[Sequence[float]], score: Sequence[float], dt_s: float
    ) -> None:
        self.dt_s = dt_s
        self._column, self._xyz, self._score = column, xyz, score

    def position(self, name: str) -> Vector:
        """Returns the position of a joint, or of a landmark with a positive `score`, m."""
        x, y, z = self._xyz[self._column[name]]
        return x, y, z

    def vector(self, start: str, end: str) -> Vector:
        """Returns the vector from one joint to another, m."""
        return subtract(self.position(end), self.position(start))

    def score(self, *names: str) -> float:
        """Returns the lowest score of some landmarks; 0 if the detector does not have one of them."""
        if any(name not in self._column for name in names):
            return 0.0
        return min(self._score[self._column[name]] for name in names)


class HumanoidPose:
    """A humanoid pose; bones that are not set yet have the rotation of the previous frame.

    Args:
        rest: Rest pose.

    Attributes:
        rotations: (B) rotations relative to the parents.
        root: Position of the hips, m.
        restart: Whether the previous frame is unknown.
        max_step_rad: Maximum rotation of a bone between two frames.
    """

    def __init__(self, rest: RestPose) -> None:
        self.set_rest_pose(rest)
        self._world = [IDENTITY] * len(BONES)
        self._start = [self._offset[0]] * len(BONES)
        self.rotations = [IDENTITY] * len(BONES)
        self.root = self._offset[0]
        self.restart = True
        self.max_step_rad = math.pi

    def set_rest_pose(self, rest: RestPose) -> None:
        """Changes bone lengths; rotations stay."""
        self._offset: list[Vector] = [(float(x), float(y), float(z)) for x, y, z in rest.offset]
        self._tip: list[Vector] = [(float(x), float(y), float(z)) for x, y, z in rest.tip]

    def offset(self, bone: str) -> Vector:
        """Returns `RestPose.offset` of a bone."""
        return self._offset[INDEX[bone]]

    def tip(self, bone: str) -> Vector:
        """Returns `RestPose.tip` of a bone."""
        return self._tip[INDEX[bone]]

    def start(self, bone: str) -> Vector:
        """Returns the start of a bone, m; its parent has been set."""
        i = INDEX[bone]
        parent = PARENTS[i]
        return self.root if parent < 0 else add(self._start[parent], rotate(self._world[parent], self._offset[i]))

    def parent_rotation(self, bone: str) -> Quaternion:
        """Returns the rotation of the parent of a bone in ``rig``."""
        parent = PARENTS[INDEX[bone]]
        return IDENTITY if parent < 0 else self._world[parent]

    def in_parent(self, bone: str, vector: Vector) -> Vector:
        """Returns a vector of ``rig`` in the space of the parent of a bone."""
        return rotate(inverse(self.parent_rotation(bone)), vector)

    def previous(self, *bones: str) -> Quaternion | None:
        """Returns the product of the previous rotations of bones, each the parent of the next; None if unknown."""
        if self.restart:
            return None
        product = self.rotations[INDEX[bones[0]]]
        for bone in bones[1:]:
            product = multiply(product, self.rotations[INDEX[bone]])
        return product

    def set(self, bone: str, rotation: Quaternion) -> None:
        """Sets the rotation of a bone relative to its parent, which has been set."""
        i = INDEX[bone]
        target = same_sign(rotation, self.rotations[i])
        self.rotations[i] = target if self.restart else rotate_towards(self.rotations[i], target, self.max_step_rad)
        self._start[i] = self.start(bone)
        self._world[i] = multiply(self.parent_rotation(bone), self.rotations[i])
