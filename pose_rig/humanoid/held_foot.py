"""One foot that is held while it stands, and what is done to the humanoid for that."""

import math
from collections.abc import Mapping
from typing import Literal

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import RestPose
from pose_rig.humanoid.contact import Contact
from pose_rig.humanoid.leg import Leg
from pose_rig.humanoid.quaternion import (
    NONE,
    Quaternion,
    Vector,
    back,
    from_rotation_vector,
    length,
    minus,
    part,
    plus,
    rotation_vector,
    scaled,
    times,
    turn,
)

HOLD_S = 0.5  # a held foot follows the measured one so slowly: about as long as a step takes; noise moves it by 2 cm/s
SOLE_S = 0.15  # a foot that came to stand goes down to the floor so fast
EASE_S = 0.08  # what was corrected fades so fast once the foot stands no more: 1/e; a tenth is left after 0.18 s
LEASH_M = 0.03  # a held foot is dragged along by one measured further beside it: 3 of the worst joints' 10 mm
SOLE_MOST_M = 0.05  # the most by which a foot is raised or lowered to the floor
# 10 mm of noise turn a foot of 0.2 m by 3 to 4°. Within twice that a standing foot is held, beyond it is followed.
TURN_MOST_RAD = math.radians(8.0)
TOES_M = 0.02  # height of the landmark of the toes of a shoe
NOTHING_M, NOTHING_RAD = 1e-4, 1e-3  # smaller corrections are none


class HeldFoot:
    """A foot, and what is done to it.

    Args:
        rest: Whose.
        side: Which.

    Attributes:
        leg: It hangs on.
        weight: Of its wish to raise the hips, 1 while it stands.
        shift: m by which its ankle is moved.
    """

    def __init__(self, rest: RestPose, side: Literal["Left", "Right"]) -> None:
        self._side: Literal["Left", "Right"] = side
        self._names = (f"{side.lower()}_foot_index", f"{side[0].lower()}_ankle")
        self.leg = Leg(rest, side)
        self._contacts = (Contact(TOES_M), Contact(self.leg.ankle_m))
        self._by_toes = False
        self._held: Vector | None = None  # where the point it is held by is kept
        self._turned = NONE  # how the foot is kept turned
        self.weight = 0.0
        self.shift: Vector = (0.0, 0.0, 0.0)
        self._spin = NONE  # of the foot, in the room

    @property
    def contact(self) -> Contact:
        """Of the point the foot is held by."""
        return self._contacts[0 if self._by_toes else 1]

    @property
    def corrected(self) -> bool:
        """Whether anything is done to it."""
        return self.shift != (0.0, 0.0, 0.0) or self._spin != NONE

    def wear(self, rest: RestPose) -> None:
        """Goes on with other bones."""
        self.leg, self._held = Leg(rest, self._side), None

    def forget(self) -> None:
        """Lets go of a foot that is not seen."""
        for contact in self._contacts:
            contact.forget()

    def look(self, dt_s: float, at: Mapping[str, Vector], other_above_m: float) -> None:
        """Takes in where toes and ankle were seen, and which of them the foot is held by: the first that is known."""
        for contact, name in zip(self._contacts, self._names, strict=True):
            if name in at:
                contact.step(dt_s, at[name], other_above_m)
            else:
                contact.forget()
        if self._by_toes != (self._names[0] in at):
            self._by_toes, self._held = not self._by_toes, None

    def sunk_m(self) -> float | None:
        """Returns how far the pose has the foot below the floor; None if it does not stand on that."""
        standing = self.contact.standing and not self.contact.high
        return self._ankle_m(self.leg.foot) - self.leg.ankle[1] if standing else None

    def hold(self, dt_s: float, lift_m: float) -> None:
        """Corrects a foot that stands, the hips being raised by that; lets the correction fade of one that does not."""
        kept = math.exp(-dt_s / EASE_S)
        self.weight = kept * self.weight + (1 - kept) * self.contact.standing
        if self.contact.standing:
            self._hold(dt_s, plus(self.leg.ankle, (0.0, lift_m, 0.0)))
        else:
            self._fade(kept)

    def put(self, rotation: Floats, raised_m: float) -> None:
        """Changes the leg's rotations (B,4), the hips having been raised by that."""
        if self.corrected or raised_m:
            ankle = plus(self.leg.ankle, (self.shift[0], self.shift[1] - raised_m, self.shift[2]))
            self.leg.put(ankle, times(self._spin, self.leg.foot), rotation)

    def _lever(self) -> Vector:
        """Returns from the ankle to the point it is held by, at rest, m."""
        return self.leg.toes if self._by_toes else (0.0, 0.0, 0.0)

    def _ankle_m(self, foot: Quaternion) -> float:
        """Returns how high the ankle is while the sole, so turned, touches the floor."""
        return self.leg.toes_m + self.leg.over_sole_m(foot) if self._by_toes else self.leg.ankle_m

    def _fade(self, kept: float) -> None:
        self._held, self.shift, self._spin = None, scaled(self.shift, kept), part(self._spin, kept)
        if length(self.shift) < NOTHING_M and length(rotation_vector(self._spin)) < NOTHING_RAD:
            self.shift, self._spin = (0.0, 0.0, 0.0), NONE

    def _hold(self, dt_s: float, ankle: Vector) -> None:
        if self._held is None:  # where it is shown, so that nothing jumps
            self._turned = times(self._spin, self.leg.foot)
            self._held = plus(plus(ankle, self.shift), turn(self._turned, self._lever()))
        self._hold_turned(dt_s)
        lever = turn(self._turned, self._lever())
        point = plus(ankle, turn(self.leg.foot, self._lever()))
        self._held = self._kept(dt_s, self._held, point, self._ankle_m(self._turned) + lever[1])
        self.shift = minus(minus(self._held, lever), ankle)

    def _hold_turned(self, dt_s: float) -> None:
        spin = rotation_vector(times(self._turned, back(self.leg.foot)))
        kept = HOLD_S / (HOLD_S + dt_s)
        spin = scaled(spin, min(kept, TURN_MOST_RAD / max(length(spin), TURN_MOST_RAD)))
        self._spin = from_rotation_vector(spin)
        self._turned = times(self._spin, self.leg.foot)

    def _kept(self, dt_s: float, held: Vector, point: Vector, sole_m: float) -> Vector:
        """Returns where a point is kept that was kept at ``held`` and is measured at ``point``, m.

        Args:
            dt_s: Time since then.
            held: Where it was kept.
            point: Where it is measured.
            sole_m: How high it is while the foot touches the floor.
        """
        slow, down = dt_s / (HOLD_S + dt_s), dt_s / (SOLE_S + dt_s)
        x, y, z = minus(held, point)
        y += -slow * y if self.contact.high else down * (sole_m - held[1])
        beside = min(1 - slow, LEASH_M / max(math.hypot(x, z), LEASH_M))
        return plus(point, (beside * x, min(max(y, -SOLE_MOST_M), SOLE_MOST_M), beside * z))
