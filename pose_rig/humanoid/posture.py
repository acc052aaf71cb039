"""One instant of a person: what was seen, and the humanoid that is being bent to it."""

import math
from collections.abc import Sequence

from pose_rig.humanoid.bones import BONES, INDEX, PARENTS, RestPose
from pose_rig.humanoid.quaternion import NONE, Quaternion, Vector, alike, back, followed, minus, plus, times, turn


class Instant:
    """Joints and landmarks of one instant, by name.

    Args:
        column: Where they are in what follows.
        xyz: (J,3) m, as a list.
        score: (J) 0 = guessed.
        dt_s: Time since the last instant.
    """

    def __init__(
        self, column: dict[str, int], xyz: Sequence[Sequence[float]], score: Sequence[float], dt_s: float
    ) -> None:
        self.dt_s = dt_s
        self._column, self._xyz, self._score = column, xyz, score

    def at(self, name: str) -> Vector:
        """Returns where a joint is, m; of landmarks only after `score` said that it is seen."""
        x, y, z = self._xyz[self._column[name]]
        return x, y, z

    def way(self, start: str, end: str) -> Vector:
        """Returns the way from one joint to another, m."""
        return minus(self.at(end), self.at(start))

    def score(self, *names: str) -> float:
        """Returns how sure the least sure of some landmarks is; 0 if one is not seen, or unknown to the detector."""
        if any(name not in self._column for name in names):
            return 0.0
        return min(self._score[self._column[name]] for name in names)


class Posture:
    """A humanoid, bone by bone; what has not been set yet is still as it was an instant ago.

    Args:
        rest: Its bones.

    Attributes:
        local: (B) rotations relative to the parents.
        root: Where the hips are, m.
        fresh: Whether nothing is known of an instant ago.
        most_rad: How far a bone turns at most from one instant to the next.
    """

    def __init__(self, rest: RestPose) -> None:
        self.wear(rest)
        self._turned = [NONE] * len(BONES)
        self._begin = [self._offset[0]] * len(BONES)
        self.local = [NONE] * len(BONES)
        self.root = self._offset[0]
        self.fresh = True
        self.most_rad = math.pi

    def wear(self, rest: RestPose) -> None:
        """Gives it bones of other lengths; how they are turned stays."""
        self._offset: list[Vector] = [(float(x), float(y), float(z)) for x, y, z in rest.offset]
        self._tip: list[Vector] = [(float(x), float(y), float(z)) for x, y, z in rest.tip]

    def offset(self, bone: str) -> Vector:
        """Returns where a bone begins at rest, from the beginning of its parent, m."""
        return self._offset[INDEX[bone]]

    def tip(self, bone: str) -> Vector:
        """Returns where a bone ends at rest, from its beginning, m."""
        return self._tip[INDEX[bone]]

    def begin(self, bone: str) -> Vector:
        """Returns where a bone begins, m; its parent has been set."""
        i = INDEX[bone]
        parent = PARENTS[i]
        return self.root if parent < 0 else plus(self._begin[parent], turn(self._turned[parent], self._offset[i]))

    def frame(self, bone: str) -> Quaternion:
        """Returns how the parent of a bone is turned in the room."""
        parent = PARENTS[INDEX[bone]]
        return NONE if parent < 0 else self._turned[parent]

    def seen_from(self, bone: str, vector: Vector) -> Vector:
        """Returns a vector of the room in the space of the parent of a bone."""
        return turn(back(self.frame(bone)), vector)

    def before(self, *bones: str) -> Quaternion | None:
        """Returns the rotation an instant ago, if known, of bones together, each the parent of the next."""
        if self.fresh:
            return None
        whole = self.local[INDEX[bones[0]]]
        for bone in bones[1:]:
            whole = times(whole, self.local[INDEX[bone]])
        return whole

    def set(self, bone: str, rotation: Quaternion) -> None:
        """Turns a bone, relative to its parent, which has been set."""
        i = INDEX[bone]
        wanted = alike(rotation, self.local[i])
        self.local[i] = wanted if self.fresh else followed(self.local[i], wanted, self.most_rad)
        self._begin[i] = self.begin(bone)
        self._turned[i] = times(self.frame(bone), self.local[i])
