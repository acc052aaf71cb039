"""How a bone is turned about its own axis: the joints at its ends do not say, what hangs on it does.

Everything that hints at the twist is a clue: a direction fixed in the bone, and where it is seen. Clues add up like
arrows; the longer the arrow, the faster the bone follows. Nothing is decided, so nothing flips: where a clue vanishes
(an elbow that straightens) its arrow shrinks to nothing, and the bone keeps the twist it had while a faint clue draws
it towards the natural one.
"""

import cmath
import math
from typing import NamedTuple

from pose_rig.humanoid.joint_limits import Limits
from pose_rig.humanoid.quaternion import (
    Quaternion,
    Vector,
    about,
    alike,
    arc,
    back,
    cross,
    dot,
    from_rotation_vector,
    length,
    minus,
    rotation_vector,
    scaled,
    times,
    turn,
)

FOLLOWED_S = 0.03  # time constant at which a clue of strength 1 is followed
# of a limb about itself; pitchers' arms are faster and lag a few instants (Fleisig et al., J Biomech 32, 1999)
FASTEST_RAD_S = math.radians(1500.0)
LARGEST_STEP = math.radians(45.0)  # between two instants, however far they are apart
DOUBTED = math.radians(60.0)  # a clue that is so far out of range
DOUBT = 12.0  # counts so much less
# cosine of the angle from rest: there the shortest arc, and with it the natural twist, lose their sense
VAGUE_COS = (-0.95, -0.5)


class Clue(NamedTuple):
    """A hint at the twist of a bone.

    Attributes:
        rest: A direction in the bone, in T-pose.
        seen: Where it is now, in the space of the parent bone; any length.
        strength: How firmly the bone follows: 1 = within `FOLLOWED_S`.
        share: Of the turn that is seen, how much is this bone's.
    """

    rest: Vector
    seen: Vector
    strength: float
    share: float = 1.0


def rolled(
    rest: Vector,
    aim: Vector,
    before: Quaternion | None,
    clues: list[Clue],
    natural: float,
    limits: Limits,
    dt_s: float,
    *,
    at_once: bool = False,
) -> Quaternion:
    """Returns the rotation of a bone relative to its parent that points it to ``aim``, with the twist of the clues.

    Args:
        rest: Unit vector, where the bone points at rest.
        aim: Unit vector, where it points now.
        before: Its rotation an instant ago; None = unknown, the clues are believed at once.
        clues: What is seen, in the space of the parent.
        natural: Strength of the clue that the bone has turned the shortest way from rest.
        limits: Range of the twist.
        dt_s: Time since ``before``.
        at_once: Whether the bone may turn faster than `largest_step`, as the trunk may, which joints hold firmly.
    """
    shortest = arc(rest, aim)
    low, high = VAGUE_COS
    sense = min(max((dot(rest, aim) - low) / (high - low), 0.0), 1.0)
    held = 0.0
    if before is not None:
        held = _twist(rest, times(back(shortest), times(arc(turn(before, rest), aim), before)))
    arrow = complex(natural * sense, 0.0)
    for clue in clues:
        arrow += _arrow(shortest, aim, clue, limits)
    off = cmath.phase(arrow * cmath.exp(complex(0.0, -held))) if arrow else 0.0
    gain = 1.0 if before is None else -math.expm1(-dt_s * abs(arrow) / FOLLOWED_S)
    wanted = held + gain * off
    wanted += sense * (limits.twisted(wanted) - wanted)
    if before is not None and not at_once:
        most = largest_step(dt_s)
        wanted = held + min(max(wanted - held, -most), most)
    return times(about(aim, wanted), shortest)


def eased(before: Quaternion | None, target: Quaternion, strength: float, dt_s: float) -> Quaternion:
    """Returns a rotation on the way from ``before`` to ``target``, as far as a clue of that strength gets it.

    Args:
        before: Rotation an instant ago; None = go there.
        target: Where to go.
        strength: As of a `Clue`.
        dt_s: Time since ``before``.
    """
    if before is None:
        return target
    way = rotation_vector(times(target, back(before)))
    angle = length(way)
    most = largest_step(dt_s)
    step = min(-math.expm1(-dt_s * strength / FOLLOWED_S), most / angle if angle > most else 1.0)
    return alike(times(from_rotation_vector(scaled(way, step)), before), before)


def largest_step(dt_s: float) -> float:
    """Returns how far a bone may turn about itself within a time, rad."""
    return min(FASTEST_RAD_S * dt_s, LARGEST_STEP)


def _arrow(shortest: Quaternion, aim: Vector, clue: Clue, limits: Limits) -> complex:
    """Returns a clue as a complex number: angle = the twist it hints at, from the shortest arc, length = strength."""
    start = turn(shortest, clue.rest)
    along = complex(dot(start, clue.seen) - dot(start, aim) * dot(clue.seen, aim), dot(aim, cross(start, clue.seen)))
    if not along or not clue.strength:
        return 0j
    angle = cmath.phase(along)
    strength = clue.strength
    if clue.share < 1.0:
        # half of a half turn is either quarter: that says nothing
        strength *= 0.5 * (1.0 + math.cos(angle))
        angle *= clue.share
    beyond = abs(angle) - math.radians(limits.twist_deg)
    if beyond > 0.0:
        strength /= 1.0 + (DOUBT - 1.0) * min(beyond / DOUBTED, 1.0)
    return cmath.rect(strength, angle)


def _twist(axis: Vector, q: Quaternion) -> float:
    """Returns the angle, −π to π, of a turn about ``axis``."""
    angle = 2 * math.atan2(q[0] * axis[0] + q[1] * axis[1] + q[2] * axis[2], q[3])
    return math.remainder(angle, 2 * math.pi)


def off_axis(vector: Vector, axis: Vector) -> float:
    """Returns how far the end of a vector lies from the line along a unit vector: the lever of a clue."""
    return length(minus(vector, scaled(axis, dot(vector, axis))))
