"""Maps common spellings of joint names to those of pose-rig: ``right_hip``, ``RHip``, ``hip_r`` → ``r_hip``.

Files are written with the names in `pose_rig.skeleton.JOINTS` and, for further landmarks, `pose_rig.skeleton.SCHEMAS`.
"""

import difflib
from collections.abc import Sequence

from pose_rig.errors import UsageError
from pose_rig.names import SIDES, side_and_words
from pose_rig.skeleton import JOINTS

MAX_LISTED = 40  # joints and landmarks of a body; whole-body sets have a hundred more
# Names of the same joint in MediaPipe, COCO, OpenPose, Human3.6M, OpenSim markers and our TRC files. There is no neck
# (our thorax lies between the shoulders) and no crown.
_SYNONYMS = {
    **dict.fromkeys(("hip", "hips", "root", "midhip", "hipcenter", "hipcentre"), "pelvis"),
    **dict.fromkeys(("midshoulder", "shouldercenter", "shouldercentre"), "thorax"),
    "midear": "head",
    "bigtoe": "footindex",
    "littletoe": "smalltoe",
}


class JointError(UsageError, KeyError):
    """Unknown joint; the message lists similar names and all known ones."""

    __str__ = Exception.__str__  # KeyError would add quotation marks


def joint_index(name: str, names: Sequence[str] = JOINTS) -> int:
    """Returns the index of a joint in ``names``, in any common spelling.

    Args:
        name: ``r_hip``, ``right_hip``, ``RHip``, ``R_Hip``, ``rightHip``, ``hip_r``, ``Right Hip``; ``MidHip`` …
        names: Known names. An exact match has priority.

    Raises:
        JointError: The joint is unknown.
    """
    if name in names:
        return names.index(name)
    keys, candidates = [_key(each) for each in names], [key for key in _candidates(name) if key[1]]
    joints = [_joint(key) for key in keys]
    for wanted, known in (*((key, keys) for key in candidates), *((_joint(key), joints) for key in candidates)):
        if wanted in known:
            return known.index(wanted)
    raise JointError(f"Unknown joint {name!r}.", f"{_suggestion(name, names)}The joints are {_listed(names)}.")


def joint_name(name: str, names: Sequence[str] = JOINTS) -> str:
    """Returns the name of a joint in ``names`` (`joint_index`).

    Raises:
        JointError: The joint is unknown.
    """
    return names[joint_index(name, names)]


def _key(name: str) -> tuple[str, str]:
    """Returns side and part of a name: ``R_Hip`` → (r, hip), ``mouth_left`` → (l, mouth), ``MidHip`` → ('', midhip)."""
    side, words = side_and_words(name)
    return side, "".join(words)


def _candidates(name: str) -> list[tuple[str, str]]:
    """Returns the possible keys of a name, the literal one first; ``rhip`` and ``lefthip`` begin with a side."""
    side, part = _key(name)
    sides = [word for word in SIDES if not side and part.startswith(word) and part != word]
    return [(side, part), *((SIDES[word], part.removeprefix(word)) for word in sides)]


def _joint(key: tuple[str, str]) -> tuple[str, str]:
    """Returns a key with the pose-rig name of the part; a hip with a side is not the pelvis."""
    side, part = key
    ours = _SYNONYMS.get(part, part)
    return key if side and ours in JOINTS else (side, ours)


def _suggestion(name: str, names: Sequence[str]) -> str:
    spelled = {"".join(_key(each)): each for each in names}
    close = difflib.get_close_matches("".join(_key(name)), spelled, n=3, cutoff=0.6)
    return f"Did you mean {' or '.join(spelled[key] for key in close)}? " if close else ""


def _listed(names: Sequence[str]) -> str:
    """Returns the names separated by commas; those beyond the first `MAX_LISTED` are counted."""
    few = ", ".join(names[:MAX_LISTED])
    return few if len(names) <= MAX_LISTED else f"{few} and {len(names) - MAX_LISTED} more"
