"""The One-Euro filter (Casiez, Roussel and Vogel, CHI 2012): low jitter at rest, low latency in motion."""

import numpy as np

from pose_rig.arrays import Floats

SPEED_CUTOFF_HZ = 1.0  # the authors' value for the derivative
USUAL_SD_M = 0.02  # of a joint visible in two or three views
CUTOFF_FACTORS = (0.25, 3.0)  # for the least and the most accurate points
MAX_GAP_S = 0.5  # after a longer gap the filter restarts


class OneEuro:
    """Filters a set of points at irregular times.

    Args:
        min_cutoff_hz: Cut-off frequency at rest; a lower one has less jitter and more latency.
        beta: Increase of the cut-off frequency with speed, Hz per m/s.
    """

    def __init__(self, min_cutoff_hz: float, beta: float) -> None:
        self._min_cutoff_hz, self._beta = min_cutoff_hz, beta
        self._value: Floats | None = None
        self._speed: Floats | None = None
        self._t_ns = 0

    def __call__(self, t_ns: int, value: Floats, sd_m: Floats | None = None) -> Floats:
        """Returns the filtered points; if the time does not increase, the filter restarts.

        Args:
            t_ns: Time.
            value: (N,3) m.
            sd_m: (N,) standard deviation of each point; less accurate points are smoothed more. None = the usual one.
        """
        dt = (t_ns - self._t_ns) * 1e-9
        self._t_ns = t_ns
        if self._value is None or self._speed is None or not 0 < dt <= MAX_GAP_S or value.shape != self._value.shape:
            self._value, self._speed = value.copy(), np.zeros_like(value)
            return value.copy()
        self._speed = self._speed + _alpha(SPEED_CUTOFF_HZ, dt) * ((value - self._value) / dt - self._speed)
        cutoff = self._min_cutoff_hz + self._beta * np.linalg.norm(self._speed, axis=-1, keepdims=True)
        if sd_m is not None:
            cutoff = cutoff * np.clip(USUAL_SD_M / np.maximum(sd_m, 1e-6), *CUTOFF_FACTORS)[:, None]
        self._value = self._value + _alpha(cutoff, dt) * (value - self._value)
        return self._value.copy()


def _alpha(cutoff_hz: float | Floats, dt: float) -> Floats:
    """Returns the weight of the new value in a first-order low pass."""
    return np.asarray(1 / (1 + 1 / (2 * np.pi * cutoff_hz * dt)))
