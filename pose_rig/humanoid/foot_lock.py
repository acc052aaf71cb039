"""Feet that stand are held where they stand, and on the floor; optional, for those who see the avatar's feet.

A foot is held by the tip of its toes, if they are seen, so that the heel may rise; else by the ankle. What is held
follows slowly what is measured: a held foot is a foot averaged over a stride, no nail in the floor. Once it stands no
more, what was corrected fades.

Axes: J joints, B bones.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import RestPose
from pose_rig.humanoid.held_foot import HeldFoot
from pose_rig.humanoid.quaternion import Vector
from pose_rig.skeleton import J

HIP_S = 1.0  # the height of the hips follows the feet so slowly: nobody sees it move
HIP_MOST_M = 0.1  # more than a floor found wrongly and bones of a wrong length make together
NOTHING_M = 1e-4  # a smaller correction is none
FORGOTTEN_S = 0.5  # after nobody was seen for so long, nobody stands


class FootLock:
    """Holds feet that stand, and has them stand on the floor; instant by instant, after `Retargeter`.

    Only a solved rig knows the room so well that a foot that stands is told from one that moves. Before that, and after
    it, what was corrected fades, and poses are let through as they are.

    Args:
        rest: Bones of the poses that will come.
    """

    def __init__(self, rest: RestPose) -> None:
        self._feet = (HeldFoot(rest, "Left"), HeldFoot(rest, "Right"))
        self._lift_m = 0.0
        self._t_ns = 0

    @property
    def standing(self) -> tuple[bool, bool]:
        """Whether the left and the right foot are held."""
        left, right = self._feet
        return left.contact.standing, right.contact.standing

    def wear(self, rest: RestPose) -> None:
        """Goes on with other bones; what is corrected stays."""
        for foot in self._feet:
            foot.wear(rest)

    def step(
        self,
        t_ns: int,
        root: Floats,
        rotation: Floats,
        xyz: NDArray[np.floating],
        score: NDArray[np.floating],
        column: Mapping[str, int],
        solved: bool,
    ) -> tuple[Floats, Floats]:
        """Returns root and rotation of an instant with the feet held; the very arrays if there is nothing to correct.

        Args:
            t_ns: When it was.
            root: (3,) m, as in `pose_rig.humanoid.bones.Motion`; if nobody is seen, as an instant ago.
            rotation: (B,4), likewise.
            xyz: (J,3) m, ``rig``: y up, floor at 0. If one of the first 17 is NaN, nobody is seen, and everything stays
                as it is.
            score: (J,) 0 = guessed: such a foot is not held.
            column: Where joints and landmarks are in these, by name: ankles, and toes if they are known.
            solved: Whether the rig is.
        """
        turned = rotation.tolist()
        for foot in self._feet:
            foot.leg.take((float(root[0]), float(root[1]), float(root[2])), turned)
        if not solved or np.isfinite(xyz[:J]).all():
            self._correct(t_ns, _feet_seen(xyz, score, column) if solved else None)
        if not self._lift_m and not any(foot.corrected for foot in self._feet):
            return root, rotation
        rotation, share_m = rotation.copy(), self._share_m()
        for foot in self._feet:
            foot.put(rotation, share_m)
        return root + np.array([0.0, self._lift_m + share_m, 0.0]), rotation

    def _share_m(self) -> float:
        """Returns how much feet that stand raise the hips: what they have in common, for knees feel each millimetre."""
        weight = max(sum(foot.weight for foot in self._feet), 1.0)
        return sum(foot.weight * foot.shift[1] for foot in self._feet) / weight

    def _correct(self, t_ns: int, at: Mapping[str, Vector] | None) -> None:
        dt_s, self._t_ns = (t_ns - self._t_ns) * 1e-9, t_ns
        left, right = self._feet
        if at is not None and 0.0 < dt_s <= FORGOTTEN_S:
            above_m = left.contact.above_m
            left.look(dt_s, at, right.contact.above_m)
            right.look(dt_s, at, above_m)
        else:
            left.forget()
            right.forget()
        dt_s = min(max(dt_s, 0.0), FORGOTTEN_S)
        self._raise(dt_s, solved=at is not None)
        for foot in self._feet:
            foot.hold(dt_s, self._lift_m)

    def _raise(self, dt_s: float, *, solved: bool) -> None:
        """Brings the hips to the height at which feet that stand on the floor do so; leaves them alone in the air."""
        sunk = [sunk_m for foot in self._feet if (sunk_m := foot.sunk_m()) is not None]
        wanted_m = sum(sunk) / len(sunk) if sunk else self._lift_m if solved else 0.0
        lift_m = self._lift_m + (wanted_m - self._lift_m) * dt_s / (HIP_S + dt_s)
        self._lift_m = min(max(lift_m, -HIP_MOST_M), HIP_MOST_M) if solved or abs(lift_m) > NOTHING_M else 0.0


def _feet_seen(xyz: NDArray[np.floating], score: NDArray[np.floating], column: Mapping[str, int]) -> dict[str, Vector]:
    """Returns where ankles and toes were seen, m."""
    at = {}
    for name in ("l_ankle", "r_ankle", "left_foot_index", "right_foot_index"):
        i = column.get(name)
        if i is not None and score[i] > 0:
            x, y, z = xyz[i].tolist()
            if math.isfinite(x + y + z):
                at[name] = (x, y, z)
    return at
