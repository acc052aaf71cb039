"""Lock of one foot during contact, and its correction of the humanoid."""

import math
from collections.abc import Mapping
from typing import Literal

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import RestPose
from pose_rig.humanoid.foot_contact import FootContact
from pose_rig.humanoid.leg import Leg
from pose_rig.humanoid.quaternion import (
    IDENTITY,
    Quaternion,
    Vector,
    add,
    fraction,
    from_rotation_vector,
    inverse,
    multiply,
    norm,
    rotate,
    rotation_vector,
    scale,
    subtract,
)

FOLLOW_S = 0.5  # time constant of a locked foot, about the duration of a step: noise moves it by 2 cm/s
SOLE_S = 0.15  # time constant at which the sole goes down to the floor
RELEASE_TIME_CONSTANT_S = 0.08  # time constant of the correction after contact; a tenth is left after 0.18 s
MAX_LOCK_DISTANCE_M = 0.03  # horizontal, of the locked from the measured foot: three times a joint error of 10 mm
MAX_HEIGHT_CORRECTION_M = 0.05  # by which a foot is raised or lowered to the floor
# 10 mm of noise rotate a foot of 0.2 m by 3 to 4°. Within twice that a foot in contact is locked, beyond it follows.
MAX_ROTATION_RAD = math.radians(8.0)
TOES_M = 0.02  # height of the toe landmark of a shoe
MIN_CORRECTION_M, MIN_CORRECTION_RAD = 1e-4, 1e-3


class LockedFoot:
    """A foot and its correction.

    Args:
        rest: Rest pose.
        side: Left or right.

    Attributes:
        leg: Its leg.
        weight: Weight in the common height correction, 1 during contact.
        shift: Translation of its ankle, m.
    """

    def __init__(self, rest: RestPose, side: Literal["Left", "Right"]) -> None:
        self._side: Literal["Left", "Right"] = side
        self._names = (f"{side.lower()}_foot_index", f"{side[0].lower()}_ankle")
        self.leg = Leg(rest, side)
        self._contacts = (FootContact(TOES_M), FootContact(self.leg.ankle_m))
        self._by_toes = False
        self._locked: Vector | None = None  # locked position of the contact point
        self._rotation = IDENTITY  # locked rotation of the foot
        self.weight = 0.0
        self.shift: Vector = (0.0, 0.0, 0.0)
        self._spin = IDENTITY  # correction of the rotation, in ``rig``

    @property
    def contact(self) -> FootContact:
        """Contact of the point that the foot is locked by."""
        return self._contacts[0 if self._by_toes else 1]

    @property
    def corrected(self) -> bool:
        """Whether there is a correction."""
        return self.shift != (0.0, 0.0, 0.0) or self._spin != IDENTITY

    def set_rest_pose(self, rest: RestPose) -> None:
        """Changes bone lengths."""
        self.leg, self._locked = Leg(rest, self._side), None

    def reset_contact(self) -> None:
        """Ends the contact of a foot that is not visible."""
        for contact in self._contacts:
            contact.reset()

    def update_contact(self, dt_s: float, positions: Mapping[str, Vector], other_clearance_m: float) -> None:
        """Updates the contact from measured toes and ankle; the foot is locked by the toes if they are visible."""
        for contact, name in zip(self._contacts, self._names, strict=True):
            if name in positions:
                contact.step(dt_s, positions[name], other_clearance_m)
            else:
                contact.reset()
        if self._by_toes != (self._names[0] in positions):
            self._by_toes, self._locked = not self._by_toes, None

    def penetration_m(self) -> float | None:
        """Returns how far the foot of the pose is below the floor; None without contact with the floor."""
        on_floor = self.contact.active and not self.contact.raised
        return self._ankle_height_m(self.leg.foot) - self.leg.ankle[1] if on_floor else None

    def update(self, dt_s: float, lift_m: float) -> None:
        """Updates the correction, the hips being raised by ``lift_m``; without contact it decays."""
        kept = math.exp(-dt_s / RELEASE_TIME_CONSTANT_S)
        self.weight = kept * self.weight + (1 - kept) * self.contact.active
        if self.contact.active:
            self._lock(dt_s, add(self.leg.ankle, (0.0, lift_m, 0.0)))
        else:
            self._release(kept)

    def apply(self, rotation: Floats, raised_m: float) -> None:
        """Applies the correction to the leg's rotations (B,4), the hips having been raised by ``raised_m``."""
        if self.corrected or raised_m:
            ankle = add(self.leg.ankle, (self.shift[0], self.shift[1] - raised_m, self.shift[2]))
            self.leg.place_foot(ankle, multiply(self._spin, self.leg.foot), rotation)

    def _lever(self) -> Vector:
        """Returns the vector from the ankle to the contact point at rest, m."""
        return self.leg.toes if self._by_toes else (0.0, 0.0, 0.0)

    def _ankle_height_m(self, foot: Quaternion) -> float:
        """Returns the height of the ankle while a sole with that rotation touches the floor."""
        return self.leg.toes_m + self.leg.sole_depth_m(foot) if self._by_toes else self.leg.ankle_m

    def _release(self, kept: float) -> None:
        self._locked, self.shift, self._spin = None, scale(self.shift, kept), fraction(self._spin, kept)
        if norm(self.shift) < MIN_CORRECTION_M and norm(rotation_vector(self._spin)) < MIN_CORRECTION_RAD:
            self.shift, self._spin = (0.0, 0.0, 0.0), IDENTITY

    def _lock(self, dt_s: float, ankle: Vector) -> None:
        if self._locked is None:  # start at the shown position, so that nothing jumps
            self._rotation = multiply(self._spin, self.leg.foot)
            self._locked = add(add(ankle, self.shift), rotate(self._rotation, self._lever()))
        self._lock_rotation(dt_s)
        lever = rotate(self._rotation, self._lever())
        point = add(ankle, rotate(self.leg.foot, self._lever()))
        self._locked = self._followed(dt_s, self._locked, point, self._ankle_height_m(self._rotation) + lever[1])
        self.shift = subtract(subtract(self._locked, lever), ankle)

    def _lock_rotation(self, dt_s: float) -> None:
        spin = rotation_vector(multiply(self._rotation, inverse(self.leg.foot)))
        kept = FOLLOW_S / (FOLLOW_S + dt_s)
        spin = scale(spin, min(kept, MAX_ROTATION_RAD / max(norm(spin), MAX_ROTATION_RAD)))
        self._spin = from_rotation_vector(spin)
        self._rotation = multiply(self._spin, self.leg.foot)

    def _followed(self, dt_s: float, locked: Vector, measured: Vector, floor_m: float) -> Vector:
        """Returns the new locked position of a point, m, whose height is ``floor_m`` while the foot is on the floor."""
        slow, down = dt_s / (FOLLOW_S + dt_s), dt_s / (SOLE_S + dt_s)
        x, y, z = subtract(locked, measured)
        y += -slow * y if self.contact.raised else down * (floor_m - locked[1])
        kept = min(1 - slow, MAX_LOCK_DISTANCE_M / max(math.hypot(x, z), MAX_LOCK_DISTANCE_M))
        height = min(max(y, -MAX_HEIGHT_CORRECTION_M), MAX_HEIGHT_CORRECTION_M)
        return add(measured, (kept * x, height, kept * z))
