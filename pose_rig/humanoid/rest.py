"""The rest pose of a person, from what was seen of them.

Axes: T instants, J joints, N lengths.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import INDEX, B, RestPose

# of the stature, for what nobody sees; Drillis and Contini (1966), hips, shoulders and ears where detectors see them
PART = {
    "half_hips": 0.056, "thigh": 0.238, "shank": 0.226, "trunk": 0.300, "neck": 0.118, "half_shoulders": 0.103,
    "upper_arm": 0.168, "forearm": 0.148, "hand": 0.108, "ankle": 0.043, "sole": 0.135, "behind_ankle": 0.036,
    "above_ears": 0.068,
}  # fmt: skip
FEWEST = 5  # measurements that make a length
NEAR = (0.6, 1.6)  # a length that is not so near to the one that stature suggests is not believed
# of the trunk, hips to shoulders, where the spine bends: at the fifth lumbar vertebra and below the ribs
SPINE, CHEST = 0.2, 0.5
CLAVICLE = 0.15  # of half the shoulders' width, where it begins
NECK, SKULL = 0.28, 0.75  # of the way from shoulders to ears: seventh cervical vertebra, first
TOES = 0.27  # of the sole, what lies before the ball of the foot
STOOP_DEG = (0.0, 40.0)  # how far the neck leans forward in an upright person
SIDES = (("Left", "l", "left", 1.0), ("Right", "r", "right", -1.0))


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Joints and landmarks of a take, by name.

    Attributes:
        joints: (J) names.
        xyz: (T,J,3) m.
        score: (T,J) 0 = guessed.
        height_m: Stature.
    """

    joints: tuple[str, ...]
    xyz: Floats
    score: Floats
    height_m: float

    def at(self, name: str) -> Floats:
        """Returns (T,3) m; NaN where it is not known, or guessed."""
        if name not in self.joints:
            return np.full((len(self.xyz), 3), np.nan)
        i = self.joints.index(name)
        return np.where(self.score[:, i, None] > 0, self.xyz[:, i], np.nan)

    def size(self, part: str, *measured: Floats) -> float:
        """Returns the median of lengths (N) m, NaN allowed; that of an average person if they do not make sense."""
        usual = PART[part] * self.height_m
        lengths = np.concatenate(measured)
        lengths = lengths[np.isfinite(lengths)]
        if len(lengths) < FEWEST:
            return usual
        median = float(np.median(lengths))
        return median if NEAR[0] * usual < median < NEAR[1] * usual else usual

    def bone(self, part: str, ends: tuple[str, str]) -> float:
        """Returns the length of a bone of both sides, m; ``{}`` in the names of its ends stands for l and r."""
        both = [[self.at(end.format(side)) for end in ends] for side in "lr"]
        return self.size(part, *(np.linalg.norm(a - b, axis=-1) for a, b in both))


def rest_pose(
    joints: tuple[str, ...], xyz: NDArray[np.floating], score: NDArray[np.floating], height_m: float
) -> RestPose:
    """Returns the humanoid of a person at rest, in T-pose; both sides alike.

    Lengths are medians over all instants at which both ends of a bone were seen, of both sides. What was not seen, or
    makes no sense, has the length of an average person of that stature.

    Args:
        joints: (J) names, those of `pose_rig.session.formats.poses.Poses`.
        xyz: (T,J,3) m; NaN while nobody is seen.
        score: (T,J) 0 = guessed.
        height_m: Stature.
    """
    seen = Seen(joints, np.asarray(xyz, np.float64), np.asarray(score, np.float64), height_m)
    offset, tip = np.zeros((B, 3)), np.zeros((B, 3))
    _trunk(seen, offset, tip)
    for names in SIDES:
        _arm(seen, names, offset, tip)
        _leg(seen, names, offset, tip)
    return RestPose(offset, tip)


def _trunk(seen: Seen, offset: Floats, tip: Floats) -> None:
    pelvis, thorax, head = seen.at("pelvis"), seen.at("thorax"), seen.at("head")
    trunk = seen.size("trunk", np.linalg.norm(thorax - pelvis, axis=-1))
    neck = seen.size("neck", np.linalg.norm(head - thorax, axis=-1))
    lean = np.radians(_stoop_deg(seen))
    upwards = np.array([0.0, np.cos(lean), np.sin(lean)])
    offset[INDEX["Spine"], 1] = SPINE * trunk
    offset[INDEX["Chest"], 1] = (CHEST - SPINE) * trunk
    offset[INDEX["Neck"]] = NECK * neck * upwards + [0.0, (1 - CHEST) * trunk, 0.0]
    offset[INDEX["Head"]] = (SKULL - NECK) * neck * upwards
    tip[INDEX["Hips"]] = offset[INDEX["Spine"]]
    tip[INDEX["Spine"]] = offset[INDEX["Chest"]]
    tip[INDEX["Chest"]] = offset[INDEX["Neck"]]
    tip[INDEX["Neck"]] = offset[INDEX["Head"]]
    tip[INDEX["Head"], 1] = (1 - SKULL) * neck + PART["above_ears"] * seen.height_m


def _stoop_deg(seen: Seen) -> float:
    """Returns how far the ears are before the line of the trunk, usually."""
    up = _direction(seen.at("thorax") - seen.at("pelvis"))
    forward = _direction(np.cross(seen.at("l_shoulder") - seen.at("r_shoulder"), up))
    neck = seen.at("head") - seen.at("thorax")
    angles = np.degrees(np.arctan2((neck * forward).sum(-1), (neck * up).sum(-1)))
    angles = angles[np.isfinite(angles)]
    return float(np.clip(np.median(angles), *STOOP_DEG)) if len(angles) >= FEWEST else 0.0


def _arm(seen: Seen, names: tuple[str, str, str, float], offset: Floats, tip: Floats) -> None:
    side, _, _, out = names
    shoulders = seen.size(
        "half_shoulders", 0.5 * np.linalg.norm(seen.at("l_shoulder") - seen.at("r_shoulder"), axis=-1)
    )
    shoulder, upper, lower, hand = (INDEX[side + bone] for bone in ("Shoulder", "UpperArm", "LowerArm", "Hand"))
    offset[shoulder] = [out * CLAVICLE * shoulders, (1 - CHEST) / (CHEST - SPINE) * offset[INDEX["Chest"], 1], 0.0]
    offset[upper, 0] = out * (1 - CLAVICLE) * shoulders
    offset[lower, 0] = out * seen.bone("upper_arm", ("{}_shoulder", "{}_elbow"))
    offset[hand, 0] = out * seen.bone("forearm", ("{}_elbow", "{}_wrist"))
    for bone, child in ((shoulder, upper), (upper, lower), (lower, hand)):
        tip[bone] = offset[child]
    tip[hand, 0] = out * PART["hand"] * seen.height_m


def _leg(seen: Seen, names: tuple[str, str, str, float], offset: Floats, tip: Floats) -> None:
    side, _, _, out = names
    upper, lower, foot, toes = (INDEX[side + bone] for bone in ("UpperLeg", "LowerLeg", "Foot", "Toes"))
    height, sole, behind = _foot(seen)
    offset[upper, 0] = out * seen.size("half_hips", 0.5 * np.linalg.norm(seen.at("l_hip") - seen.at("r_hip"), axis=-1))
    offset[lower, 1] = -seen.bone("thigh", ("{}_hip", "{}_knee"))
    offset[foot, 1] = -seen.bone("shank", ("{}_knee", "{}_ankle"))
    offset[toes] = [0.0, -height, (1 - TOES) * sole - behind]
    for bone, child in ((upper, lower), (lower, foot), (foot, toes)):
        tip[bone] = offset[child]
    tip[toes, 2] = TOES * sole
    offset[INDEX["Hips"], 1] = height - offset[lower, 1] - offset[foot, 1]


def _foot(seen: Seen) -> tuple[float, float, float]:
    """Returns how high the ankle is above the sole, how long that is, and how far it reaches behind the ankle, m."""
    height, sole, behind = [], [], []
    for _, short, long, _ in SIDES:
        heel, toe, ankle = (seen.at(name) for name in (f"{long}_heel", f"{long}_foot_index", f"{short}_ankle"))
        along = ((ankle - heel) * _direction(toe - heel)).sum(-1)
        sole.append(np.linalg.norm(toe - heel, axis=-1))
        behind.append(along)
        height.append(np.sqrt(np.maximum(((ankle - heel) ** 2).sum(-1) - along**2, 0.0)))
    return seen.size("ankle", *height), seen.size("sole", *sole), seen.size("behind_ankle", *behind)


def _direction(vector: Floats) -> Floats:
    """Returns (T,3) unit vectors; zero where there is no direction."""
    return np.asarray(vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-9))
