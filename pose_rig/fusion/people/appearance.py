"""What one person looks like in each camera: the mean of many descriptors, and how far they spread.

Cameras show the same colours differently, so that two people are compared within the same cameras if there are any that
have shown both, else by the mean of all cameras, which is less exact.

Axes: V views, H = 2 halves of a descriptor (trunk, legs), B numbers of each.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.keyframes import KEYFRAME_INTERVAL_NS

MIN_SAMPLES, MAX_SAMPLES = 4, 200  # of a camera, before its mean is used, and that a mean remembers: 20 s
MIN_TOTAL = 0.5  # of the shares of a half that is visible; 1, rounded
OUTLIER = 0.3  # distance from the mean at which a descriptor counts half, as where another person is in front
ROBUST_AFTER = 16  # samples; the first ones may be the outliers
SPREADS = 2.0  # within which the mean of another time is taken to be of the same person, but
# simulated clothes, light and cameras: 97 % of those who return are within 0.25, and 1 % of all others
MIN_LIMIT, MAX_LIMIT = 0.2, 0.27
LIMIT_BETWEEN_CAMERAS = 0.4  # 95 % of those who return, 14 % of all others
H = 2


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two people look.

    Attributes:
        distance: 0 = the same colours, 1 = none in common (Hellinger distance, mean over cameras and halves).
        limit: Up to which it may be the same person.
    """

    distance: float
    limit: float

    @property
    def ratio(self) -> float:
        """The distance as a share of the limit."""
        return self.distance / self.limit


class Appearance:
    """The appearance of one person.

    Args:
        views: V.
    """

    def __init__(self, views: int) -> None:
        self._mean = np.zeros((views, H, 0))
        self._square = np.zeros((views, H))  # mean squared distance from the mean
        self._count = np.zeros((views, H), int)
        self._last_ns = np.full(views, -KEYFRAME_INTERVAL_NS)

    @property
    def known(self) -> NDArray[np.bool_]:
        """(V,H) which halves are known in which views."""
        return np.asarray(self._count >= MIN_SAMPLES)

    def add(self, t_ns: int, view: NDArray[np.int64], descriptor: Floats) -> None:
        """Adds what some views show.

        Args:
            t_ns: Time.
            view: (N,) the views.
            descriptor: (N,2·B) as in `pose_rig.wire.messages.Keypoints2D`, 0 where unknown.
        """
        if not descriptor.any() or descriptor.shape[1] % H:
            return
        size = descriptor.shape[1] // H
        if self._mean.shape[2] != size:  # the first ones, or those of another version
            self._mean = np.zeros((len(self._mean), H, size))
            self._count[:] = 0
        for one, halves in zip(view.tolist(), descriptor.reshape(-1, H, size), strict=True):
            if not 0 <= t_ns - self._last_ns[one] < KEYFRAME_INTERVAL_NS and halves.any():
                self._last_ns[one] = t_ns
                self._add(one, halves)

    def _add(self, view: int, halves: Floats) -> None:
        for half, shares in enumerate(halves):
            if (total := float(shares.sum())) < MIN_TOTAL:
                continue
            shares = shares / total
            mean, count = self._mean[view, half], int(self._count[view, half])
            square = float(hellinger(shares, mean)) ** 2 if count else 0.0
            part = 1 / min(count + 1, MAX_SAMPLES)
            weight = 1.0 if count < ROBUST_AFTER else 1 / (1 + square / OUTLIER**2)
            self._mean[view, half] += weight * part * (shares - mean)
            self._square[view, half] += part * (min(square, OUTLIER**2) - self._square[view, half])
            self._count[view, half] += 1

    def likeness(self, other: "Appearance") -> Likeness | None:
        """Returns how alike this person, known for a while, and another one look; None if that is unknown."""
        if self._mean.shape != other._mean.shape:
            return None
        both = self.known & other.known
        if both.any():
            distance = float(hellinger(self._mean, other._mean)[both].mean())
            spread = float(np.sqrt(self._square[both].mean()))
            return Likeness(distance, float(np.clip(SPREADS * spread, MIN_LIMIT, MAX_LIMIT)))
        anywhere = np.asarray(self.known.any(0) & other.known.any(0))
        if not anywhere.any():
            return None
        distance = float(hellinger(self._over_views(), other._over_views())[anywhere].mean())
        return Likeness(distance, LIMIT_BETWEEN_CAMERAS)

    def _over_views(self) -> Floats:
        """Returns (H,B) the mean over views, 0 where it is unknown."""
        count = np.maximum(self.known.sum(0), 1)
        return np.asarray((self._mean * self.known[..., None]).sum(0) / count[:, None])


def hellinger(a: Floats, b: Floats) -> Floats:
    """Returns (...) the distance of shares (...,B) with the sum 1: 0 = equal, 1 = nothing in common."""
    return np.asarray(np.sqrt(np.maximum(1 - np.sqrt(a * b).sum(-1), 0.0)))
