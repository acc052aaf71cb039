"""Where a person really was, and how far 3D and 2D poses are from that.

Axes: T instants, V views, J = 17 joints, L limb joints.
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
from pose_rig.training.evaluation.metrics import pmpjpe

LIMB = list(LIMBS)
NEAR = 0.03  # a joint is detected if it is within this share of the person's height in that view


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a person really was, and the true cameras.

    Attributes:
        fps: Instants per second.
        joints: (T,J,3) m.
        xy_px: (V,T,J,2) where the cameras see them.
        intrinsics: (V,3,3) px.
        distortion: (V,5) as OpenCV has it.
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
            UsageError: The file has not got these.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                joints, fps = data["ref3d_h36m17"].astype(float), float(data["fps"])
                K, dist, R, t = (data[key].astype(float) for key in ("K", "dist", "R", "t"))
                views = list(zip(K, dist, R, t, strict=True))
        except (OSError, KeyError, ValueError) as error:
            raise UsageError(f"{path} is no reference: {error}.", "benchmarks/README.md has the format.") from error
        points = np.nan_to_num(joints).reshape(-1, 1, 3)
        xy = [
            cv2.projectPoints(points, cv2.Rodrigues(R)[0], t, K, dist)[0].reshape(-1, J, 2) for K, dist, R, t in views
        ]
        xy_px = np.where(np.isfinite(joints[..., :2]), np.stack(xy), np.nan)
        return cls(fps, joints, xy_px, K, dist, cameras_of(R, t))

    def at(
        self, t_ns: NDArray[np.int64], frames: tuple[int, int] | None = None
    ) -> tuple[NDArray[np.bool_], Floats, Floats]:
        """Returns which instants the reference covers, and of those (N,J,3) m and (V,N,J,2) px, interpolated.

        Args:
            t_ns: (T,) the instants.
            frames: The first instant of the reference that counts, and the first after it that does not; None = all.
        """
        first, end = frames or (0, len(self.joints))
        place = t_ns * 1e-9 * self.fps
        last = len(self.joints) - 1
        covered = (place >= first - 0.25) & (place <= end - 1 + 0.25)
        place = place[covered].clip(0, last)
        before = np.minimum(place.astype(int), max(last - 1, 0))
        after = np.minimum(before + 1, last)
        share = (place - before)[:, None, None]
        joints = (1 - share) * self.joints[before] + share * self.joints[after]
        return covered, joints, (1 - share) * self.xy_px[:, before] + share * self.xy_px[:, after]

    def triangulated(self, xy_px: Floats, score: Floats) -> Floats:
        """Returns (N,L,3) m what the true cameras make of detections.

        Args:
            xy_px: (V,N,L,2).
            score: (V,N,L) 0 = not seen.
        """
        views = zip(xy_px, self.intrinsics, self.distortion, strict=True)
        flat = [cv2.undistortPoints(xy.reshape(-1, 1, 2), K, dist).reshape(xy.shape) for xy, K, dist in views]
        return triangulate(self.cameras, np.where(score[..., None] > 0, np.stack(flat), np.nan), score)


def pa_mpjpe_mm(poses: Floats, truth: Floats) -> Floats:
    """Returns (N,) the mean error of the 12 limb joints after a similarity, poses (N,J,3) in any frame and unit."""
    return pmpjpe(poses[:, LIMB], truth[:, LIMB]) * 1e3


def detected(xy_px: Floats, truth_px: Floats) -> NDArray[np.bool_]:
    """Returns (...,L) which limb joints of 2D poses (...,J,2) lie within `NEAR` of the truth; NaN does not."""
    height_px = np.nanmax(np.ptp(truth_px, axis=-2), axis=-1)[..., None]
    miss_px = np.linalg.norm(xy_px[..., LIMB, :] - truth_px[..., LIMB, :], axis=-1)
    return np.asarray(miss_px < NEAR * height_px)
