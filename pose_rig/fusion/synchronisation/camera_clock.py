"""The clock of one camera."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CameraClock:
    """A linear clock: rig time = camera time · rate + offset; the default is the clock of the rig.

    Attributes:
        offset_ns: Rig time of camera time 0.
        rate: Rig seconds per camera second. At exactly 1 times are shifted in whole nanoseconds, without rounding.
    """

    offset_ns: int = 0
    rate: float = 1.0

    def rig_ns(self, t_ns: int) -> int:
        """Returns the rig time of a camera time."""
        return t_ns + self.offset_ns + round(t_ns * (self.rate - 1.0))

    def camera_ns(self, rig_ns: float) -> float:
        """Returns the camera time of a rig time."""
        return (rig_ns - self.offset_ns) / self.rate


RIG_CLOCK = CameraClock()
