"""Retargeting of arms and legs, from joints and the landmarks of hands and feet.

A limb is two bones with a hinge between them, and a hand or foot. The twist of the first bone comes from the plane of
the bent hinge; the straighter the limb, the more it comes from the hand or foot; without either it keeps its value,
which decays to the neutral twist within about a second.
"""

from dataclasses import dataclass
from typing import Literal

from pose_rig.humanoid.humanoid_pose import HumanoidPose, JointFrame
from pose_rig.humanoid.joint_limits import JointLimits, limits_of
from pose_rig.humanoid.quaternion import (
    IDENTITY,
    Vector,
    X,
    Y,
    Z,
    add,
    cross,
    dot,
    from_rotation_vector,
    norm,
    normalize,
    rotation_vector,
    scale,
    subtract,
)
from pose_rig.humanoid.twist import TwistHint, lever_m, smoothed, swing_twist

UNIT_BEND_SIN = 0.3  # sine of the bend whose plane is a hint of weight 1; 10 mm of noise rotate it by about 15°
LIMB_UNIT_LEVER_M = 0.02  # lever arm of a hand or foot that is a hint of weight 1 at score 1
FOOT_MAX_WEIGHT = 2.0  # as a hint of the thigh
HAND_MAX_WEIGHT = 0.3  # as a hint of the upper arm: the twist may be in the forearm as well
HAND_SHARE = 0.5  # of the twist of a hand, that of the upper arm while the elbow is straight
STRAIGHT_SIN = 0.15  # sine of a bend within the noise: its plane has no weight
ARM_NEUTRAL_WEIGHTS = (0.05, 0.1)  # of no twist, for first and second bone: decays within a second
LEG_NEUTRAL_WEIGHTS = (0.15, 5.0)  # thighs twist less, and a knee is a hinge
END_NEUTRAL_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class Limb:
    """An arm or a leg.

    Attributes:
        bones: First, second, end.
        joints: Joints at their starts.
        landmarks: Of an arm index finger, little finger, thumb; of a leg toes, heel.
        rest: Direction of the first two bones at rest.
        hinge: Axis of the second one, positive for bending.
        neutral_weights: Weights of no twist of the first two bones.
        limits: Joint limits of the bones.
    """

    bones: tuple[str, str, str]
    joints: tuple[str, str, str]
    landmarks: tuple[str, ...]
    rest: Vector
    hinge: Vector
    neutral_weights: tuple[float, float]
    limits: tuple[JointLimits, JointLimits, JointLimits]


@dataclass(frozen=True, slots=True)
class End:
    """A measured hand or foot, in ``rig``.

    Attributes:
        score: 0 = not visible; the rest is undefined then.
        aim_rest: Its direction in T-pose.
        aim: Its measured direction, m.
        side_rest: A direction across in T-pose: to the thumb, or up from the sole.
        side: That direction, measured, m.
        front: Direction that gives the twist of the limb, Z in T-pose: to the thumb, or to the toes, m.
    """

    score: float = 0.0
    aim_rest: Vector = X
    aim: Vector = X
    side_rest: Vector = Z
    side: Vector = Z
    front: Vector = Z


def limb(side: Literal["Left", "Right"], kind: Literal["Arm", "Leg"]) -> Limb:
    """Returns a limb."""
    s, long, outward = ("l", "left", 1.0) if side == "Left" else ("r", "right", -1.0)
    bones = (f"{side}Upper{kind}", f"{side}Lower{kind}", f"{side}{'Hand' if kind == 'Arm' else 'Foot'}")
    first, second, end = (limits_of(bone) for bone in bones)
    limits = (first, second, end)
    if kind == "Arm":
        joints, landmarks = (f"{s}_shoulder", f"{s}_elbow", f"{s}_wrist"), ("index", "pinky", "thumb")
        ends = tuple(f"{long}_{name}" for name in landmarks)
        return Limb(bones, joints, ends, (outward, 0.0, 0.0), (0.0, -outward, 0.0), ARM_NEUTRAL_WEIGHTS, limits)
    joints, ends = (f"{s}_hip", f"{s}_knee", f"{s}_ankle"), (f"{long}_foot_index", f"{long}_heel")
    return Limb(bones, joints, ends, (0.0, -1.0, 0.0), X, LEG_NEUTRAL_WEIGHTS, limits)


def retarget_arm(pose: HumanoidPose, joints: JointFrame, arm: Limb) -> None:
    """Sets the bones of an arm; its shoulder has been set."""
    hand = _hand(joints, arm)
    _set_first(pose, joints, arm, hand, HAND_MAX_WEIGHT, HAND_SHARE)
    _set_second(pose, joints, arm, hand)
    _set_end(pose, joints, arm, hand)


def retarget_leg(pose: HumanoidPose, joints: JointFrame, leg: Limb) -> None:
    """Sets the bones of a leg; the hips have been set. The ball of a foot is not observed: toes stay at rest."""
    foot = _foot(pose, joints, leg)
    _set_first(pose, joints, leg, foot, FOOT_MAX_WEIGHT, 1.0)
    _set_second(pose, joints, leg, End())
    _set_end(pose, joints, leg, foot)


def _hand(joints: JointFrame, arm: Limb) -> End:
    index, pinky, thumb = arm.landmarks
    score, wrist = joints.score(index, pinky), arm.joints[2]
    if not score:
        return End()
    aim = add(joints.vector(wrist, index), joints.vector(wrist, pinky))
    side = joints.vector(pinky, index)
    if joints.score(thumb):
        side = add(side, joints.vector(wrist, thumb))
    direction = normalize(aim, arm.rest)
    side = subtract(side, scale(direction, dot(side, direction)))
    return End(score, arm.rest, scale(aim, 0.5), Z, side, side)


def _foot(pose: HumanoidPose, joints: JointFrame, leg: Limb) -> End:
    toes, heel = leg.landmarks
    ankle, score = leg.joints[2], joints.score(toes, heel)
    if score:
        sole = joints.vector(heel, toes)
        return End(score, Z, sole, Y, joints.vector(heel, ankle), sole)
    score = joints.score(toes)
    if not score:
        return End()
    toes_bone = leg.bones[2].replace("Foot", "Toes")
    rest = normalize(add(pose.offset(toes_bone), pose.tip(toes_bone)), Z)
    aim = joints.vector(ankle, toes)
    return End(score, rest, aim, Y, (0.0, 0.0, 0.0), aim)


def _set_first(pose: HumanoidPose, joints: JointFrame, limb: Limb, end: End, max_weight: float, share: float) -> None:
    """Sets the bone to elbow or knee; it takes a share of the end's twist, as a hint of at most ``max_weight``."""
    bone, (_, hinge_joint, end_joint), limits = limb.bones[0], limb.joints, limb.limits[0]
    upper = subtract(joints.position(hinge_joint), pose.start(bone))
    lower = joints.vector(hinge_joint, end_joint)
    aim = limits.limit_aim(limb.rest, normalize(pose.in_parent(bone, upper), limb.rest))
    plane = pose.in_parent(bone, cross(normalize(upper, Y), normalize(lower, Y)))
    bend_weight = max(dot(plane, plane) - STRAIGHT_SIN**2, 0.0) / UNIT_BEND_SIN**2
    hints = [TwistHint(limb.hinge, plane, bend_weight)]
    if end.score:
        front = pose.in_parent(bone, end.front)
        weight = min(end.score * (lever_m(front, aim) / LIMB_UNIT_LEVER_M) ** 2, max_weight) / (1.0 + bend_weight)
        hints.append(TwistHint(Z, front, weight, share))
    neutral = limb.neutral_weights[0]
    pose.set(bone, swing_twist(limb.rest, aim, pose.previous(bone), hints, neutral, limits, joints.dt_s))


def _set_second(pose: HumanoidPose, joints: JointFrame, limb: Limb, end: End) -> None:
    """Sets the bone from elbow or knee to wrist or ankle; it takes the twist of a hand that the upper arm leaves."""
    bone, limits = limb.bones[1], limb.limits[1]
    lower = pose.in_parent(bone, subtract(joints.position(limb.joints[2]), pose.start(bone)))
    aim = limits.limit_aim(limb.rest, normalize(lower, limb.rest))
    hints = []
    if end.score:
        front = pose.in_parent(bone, end.front)
        hints.append(TwistHint(Z, front, end.score * (lever_m(front, aim) / LIMB_UNIT_LEVER_M) ** 2))
    neutral = limb.neutral_weights[1]
    pose.set(bone, swing_twist(limb.rest, aim, pose.previous(bone), hints, neutral, limits, joints.dt_s))


def _set_end(pose: HumanoidPose, joints: JointFrame, limb: Limb, end: End) -> None:
    """Sets hand or foot; it returns to rest while it is not visible."""
    bone, limits = limb.bones[2], limb.limits[2]
    previous = pose.previous(bone)
    if not end.score:
        pose.set(bone, smoothed(previous, IDENTITY, END_NEUTRAL_WEIGHT, joints.dt_s))
        return
    aim = pose.in_parent(bone, end.aim)
    side = pose.in_parent(bone, end.side)
    direction = normalize(aim, end.aim_rest)
    hint = TwistHint(end.side_rest, side, end.score * (lever_m(side, direction) / LIMB_UNIT_LEVER_M) ** 2)
    target = swing_twist(end.aim_rest, direction, previous, [hint], END_NEUTRAL_WEIGHT, limits, joints.dt_s)
    target = from_rotation_vector(limits.limit(rotation_vector(target)))
    pose.set(bone, smoothed(previous, target, end.score * (norm(aim) / LIMB_UNIT_LEVER_M) ** 2, joints.dt_s))
