"""Finding the place of one camera from poses that the others give: after a bump, or when it joins late.

Axes: P points.
"""

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats

EVERY_NS = 66_000_000
KEPT = 45  # instants, three seconds
AT_EVERY = 15  # instants: the camera is placed anew after each of the three seconds
ENOUGH = 60  # points
INSIDE = 0.5  # share of the points that must fit
REACH = 3.0  # standard deviations


class Resection:
    """Collects what one camera saw of known points."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, Floats, Floats, float]] = deque(maxlen=KEPT)
        self._count = 0

    @property
    def complete(self) -> bool:
        """Whether enough has been seen to leave the rest to the solving of the whole rig."""
        return len(self._seen) == KEPT

    def add(self, t_ns: int, points: Floats, ideal_xy: Floats, sd: float) -> tuple[Floats, Floats] | None:
        """Takes in points (P,3) m that were seen at ideal coordinates (P,2); looks at a few instants per second.

        Returns:
            Now and then the camera's rotation (3,3) camera_from_rig and translation (3,), if it can be told.
        """
        if self._seen and t_ns - self._seen[-1][0] < EVERY_NS:
            return None
        self._seen.append((t_ns, points, ideal_xy, sd))
        self._count += 1
        return self._place() if self._count % AT_EVERY == 0 else None

    def _place(self) -> tuple[Floats, Floats] | None:
        points = np.concatenate([points for _, points, _, _ in self._seen])
        ideal_xy = np.concatenate([ideal_xy for _, _, ideal_xy, _ in self._seen])
        sd = float(np.median([sd for *_, sd in self._seen]))
        return resect(points, ideal_xy, sd)


def resect(points: Floats, ideal_xy: Floats, sd: float) -> tuple[Floats, Floats] | None:
    """Returns where a camera stands that sees points (N,3) at ideal coordinates (N,2), None if most do not fit."""
    consensus = _consensus(points, ideal_xy, sd)
    if consensus is None or len(consensus[2]) < INSIDE * len(points):
        return None
    rough, far, used = consensus
    turn, step = cv2.solvePnPRefineLM(points[used], ideal_xy[used], np.eye(3), None, rough, far)
    return np.asarray(cv2.Rodrigues(turn)[0], np.float64), np.asarray(step, np.float64)[:, 0]


def inlier_share(points: Floats, ideal_xy: Floats, sd: float) -> float:
    """Returns the share of points (N,3) that some camera sees at ideal coordinates (N,2)."""
    consensus = _consensus(points, ideal_xy, sd)
    return 0.0 if consensus is None else len(consensus[2]) / len(points)


def _consensus(points: Floats, ideal_xy: Floats, sd: float) -> tuple[Floats, Floats, NDArray[np.int64]] | None:
    """Returns rotation vector and translation (3,1) that most points fit, and which do; None if there are too few."""
    if len(points) < ENOUGH:
        return None
    cv2.setRNGSeed(0)
    found, turn, step, inside = cv2.solvePnPRansac(
        points, ideal_xy, np.eye(3), None, iterationsCount=200, reprojectionError=REACH * sd, flags=cv2.SOLVEPNP_SQPNP
    )
    if not found or inside is None:
        return None
    return np.asarray(turn, np.float64), np.asarray(step, np.float64), np.asarray(inside, np.int64).ravel()
