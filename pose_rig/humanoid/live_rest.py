"""The lengths of a person's bones, better known the longer one looks.

Axes: J joints.
"""

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import RestPose
from pose_rig.humanoid.rest import rest_pose
from pose_rig.skeleton import JOINTS
from pose_rig.wire.messages import Mode, Pose3D

# After so many seconds of a person the medians of `rest_pose` are taken anew; the last time for good.
LOOKS_S = (1.0, 4.0, 15.0, 45.0)
EVERY_S = 0.1  # between poses that are kept: neighbours share their errors
_S = 1_000_000_000


class LiveRest:
    """Learns the humanoid of whoever is seen; begins anew when the rig is solved, for only then lengths are measured.

    Args:
        height_m: Stature.

    Attributes:
        rest: The bones as they are known.
    """

    def __init__(self, height_m: float) -> None:
        self._height_m = height_m
        nothing = np.zeros((0, len(JOINTS), 3))
        self.rest: RestPose = rest_pose(JOINTS, nothing, nothing[..., 0], height_m)
        self._mode: Mode = "cold"
        self._next_ns = self._looks = 0
        self._xyz: list[Floats] = []
        self._score: list[Floats] = []

    def take(self, joints: tuple[str, ...], pose: Pose3D) -> bool:
        """Looks at a pose in which somebody is seen, and returns whether ``rest`` is another now.

        Args:
            joints: (J) names of its joints.
            pose: The pose.
        """
        if (pose.mode == "solved") != (self._mode == "solved"):
            self._next_ns = self._looks = 0
            self._forget()
        self._mode = pose.mode
        if self._looks == len(LOOKS_S) or not pose.t_ns >= self._next_ns:
            return False
        self._next_ns = pose.t_ns + round(EVERY_S * _S)
        self._xyz.append(np.asarray(pose.xyz, np.float64))
        self._score.append(np.asarray(pose.score, np.float64))
        if len(self._xyz) * EVERY_S < LOOKS_S[self._looks]:
            return False
        self._looks += 1
        self.rest = rest_pose(joints, np.stack(self._xyz), np.stack(self._score), self._height_m)
        if self._looks == len(LOOKS_S):
            self._forget()
        return True

    def _forget(self) -> None:
        self._xyz.clear()
        self._score.clear()
