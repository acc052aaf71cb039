"""All detections of one recorded camera, lifted frame by frame, from which clocks are compared.

Axes: C detections in order of time, J = 17 joints.
"""

from dataclasses import dataclass, replace

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

    def part(self, from_ns: float, to_ns: float = np.inf) -> "CameraTrack":
        """Returns the detections from one time, inclusive, to another one."""
        chosen = slice(*np.searchsorted(self.t_ns, (from_ns, to_ns)).tolist())
        return CameraTrack(*(getattr(self, name)[chosen] for name in CameraTrack.__slots__))

    def followed_by(self, later: "CameraTrack") -> "CameraTrack":
        """Returns this track and a later one of the same camera."""
        return CameraTrack(
            *(np.concatenate([getattr(self, name), getattr(later, name)]) for name in CameraTrack.__slots__)
        )

    def moved(self, before_ns: float, by_ns: int) -> "CameraTrack":
        """Returns the track with the detections before a time moved in time; those that would overlap are dropped."""
        split = int(np.searchsorted(self.t_ns, before_ns))
        early = replace(self.part(-np.inf, before_ns), t_ns=self.t_ns[:split] + by_ns)
        return (early.part(-np.inf, float(self.t_ns[split])) if split < len(self.t_ns) else early).followed_by(
            self.part(before_ns)
        )

    def near(self, t_ns: float, window_ns: float) -> slice:
        """Returns the detections at most ``window_ns`` away from a time."""
        return slice(*np.searchsorted(self.t_ns, (t_ns - window_ns, t_ns + window_ns)).tolist())

    @property
    def period_ns(self) -> float:
        """Median time between frames."""
        times = np.unique(self.t_ns)
        return float(np.median(np.diff(times))) if len(times) > 1 else 1e9
