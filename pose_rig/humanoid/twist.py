"""Swing and twist of a bone. The joints at its ends give the swing only; the twist comes from what is attached to it.

Every observation of the twist is a `TwistHint`: a direction fixed in the bone, and its measured direction. Hints add up
as weighted unit vectors (complex numbers); the larger the sum, the faster the bone follows. There is no switching, so
nothing flips: where a hint vanishes (an elbow that straightens) its weight goes to zero, and the bone keeps its twist
while a weak hint pulls it to the neutral one.
"""

import cmath
import math
from typing import NamedTuple

from pose_rig.humanoid.joint_limits import JointLimits
from pose_rig.humanoid.quaternion import (
    Quaternion,
    Vector,
    cross,
    dot,
    from_axis_angle,
    from_rotation_vector,
    inverse,
    multiply,
    norm,
    rotate,
    rotation_vector,
    same_sign,
    scale,
    shortest_arc,
    subtract,
)

TIME_CONSTANT_S = 0.03  # at which a hint of weight 1 is followed
# of a limb about its own axis; pitchers' arms are faster and lag a few frames (Fleisig et al., J Biomech 32, 1999)
MAX_TWIST_SPEED_RAD_S = math.radians(1500.0)
MAX_TWIST_STEP_RAD = math.radians(45.0)  # between two frames, whatever their distance
OUT_OF_RANGE_RAD = math.radians(60.0)  # a hint this far beyond the joint limits
OUT_OF_RANGE_DIVISOR = 12.0  # has its weight divided by this
# cosine of the swing between which the neutral twist fades out: opposite to rest the shortest arc is not unique
NEUTRAL_FADE_COS = (-0.95, -0.5)


class TwistHint(NamedTuple):
    """An observation of the twist of a bone.

    Attributes:
        rest: A direction in the bone, in T-pose.
        measured: Its measured direction in the space of the parent bone; any length.
        weight: How fast the bone follows: 1 = with `TIME_CONSTANT_S`.
        share: Share of the measured twist that belongs to this bone.
    """

    rest: Vector
    measured: Vector
    weight: float
    share: float = 1.0


def swing_twist(
    rest: Vector,
    aim: Vector,
    previous: Quaternion | None,
    hints: list[TwistHint],
    neutral_weight: float,
    limits: JointLimits,
    dt_s: float,
    *,
    limit_speed: bool = True,
) -> Quaternion:
    """Returns the rotation of a bone relative to its parent that points it to ``aim``, with the twist of the hints.

    Args:
        rest: Unit vector, direction of the bone at rest.
        aim: Unit vector, direction of the bone now.
        previous: Its rotation in the previous frame; None = unknown, hints are followed at once.
        hints: Measured directions in the space of the parent.
        neutral_weight: Weight of the hint of no twist: that of the shortest arc from rest.
        limits: Joint limits of the twist.
        dt_s: Time since ``previous``.
        limit_speed: Whether the twist is limited to `max_twist_step`. The trunk is not: its joints are far apart.
    """
    swing = shortest_arc(rest, aim)
    low, high = NEUTRAL_FADE_COS
    fade = min(max((dot(rest, aim) - low) / (high - low), 0.0), 1.0)
    kept = 0.0
    if previous is not None:
        moved = multiply(shortest_arc(rotate(previous, rest), aim), previous)
        kept = _twist_angle(rest, multiply(inverse(swing), moved))
    total = complex(neutral_weight * fade, 0.0)
    for hint in hints:
        total += _weighted_twist(swing, aim, hint, limits)
    difference = cmath.phase(total * cmath.exp(complex(0.0, -kept))) if total else 0.0
    gain = 1.0 if previous is None else -math.expm1(-dt_s * abs(total) / TIME_CONSTANT_S)
    twist = kept + gain * difference
    twist += fade * (limits.limit_twist(twist) - twist)
    if previous is not None and limit_speed:
        max_step = max_twist_step(dt_s)
        twist = kept + min(max(twist - kept, -max_step), max_step)
    return multiply(from_axis_angle(aim, twist), swing)


def smoothed(previous: Quaternion | None, target: Quaternion, weight: float, dt_s: float) -> Quaternion:
    """Returns a rotation between ``previous`` and ``target``, as far as a hint of that weight moves it.

    Args:
        previous: Rotation in the previous frame; None = return the target.
        target: Target rotation.
        weight: As of a `TwistHint`.
        dt_s: Time since ``previous``.
    """
    if previous is None:
        return target
    difference = rotation_vector(multiply(target, inverse(previous)))
    angle = norm(difference)
    max_step = max_twist_step(dt_s)
    step = min(-math.expm1(-dt_s * weight / TIME_CONSTANT_S), max_step / angle if angle > max_step else 1.0)
    return same_sign(multiply(from_rotation_vector(scale(difference, step)), previous), previous)


def max_twist_step(dt_s: float) -> float:
    """Returns how far a bone may rotate about its own axis within a time, rad."""
    return min(MAX_TWIST_SPEED_RAD_S * dt_s, MAX_TWIST_STEP_RAD)


def lever_m(vector: Vector, axis: Vector) -> float:
    """Returns the distance of the end of a vector from the line along a unit vector: the lever arm of a hint."""
    return norm(subtract(vector, scale(axis, dot(vector, axis))))


def _weighted_twist(swing: Quaternion, aim: Vector, hint: TwistHint, limits: JointLimits) -> complex:
    """Returns a hint as a complex number: angle = its twist relative to the shortest arc, modulus = its weight."""
    start = rotate(swing, hint.rest)
    measured = hint.measured
    along = complex(dot(start, measured) - dot(start, aim) * dot(measured, aim), dot(aim, cross(start, measured)))
    if not along or not hint.weight:
        return 0j
    angle = cmath.phase(along)
    weight = hint.weight
    if hint.share < 1.0:
        # a share of a half turn has no sign: no weight there
        weight *= 0.5 * (1.0 + math.cos(angle))
        angle *= hint.share
    excess = abs(angle) - math.radians(limits.twist_deg)
    if excess > 0.0:
        weight /= 1.0 + (OUT_OF_RANGE_DIVISOR - 1.0) * min(excess / OUT_OF_RANGE_RAD, 1.0)
    return cmath.rect(weight, angle)


def _twist_angle(axis: Vector, q: Quaternion) -> float:
    """Returns the angle, −π to π, of a rotation about ``axis``."""
    angle = 2 * math.atan2(q[0] * axis[0] + q[1] * axis[1] + q[2] * axis[2], q[3])
    return math.remainder(angle, 2 * math.pi)
