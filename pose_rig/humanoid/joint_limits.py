"""How far the joints of people go.

The ranges are those of the American Academy of Orthopaedic Surgeons (Joint Motion: Method of Measuring and Recording,
1965), confirmed by Boone and Azen (J Bone Joint Surg 61-A, 1979); of the clavicle by Kapandji (The Physiology of the
Joints, vol. 1: 10 cm up and forward, 3 down and back, of a clavicle of 15 cm). They are not walls: within its range a
joint is left alone; beyond it the excess is squeezed into a margin. So what was measured survives nearly unchanged
where people are nimbler than the tables, and poses that no body has do not. Shoulders and hips have wide margins:
dancers exceed the tables by far, and how a pelvis or a shoulder blade is tilted nobody sees.
"""

import math
from dataclasses import dataclass

from pose_rig.humanoid.quaternion import Vector, arc, from_rotation_vector, length, rotation_vector, scaled, turn

FREE = 180.0
LET_BY = 3  # how late, on the way from the limit to the opposite of rest, limits give way: half-way by an eighth


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a bone may turn away from rest: an ellipsoid of rotation vectors, with other radii in every octant.

    Attributes:
        low_deg: About x, y, z of the parent bone, negative sense; as positive numbers.
        high_deg: Likewise, positive sense.
        margin_deg: How much further the bone gets, unless it points nearly opposite to rest.
        twist_deg: About its own axis, either way; `margin_deg` comes on top of that, too.
    """

    low_deg: tuple[float, float, float]
    high_deg: tuple[float, float, float]
    margin_deg: float
    twist_deg: float = math.inf

    def mirrored(self) -> "Limits":
        """Returns those of the other side of the body: turns about y and z have the opposite sense there."""
        (x, *low), (x_high, *high) = self.low_deg, self.high_deg
        return Limits((x, high[0], high[1]), (x_high, low[0], low[1]), self.margin_deg, self.twist_deg)

    def limited(self, swing: Vector) -> Vector:
        """Returns a rotation vector, rad; a shorter one if it is too long."""
        size = 0.0
        for along, low, high in zip(swing, self.low_deg, self.high_deg, strict=True):
            size += (along / (high if along > 0 else low)) ** 2
        size = math.degrees(math.sqrt(size))
        if size <= 1.0:
            return swing
        angle = length(swing)
        most, margin = angle / size, math.radians(self.margin_deg)
        # opposite to rest, what is cut off on one side would jump to the other: there everything is let by
        let_by = min((angle - most) / (math.pi - most), 1.0) ** LET_BY if angle < math.pi else 1.0
        return scaled(swing, let_by + (1.0 - let_by) * squeezed(angle, most, margin) / angle)

    def aimed(self, rest: Vector, aim: Vector) -> Vector:
        """Returns the direction that a bone takes which points to ``rest`` at rest and should point to ``aim``."""
        swing = rotation_vector(arc(rest, aim))
        allowed = self.limited(swing)
        return aim if allowed is swing else turn(from_rotation_vector(allowed), rest)

    def twisted(self, angle: float) -> float:
        """Returns a turn about the bone's own axis, rad, kept within its range."""
        most, margin = math.radians(self.twist_deg), math.radians(self.margin_deg)
        return math.copysign(squeezed(abs(angle), most, margin), angle)


def squeezed(angle: float, most: float, margin: float) -> float:
    """Returns an angle ≥ 0 that stays below ``most`` + ``margin``, smoothly; unchanged up to ``most``."""
    return angle if angle <= most else most + margin * math.tanh((angle - most) / margin)


# of the left side, relative to the parent bone in T-pose; x: forward (a foot: toes down), y: towards the right (inward,
# forward of an arm is −y), z: up or outward
LIMITS: dict[str, Limits] = {
    # 80 forward, 25 back, 35 sideways, 45 round: whole trunk, which Spine and Chest share
    "Chest": Limits((25, 45, 35), (80, 45, 35), 20),
    "Spine": Limits((25, 45, 35), (60, 45, 35), 20),
    # 45 forward and back, 45 sideways, 60 round (80 in Boone and Azen)
    "Head": Limits((55, 80, 45), (55, 80, 45), 20),
    "Neck": Limits((45, 60, 45), (45, 60, 45), 20),
    "Shoulder": Limits((45, 42, 12), (45, 12, 42), 10),
    # 180 up, 60 back with the arm down, 130 across, 75 past hanging down; 90 in, 90 out of hanging
    "UpperArm": Limits((FREE, 140, 125), (FREE, 95, 110), 40, 100),
    "LowerArm": Limits((FREE, 150, 90), (FREE, 5, 90), 10, 85),
    # 80 down, 70 up; 20 to the thumb, 30 to the little finger: the forearm has the twist
    "Hand": Limits((15, 30, 80), (15, 20, 70), 15),
    # 120 forward, 30 back, 45 out, 30 in; 45 round both ways
    "UpperLeg": Limits((135, FREE, 40), (40, FREE, 60), 40, 50),
    "LowerLeg": Limits((5, FREE, 90), (145, FREE, 90), 10, 20),
    # 20 up, 50 down, 35 in, 15 out
    "Foot": Limits((25, 30, 35), (50, 35, 35), 15),
}


def limits_of(bone: str) -> Limits:
    """Returns the limits of a bone of `pose_rig.humanoid.bones.BONES`; of the trunk, hips excepted."""
    side = next((side for side in ("Left", "Right") if bone.startswith(side)), "")
    limits = LIMITS[bone.removeprefix(side)]
    return limits.mirrored() if side == "Right" else limits
