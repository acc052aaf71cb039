"""From joints in the room to rotations of a humanoid, instant by instant: live, and for files.

Axes: T instants, J joints, B bones.
"""

import math

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.config import ASSUMED_HEIGHT_M
from pose_rig.humanoid.bones import B, Motion, RestPose
from pose_rig.humanoid.limbs import limb, set_arm, set_leg
from pose_rig.humanoid.posture import Instant, Posture
from pose_rig.humanoid.rest import rest_pose
from pose_rig.humanoid.trunk import set_trunk
from pose_rig.skeleton import J

FAR_M = 1e4  # nobody is so far away
# Limbs of sprinters and kickers turn by some 1300° a second. What turns faster is a joint that jumped: the humanoid
# follows over a few instants. The second figure lets slow cameras through, and no flip.
FASTEST_DEG_S = 1300.0
MOST_DEG = 55.0  # between two instants
FORGOTTEN_S = 1.0  # after nobody was seen for so long, nothing is taken over from before


class Retargeter:
    """Turns the bones of a humanoid to where the joints of a person are.

    What was an instant ago matters only for what the joints leave open: how straight limbs are twisted, and hands and
    feet that nobody sees.

    Args:
        rest: The person's bones.
        joints: (J) names of the joints that will come; the first 17 are `pose_rig.skeleton.JOINTS`, of the others those
            of feet, hands and face that are known to mediapipe33 are used, under its names.

    Attributes:
        root: (3,) m, where the hips are.
        rotation: (B,4) as in `pose_rig.humanoid.bones.Motion`. Both are those of the last instant; before the
            first, the person at rest.
    """

    def __init__(self, rest: RestPose, joints: tuple[str, ...]) -> None:
        self._column = {name: i for i, name in enumerate(joints)}
        self._posture = Posture(rest)
        self._arms = (limb("Left", "Arm"), limb("Right", "Arm"))
        self._legs = (limb("Left", "Leg"), limb("Right", "Leg"))
        self._t_ns = 0
        self.root: Floats = np.array(self._posture.root)
        self.rotation: Floats = np.array(self._posture.local)

    def wear(self, rest: RestPose) -> None:
        """Goes on with bones whose lengths have become better known."""
        self._posture.wear(rest)

    def step(self, t_ns: int, xyz: NDArray[np.floating], score: NDArray[np.floating]) -> tuple[Floats, Floats]:
        """Returns ``root`` and ``rotation`` of an instant; those of the last one if nobody is seen.

        Args:
            t_ns: When it was; later than the last one, else everything begins anew.
            xyz: (J,3) m, ``rig``; if one of the first 17 is NaN, nobody is seen.
            score: (J,) 0–1; landmarks beyond the 17 with 0 are not used.
        """
        near = (np.abs(xyz) < FAR_M).all(-1)
        if not near[:J].all():
            return self.root, self.rotation
        dt_s = (t_ns - self._t_ns) * 1e-9
        posture = self._posture
        posture.fresh = posture.fresh or not 0.0 <= dt_s <= FORGOTTEN_S
        posture.most_rad = min(math.radians(max(FASTEST_DEG_S * dt_s, MOST_DEG)), math.pi)
        known = np.where(near & np.isfinite(score), score, 0.0)
        seen = Instant(self._column, xyz.tolist(), known.tolist(), dt_s)
        set_trunk(posture, seen)
        for arm in self._arms:
            set_arm(posture, seen, arm)
        for leg in self._legs:
            set_leg(posture, seen, leg)
        posture.fresh = False
        self._t_ns = t_ns
        self.root, self.rotation = np.array(posture.root), np.array(posture.local)
        return self.root, self.rotation


def retarget(
    joints: tuple[str, ...],
    t_ns: NDArray[np.int64],
    xyz: NDArray[np.floating],
    score: NDArray[np.floating],
    *,
    height_m: float = ASSUMED_HEIGHT_M,
    rest: RestPose | None = None,
) -> Motion:
    """Returns the joint rotations of a humanoid that follows a sequence of poses.

    Frames without a person repeat the frame before them; frames before the first person repeat the first one.

    Args:
        joints: (J) names, as for `Retargeter`.
        t_ns: (T,) timestamps, increasing.
        xyz: (T,J,3) m, ``rig``: right-handed, y up; NaN where no person is tracked.
        score: (T,J) 0–1; 0 = guessed.
        height_m: Body height; sets the bone lengths that cannot be measured.
        rest: Rest pose; None = measured from the sequence by `rest_pose`.
    """
    if rest is None:
        rest = rest_pose(joints, xyz, score, height_m)
    retargeter = Retargeter(rest, joints)
    root, rotation = np.empty((len(t_ns), 3)), np.empty((len(t_ns), B, 4))
    for i, t in enumerate(t_ns.tolist()):
        root[i], rotation[i] = retargeter.step(t, xyz[i], score[i])
    tracked = np.flatnonzero((np.abs(xyz[:, :J]) < FAR_M).all((1, 2)))
    if len(tracked):
        root[: tracked[0]], rotation[: tracked[0]] = root[tracked[0]], rotation[tracked[0]]
    return Motion(rest, t_ns, root, rotation)
