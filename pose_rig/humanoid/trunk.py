"""Hips, spine, chest, shoulders, neck and head, from joints.

Nobody sees a spine. The line of the hips and that from hips to shoulders hold the pelvis, the same line and that of the
shoulders hold the chest; what lies between is bent evenly, and such that the shoulders come out where they are.
"""

import math

from pose_rig.humanoid.joint_limits import FREE, Limits, limits_of
from pose_rig.humanoid.posture import Instant, Posture
from pose_rig.humanoid.quaternion import (
    Quaternion,
    Vector,
    X,
    Y,
    arc,
    back,
    dot,
    length,
    minus,
    part,
    plus,
    scaled,
    times,
    turn,
    unit,
)
from pose_rig.humanoid.twist import Clue, eased, off_axis, rolled

LEVER_M = 0.05  # a lever so long makes a clue of strength 1
FACE_LEVER_M = 0.04  # likewise, of landmarks of the face, which are exact to millimetres among each other
SHRUG = 0.5  # of the slope of the shoulders, how much the chest leans; the collar bones have the rest
NATURAL = 0.1  # strength of the wish not to be twisted
NECK_STRENGTH = 0.3  # of the neck as a clue to how the head is tilted sideways
NOSE_DOWN_RAD = math.radians(13.0)  # below the ears' horizontal; measured on MediaPipe's landmarks
NOSE: Vector = (0.0, -math.sin(NOSE_DOWN_RAD), math.cos(NOSE_DOWN_RAD))
FACE_STRENGTH = 3.0  # of a face that is seen: follows within 10 ms
FACE = (("left_ear", "right_ear"), ("left_eye", "right_eye"), ("mouth_left", "mouth_right"))
ANY = Limits((FREE, FREE, FREE), (FREE, FREE, FREE), FREE)
CHEST, SPINE, HEAD, NECK = (limits_of(bone) for bone in ("Chest", "Spine", "Head", "Neck"))
SIDES = (("LeftShoulder", "l_shoulder"), ("RightShoulder", "r_shoulder"))
CLAVICLE = {bone: limits_of(bone) for bone, _ in SIDES}


def set_trunk(posture: Posture, seen: Instant) -> None:
    """Sets all bones but those of the limbs."""
    posture.root = seen.at("pelvis")
    posture.set("Hips", _hips(posture, seen))
    _bend(posture, ("Spine", "Chest"), _chest(posture, seen), _shoulders_at(posture), seen.at("thorax"), SPINE)
    for bone, joint in SIDES:
        rest = unit(posture.tip(bone), X)
        aim = unit(posture.seen_from(bone, minus(seen.at(joint), posture.begin(bone))), rest)
        posture.set(bone, arc(rest, CLAVICLE[bone].aimed(rest, aim)))
    # ears and neck are in line at rest; the joint between them is too near to be aimed at
    _bend(posture, ("Neck", "Head"), _head(posture, seen), (0.0, 0.0, 0.0), seen.at("head"), NECK)


def _hips(posture: Posture, seen: Instant) -> Quaternion:
    before = posture.before("Hips")
    trunk = seen.way("pelvis", "thorax")
    aim = unit(seen.way("r_hip", "l_hip"), X if before is None else turn(before, X))
    clue = Clue(Y, trunk, (off_axis(trunk, aim) / LEVER_M) ** 2)
    return rolled(X, aim, before, [clue], 0.0, ANY, seen.dt_s, at_once=True)


def _chest(posture: Posture, seen: Instant) -> Quaternion:
    """Returns how the chest is turned relative to the hips."""
    trunk = posture.seen_from("Spine", seen.way("pelvis", "thorax"))
    across = posture.seen_from("Spine", seen.way("r_shoulder", "l_shoulder"))
    left = unit(across, X)
    aim = CHEST.aimed(Y, unit(minus(trunk, scaled(left, SHRUG * dot(trunk, left))), Y))
    clue = Clue(X, across, (off_axis(across, aim) / LEVER_M) ** 2)
    return rolled(Y, aim, posture.before("Spine", "Chest"), [clue], NATURAL, CHEST, seen.dt_s, at_once=True)


def _shoulders_at(posture: Posture) -> Vector:
    """Returns the middle of the shoulders at rest, from where the chest begins."""
    both = [plus(posture.offset(bone), posture.tip(bone)) for bone, _ in SIDES]
    return scaled(plus(*both), 0.5)


def _head(posture: Posture, seen: Instant) -> Quaternion:
    """Returns how the head is turned relative to the chest."""
    before = posture.before("Neck", "Head")
    aim = unit(posture.seen_from("Neck", seen.way("head", "nose")), NOSE if before is None else turn(before, NOSE))
    aim = HEAD.aimed(NOSE, aim)
    clues = [Clue(posture.offset("Head"), posture.seen_from("Neck", seen.way("thorax", "head")), NECK_STRENGTH)]
    for left, right in FACE:
        score = seen.score(left, right)
        if score > 0:
            across = posture.seen_from("Neck", seen.way(right, left))
            clues.append(Clue(X, across, score * (off_axis(across, aim) / FACE_LEVER_M) ** 2))
    target = rolled(NOSE, aim, before, clues, NATURAL, HEAD, seen.dt_s)
    return eased(before, target, FACE_STRENGTH, seen.dt_s)


def _bend(
    posture: Posture, bones: tuple[str, str], whole: Quaternion, end: Vector, target: Vector, limits: Limits
) -> None:
    """Sets two bones such that together they are turned by ``whole``, and a point of the second is where it was seen.

    Args:
        posture: The parent of the first bone has been set.
        bones: The second is the child of the first.
        whole: Rotation of the second relative to the parent of the first.
        end: The point, from where the second bone begins at rest.
        target: Where the point was seen.
        limits: Of the first bone.
    """
    first, second = bones
    middle = minus(target, turn(times(posture.frame(first), whole), end))
    way = posture.seen_from(first, minus(middle, posture.begin(first)))
    rest = unit(posture.offset(second), Y)
    half = part(whole, 0.5)
    even = turn(half, rest)
    # who curls up is shorter than their bones: what the way lacks says nothing of its direction
    lacking = max(length(posture.offset(second)) - length(way), 0.0)
    lower = times(arc(even, limits.aimed(rest, unit(plus(way, scaled(even, lacking)), even))), half)
    posture.set(first, lower)
    posture.set(second, times(back(lower), whole))
