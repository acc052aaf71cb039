"""One spelling of joint names, ours, and a reader of the others: ``right_hip``, ``RHip``, ``hip_r`` → ``r_hip``.

What is written always has our spelling (`pose_rig.skeleton.JOINTS`, `pose_rig.skeleton.SCHEMAS` for further landmarks).
"""

import difflib
from collections.abc import Sequence

from pose_rig.errors import UsageError
from pose_rig.names import SIDES, side_and_words
from pose_rig.skeleton import JOINTS

MOST_LISTED = 40  # joints and landmarks of a body; whole-body sets have a hundred more
# What others call a joint that is at the same place: MediaPipe's, COCO's, OpenPose's and Human3.6M's names, OpenSim's
# markers and our own TRC. A neck is none of ours (our thorax lies between the shoulders), nor is the crown.
_SAME = {
    **dict.fromkeys(("hip", "hips", "root", "midhip", "hipcenter", "hipcentre"), "pelvis"),
    **dict.fromkeys(("midshoulder", "shouldercenter", "shouldercentre"), "thorax"),
    "midear": "head",
    "bigtoe": "footindex",
    "littletoe": "smalltoe",
}


class JointError(UsageError, KeyError):
    """There is no such joint; the message lists those that are spelled alike, and all that there are."""

    __str__ = Exception.__str__  # KeyError would put the sentence in quotation marks


def joint_index(name: str, names: Sequence[str] = JOINTS) -> int:
    """Returns the place of a joint among names, in whatever common spelling it is asked for.

    Args:
        name: ``r_hip``, ``right_hip``, ``RHip``, ``R_Hip``, ``rightHip``, ``hip_r``, ``Right Hip``; ``MidHip`` …
        names: Those that there are. One that is spelled exactly so comes first.

    Raises:
        JointError: There is none of that name.
    """
    if name in names:
        return names.index(name)
    keys, readings = [_key(each) for each in names], [key for key in _readings(name) if key[1]]
    places = [_place(key) for key in keys]
    for wanted, there in (*((key, keys) for key in readings), *((_place(key), places) for key in readings)):
        if wanted in there:
            return there.index(wanted)
    raise JointError(f"There is no joint {name!r}.", f"{_suggestion(name, names)}There are {_listed(names)}.")


def joint_name(name: str, names: Sequence[str] = JOINTS) -> str:
    """Returns our spelling of a joint (`joint_index`).

    Raises:
        JointError: There is none of that name.
    """
    return names[joint_index(name, names)]


def _key(name: str) -> tuple[str, str]:
    """Returns side and part of a name: ``R_Hip`` → (r, hip), ``mouth_left`` → (l, mouth), ``MidHip`` → ('', midhip)."""
    side, words = side_and_words(name)
    return side, "".join(words)


def _readings(name: str) -> list[tuple[str, str]]:
    """Returns the keys that a name may mean, the most literal first; ``rhip``, ``lefthip`` have their side glued on."""
    side, part = _key(name)
    glued = [word for word in SIDES if not side and part.startswith(word) and part != word]
    return [(side, part), *((SIDES[word], part.removeprefix(word)) for word in glued)]


def _place(key: tuple[str, str]) -> tuple[str, str]:
    """Returns a key with our name of the part; a hip with a side is no pelvis."""
    side, part = key
    ours = _SAME.get(part, part)
    return key if side and ours in JOINTS else (side, ours)


def _suggestion(name: str, names: Sequence[str]) -> str:
    spelled = {"".join(_key(each)): each for each in names}
    close = difflib.get_close_matches("".join(_key(name)), spelled, n=3, cutoff=0.6)
    return f"Did you mean {' or '.join(spelled[key] for key in close)}? " if close else ""


def _listed(names: Sequence[str]) -> str:
    """Returns names in a row; of whole-body landmarks those of faces and fingers are only counted."""
    few = ", ".join(names[:MOST_LISTED])
    return few if len(names) <= MOST_LISTED else f"{few} and {len(names) - MOST_LISTED} more"
