"""The One-Euro filter (Casiez, Roussel and Vogel, CHI 2012): smooth at rest, quick in motion."""

import numpy as np

from pose_rig.arrays import Floats

SPEED_CUTOFF_HZ = 1.0  # the authors' value for the derivative
USUAL_SD_M = 0.02  # of a joint that two or three cameras see well
SHARES = (0.25, 3.0)  # of the cut-off, for points that nobody sees well, and that all do
RESTART_S = 0.5  # after a longer gap the past says nothing


class OneEuro:
    """Filters a set of points over real, uneven time.

    Args:
        min_cutoff_hz: Cut-off at rest; lower = smoother and later.
        beta: How fast the cut-off opens with speed, Hz per m/s.
    """

    def __init__(self, min_cutoff_hz: float, beta: float) -> None:
        self._min_cutoff_hz, self._beta = min_cutoff_hz, beta
        self._value: Floats | None = None
        self._speed: Floats | None = None
        self._t_ns = 0

    def __call__(self, t_ns: int, value: Floats, sd_m: Floats | None = None) -> Floats:
        """Returns the filtered points at an instant; instants must increase, else the filter starts anew.

        Args:
            t_ns: The instant.
            value: (N,3) m.
            sd_m: (N,) how sure each point is: what is less sure is smoothed more. None = all are usual.
        """
        dt = (t_ns - self._t_ns) * 1e-9
        self._t_ns = t_ns
        if self._value is None or self._speed is None or not 0 < dt <= RESTART_S or value.shape != self._value.shape:
            self._value, self._speed = value.copy(), np.zeros_like(value)
            return value.copy()
        share = _share(SPEED_CUTOFF_HZ, dt)
        self._speed = self._speed + share * ((value - self._value) / dt - self._speed)
        cutoff = self._min_cutoff_hz + self._beta * np.linalg.norm(self._speed, axis=-1, keepdims=True)
        if sd_m is not None:
            cutoff = cutoff * np.clip(USUAL_SD_M / np.maximum(sd_m, 1e-6), *SHARES)[:, None]
        self._value = self._value + _share(cutoff, dt) * (value - self._value)
        return self._value.copy()


def _share(cutoff_hz: float | Floats, dt: float) -> Floats:
    """Returns the weight of the new value in a first-order low pass."""
    return np.asarray(1 / (1 + 1 / (2 * np.pi * cutoff_hz * dt)))
