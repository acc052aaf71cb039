"""Prediction of joints by N milliseconds, to compensate for latency.

Each joint is extrapolated along a straight line fitted to its recent positions. The window of the fit is as long as the
prediction, but at least `MIN_WINDOW_S`: jitter then increases by about the same factor for any lead.

Axes: J joints.
"""

from collections import deque

import numpy as np

from pose_rig.arrays import Floats

MIN_WINDOW_S = 0.08  # five poses at 60 Hz
MAX_LEAD_MS = 150.0  # beyond that motion is not predictable
MAX_SPEED_M_S = 12.0  # faster than any hand; higher speeds come from a change of the rig
_NS = 1e-9


class PosePredictor:
    """Extrapolates joints."""

    def __init__(self) -> None:
        self._past: deque[tuple[int, Floats]] = deque()

    def add(self, t_ns: int, xyz: Floats, *, restart: bool) -> None:
        """Adds joints (J,3) m.

        Args:
            t_ns: Timestamp; one that is not later than the last starts over.
            xyz: Positions.
            restart: Whether earlier positions are in another frame, for instance after a change of the rig.
        """
        if restart or (self._past and (t_ns <= self._past[-1][0] or xyz.shape != self._past[-1][1].shape)):
            self._past.clear()
        self._past.append((t_ns, xyz))
        horizon_ns = max(MIN_WINDOW_S, MAX_LEAD_MS * 1e-3) / _NS
        while t_ns - self._past[0][0] > horizon_ns:
            self._past.popleft()

    def predict(self, lead_s: float) -> Floats:
        """Returns (J,3) m the joints ``lead_s`` after the last timestamp; the last ones without enough positions."""
        t_ns, xyz = self._past[-1]
        window_s = max(lead_s, MIN_WINDOW_S)
        recent = [(t, positions) for t, positions in self._past if (t_ns - t) * _NS <= window_s + 1e-6]
        if lead_s <= 0.0 or len(recent) < 3:
            return xyz
        offset_s = np.array([(t - t_ns) * _NS for t, _ in recent])
        weight = offset_s - offset_s.mean()
        velocity = np.tensordot(weight / (weight**2).sum(), np.stack([positions for _, positions in recent]), 1)
        speed = np.linalg.norm(velocity, axis=-1, keepdims=True)
        return np.asarray(xyz + lead_s * velocity * np.minimum(1.0, MAX_SPEED_M_S / np.maximum(speed, 1e-9)))
