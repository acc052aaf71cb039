"""The true 3D pose of a person, and the errors of 3D and 2D poses.

Axes: T time steps, V views, J = 17 joints, L limb joints.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.calibrated import cameras_of, triangulate
from pose_rig.arrays import Floats
from pose_rig.errors import UsageError
from pose_rig.skeleton import LIMBS, J

LIMB = list(LIMBS)
MAX_DETECTION_ERROR = 0.03  # of a detected joint, as a fraction of the person's height in that view


@dataclass(frozen=True, slots=True)
class Reference:
    """The true pose of a person, and the true cameras.

    Attributes:
        fps: Time steps per second.
        joints: (T,J,3) m.
        xy_px: (V,T,J,2) projected joints.
        intrinsics: (V,3,3) px.
        distortion: (V,5) as in OpenCV.
        cameras: (V,3,4) camera_from_reference.
    """

    fps: float
    joints: Floats
    xy_px: Floats
    intrinsics: Floats
    distortion: Floats
    cameras: Floats

    @classmethod
    def load(cls, path: Path) -> "Reference":
        """Returns the reference in an npz: ``ref3d_h36m17`` (T,17,3) m, ``fps``, and ``K dist R t`` of every camera.

        Raises:
            UsageError: An array is missing or invalid.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                joints, fps = data["ref3d_h36m17"].astype(float), float(data["fps"])
                K, dist, R, t = (data[key].astype(float) for key in ("K", "dist", "R", "t"))
                views = list(zip(K, dist, R, t, strict=True))
        except (OSError, KeyError, ValueError) as error:
            raise UsageError(f"{path} is not a reference: {error}.", "benchmarks/README.md has the format.") from error
        points = np.nan_to_num(joints).reshape(-1, 1, 3)
        xy = [
            cv2.projectPoints(points, cv2.Rodrigues(R)[0], t, K, dist)[0].reshape(-1, J, 2) for K, dist, R, t in views
        ]
        xy_px = np.where(np.isfinite(joints[..., :2]), np.stack(xy), np.nan)
        return cls(fps, joints, xy_px, K, dist, cameras_of(R, t))

    def at(
        self, t_ns: NDArray[np.int64], frames: tuple[int, int] | None = None
    ) -> tuple[NDArray[np.bool_], Floats, Floats]:
        """Returns (T,) which times the reference covers, and for those (N,J,3) m and (V,N,J,2) px, interpolated.

        Args:
            t_ns: (T,).
            frames: First frame of the reference to use, and the first one after the last; None = all.
        """
        first, end = frames or (0, len(self.joints))
        position = t_ns * 1e-9 * self.fps
        last = len(self.joints) - 1
        covered = (position >= first - 0.25) & (position <= end - 1 + 0.25)
        position = position[covered].clip(0, last)
        before = np.minimum(position.astype(int), max(last - 1, 0))
        after = np.minimum(before + 1, last)
        weight = (position - before)[:, None, None]
        joints = (1 - weight) * self.joints[before] + weight * self.joints[after]
        return covered, joints, (1 - weight) * self.xy_px[:, before] + weight * self.xy_px[:, after]

    def triangulated(self, xy_px: Floats, score: Floats) -> Floats:
        """Returns (N,L,3) m detections triangulated with the true cameras.

        Args:
            xy_px: (V,N,L,2).
            score: (V,N,L) 0 = not visible.
        """
        views = zip(xy_px, self.intrinsics, self.distortion, strict=True)
        ideal_xy = [cv2.undistortPoints(xy.reshape(-1, 1, 2), K, dist).reshape(xy.shape) for xy, K, dist in views]
        return triangulate(self.cameras, np.where(score[..., None] > 0, np.stack(ideal_xy), np.nan), score)


def detected(xy_px: Floats, truth_px: Floats) -> NDArray[np.bool_]:
    """Returns (...,L) which limb joints of 2D poses (...,J,2) are within `MAX_DETECTION_ERROR` of the truth."""
    height_px = np.nanmax(np.ptp(truth_px, axis=-2), axis=-1)[..., None]
    error_px = np.linalg.norm(xy_px[..., LIMB, :] - truth_px[..., LIMB, :], axis=-1)
    return np.asarray(error_px < MAX_DETECTION_ERROR * height_px)
