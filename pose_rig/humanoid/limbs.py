"""Arms and legs, from joints and from the landmarks of hands and feet.

A limb is two bones with a hinge between them, and something at its end. The first bone has its twist from the plane of
the bent hinge; the straighter the limb is, the more from what hangs at its end; and if nobody sees that either, it
keeps the one it had, and forgets it within a second or so.
"""

from dataclasses import dataclass
from typing import Literal

from pose_rig.humanoid.joint_limits import Limits, limits_of
from pose_rig.humanoid.posture import Instant, Posture
from pose_rig.humanoid.quaternion import (
    NONE,
    Vector,
    X,
    Y,
    Z,
    cross,
    dot,
    from_rotation_vector,
    length,
    minus,
    plus,
    rotation_vector,
    scaled,
    unit,
)
from pose_rig.humanoid.twist import Clue, eased, off_axis, rolled

BENT = 0.3  # sine of the bend whose plane is a clue of strength 1; 10 mm of noise turn it by some 15°
LEVER_M = 0.02  # a hand or a foot that reaches so far off the axis is a clue of strength 1, if it is quite sure
FOOT_STRENGTH = 2.0  # at most, as a clue to the thigh
HAND_STRENGTH = 0.3  # at most, as a clue to the upper arm: the forearm may have the turn as well
HAND_SHARE = 0.5  # of the turn of a hand, how much is the upper arm's while the elbow is straight
STRAIGHT = 0.15  # sine of a bend that is not told from noise: its plane is no clue at all
NATURAL_ARM = (0.05, 0.1)  # strength of the wish of first and second bone not to be twisted: forgets within a second
NATURAL_LEG = (0.15, 5.0)  # thighs turn less, and a knee is a hinge
NATURAL_END = 0.5


@dataclass(frozen=True, slots=True)
class Limb:
    """An arm or a leg.

    Attributes:
        bones: First, second, end.
        joints: Where they begin.
        landmarks: Of an arm index finger, little finger, thumb; of a leg toes, heel.
        rest: Where the first two bones point.
        hinge: Axis about which the second one bends, positive sense.
        natural: Strength of the first two bones' wish not to be twisted.
        limits: Of the bones.
    """

    bones: tuple[str, str, str]
    joints: tuple[str, str, str]
    landmarks: tuple[str, ...]
    rest: Vector
    hinge: Vector
    natural: tuple[float, float]
    limits: tuple[Limits, Limits, Limits]


@dataclass(frozen=True, slots=True)
class End:
    """A hand or a foot as it was seen, in the room.

    Attributes:
        score: How sure; 0 = not seen, and the rest means nothing.
        aim_rest: Where it points in T-pose,
        aim: and where it does, m.
        side_rest: A direction across that: to the thumb, or up from the sole,
        side: and where it was seen, m.
        front: What tells how the limb is twisted, Z in T-pose: to the thumb, or to the toes, m.
    """

    score: float = 0.0
    aim_rest: Vector = X
    aim: Vector = X
    side_rest: Vector = Z
    side: Vector = Z
    front: Vector = Z


def limb(side: Literal["Left", "Right"], kind: Literal["Arm", "Leg"]) -> Limb:
    """Returns a limb."""
    s, long, out = ("l", "left", 1.0) if side == "Left" else ("r", "right", -1.0)
    bones = (f"{side}Upper{kind}", f"{side}Lower{kind}", f"{side}{'Hand' if kind == 'Arm' else 'Foot'}")
    first, second, end = (limits_of(bone) for bone in bones)
    limits = (first, second, end)
    if kind == "Arm":
        joints, landmarks = (f"{s}_shoulder", f"{s}_elbow", f"{s}_wrist"), ("index", "pinky", "thumb")
        ends = tuple(f"{long}_{name}" for name in landmarks)
        return Limb(bones, joints, ends, (out, 0.0, 0.0), (0.0, -out, 0.0), NATURAL_ARM, limits)
    joints, ends = (f"{s}_hip", f"{s}_knee", f"{s}_ankle"), (f"{long}_foot_index", f"{long}_heel")
    return Limb(bones, joints, ends, (0.0, -1.0, 0.0), X, NATURAL_LEG, limits)


def set_arm(posture: Posture, seen: Instant, arm: Limb) -> None:
    """Sets the bones of an arm; that of the shoulder has been set."""
    hand = _hand(seen, arm)
    _set_first(posture, seen, arm, hand, HAND_STRENGTH, HAND_SHARE)
    _set_second(posture, seen, arm, hand)
    _set_end(posture, seen, arm, hand)


def set_leg(posture: Posture, seen: Instant, leg: Limb) -> None:
    """Sets the bones of a leg; the hips have been set. Nobody sees the ball of a foot: toes are as at rest."""
    foot = _foot(posture, seen, leg)
    _set_first(posture, seen, leg, foot, FOOT_STRENGTH, 1.0)
    _set_second(posture, seen, leg, End())
    _set_end(posture, seen, leg, foot)


def _hand(seen: Instant, arm: Limb) -> End:
    index, pinky, thumb = arm.landmarks
    score, wrist = seen.score(index, pinky), arm.joints[2]
    if not score:
        return End()
    aim = plus(seen.way(wrist, index), seen.way(wrist, pinky))
    side = seen.way(pinky, index)
    if seen.score(thumb):
        side = plus(side, seen.way(wrist, thumb))
    ahead = unit(aim, arm.rest)
    side = minus(side, scaled(ahead, dot(side, ahead)))
    return End(score, arm.rest, scaled(aim, 0.5), Z, side, side)


def _foot(posture: Posture, seen: Instant, leg: Limb) -> End:
    toes, heel = leg.landmarks
    ankle, score = leg.joints[2], seen.score(toes, heel)
    if score:
        sole = seen.way(heel, toes)
        return End(score, Z, sole, Y, seen.way(heel, ankle), sole)
    score = seen.score(toes)
    if not score:
        return End()
    bone = leg.bones[2]
    toes_bone = bone.replace("Foot", "Toes")
    rest = unit(plus(posture.offset(toes_bone), posture.tip(toes_bone)), Z)
    aim = seen.way(ankle, toes)
    return End(score, rest, aim, Y, (0.0, 0.0, 0.0), aim)


def _set_first(posture: Posture, seen: Instant, limb: Limb, end: End, most: float, share: float) -> None:
    """Sets the bone from shoulder or hip to elbow or knee.

    Args:
        posture: The parent of the bone has been set.
        seen: Joints.
        limb: Which.
        end: Hand or foot.
        most: How strong a clue that is at most.
        share: How much of its turn is this bone's, if the limb is straight.
    """
    bone, (_, hinge_at, end_at), limits = limb.bones[0], limb.joints, limb.limits[0]
    upper = minus(seen.at(hinge_at), posture.begin(bone))
    lower = seen.way(hinge_at, end_at)
    aim = limits.aimed(limb.rest, unit(posture.seen_from(bone, upper), limb.rest))
    plane = posture.seen_from(bone, cross(unit(upper, Y), unit(lower, Y)))
    bent = max(dot(plane, plane) - STRAIGHT**2, 0.0) / BENT**2
    clues = [Clue(limb.hinge, plane, bent)]
    if end.score:
        front = posture.seen_from(bone, end.front)
        strength = min(end.score * (off_axis(front, aim) / LEVER_M) ** 2, most) / (1.0 + bent)
        clues.append(Clue(Z, front, strength, share))
    posture.set(bone, rolled(limb.rest, aim, posture.before(bone), clues, limb.natural[0], limits, seen.dt_s))


def _set_second(posture: Posture, seen: Instant, limb: Limb, end: End) -> None:
    """Sets the bone from elbow or knee to wrist or ankle; all the turn of a hand that is not the upper arm's is its."""
    bone, limits = limb.bones[1], limb.limits[1]
    lower = posture.seen_from(bone, minus(seen.at(limb.joints[2]), posture.begin(bone)))
    aim = limits.aimed(limb.rest, unit(lower, limb.rest))
    clues = []
    if end.score:
        front = posture.seen_from(bone, end.front)
        clues.append(Clue(Z, front, end.score * (off_axis(front, aim) / LEVER_M) ** 2))
    posture.set(bone, rolled(limb.rest, aim, posture.before(bone), clues, limb.natural[1], limits, seen.dt_s))


def _set_end(posture: Posture, seen: Instant, limb: Limb, end: End) -> None:
    """Sets hand or foot; where it is not seen it goes back to rest."""
    bone, limits = limb.bones[2], limb.limits[2]
    before = posture.before(bone)
    if not end.score:
        posture.set(bone, eased(before, NONE, NATURAL_END, seen.dt_s))
        return
    aim = posture.seen_from(bone, end.aim)
    side = posture.seen_from(bone, end.side)
    ahead = unit(aim, end.aim_rest)
    clue = Clue(end.side_rest, side, end.score * (off_axis(side, ahead) / LEVER_M) ** 2)
    target = rolled(end.aim_rest, ahead, before, [clue], NATURAL_END, limits, seen.dt_s)
    target = from_rotation_vector(limits.limited(rotation_vector(target)))
    posture.set(bone, eased(before, target, end.score * (length(aim) / LEVER_M) ** 2, seen.dt_s))
