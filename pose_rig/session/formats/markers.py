"""Poses as a marker set: what TRC and C3D hold.

Axes: T frames, M markers.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import PoseRigError, UsageError
from pose_rig.session.formats.poses import FEWEST, Poses

MarkerNaming = Literal["opensim", "rig"]

# Pose2Sim's names where the rule of `_opensim_name` does not give them. Neck and Head of its models lie elsewhere (8 cm
# above the shoulders, the crown), so the middles of shoulders and ears must not be called that.
_OPENSIM = {
    "pelvis": "Hip",
    "thorax": "MidShoulder",
    "spine": "Spine",
    "nose": "Nose",
    "head": "MidEar",
    "neck": "Neck",
    "head_top": "Head",
    "mid_hip": "CHip",
    "left_foot_index": "LBigToe",
    "right_foot_index": "RBigToe",
    "mouth_left": "LMouth",
    "mouth_right": "RMouth",
}
_SIDES = {"left": "L", "right": "R", "l": "L", "r": "R"}


@dataclass(frozen=True, slots=True, eq=False)
class Markers:
    """Markers at a constant rate.

    Attributes:
        names: (M) one word each.
        rate_hz: Frames per second.
        xyz: (T,M,3) float32 m in ``rig`` (right-handed, y up); NaN = gap: nobody seen, or the place only guessed.
        scale: What the metres rest on, one line.
    """

    names: tuple[str, ...]
    rate_hz: float
    xyz: NDArray[np.float32]
    scale: str

    @property
    def parts_s(self) -> tuple[tuple[float, float], ...]:
        """From and to, in seconds, of every part between instants without any marker.

        OpenSim's inverse kinematics fails at such instants, so it is run on one part after the other.
        """
        seen = np.isfinite(self.xyz).all(-1).any(-1)
        edges = np.flatnonzero(np.diff(seen.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
        return tuple((first / self.rate_hz, (end - 1) / self.rate_hz) for first, end in edges.tolist())

    @classmethod
    def from_poses(cls, poses: Poses, rate_hz: float | None = None, naming: MarkerNaming = "opensim") -> "Markers":
        """Returns the markers of poses.

        Args:
            poses: At least two instants.
            rate_hz: Frames per second; None = the rate of the poses.
            naming: Pose2Sim's names, which its OpenSim models know, or ours.

        Raises:
            PoseRigError: There are fewer than two instants.
            UsageError: The rate is not a positive number.
        """
        even, rate_hz = at_constant_rate(poses, rate_hz)
        return cls(marker_names(poses.joints, naming), rate_hz, even.xyz, scale(poses))


def at_constant_rate(poses: Poses, rate_hz: float | None = None) -> tuple[Poses, float]:
    """Returns poses as files with a frame rate want them, NaN where joints are only guessed, and the rate in Hz.

    Args:
        poses: At least two instants.
        rate_hz: Frames per second; None = the rate of the poses.

    Raises:
        PoseRigError: There are fewer than two instants.
        UsageError: The rate is not a positive number.
    """
    if len(poses) < FEWEST:
        raise PoseRigError(
            f"A file with a frame rate needs two poses or more, here are {len(poses)}.",
            "Choose a longer part, or look with `pose-rig view` whether anybody was seen.",
        )
    if rate_hz is not None and not 0 < rate_hz < np.inf:
        raise UsageError(f"A rate of {rate_hz:g} Hz is none.", "Give frames per second, such as --rate 60.")
    return poses.without_guesses().even(rate_hz), rate_hz or poses.rate_hz


def scale(poses: Poses) -> str:
    """Returns what the metres of poses rest on, in plain ASCII: some readers know nothing else."""
    if poses.height_assumed:
        return f"height of {poses.height_m:.2f} m ASSUMED, lengths are not true metres"
    return f"height {poses.height_m:.2f} m as given"


def marker_names(joints: tuple[str, ...], naming: MarkerNaming) -> tuple[str, ...]:
    """Returns a name without blanks for every joint, no two alike."""
    words = tuple("_".join(name.split()) for name in joints)
    if naming == "rig":
        return words
    names = tuple(_opensim_name(word) for word in words)
    return names if len(set(names)) == len(names) else words


def _opensim_name(joint: str) -> str:
    """Returns Pose2Sim's spelling: ``r_hip`` → ``RHip``, ``left_small_toe`` → ``LSmallToe``; others stay."""
    side, _, part = joint.partition("_")
    if joint in _OPENSIM:
        return _OPENSIM[joint]
    if side not in _SIDES or not part:
        return joint
    return _SIDES[side] + "".join(word.capitalize() for word in part.split("_"))
