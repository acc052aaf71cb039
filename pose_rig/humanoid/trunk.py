"""Retargeting of hips, spine, chest, shoulders, neck and head.

The spine is not observed. The hip line and the line from hips to shoulders determine the pelvis; the latter and the
shoulder line determine the chest. The bend between them is divided evenly, such that the shoulders are where they were
measured.
"""

import math

from pose_rig.humanoid.humanoid_pose import HumanoidPose, JointFrame
from pose_rig.humanoid.joint_limits import UNLIMITED_DEG, JointLimits, limits_of
from pose_rig.humanoid.quaternion import (
    Quaternion,
    Vector,
    X,
    Y,
    add,
    dot,
    fraction,
    inverse,
    multiply,
    norm,
    normalize,
    rotate,
    scale,
    shortest_arc,
    subtract,
)
from pose_rig.humanoid.twist import TwistHint, lever_m, smoothed, swing_twist

TRUNK_UNIT_LEVER_M = 0.05  # lever arm of a hint of weight 1
FACE_UNIT_LEVER_M = 0.04  # likewise for face landmarks, whose relative positions are exact to millimetres
CHEST_SHARE = 0.5  # of the slope of the shoulder line; the clavicles have the rest
NEUTRAL_WEIGHT = 0.1  # of no twist
NECK_WEIGHT = 0.3  # of the neck as a hint of the lateral tilt of the head
NOSE_DOWN_RAD = math.radians(13.0)  # of the nose below the ears; measured on MediaPipe's landmarks
NOSE_DIRECTION: Vector = (0.0, -math.sin(NOSE_DOWN_RAD), math.cos(NOSE_DOWN_RAD))
FACE_WEIGHT = 3.0  # of a visible face: followed within 10 ms
FACE_PAIRS = (("left_ear", "right_ear"), ("left_eye", "right_eye"), ("mouth_left", "mouth_right"))
NO_LIMITS = JointLimits((UNLIMITED_DEG,) * 3, (UNLIMITED_DEG,) * 3, UNLIMITED_DEG)
CHEST_LIMITS, SPINE_LIMITS, HEAD_LIMITS, NECK_LIMITS = (limits_of(bone) for bone in ("Chest", "Spine", "Head", "Neck"))
SHOULDERS = (("LeftShoulder", "l_shoulder"), ("RightShoulder", "r_shoulder"))
SHOULDER_LIMITS = {bone: limits_of(bone) for bone, _ in SHOULDERS}


def retarget_trunk(pose: HumanoidPose, joints: JointFrame) -> None:
    """Sets all bones except those of arms and legs."""
    pose.root = joints.position("pelvis")
    pose.set("Hips", _hips(pose, joints))
    _bend(pose, ("Spine", "Chest"), _chest(pose, joints), _rest_thorax(pose), joints.position("thorax"), SPINE_LIMITS)
    for bone, joint in SHOULDERS:
        rest = normalize(pose.tip(bone), X)
        aim = normalize(pose.in_parent(bone, subtract(joints.position(joint), pose.start(bone))), rest)
        pose.set(bone, shortest_arc(rest, SHOULDER_LIMITS[bone].limit_aim(rest, aim)))
    # ears and neck are in line at rest; the joint between them is too close to be aimed at
    _bend(pose, ("Neck", "Head"), _head(pose, joints), (0.0, 0.0, 0.0), joints.position("head"), NECK_LIMITS)


def _hips(pose: HumanoidPose, joints: JointFrame) -> Quaternion:
    previous = pose.previous("Hips")
    trunk = joints.vector("pelvis", "thorax")
    aim = normalize(joints.vector("r_hip", "l_hip"), X if previous is None else rotate(previous, X))
    hint = TwistHint(Y, trunk, (lever_m(trunk, aim) / TRUNK_UNIT_LEVER_M) ** 2)
    return swing_twist(X, aim, previous, [hint], 0.0, NO_LIMITS, joints.dt_s, limit_speed=False)


def _chest(pose: HumanoidPose, joints: JointFrame) -> Quaternion:
    """Returns the rotation of the chest relative to the hips."""
    trunk = pose.in_parent("Spine", joints.vector("pelvis", "thorax"))
    across = pose.in_parent("Spine", joints.vector("r_shoulder", "l_shoulder"))
    left = normalize(across, X)
    aim = CHEST_LIMITS.limit_aim(Y, normalize(subtract(trunk, scale(left, CHEST_SHARE * dot(trunk, left))), Y))
    hint = TwistHint(X, across, (lever_m(across, aim) / TRUNK_UNIT_LEVER_M) ** 2)
    previous = pose.previous("Spine", "Chest")
    return swing_twist(Y, aim, previous, [hint], NEUTRAL_WEIGHT, CHEST_LIMITS, joints.dt_s, limit_speed=False)


def _rest_thorax(pose: HumanoidPose) -> Vector:
    """Returns the midpoint of the shoulders at rest, from the start of the chest."""
    both = [add(pose.offset(bone), pose.tip(bone)) for bone, _ in SHOULDERS]
    return scale(add(*both), 0.5)


def _head(pose: HumanoidPose, joints: JointFrame) -> Quaternion:
    """Returns the rotation of the head relative to the chest."""
    previous = pose.previous("Neck", "Head")
    nose = pose.in_parent("Neck", joints.vector("head", "nose"))
    fallback = NOSE_DIRECTION if previous is None else rotate(previous, NOSE_DIRECTION)
    aim = HEAD_LIMITS.limit_aim(NOSE_DIRECTION, normalize(nose, fallback))
    hints = [TwistHint(pose.offset("Head"), pose.in_parent("Neck", joints.vector("thorax", "head")), NECK_WEIGHT)]
    for left, right in FACE_PAIRS:
        score = joints.score(left, right)
        if score > 0:
            across = pose.in_parent("Neck", joints.vector(right, left))
            hints.append(TwistHint(X, across, score * (lever_m(across, aim) / FACE_UNIT_LEVER_M) ** 2))
    target = swing_twist(NOSE_DIRECTION, aim, previous, hints, NEUTRAL_WEIGHT, HEAD_LIMITS, joints.dt_s)
    return smoothed(previous, target, FACE_WEIGHT, joints.dt_s)


def _bend(
    pose: HumanoidPose, bones: tuple[str, str], total: Quaternion, point: Vector, target: Vector, limits: JointLimits
) -> None:
    """Sets a bone and its child such that their product is ``total``, and ``point`` of the child is at ``target``."""
    first, second = bones
    middle = subtract(target, rotate(multiply(pose.parent_rotation(first), total), point))
    measured = pose.in_parent(first, subtract(middle, pose.start(first)))
    rest = normalize(pose.offset(second), Y)
    half = fraction(total, 0.5)
    even = rotate(half, rest)
    # a curled-up trunk is shorter than its bones: the missing length has no measured direction
    missing = max(norm(pose.offset(second)) - norm(measured), 0.0)
    aim = limits.limit_aim(rest, normalize(add(measured, scale(even, missing)), even))
    lower = multiply(shortest_arc(even, aim), half)
    pose.set(first, lower)
    pose.set(second, multiply(inverse(lower), total))
