"""Resection: the pose of one camera from known 3D points, after it was moved or when it joins late.

Axes: P points.
"""

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.keyframes import KEYFRAME_INTERVAL_NS
from pose_rig.geometry import MIN_DEPTH_M

MAX_SAMPLES = 90  # six seconds
RESECTION_STRIDE = 15  # samples: the pose is estimated after each of the six seconds
LATEST_SAMPLES = 5  # a third of a second
MIN_POINTS = 60
MIN_INLIER_SHARE = 0.5
INLIER_THRESHOLD_SD = 3.0
SOLVER = cv2.SOLVEPNP_SQPNP


class Resection:
    """Collects 2D–3D correspondences of one camera."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, Floats, Floats, float, float]] = deque(maxlen=MAX_SAMPLES)
        self._count = 0

    @property
    def complete(self) -> bool:
        """Whether there are enough samples; bundle adjustment of the whole rig does the rest."""
        return len(self._samples) == MAX_SAMPLES

    def add(
        self, t_ns: int, points: Floats, ideal_xy: Floats, sd: float, points_sd: float = 0.0
    ) -> tuple[Floats, Floats] | None:
        """Adds points of a person, at most 15 times a second.

        Args:
            t_ns: Time.
            points: (P,3) m.
            ideal_xy: (P,2) their ideal coordinates.
            sd: Standard deviation of the coordinates.
            points_sd: That of the points, as they appear in the image.

        Returns:
            Once a second the rotation (3,3) camera_from_rig and translation (3,), if resection succeeds.
        """
        if self._samples and t_ns - self._samples[-1][0] < KEYFRAME_INTERVAL_NS:
            return None
        self._samples.append((t_ns, points, ideal_xy, sd, points_sd))
        self._count += 1
        return self._pose() if self._count % RESECTION_STRIDE == 0 else None

    def latest_inlier_share(self, rotation: Floats, translation: Floats) -> float:
        """Returns the share of the latest points that are inliers of a camera pose: (3,3) camera_from_rig, (3,) m."""
        latest = list(self._samples)[-LATEST_SAMPLES:]
        inlier = []
        for _, points, ideal_xy, sd, _ in latest:
            local = points @ rotation.T + translation
            error = np.linalg.norm(local[:, :2] / np.maximum(local[:, 2:], MIN_DEPTH_M) - ideal_xy, axis=-1)
            inlier.append(error < INLIER_THRESHOLD_SD * sd)
        return float(np.concatenate(inlier).mean()) if inlier else 0.0

    def _pose(self) -> tuple[Floats, Floats] | None:
        points = np.concatenate([points for _, points, *_ in self._samples])
        ideal_xy = np.concatenate([ideal_xy for _, _, ideal_xy, *_ in self._samples])
        sd = float(np.median([np.hypot(sd, points_sd) for *_, sd, points_sd in self._samples]))
        return resect(points, ideal_xy, sd)


def resect(points: Floats, ideal_xy: Floats, sd: float) -> tuple[Floats, Floats] | None:
    """Returns rotation and translation of a camera from points (N,3) at ideal coordinates (N,2).

    None without enough points, or if most are outliers.
    """
    consensus = _ransac(points, ideal_xy, sd)
    if consensus is None or len(consensus[2]) < MIN_INLIER_SHARE * len(points):
        return None
    rotation, translation, inlier = consensus
    rvec, tvec = cv2.solvePnPRefineLM(points[inlier], ideal_xy[inlier], np.eye(3), None, rotation, translation)
    return np.asarray(cv2.Rodrigues(rvec)[0], np.float64), np.asarray(tvec, np.float64)[:, 0]


def inlier_share(points: Floats, ideal_xy: Floats, sd: float) -> float:
    """Returns the share of points (N,3) that are inliers of the best camera pose, given ideal coordinates (N,2)."""
    consensus = _ransac(points, ideal_xy, sd)
    return 0.0 if consensus is None else len(consensus[2]) / len(points)


def _ransac(points: Floats, ideal_xy: Floats, sd: float) -> tuple[Floats, Floats, NDArray[np.int64]] | None:
    """Returns rotation vector and translation (3,1) with most inliers, and their indices; None with too few points."""
    if len(points) < MIN_POINTS:
        return None
    cv2.setRNGSeed(0)
    threshold = INLIER_THRESHOLD_SD * sd
    try:
        found, rvec, tvec, inside = cv2.solvePnPRansac(
            points, ideal_xy, np.eye(3), None, iterationsCount=200, reprojectionError=threshold, flags=SOLVER
        )
    except cv2.error:  # raised where a sample of RANSAC lies within some 3 mrad of the image
        return None
    if not found or inside is None:
        return None
    return np.asarray(rvec, np.float64), np.asarray(tvec, np.float64), np.asarray(inside, np.int64).ravel()
