"""The 17 joints of the rig, and their computation from detectors' landmark sets.

Axes: K detector landmarks, J = 17 joints.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import UsageError
from pose_rig.names import is_label, side_and_words

JOINTS = (
    "pelvis", "r_hip", "r_knee", "r_ankle", "l_hip", "l_knee", "l_ankle", "spine", "thorax", "nose", "head",
    "l_shoulder", "l_elbow", "l_wrist", "r_shoulder", "r_elbow", "r_wrist",
)  # fmt: skip
JOINT_SET = "rig17"
J = len(JOINTS)
INDEX = {name: i for i, name in enumerate(JOINTS)}
# parent of each joint; the pelvis is its own
PARENTS = (0, 0, 1, 2, 0, 4, 5, 0, 7, 8, 8, 8, 11, 12, 8, 14, 15)
BONES = tuple((parent, child) for child, parent in enumerate(PARENTS) if child != parent)
LIMBS = (1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16)
# joint i of the mirrored body is joint MIRROR[i]
MIRROR = (0, 4, 5, 6, 1, 2, 3, 7, 8, 9, 10, 14, 15, 16, 11, 12, 13)

_MEDIAPIPE33 = (
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear "
    "mouth_left mouth_right left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_pinky "
    "right_pinky left_index right_index left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle left_heel right_heel left_foot_index right_foot_index"
)
_COCO17 = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
)
_BODY_25 = (
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist mid_hip right_hip "
    "right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear left_foot_index "
    "left_small_toe left_heel right_foot_index right_small_toe right_heel"
)
_HALPE26 = (
    f"{_COCO17} head_top neck mid_hip left_foot_index right_foot_index left_small_toe right_small_toe "
    "left_heel right_heel"
)
_COCO18 = (
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
    "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear"
)
_FEET6 = "left_foot_index left_small_toe left_heel right_foot_index right_small_toe right_heel"
# the 68 of iBUG: jaw from ear to ear, brows, nose, eyelids, lips; sides are the person's own
_FACE68 = (
    "right_jaw_0 right_jaw_1 right_jaw_2 right_jaw_3 right_jaw_4 right_jaw_5 right_jaw_6 right_jaw_7 chin "
    "left_jaw_7 left_jaw_6 left_jaw_5 left_jaw_4 left_jaw_3 left_jaw_2 left_jaw_1 left_jaw_0 "
    "right_brow_0 right_brow_1 right_brow_2 right_brow_3 right_brow_4 "
    "left_brow_4 left_brow_3 left_brow_2 left_brow_1 left_brow_0 "
    "nose_bridge_0 nose_bridge_1 nose_bridge_2 nose_tip "
    "right_nostril_0 right_nostril_1 nose_base left_nostril_1 left_nostril_0 "
    "right_eyelid_0 right_eyelid_1 right_eyelid_2 right_eyelid_3 right_eyelid_4 right_eyelid_5 "
    "left_eyelid_3 left_eyelid_2 left_eyelid_1 left_eyelid_0 left_eyelid_5 left_eyelid_4 "
    "mouth_right right_upper_lip_0 right_upper_lip_1 upper_lip left_upper_lip_1 left_upper_lip_0 "
    "mouth_left left_lower_lip_0 left_lower_lip_1 lower_lip right_lower_lip_1 right_lower_lip_0 "
    "right_inner_lip right_inner_upper_lip inner_upper_lip left_inner_upper_lip "
    "left_inner_lip left_inner_lower_lip inner_lower_lip right_inner_lower_lip"
)
# wrist, then each finger from the wrist outwards; the bare name is the knuckle, as in mediapipe33
_HAND21 = " ".join((
    "{0}_hand {0}_thumb_cmc {0}_thumb {0}_thumb_ip {0}_thumb_tip",
    *(f"{{0}}_{finger} {{0}}_{finger}_pip {{0}}_{finger}_dip {{0}}_{finger}_tip"
      for finger in ("index", "middle", "ring", "pinky")),
))  # fmt: skip
_HANDS42 = f"{_HAND21.format('left')} {_HAND21.format('right')}"
SCHEMAS: dict[str, tuple[str, ...]] = {
    "mediapipe33": tuple(_MEDIAPIPE33.split()),
    "coco17": tuple(_COCO17.split()),
    "body25": tuple(_BODY_25.split()),
    "halpe26": tuple(_HALPE26.split()),
    "wholebody133": tuple(f"{_COCO17} {_FEET6} {_FACE68} {_HANDS42}".split()),
    "halpe136": tuple(f"{_HALPE26} {_FACE68} {_HANDS42}".split()),
    "coco18": tuple(_COCO18.split()),
    JOINT_SET: JOINTS,
}
# names of the same sets elsewhere, reduced to lower-case letters and digits
_ALIASES = {
    "blazepose": "mediapipe33", "blazepose33": "mediapipe33", "mediapipe": "mediapipe33", "coco": "coco17",
    "coco133": "wholebody133", "cocowholebody": "wholebody133", "cocowholebody133": "wholebody133",
    "wholebody": "wholebody133", "openpose25": "body25", "openposebody25": "body25", "halpe": "halpe26",
    "bodywithfeet": "halpe26", "openpose18": "coco18",
}  # fmt: skip

_SCHEMA_OF_NAMES = {",".join(names): schema for schema, names in SCHEMAS.items()}

# joint → landmarks whose mean it is
_LANDMARKS_OF_JOINT: dict[str, tuple[str, ...]] = {
    "pelvis": ("left_hip", "right_hip"),
    "thorax": ("left_shoulder", "right_shoulder"),
    "head": ("left_ear", "right_ear"),
    "nose": ("nose",),
    "spine": ("left_hip", "right_hip", "left_shoulder", "right_shoulder"),
    **{
        f"{side[0]}_{part}": (f"{side}_{part}",)
        for side in ("left", "right")
        for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
    },
}
_SIDES = {"l": "left", "r": "right"}


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """A detector's landmark set and its mapping to our joints.

    Attributes:
        name: Schema name in messages: one of `SCHEMAS`, or the names joined by commas.
        names: (K,) landmark names.
        weights: (J,K) from landmarks to joints; a row of zeros where the set lacks them.
    """

    name: str
    names: tuple[str, ...]
    weights: NDArray[np.float64]

    def to_joints(
        self, xy_PK2: NDArray[np.floating], score_PK: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Returns our joints from landmarks.

        Args:
            xy_PK2: (...,K,2) px.
            score_PK: (...,K) 0–1, 0 = not visible (its xy is ignored, NaN allowed).

        Returns:
            (...,J,2) px and (...,J): the minimum of the landmarks' scores; 0 and (0, 0) if one is not visible, except
            the head, for which one ear suffices.
        """
        visible = (score_PK > 0) & np.isfinite(xy_PK2).all(-1)
        xy = np.where(visible[..., None], xy_PK2, 0.0)
        score = np.where(visible, score_PK, 0.0)
        used = self.weights > 0
        lowest = np.where(used, score[..., None, :], np.inf).min(-1)
        joints_score = np.where(used.any(-1), lowest, 0.0)
        joints = np.einsum("jk,...kc->...jc", self.weights, xy)
        head = INDEX["head"]
        one_ear = used[head] * visible[..., :].astype(float)
        ears = one_ear.sum(-1)
        partial = (ears > 0) & (joints_score[..., head] == 0)
        if partial.any():
            mean = (one_ear[..., None] * xy).sum(-2) / np.maximum(ears, 1)[..., None]
            joints[..., head, :] = np.where(partial[..., None], mean, joints[..., head, :])
            joints_score[..., head] = np.where(partial, (one_ear * score).max(-1), joints_score[..., head])
        return np.where(joints_score[..., None] > 0, joints, 0.0), joints_score

    def depths(self, depth_PK: NDArray[np.floating], score_PK: NDArray[np.floating]) -> NDArray[np.float64]:
        """Returns (...,J) the depths of our joints relative to the pelvis, 0 where `to_joints` has no joint.

        Args:
            depth_PK: (...,K) any unit; ignored where the score is 0.
            score_PK: (...,K) 0–1, 0 = not visible.
        """
        twice = np.stack([depth_PK, np.zeros_like(depth_PK)], -1)
        joints, score = self.to_joints(twice, score_PK)
        return np.where(score > 0, joints[..., 0] - joints[..., :1, 0], 0.0)

    def has_one_ear(self, score_PK: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Returns (...) whether the head stands for one ear because the other is not visible; scores (...,K)."""
        ears = self.weights[INDEX["head"]] > 0
        visible = ((score_PK > 0) & ears).sum(-1)
        return np.asarray((visible > 0) & (visible < ears.sum()))


def schema_name(text: str) -> str:
    """Returns our name of a landmark set, ``wholebody133`` for ``COCO_133``; other lists of names are unchanged."""
    plain = re.sub(r"[^a-z0-9]", "", text.lower())
    return plain if plain in SCHEMAS else _ALIASES.get(plain) or _SCHEMA_OF_NAMES.get(text, text)


@lru_cache(maxsize=64)
def landmarks(schema: str) -> Landmarks:
    """Returns the landmark set of a schema name, or of names joined by commas.

    Raises:
        UsageError: The names lack hips and shoulders, which every pose needs.
    """
    schema = schema_name(schema)
    names = SCHEMAS.get(schema) or tuple(name.strip() for name in schema.split(","))
    if not all(is_label(name) for name in names if name):
        raise UsageError(
            f"The landmark set {schema[:80]!r} has invalid names.", "Names are short, of one line, without commas."
        )
    column = {_canonical(name): k for k, name in enumerate(names)}
    weights = np.zeros((J, len(names)))
    for joint, sources in _LANDMARKS_OF_JOINT.items():
        if joint in column and joint not in ("spine",):
            sources = (joint,)
        if all(source in column for source in sources):
            for source in sources:
                weights[INDEX[joint], column[source]] = 1 / len(sources)
    if len(column) != len(names) or any(not weights[INDEX[joint]].any() for joint in ("pelvis", "thorax")):
        raise UsageError(
            f"The landmark set {schema[:80]!r} is unknown or lacks hips and shoulders.",
            f"Use one of {', '.join(SCHEMAS)}, or name the K landmarks like those of mediapipe33.",
        )
    return Landmarks(schema, names, weights)


def joint_set(names: tuple[str, ...]) -> str:
    """Returns the joint set of a pose in messages: ``rig17``, followed by the extra joints, joined by commas."""
    return ",".join((JOINT_SET, *names[J:]))


def joint_names(joint_set: str) -> tuple[str, ...]:
    """Returns the joint names of a joint set in messages."""
    first, *others = joint_set.split(",")
    return (*(JOINTS if first == JOINT_SET else (first,)), *others)


def extra_landmarks(marks: Landmarks) -> tuple[str, ...]:
    """Returns the names of the landmarks that are not themselves joints: feet, hands, face."""
    same = {*JOINTS, *(sources[0] for sources in _LANDMARKS_OF_JOINT.values() if len(sources) == 1)}
    return tuple(name for name in marks.names if _canonical(name) not in same and name not in same)


def other_side(names: tuple[str, ...]) -> tuple[int, ...]:
    """Returns (K) for each landmark the index of its counterpart on the other side; its own index in the middle."""
    column = {_canonical(name): k for k, name in enumerate(names)}
    swap = {"left": "right", "right": "left"}
    others = (re.sub("left|right", lambda side: swap[side[0]], _canonical(name)) for name in names)
    return tuple(column.get(other, k) for k, other in enumerate(others))


def parent_of(landmark: str) -> str:
    """Returns the parent joint of an extra landmark: ankles for feet, wrists for hands, the head for the others."""
    name = _canonical(landmark)
    side = "l" if "left" in name else "r"
    if any(part in name for part in ("heel", "toe", "foot")):
        return f"{side}_ankle"
    if any(part in name for part in ("pinky", "index", "thumb", "hand", "finger", "ring", "middle")):
        return f"{side}_wrist"
    if name in ("neck", "mid_hip"):
        return "thorax" if name == "neck" else "pelvis"
    return "head"


def _canonical(name: str) -> str:
    """Returns a landmark name in our spelling: ``LEFT_HIP``, ``LHip``, ``l_hip``, ``hip-left`` → ``left_hip``."""
    side, words = side_and_words(name)
    return "_".join([_SIDES[side], *words] if side else words) or name
