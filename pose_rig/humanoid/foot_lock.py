"""Optional foot lock: feet in contact are kept in place, and on the floor.

A foot is locked by the tip of its toes if they are visible, so that the heel may rise; otherwise by the ankle. The
locked foot follows the measured one slowly: it is an average over a stride, not fixed. After contact the correction
decays.

Axes: J joints, B bones.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import RestPose
from pose_rig.humanoid.locked_foot import LockedFoot
from pose_rig.humanoid.quaternion import Vector
from pose_rig.skeleton import J

HIPS_TIME_CONSTANT_S = 1.0  # of the height of the hips: too slow to be visible
MAX_LIFT_M = 0.1  # more than the errors of floor and bone lengths add up to
MIN_LIFT_M = 1e-4
CONTACT_RESET_S = 0.5  # without a tracked person, contacts end


class FootLock:
    """Locks feet in contact, and puts them on the floor; frame by frame, after `Retargeter`.

    Contact is detected in a solved rig only, where poses have a position in the room. Otherwise poses pass unchanged,
    and corrections decay.

    Args:
        rest: Rest pose.
    """

    def __init__(self, rest: RestPose) -> None:
        self._feet = (LockedFoot(rest, "Left"), LockedFoot(rest, "Right"))
        self._lift_m = 0.0
        self._t_ns = 0

    @property
    def locked(self) -> tuple[bool, bool]:
        """Whether the left and the right foot are locked."""
        left, right = self._feet
        return left.contact.active, right.contact.active

    def set_rest_pose(self, rest: RestPose) -> None:
        """Changes bone lengths; corrections stay."""
        for foot in self._feet:
            foot.set_rest_pose(rest)

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
        """Returns root and rotation of a frame with locked feet; the same arrays if there is no correction.

        Args:
            t_ns: Timestamp.
            root: (3,) m, as in `pose_rig.humanoid.bones.Motion`; without a tracked person, that of the previous frame.
            rotation: (B,4), likewise.
            xyz: (J,3) m, ``rig``: y up, floor at 0. If one of the first 17 is NaN, no person is tracked, and nothing
                changes.
            score: (J,) 0 = guessed: such a foot is not locked.
            column: Index of joints and landmarks in these, by name: ankles, and toes if the detector has them.
            solved: Whether the rig is solved.
        """
        local = rotation.tolist()
        for foot in self._feet:
            foot.leg.set_pose((float(root[0]), float(root[1]), float(root[2])), local)
        if not solved or np.isfinite(xyz[:J]).all():
            self._update(t_ns, _foot_positions(xyz, score, column) if solved else None)
        if not self._lift_m and not any(foot.corrected for foot in self._feet):
            return root, rotation
        rotation, common_m = rotation.copy(), self._common_shift_m()
        for foot in self._feet:
            foot.apply(rotation, common_m)
        return root + np.array([0.0, self._lift_m + common_m, 0.0]), rotation

    def _common_shift_m(self) -> float:
        """Returns the mean height correction of feet in contact; the hips take it, as knees amplify millimetres."""
        weight = max(sum(foot.weight for foot in self._feet), 1.0)
        return sum(foot.weight * foot.shift[1] for foot in self._feet) / weight

    def _update(self, t_ns: int, positions: Mapping[str, Vector] | None) -> None:
        dt_s, self._t_ns = (t_ns - self._t_ns) * 1e-9, t_ns
        left, right = self._feet
        if positions is not None and 0.0 < dt_s <= CONTACT_RESET_S:
            left_clearance_m = left.contact.clearance_m
            left.update_contact(dt_s, positions, right.contact.clearance_m)
            right.update_contact(dt_s, positions, left_clearance_m)
        else:
            left.reset_contact()
            right.reset_contact()
        dt_s = min(max(dt_s, 0.0), CONTACT_RESET_S)
        self._update_lift(dt_s, solved=positions is not None)
        for foot in self._feet:
            foot.update(dt_s, self._lift_m)

    def _update_lift(self, dt_s: float, *, solved: bool) -> None:
        """Moves the hips to the height at which feet in contact are on the floor; keeps it in the air."""
        depths = [depth for foot in self._feet if (depth := foot.penetration_m()) is not None]
        target_m = sum(depths) / len(depths) if depths else self._lift_m if solved else 0.0
        lift_m = self._lift_m + (target_m - self._lift_m) * dt_s / (HIPS_TIME_CONSTANT_S + dt_s)
        self._lift_m = min(max(lift_m, -MAX_LIFT_M), MAX_LIFT_M) if solved or abs(lift_m) > MIN_LIFT_M else 0.0


def _foot_positions(
    xyz: NDArray[np.floating], score: NDArray[np.floating], column: Mapping[str, int]
) -> dict[str, Vector]:
    """Returns measured positions of ankles and toes, m."""
    positions = {}
    for name in ("l_ankle", "r_ankle", "left_foot_index", "right_foot_index"):
        i = column.get(name)
        if i is not None and score[i] > 0:
            x, y, z = xyz[i].tolist()
            if math.isfinite(x + y + z):
                positions[name] = (x, y, z)
    return positions
