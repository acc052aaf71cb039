"""All detections of one recorded camera, lifted frame by frame, from which clocks are compared.

Axes: C detections in order of time, J = 17 joints.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.skeleton import J


@dataclass(frozen=True, slots=True)
class CameraTrack:
    """The detections of one camera.

    Attributes:
        t_ns: (C,) timestamps, clock of the camera; equal for all people of a frame.
        xy_px: (C,J,2), score: (C,J) 0–1, 0 = not visible.
        lifted: (C,J,3) each lifted by itself, root-relative, and upright: (C,3) the vertical; in one frame of axes.
    """

    t_ns: NDArray[np.int64]
    xy_px: Floats
    score: Floats
    lifted: Floats
    upright: Floats

    @classmethod
    def empty(cls) -> "CameraTrack":
        """Returns a track without detections."""
        return cls(np.zeros(0, np.int64), np.zeros((0, J, 2)), np.zeros((0, J)), np.zeros((0, J, 3)), np.zeros((0, 3)))

    @property
    def size_px(self) -> Floats:
        """(C,) extent of each person in the image."""
        visible = self.score[..., None] > 0
        high, low = np.where(visible, self.xy_px, -np.inf).max(1), np.where(visible, self.xy_px, np.inf).min(1)
        return np.asarray(np.maximum((high - low).max(-1), 1.0))

    def near(self, t_ns: float, window_ns: float) -> slice:
        """Returns the detections at most ``window_ns`` away from a time."""
        return slice(*np.searchsorted(self.t_ns, (t_ns - window_ns, t_ns + window_ns)).tolist())

    @property
    def period_ns(self) -> float:
        """Median time between frames."""
        times = np.unique(self.t_ns)
        return float(np.median(np.diff(times))) if len(times) > 1 else 1e9
