"""Looking ahead: where joints will be when the picture of them has become a picture of an avatar.

A straight line is laid through where each joint has been of late, and followed. It is as long as the way to look
ahead, and never shorter than `SHORTEST_S`: noise then grows by about the same factor however far one looks.

Axes: J joints.
"""

from collections import deque

import numpy as np

from pose_rig.arrays import Floats

SHORTEST_S = 0.08  # five poses at 60 Hz
MOST_MS = 150.0  # further ahead people do something else
FASTEST_M_S = 12.0  # no hand is faster; what is came from a change of the rig
_NS = 1e-9


class Lead:
    """Extrapolates joints."""

    def __init__(self) -> None:
        self._past: deque[tuple[int, Floats]] = deque()

    def take(self, t_ns: int, xyz: Floats, *, anew: bool) -> None:
        """Notes where joints (J,3) m are.

        Args:
            t_ns: When; what is not later than the last is another beginning.
            xyz: Where.
            anew: Whether what was before says nothing about them: the rig has another frame now.
        """
        if anew or (self._past and (t_ns <= self._past[-1][0] or xyz.shape != self._past[-1][1].shape)):
            self._past.clear()
        self._past.append((t_ns, xyz))
        horizon_ns = max(SHORTEST_S, MOST_MS * 1e-3) / _NS
        while t_ns - self._past[0][0] > horizon_ns:
            self._past.popleft()

    def ahead(self, lead_s: float) -> Floats:
        """Returns (J,3) m where joints will be; where they are if that is all that is known."""
        t_ns, xyz = self._past[-1]
        window_s = max(lead_s, SHORTEST_S)
        seen = [(t, place) for t, place in self._past if (t_ns - t) * _NS <= window_s + 1e-6]
        if lead_s <= 0.0 or len(seen) < 3:
            return xyz
        back_s = np.array([(t - t_ns) * _NS for t, _ in seen])
        weight = back_s - back_s.mean()
        speed = np.tensordot(weight / (weight**2).sum(), np.stack([place for _, place in seen]), 1)
        size = np.linalg.norm(speed, axis=-1, keepdims=True)
        return np.asarray(xyz + lead_s * speed * np.minimum(1.0, FASTEST_M_S / np.maximum(size, 1e-9)))
