"""Whether a foot stands, from where one point of it was seen: the tip of the toes, or the ankle.

A standing foot is slow and low. Slow is told apart easily: a foot swings at 2 to 4 m/s, some three times the speed of
walking, and is below 1 m/s for a few hundredths of a second only (Winter, The Biomechanics and Motor Control of Human
Gait, 1991). Low is not: toes clear the floor by 13 mm in mid-swing (Winter, Phys Ther 72, 1992), about as much as
joints are off. So speed decides, and the height says whether a foot may be taken for one on the floor at once, or has
to be still for longer first.
"""

import math

from pose_rig.humanoid.quaternion import Vector, length, minus, plus, scaled

# Joints are 5 to 10 mm off. Over this time that is a speed of 0.1 to 0.2 m/s, a third of what a slow foot may have, and
# a foot that takes off at 2 m/s is told within two instants at 60 Hz.
SPEED_S = 0.06
SLOW_M_S, FAST_M_S = 0.3, 0.45  # stands from the first down, no longer from the second up; a slow swing is at 2 m/s
STILL_S = 0.03  # slow for so long before it stands: one outlier is no contact
# A body in the air is slower than 0.3 m/s for 2 × 0.3 / 9.81 = 0.06 s at the top of a jump, and its speed is told
# 0.06 s late. What is slow for twice as long stands on something, however high.
STILL_HIGH_S = 0.25
NEAR_M, FAR_M = 0.03, 0.05  # above where it usually stands: on the floor up to the first, off it from the second up
# The floor is found to a few centimetres, and landmarks of shoes lie as much beside those of feet.
LEVEL_MOST_M = 0.05
LEVEL_S = 1.0  # a step or two


class Contact:
    """Whether a point of one foot stands, instant by instant.

    Args:
        height_m: Of the point above the floor while it stands, as far as one knows before it was seen.

    Attributes:
        standing: Whether it stands.
        high: Whether it stands on something other than the floor.
        above_m: How far it is above where it stands on the floor, as learned so far; infinite while it is not seen.
    """

    def __init__(self, height_m: float) -> None:
        self.standing = self.high = False
        self.above_m = math.inf
        self._usual_m = self._level_m = self._ground_m = height_m
        self._mean: Vector | None = None
        self._still_s = 0.0

    def step(self, dt_s: float, at: Vector, other_above_m: float) -> None:
        """Takes in the next instant.

        Args:
            dt_s: Time since the last one, above 0.
            at: Where the point is, m, y up.
            other_above_m: ``above_m`` of the other foot. What hangs clearly above the other foot is lifted, even if it
                is held still.
        """
        speed = self._speed(dt_s, at)
        self._still_s = self._still_s + dt_s if speed < SLOW_M_S else min(self._still_s, 0.0)
        self.above_m = at[1] - self._level_m
        lower = self.above_m < other_above_m + FAR_M
        if self._still_s > STILL_S and lower:
            self._learn(dt_s, at[1])
        if self.standing:
            self._stay(speed, at[1])
        elif self.above_m < NEAR_M:
            self._begin(self._still_s > STILL_S, at[1], high=False)
        else:
            self._begin(self._still_s > STILL_HIGH_S and lower, at[1], high=True)

    def forget(self) -> None:
        """Lets go of what is not seen, or was not for a while; keeps how high it stands on the floor."""
        self.standing = self.high = False
        self.above_m, self._mean = math.inf, None

    def _speed(self, dt_s: float, at: Vector) -> float:
        """Returns m/s, the mean over `SPEED_S`; that of the first instants is not known, and they do not count."""
        if self._mean is None:
            self._mean, self._still_s = at, -2 * SPEED_S
        kept = math.exp(-dt_s / SPEED_S)
        way = minus(at, self._mean)
        self._mean = plus(self._mean, scaled(way, 1 - kept))
        return length(way) * (1 - kept) / dt_s

    def _learn(self, dt_s: float, y: float) -> None:
        """Takes the height of a foot that is still for that of one that stands, if it may be."""
        if abs(y - self._usual_m) <= LEVEL_MOST_M:
            self._level_m += (y - self._level_m) * dt_s / (LEVEL_S + dt_s)

    def _begin(self, begins: bool, y: float, *, high: bool) -> None:
        if begins:
            self.standing, self.high, self._ground_m = True, high, y

    def _stay(self, speed: float, y: float) -> None:
        if self.high and self.above_m < NEAR_M:
            self.high = False  # what seemed a step is a floor that is somewhat off
        ground_m = self._ground_m if self.high else self._level_m
        self.standing = speed < FAST_M_S and y - ground_m < FAR_M
