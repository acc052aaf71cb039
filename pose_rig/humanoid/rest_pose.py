"""The rest pose of a person, measured from poses: once for a take, or repeatedly while streaming.

Axes: T time steps, J joints, N lengths.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import INDEX, B, RestPose
from pose_rig.skeleton import JOINTS
from pose_rig.wire.messages import Mode, Pose3D

# Lengths as fractions of body height, used where nothing was measured: Drillis and Contini (1966), with hips, shoulders
# and ears where detectors put them.
BODY_PROPORTIONS = {
    "half_hips": 0.056, "thigh": 0.238, "shank": 0.226, "trunk": 0.300, "neck": 0.118, "half_shoulders": 0.103,
    "upper_arm": 0.168, "forearm": 0.148, "hand": 0.108, "ankle": 0.043, "sole": 0.135, "behind_ankle": 0.036,
    "above_ears": 0.068,
}  # fmt: skip
MIN_MEASUREMENTS = 5  # of a length
PLAUSIBLE_RATIO = (0.6, 1.6)  # of a measured length to the one that follows from body height
# start of Spine's child and of Neck's parent between hips and shoulders: fifth lumbar vertebra, below the ribs
SPINE_FRACTION, CHEST_FRACTION = 0.2, 0.5
CLAVICLE_FRACTION = 0.15  # of half the shoulder width, where the clavicle starts
NECK_FRACTION, SKULL_FRACTION = 0.28, 0.75  # between shoulders and ears: seventh and first cervical vertebra
TOES_FRACTION = 0.27  # of the sole, in front of the ball of the foot
NECK_LEAN_DEG = (0.0, 40.0)  # range of the forward lean of the neck in an upright person
SIDES = (("Left", "l", "left", 1.0), ("Right", "r", "right", -1.0))
# seconds of poses after which `RestPoseEstimator` measures again; the last time is final
UPDATE_TIMES_S = (1.0, 4.0, 15.0, 45.0)
SAMPLE_INTERVAL_S = 0.1  # between samples: errors of neighbouring poses are correlated
_S = 1_000_000_000


class RestPoseEstimator:
    """Measures the rest pose while poses arrive.

    Starts over when the rig becomes solved or stops being so, because bone lengths are measured in a solved rig only.

    Args:
        height_m: Body height.

    Attributes:
        rest: The current estimate; that of an average person before the first measurement.
    """

    def __init__(self, height_m: float) -> None:
        self._height_m = height_m
        empty = np.zeros((0, len(JOINTS), 3))
        self.rest: RestPose = rest_pose(JOINTS, empty, empty[..., 0], height_m)
        self._mode: Mode = "cold"
        self._next_ns = self._updates = 0
        self._xyz: list[Floats] = []
        self._score: list[Floats] = []

    def update(self, joints: tuple[str, ...], pose: Pose3D) -> bool:
        """Adds a pose of a tracked person and returns whether ``rest`` changed.

        Args:
            joints: (J) names of its joints.
            pose: The pose.
        """
        if (pose.mode == "solved") != (self._mode == "solved"):
            self._next_ns = self._updates = 0
            self._clear()
        self._mode = pose.mode
        if self._updates == len(UPDATE_TIMES_S) or not pose.t_ns >= self._next_ns:
            return False
        self._next_ns = pose.t_ns + round(SAMPLE_INTERVAL_S * _S)
        self._xyz.append(np.asarray(pose.xyz, np.float64))
        self._score.append(np.asarray(pose.score, np.float64))
        if len(self._xyz) * SAMPLE_INTERVAL_S < UPDATE_TIMES_S[self._updates]:
            return False
        self._updates += 1
        self.rest = rest_pose(joints, np.stack(self._xyz), np.stack(self._score), self._height_m)
        if self._updates == len(UPDATE_TIMES_S):
            self._clear()
        return True

    def _clear(self) -> None:
        self._xyz.clear()
        self._score.clear()


def rest_pose(
    joints: tuple[str, ...], xyz: NDArray[np.floating], score: NDArray[np.floating], height_m: float
) -> RestPose:
    """Returns the T-pose of a person; left and right have the same lengths.

    A length is the median over both sides and all time steps at which both ends were measured. A length without enough
    measurements, or with an implausible median, is that of an average person of the given height.

    Args:
        joints: (J) names, those of `pose_rig.session.formats.poses.Poses`.
        xyz: (T,J,3) m; NaN where no person is tracked.
        score: (T,J) 0 = guessed.
        height_m: Body height.
    """
    tracks = _JointTracks(joints, np.asarray(xyz, np.float64), np.asarray(score, np.float64), height_m)
    offset, tip = np.zeros((B, 3)), np.zeros((B, 3))
    _trunk(tracks, offset, tip)
    for side, _, _, outward in SIDES:
        _arm(tracks, side, outward, offset, tip)
        _leg(tracks, side, outward, offset, tip)
    return RestPose(offset, tip)


@dataclass(frozen=True, slots=True, eq=False)
class _JointTracks:
    """Joints and landmarks of a take by name: ``joints`` (J), ``xyz`` (T,J,3) m, ``score`` (T,J); body height."""

    joints: tuple[str, ...]
    xyz: Floats
    score: Floats
    height_m: float

    def position(self, name: str) -> Floats:
        """Returns (T,3) m; NaN where it is unknown or guessed."""
        if name not in self.joints:
            return np.full((len(self.xyz), 3), np.nan)
        i = self.joints.index(name)
        return np.where(self.score[:, i, None] > 0, self.xyz[:, i], np.nan)

    def length(self, part: str, *measured: Floats) -> float:
        """Returns the median of measured lengths (N) m, NaN allowed, or that of an average person."""
        average = BODY_PROPORTIONS[part] * self.height_m
        lengths = np.concatenate(measured)
        lengths = lengths[np.isfinite(lengths)]
        if len(lengths) < MIN_MEASUREMENTS:
            return average
        median = float(np.median(lengths))
        return median if PLAUSIBLE_RATIO[0] * average < median < PLAUSIBLE_RATIO[1] * average else average

    def bone_length(self, part: str, start: str, end: str) -> float:
        """Returns the length of a limb bone over both sides, m; joints are named without their side."""
        ends = [(self.position(f"{side}_{start}"), self.position(f"{side}_{end}")) for side in "lr"]
        return self.length(part, *(np.linalg.norm(a - b, axis=-1) for a, b in ends))


def _trunk(tracks: _JointTracks, offset: Floats, tip: Floats) -> None:
    pelvis, thorax, head = tracks.position("pelvis"), tracks.position("thorax"), tracks.position("head")
    trunk = tracks.length("trunk", np.linalg.norm(thorax - pelvis, axis=-1))
    neck = tracks.length("neck", np.linalg.norm(head - thorax, axis=-1))
    lean = np.radians(_neck_lean_deg(tracks))
    neck_direction = np.array([0.0, np.cos(lean), np.sin(lean)])
    offset[INDEX["Spine"], 1] = SPINE_FRACTION * trunk
    offset[INDEX["Chest"], 1] = (CHEST_FRACTION - SPINE_FRACTION) * trunk
    offset[INDEX["Neck"]] = NECK_FRACTION * neck * neck_direction + [0.0, (1 - CHEST_FRACTION) * trunk, 0.0]
    offset[INDEX["Head"]] = (SKULL_FRACTION - NECK_FRACTION) * neck * neck_direction
    tip[INDEX["Hips"]] = offset[INDEX["Spine"]]
    tip[INDEX["Spine"]] = offset[INDEX["Chest"]]
    tip[INDEX["Chest"]] = offset[INDEX["Neck"]]
    tip[INDEX["Neck"]] = offset[INDEX["Head"]]
    tip[INDEX["Head"], 1] = (1 - SKULL_FRACTION) * neck + BODY_PROPORTIONS["above_ears"] * tracks.height_m


def _neck_lean_deg(tracks: _JointTracks) -> float:
    """Returns the median angle by which the ears are in front of the line of the trunk."""
    up = _direction(tracks.position("thorax") - tracks.position("pelvis"))
    forward = _direction(np.cross(tracks.position("l_shoulder") - tracks.position("r_shoulder"), up))
    neck = tracks.position("head") - tracks.position("thorax")
    angles = np.degrees(np.arctan2((neck * forward).sum(-1), (neck * up).sum(-1)))
    angles = angles[np.isfinite(angles)]
    return float(np.clip(np.median(angles), *NECK_LEAN_DEG)) if len(angles) >= MIN_MEASUREMENTS else 0.0


def _half_width(tracks: _JointTracks, part: str, joint: str) -> float:
    across = tracks.position(f"l_{joint}") - tracks.position(f"r_{joint}")
    return tracks.length(part, 0.5 * np.linalg.norm(across, axis=-1))


def _arm(tracks: _JointTracks, side: str, outward: float, offset: Floats, tip: Floats) -> None:
    shoulders = _half_width(tracks, "half_shoulders", "shoulder")
    shoulder, upper, lower, hand = (INDEX[side + bone] for bone in ("Shoulder", "UpperArm", "LowerArm", "Hand"))
    above_chest = (1 - CHEST_FRACTION) / (CHEST_FRACTION - SPINE_FRACTION) * offset[INDEX["Chest"], 1]
    offset[shoulder] = [outward * CLAVICLE_FRACTION * shoulders, above_chest, 0.0]
    offset[upper, 0] = outward * (1 - CLAVICLE_FRACTION) * shoulders
    offset[lower, 0] = outward * tracks.bone_length("upper_arm", "shoulder", "elbow")
    offset[hand, 0] = outward * tracks.bone_length("forearm", "elbow", "wrist")
    for bone, child in ((shoulder, upper), (upper, lower), (lower, hand)):
        tip[bone] = offset[child]
    tip[hand, 0] = outward * BODY_PROPORTIONS["hand"] * tracks.height_m


def _leg(tracks: _JointTracks, side: str, outward: float, offset: Floats, tip: Floats) -> None:
    upper, lower, foot, toes = (INDEX[side + bone] for bone in ("UpperLeg", "LowerLeg", "Foot", "Toes"))
    ankle_height, sole, behind_ankle = _foot(tracks)
    offset[upper, 0] = outward * _half_width(tracks, "half_hips", "hip")
    offset[lower, 1] = -tracks.bone_length("thigh", "hip", "knee")
    offset[foot, 1] = -tracks.bone_length("shank", "knee", "ankle")
    offset[toes] = [0.0, -ankle_height, (1 - TOES_FRACTION) * sole - behind_ankle]
    for bone, child in ((upper, lower), (lower, foot), (foot, toes)):
        tip[bone] = offset[child]
    tip[toes, 2] = TOES_FRACTION * sole
    offset[INDEX["Hips"], 1] = ankle_height - offset[lower, 1] - offset[foot, 1]


def _foot(tracks: _JointTracks) -> tuple[float, float, float]:
    """Returns height of the ankle above the sole, length of the sole, and its part behind the ankle, m."""
    height, sole, behind = [], [], []
    for _, short, long, _ in SIDES:
        heel, toe, ankle = (tracks.position(name) for name in (f"{long}_heel", f"{long}_foot_index", f"{short}_ankle"))
        along = ((ankle - heel) * _direction(toe - heel)).sum(-1)
        sole.append(np.linalg.norm(toe - heel, axis=-1))
        behind.append(along)
        height.append(np.sqrt(np.maximum(((ankle - heel) ** 2).sum(-1) - along**2, 0.0)))
    return tracks.length("ankle", *height), tracks.length("sole", *sole), tracks.length("behind_ankle", *behind)


def _direction(vector: Floats) -> Floats:
    """Returns (T,3) unit vectors; zero for zero vectors."""
    return np.asarray(vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-9))
