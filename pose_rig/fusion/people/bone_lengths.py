"""The segment lengths of one person in a solved rig, as triangulated.

Axes: V views, P points (`segments.POINTS`), S segments, L segment lengths.
"""

from collections import deque

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.segments import LENGTH_INDEX, LENGTH_PER_HEIGHT, SEGMENTS, L
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.keyframes import KEYFRAME_INTERVAL_NS
from pose_rig.fusion.calibration.triangulate import Rays, triangulate
from pose_rig.fusion.pose.solved_pose import SolvedPose

MIN_SAMPLES, MAX_SAMPLES = 12, 120
MAX_RATIO = 0.2  # by which a segment is taken to deviate from that of an average body of the same height
MIN_WEIGHT = 0.5  # robust weight of a detection that is used
_OF_SEGMENT = (SEGMENTS != 0).astype(float)  # (S,P)


class BoneLengths:
    """Measures them."""

    def __init__(self) -> None:
        self._samples: deque[Floats] = deque(maxlen=MAX_SAMPLES)  # (S,) m, NaN where a segment is not visible
        self._seen: list[tuple[Floats, Floats, Floats]] = []  # rays of later samples, not triangulated yet
        self._cameras: Calibration | None = None  # of these
        self._count, self._next_at, self._last_ns = 0, MIN_SAMPLES, 0
        self._length_m: Floats | None = None

    @property
    def length_m(self) -> Floats | None:
        """(L,) m, None until there are enough samples."""
        return self._length_m

    def add(self, t_ns: int, pose: SolvedPose, cameras: Calibration) -> None:
        """Adds a time step, at most 15 times a second.

        Those in the same cameras are triangulated together, when they are needed.
        """
        if 0 <= t_ns - self._last_ns < KEYFRAME_INTERVAL_NS:
            return
        used = pose.visible * (pose.agreement > MIN_WEIGHT)[:, None] * cameras.known[:, None]
        complete = _OF_SEGMENT @ (used.sum(0) < 2) == 0
        if not complete.any():
            return
        self._last_ns = t_ns
        if self._cameras is None or cameras.rotation is not self._cameras.rotation:
            self._triangulate()
        self._cameras = cameras
        self._seen.append((pose.ideal_xy, np.where(pose.sd > 0, pose.sd, 1.0)[:, None], used))
        self._count += 1
        if self._count >= self._next_at:
            self._next_at = min(2 * self._next_at, self._next_at + MAX_SAMPLES)
            self._triangulate()
            self._length_m = _lengths(np.array(self._samples))

    def _triangulate(self) -> None:
        if not self._seen or self._cameras is None:
            return
        ideal_xy, sd, used = (np.stack(column) for column in zip(*self._seen, strict=True))
        points = triangulate(Rays(ideal_xy, sd, used), self._cameras).points
        complete = (used.sum(1) < 2) @ _OF_SEGMENT.T == 0
        self._samples += list(np.where(complete, np.linalg.norm(SEGMENTS @ points, axis=-1), np.nan))
        self._seen = []


def _lengths(samples: Floats) -> Floats | None:
    """Returns (L,) lengths from segments (N,S), those never visible as of an average body; None if most are."""
    seen = np.isfinite(samples).sum(0) >= MIN_SAMPLES // 2
    if seen.sum() < len(seen) // 2:
        return None
    segment = np.array([np.nanmedian(column) if ok else np.nan for column, ok in zip(samples.T, seen, strict=True)])
    measured = np.array([_mean(segment[i == LENGTH_INDEX]) for i in range(L)])
    average = LENGTH_PER_HEIGHT * float(np.nanmedian(measured / LENGTH_PER_HEIGHT))
    length = np.where(np.isfinite(measured), measured, average)
    return np.asarray(average * np.clip(length / average, 1 - MAX_RATIO, 1 + MAX_RATIO))


def _mean(values: Floats) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")
