"""Poses as markers, for TRC and C3D.

Axes: T frames, M markers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import PoseRigError, UsageError
from pose_rig.session.formats.people import People, as_people, at_common_times, rate_of
from pose_rig.session.formats.poses import MIN_POSES, Poses

MarkerNaming = Literal["opensim", "rig"]

# Pose2Sim's names that do not follow the rule of `_opensim_name`. The markers Neck and Head of its models are elsewhere
# (8 cm above the shoulders, the crown), so the middles of shoulders and ears have other names.
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
        names: (M) one word each; of several people those of one after the other, each with `prefix`.
        rate_hz: Frames per second.
        xyz: (T,M,3) float32 m in ``rig`` (right-handed, y up); NaN = gap: no person tracked, or guessed.
        scale: The origin of the scale, one line.
        heights: (M) the same, of the person of each marker.
    """

    names: tuple[str, ...]
    rate_hz: float
    xyz: NDArray[np.float32]
    scale: str
    heights: tuple[str, ...]

    @property
    def parts_s(self) -> tuple[tuple[float, float], ...]:
        """Begin and end, in seconds, of every part between frames without any marker.

        OpenSim's inverse kinematics fails at such frames, so it takes one part at a time.
        """
        visible = np.isfinite(self.xyz).all(-1).any(-1)
        edges = np.flatnonzero(np.diff(visible.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
        return tuple((first / self.rate_hz, (end - 1) / self.rate_hz) for first, end in edges.tolist())

    def of(self, person: int) -> "Markers":
        """Returns the markers of one of several people."""
        chosen = [m for m, name in enumerate(self.names) if name.startswith(prefix(person))]
        names, heights = (tuple(each[m] for m in chosen) for each in (self.names, self.heights))
        return replace(self, names=names, xyz=self.xyz[:, chosen], heights=heights)

    @classmethod
    def from_poses(cls, people: People, rate_hz: float | None = None, naming: MarkerNaming = "opensim") -> "Markers":
        """Returns the markers of poses, with the names of Pose2Sim (``opensim``) or ours (``rig``).

        Raises:
            PoseRigError: There are fewer than two poses.
            UsageError: The rate is not a positive number.
        """
        people = as_people(people)
        resampled, rate_hz = at_constant_rate(people, rate_hz)
        prefixes = [prefix(one.person) for one in people] if len(people) > 1 else [""]
        names = [
            f"{begin}{name}"
            for begin, one in zip(prefixes, people, strict=True)
            for name in marker_names(one.joints, naming)
        ]
        heights = [scale(one) for one in people for _ in one.joints]
        xyz = np.concatenate([one.xyz for one in resampled], axis=1)
        return cls(tuple(names), rate_hz, xyz, scale_of_all(people), tuple(heights))


def prefix(person: int) -> str:
    """Returns what the names of a person's markers begin with where there are several people: ``P1_`` for the first."""
    return f"P{person + 1}_"


def at_constant_rate(people: Sequence[Poses], rate_hz: float | None = None) -> tuple[list[Poses], float]:
    """Returns the poses of all people at the same times, NaN where joints are guessed, and their constant rate in Hz.

    ``rate_hz`` = None keeps the rate of the poses.

    Raises:
        PoseRigError: There are fewer than two poses.
        UsageError: The rate is not a positive number.
    """
    if (count := max(len(one) for one in people)) < MIN_POSES:
        raise PoseRigError(
            f"A file with a frame rate needs at least two poses; there are {count}.",
            "Choose a longer part, or check with `pose-rig view` whether a person was detected.",
        )
    if rate_hz is not None and not 0 < rate_hz < np.inf:
        raise UsageError(f"The rate must be a positive number; got {rate_hz:g}.", "Give frames per second: --rate 60.")
    return at_common_times([one.without_guesses() for one in people], rate_hz), rate_hz or rate_of(people)


def scale(poses: Poses) -> str:
    """Returns the origin of the scale of poses, in ASCII: some readers support nothing else."""
    if poses.height_assumed:
        return f"height of {poses.height_m:.2f} m ASSUMED, lengths are not true metres"
    return f"height {poses.height_m:.2f} m as given"


def scale_of_all(people: Sequence[Poses]) -> str:
    """Returns `scale`, of each if there are several people."""
    if len(people) == 1:
        return scale(people[0])
    return "; ".join(f"{prefix(one.person)[:-1]}: {scale(one)}" for one in people)


def marker_names(joints: tuple[str, ...], naming: MarkerNaming) -> tuple[str, ...]:
    """Returns a unique name without blanks for every joint."""
    words = tuple("_".join(name.split()) for name in joints)
    if naming == "rig":
        return words
    names = tuple(_opensim_name(word) for word in words)
    return names if len(set(names)) == len(names) else words


def _opensim_name(joint: str) -> str:
    """Returns Pose2Sim's spelling: ``r_hip`` → ``RHip``, ``left_small_toe`` → ``LSmallToe``; others are unchanged."""
    side, _, part = joint.partition("_")
    if joint in _OPENSIM:
        return _OPENSIM[joint]
    if side not in _SIDES or not part:
        return joint
    return _SIDES[side] + "".join(word.capitalize() for word in part.split("_"))
