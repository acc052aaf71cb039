"""Foot contact detection from one point of the foot: the tip of the toes, or the ankle.

A foot in contact is slow and low. Slow is easy to detect: a foot swings at 2 to 4 m/s, about three times walking speed,
and is below 1 m/s for a few hundredths of a second only (Winter, The Biomechanics and Motor Control of Human Gait,
1991). Low is not: toe clearance in mid-swing is 13 mm (Winter, Phys Ther 72, 1992), about the error of a joint. So
speed decides, and the clearance sets how long a foot has to be slow first.
"""

import math

from pose_rig.humanoid.quaternion import Vector, add, norm, scale, subtract

# Joint errors of 5 to 10 mm over this time are a speed of 0.1 to 0.2 m/s, a third of the limit of a slow foot, and a
# foot that takes off at 2 m/s is detected within two frames at 60 Hz.
SPEED_WINDOW_S = 0.06
CONTACT_SPEED_M_S, RELEASE_SPEED_M_S = 0.3, 0.45  # contact starts below the first and ends above the second
MIN_SLOW_S = 0.03  # before contact with the floor: a single outlier is no contact
# A jumping body is below 0.3 m/s for 2 × 0.3 / 9.81 = 0.06 s at the top, detected 0.06 s late. A foot that is slow for
# twice as long is on something, at whatever height.
MIN_SLOW_RAISED_S = 0.25
CONTACT_CLEARANCE_M, RELEASE_CLEARANCE_M = 0.03, 0.05  # on the floor up to the first, off it above the second
MAX_LEVEL_OFFSET_M = 0.05  # the floor is known to a few centimetres, and so are landmarks of shoes
LEVEL_TIME_CONSTANT_S = 1.0  # a step or two


class FootContact:
    """Contact of one point of a foot, frame by frame.

    Args:
        height_m: Expected height of the point above the floor during contact.

    Attributes:
        active: Whether the foot is in contact.
        raised: Whether the contact is with something above the floor.
        clearance_m: Height above that of contact with the floor, as estimated; infinite while the point is not visible.
    """

    def __init__(self, height_m: float) -> None:
        self.active = self.raised = False
        self.clearance_m = math.inf
        self._expected_m = self._level_m = self._contact_m = height_m
        self._mean: Vector | None = None
        self._slow_s = 0.0

    def step(self, dt_s: float, position: Vector, other_clearance_m: float) -> None:
        """Updates the contact with the next frame.

        Args:
            dt_s: Time since the previous one, above 0.
            position: Position of the point, m, y up.
            other_clearance_m: ``clearance_m`` of the other foot. A foot well above the other one is lifted, even if it
                is held still.
        """
        speed = self._speed(dt_s, position)
        self._slow_s = self._slow_s + dt_s if speed < CONTACT_SPEED_M_S else min(self._slow_s, 0.0)
        self.clearance_m = position[1] - self._level_m
        lower = self.clearance_m < other_clearance_m + RELEASE_CLEARANCE_M
        if self._slow_s > MIN_SLOW_S and lower:
            self._update_level(dt_s, position[1])
        if self.active:
            self._continue(speed, position[1])
        elif self.clearance_m < CONTACT_CLEARANCE_M:
            self._begin(self._slow_s > MIN_SLOW_S, position[1], raised=False)
        else:
            self._begin(self._slow_s > MIN_SLOW_RAISED_S and lower, position[1], raised=True)

    def reset(self) -> None:
        """Ends the contact of a foot that is not visible; keeps the estimated level of the floor."""
        self.active = self.raised = False
        self.clearance_m, self._mean = math.inf, None

    def _speed(self, dt_s: float, position: Vector) -> float:
        """Returns m/s, the mean over `SPEED_WINDOW_S`; the first frames do not count as slow."""
        if self._mean is None:
            self._mean, self._slow_s = position, -2 * SPEED_WINDOW_S
        kept = math.exp(-dt_s / SPEED_WINDOW_S)
        difference = subtract(position, self._mean)
        self._mean = add(self._mean, scale(difference, 1 - kept))
        return norm(difference) * (1 - kept) / dt_s

    def _update_level(self, dt_s: float, y: float) -> None:
        """Moves the estimated level of contact to the height of a slow foot, if that is plausible."""
        if abs(y - self._expected_m) <= MAX_LEVEL_OFFSET_M:
            self._level_m += (y - self._level_m) * dt_s / (LEVEL_TIME_CONSTANT_S + dt_s)

    def _begin(self, begins: bool, y: float, *, raised: bool) -> None:
        if begins:
            self.active, self.raised, self._contact_m = True, raised, y

    def _continue(self, speed: float, y: float) -> None:
        if self.raised and self.clearance_m < CONTACT_CLEARANCE_M:
            self.raised = False  # the apparent step was an error of the floor level
        contact_m = self._contact_m if self.raised else self._level_m
        self.active = speed < RELEASE_SPEED_M_S and y - contact_m < RELEASE_CLEARANCE_M
