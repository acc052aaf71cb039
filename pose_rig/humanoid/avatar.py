"""The skeleton that is sent: the user's own avatar, or a humanoid of the person's own lengths.

Space: that of `pose_rig.humanoid.bones`: right-handed, y up, at rest facing +z with the left hand at +x.

Axes: N bones of the avatar, B bones of our humanoid, M of them at most to one bone of the avatar.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import BONES, INDEX, PARENTS, RestPose, inverse, multiply
from pose_rig.humanoid.unity_bones import FINGERS, PHALANGES
from pose_rig.humanoid.unity_bones import PARENTS as ABOVE

FIXED = -1  # source of a bone that we do not measure: it stays as it is at rest
NO_TURN = np.array([[0.0, 0.0, 0.0, 1.0]])
# of the hand's length, where fingers begin (outwards, forwards) in T-pose, palm down, and how long their bones are;
# means of adults, Buryanov and Kotiuk (2010)
KNUCKLE = {
    "Thumb": (0.20, 0.22), "Index": (0.50, 0.16), "Middle": (0.52, 0.04), "Ring": (0.49, -0.07),
    "Little": (0.44, -0.17),
}  # fmt: skip
PHALANX = {"Thumb": 0.18, "Index": 0.22, "Middle": 0.24, "Ring": 0.22, "Little": 0.17}
SHORTER = (1.0, 0.62)  # second and third phalanx begin so far from the one before, as parts of the first
EYE = (0.16, 0.32, 0.38)  # of the head's height, from where it begins: to the side, up, forwards
JAW = (0.0, 0.05, 0.2)


@dataclass(frozen=True, eq=False)
class Avatar:
    """A skeleton at rest, parents before children, the hips first.

    A bone may hang on a node that is no bone; ``translation`` and ``rotation`` are relative to that node, as engines
    keep them.

    Attributes:
        names: (N) as in Unity's HumanBodyBones.
        parents: (N) nearest bone above, −1 for the hips.
        source: (N,M) rows of `BONES` that a bone turns with: several, from the hips outwards, where the avatar lacks
            some; the rest `FIXED`.
        translation: (N,3) m, unless that node is scaled.
        rotation: (N,4) quaternions.
        frame: (N,4) how the node that a bone hangs on is turned in the model.
        hips_from_model: (4,4) takes points of the model, m, to the node that the hips hang on.
        hips_height_m: Of the hips above the floor.
        title: What to call it.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    source: NDArray[np.int64]
    translation: Floats
    rotation: Floats
    frame: Floats
    hips_from_model: Floats
    hips_height_m: float
    title: str = ""

    def hips(self, root: Floats) -> Floats:
        """Returns the translation (3,) of the hips, relative to what they hang on, when they are at ``root`` (3,) m."""
        return np.asarray(self.hips_from_model[:3, :3] @ root + self.hips_from_model[:3, 3])

    def turned(self, rotation: Floats) -> Floats:
        """Returns the rotation (N,4) of every bone, relative to what it hangs on.

        Args:
            rotation: (B,4) as in `pose_rig.humanoid.bones.Motion`.
        """
        rotation = np.concatenate([rotation, NO_TURN])  # the last is what `FIXED` turns with
        turn = rotation[self.source[:, 0]]
        for further in self.source.T[1:]:
            turn = multiply(turn, rotation[further])
        if not self.askew:
            return turn
        return multiply(inverse(self.frame), multiply(turn, multiply(self.frame, self.rotation)))

    @cached_property
    def askew(self) -> bool:
        """Whether any node is turned at rest; those of VRM 0 and of our own humanoid are not."""
        return bool((np.abs(self.frame[:, :3]) > 1e-6).any() or (np.abs(self.rotation[:, :3]) > 1e-6).any())


def of_person(rest: RestPose, *, whole: bool = False) -> Avatar:
    """Returns a humanoid of a person's own lengths.

    Args:
        rest: Their bones.
        whole: All bones of Unity's humanoid but UpperChest, which our chest is too; otherwise those that we measure.
    """
    names, parents, source, offsets = list(BONES), list(PARENTS), list(range(len(BONES))), list(rest.offset)
    if whole:
        for name, offset in _further(rest):
            parents.append(names.index(ABOVE[name]))
            names.append(name)
            source.append(FIXED)
            offsets.append(np.asarray(offset))
    count = len(names)
    still = np.tile(NO_TURN, (count, 1))
    return Avatar(
        names=tuple(names),
        parents=tuple(parents),
        source=np.array(source, np.int64)[:, None],
        translation=np.array(offsets, np.float64),
        rotation=still,
        frame=still,
        hips_from_model=np.eye(4),
        hips_height_m=float(rest.offset[0, 1]),
        title="a humanoid of the person's own lengths",
    )


def _further(rest: RestPose) -> list[tuple[str, Floats]]:
    """Returns name and place of the bones that we do not measure, each after what it hangs on."""
    skull = float(np.linalg.norm(rest.tip[INDEX["Head"]]))
    bones = [("Jaw", skull * np.array(JAW))]
    for side, out in (("Left", 1.0), ("Right", -1.0)):
        outwards = np.array([out, 1.0, 1.0])
        bones.append((f"{side}Eye", skull * np.array(EYE) * outwards))
        length = float(np.linalg.norm(rest.tip[INDEX[f"{side}Hand"]]))
        for finger in FINGERS:
            along = np.array([0.7, 0.0, 0.7]) if finger == "Thumb" else np.array([1.0, 0.0, 0.0])
            place = length * np.array([KNUCKLE[finger][0], 0.0, KNUCKLE[finger][1]])
            for phalanx, shorter in zip(PHALANGES, (*SHORTER, 0.0), strict=True):
                bones.append((f"{side}{finger}{phalanx}", place * outwards))
                place = length * PHALANX[finger] * shorter * along
    return bones
