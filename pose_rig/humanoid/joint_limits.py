"""Joint limits: ranges of motion of human joints, with a soft margin.

Ranges: American Academy of Orthopaedic Surgeons (Joint Motion: Method of Measuring and Recording, 1965), confirmed by
Boone and Azen (J Bone Joint Surg 61-A, 1979); clavicle: Kapandji (The Physiology of the Joints, vol. 1: 10 cm up and
forward, 3 cm down and back, for a clavicle of 15 cm). Within its range a joint is unchanged; the excess beyond it is
compressed into a margin. So measured poses of flexible people survive nearly unchanged, and impossible poses do not.
Shoulders and hips have wide margins: dancers exceed the tables by far, and pelvis and scapula are not observed.
"""

import math
from dataclasses import dataclass

from pose_rig.humanoid.quaternion import (
    Vector,
    from_rotation_vector,
    norm,
    rotate,
    rotation_vector,
    scale,
    shortest_arc,
)

UNLIMITED_DEG = 180.0
RELEASE_EXPONENT = 3  # how late limits are released between the limit and the direction opposite to rest


@dataclass(frozen=True, slots=True)
class JointLimits:
    """Range of motion of a bone: an ellipsoid of rotation vectors, with different radii in every octant.

    Attributes:
        low_deg: Range about x, y, z of the parent bone in negative direction, as positive numbers.
        high_deg: Range in positive direction.
        margin_deg: Size of the margin beyond the range, unless the bone points nearly opposite to rest.
        twist_deg: Range about the bone's own axis, both ways; `margin_deg` is added.
    """

    low_deg: tuple[float, float, float]
    high_deg: tuple[float, float, float]
    margin_deg: float
    twist_deg: float = math.inf

    def mirrored(self) -> "JointLimits":
        """Returns the limits of the other side of the body: rotations about y and z are reversed there."""
        (x, *low), (x_high, *high) = self.low_deg, self.high_deg
        return JointLimits((x, high[0], high[1]), (x_high, low[0], low[1]), self.margin_deg, self.twist_deg)

    def limit(self, swing: Vector) -> Vector:
        """Returns a rotation vector, rad, within the limits."""
        size = 0.0
        for along, low, high in zip(swing, self.low_deg, self.high_deg, strict=True):
            size += (along / (high if along > 0 else low)) ** 2
        size = math.degrees(math.sqrt(size))
        if size <= 1.0:
            return swing
        angle = norm(swing)
        limit, margin = angle / size, math.radians(self.margin_deg)
        # opposite to rest the excess would jump from one side to the other: limits are released there
        release = min((angle - limit) / (math.pi - limit), 1.0) ** RELEASE_EXPONENT if angle < math.pi else 1.0
        return scale(swing, release + (1.0 - release) * soft_limit(angle, limit, margin) / angle)

    def limit_aim(self, rest: Vector, aim: Vector) -> Vector:
        """Returns the direction ``aim`` of a bone within the limits; unit vectors, ``rest`` is that at rest."""
        swing = rotation_vector(shortest_arc(rest, aim))
        limited = self.limit(swing)
        return aim if limited is swing else rotate(from_rotation_vector(limited), rest)

    def limit_twist(self, angle: float) -> float:
        """Returns a rotation about the bone's own axis, rad, within the limits."""
        return math.copysign(soft_limit(abs(angle), math.radians(self.twist_deg), math.radians(self.margin_deg)), angle)


def soft_limit(angle: float, limit: float, margin: float) -> float:
    """Returns an angle ≥ 0, unchanged up to ``limit``, and smoothly kept below ``limit`` + ``margin``."""
    return angle if angle <= limit else limit + margin * math.tanh((angle - limit) / margin)


# Left side, relative to the parent bone in T-pose. x: forward (foot: toes down), y: towards the right (inward; −y is
# forward for an arm), z: up or outward.
LEFT_LIMITS: dict[str, JointLimits] = {
    # whole trunk, shared by Spine and Chest: flexion 80, extension 25, lateral 35, rotation 45
    "Chest": JointLimits((25, 45, 35), (80, 45, 35), 20),
    "Spine": JointLimits((25, 45, 35), (60, 45, 35), 20),
    # flexion and extension 45, lateral 45, rotation 60 (80 in Boone and Azen)
    "Head": JointLimits((55, 80, 45), (55, 80, 45), 20),
    "Neck": JointLimits((45, 60, 45), (45, 60, 45), 20),
    "Shoulder": JointLimits((45, 42, 12), (45, 12, 42), 10),
    # abduction 180, extension 60, horizontal flexion 130, adduction 75; internal and external rotation 90
    "UpperArm": JointLimits((UNLIMITED_DEG, 140, 125), (UNLIMITED_DEG, 95, 110), 40, 100),
    "LowerArm": JointLimits((UNLIMITED_DEG, 150, 90), (UNLIMITED_DEG, 5, 90), 10, 85),
    # flexion 80, extension 70, radial 20, ulnar 30; the twist is in the forearm
    "Hand": JointLimits((15, 30, 80), (15, 20, 70), 15),
    # flexion 120, extension 30, abduction 45, adduction 30; rotation 45 both ways
    "UpperLeg": JointLimits((135, UNLIMITED_DEG, 40), (40, UNLIMITED_DEG, 60), 40, 50),
    "LowerLeg": JointLimits((5, UNLIMITED_DEG, 90), (145, UNLIMITED_DEG, 90), 10, 20),
    # dorsiflexion 20, plantar flexion 50, inversion 35, eversion 15
    "Foot": JointLimits((25, 30, 35), (50, 35, 35), 15),
}


def limits_of(bone: str) -> JointLimits:
    """Returns the limits of a bone of `pose_rig.humanoid.bones.BONES` except hips and toes."""
    side = next((side for side in ("Left", "Right") if bone.startswith(side)), "")
    limits = LEFT_LIMITS[bone.removeprefix(side)]
    return limits.mirrored() if side == "Right" else limits
