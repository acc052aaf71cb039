"""Scores poses against a reference.

Axes: T instants, V views, J = 17 joints, L limb joints.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import UsageError
from pose_rig.skeleton import JOINTS, LIMBS, J, landmarks
from pose_rig.training.metrics import pmpjpe

Floats = NDArray[np.float64]

LIMB = list(LIMBS)
NEAR = 0.03  # a joint is detected if it is within this share of the person's height in that view


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a person really was, and the true cameras.

    Attributes:
        fps: Instants per second.
        joints: (T,J,3) m.
        xy_px: (V,T,J,2) where the cameras see them.
    """

    fps: float
    joints: Floats
    xy_px: Floats

    @classmethod
    def load(cls, path: Path) -> "Reference":
        """Returns the reference in an npz: ``ref3d_h36m17`` (T,17,3) m, ``fps``, and ``K dist R t`` of every camera.

        Raises:
            UsageError: The file has not got these.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                joints, fps = data["ref3d_h36m17"].astype(float), float(data["fps"])
                cameras = list(zip(data["K"], data["dist"], data["R"], data["t"], strict=True))
        except (OSError, KeyError, ValueError) as error:
            raise UsageError(f"{path} is no reference: {error}.", "benchmarks/README.md has the format.") from error
        points = np.nan_to_num(joints).reshape(-1, 1, 3)
        xy = [
            cv2.projectPoints(points, cv2.Rodrigues(R)[0], t, K, dist)[0].reshape(-1, J, 2) for K, dist, R, t in cameras
        ]
        return cls(fps, joints, np.where(np.isfinite(joints[..., :2]), np.stack(xy), np.nan))

    def at(self, t_ns: NDArray[np.int64]) -> tuple[NDArray[np.bool_], Floats, Floats]:
        """Returns which instants the reference covers, and of those (N,J,3) m and (V,N,J,2) px, interpolated."""
        place = t_ns * 1e-9 * self.fps
        last = len(self.joints) - 1
        covered = (place >= -0.25) & (place <= last + 0.25)
        place = place[covered].clip(0, last)
        before = np.minimum(place.astype(int), max(last - 1, 0))
        after = np.minimum(before + 1, last)
        share = (place - before)[:, None, None]
        joints = (1 - share) * self.joints[before] + share * self.joints[after]
        return covered, joints, (1 - share) * self.xy_px[:, before] + share * self.xy_px[:, after]


def pa_mpjpe_mm(poses: Floats, truth: Floats) -> Floats:
    """Returns (N,) the mean error of the 12 limb joints after a similarity, poses (N,J,3) in any frame and unit."""
    return pmpjpe(poses[:, LIMB], truth[:, LIMB]) * 1e3


def detected(xy_px: Floats, truth_px: Floats) -> NDArray[np.bool_]:
    """Returns (...,L) which limb joints of 2D poses (...,J,2) lie within `NEAR` of the truth; NaN does not."""
    height_px = np.nanmax(np.ptp(truth_px, axis=-2), axis=-1)[..., None]
    miss_px = np.linalg.norm(xy_px[..., LIMB, :] - truth_px[..., LIMB, :], axis=-1)
    return np.asarray(miss_px < NEAR * height_px)


@dataclass(frozen=True, slots=True)
class PosesScore:
    """How good a poses file is.

    Attributes:
        pa_mpjpe_mm: (N,) of the streamed poses and
        pa_mpjpe_raw_mm: (N,) of those before smoothing.
        settled: (N,) whether the rig was settled by then.
        jdr_detector, jdr_refined: (V,) percent of the limb joints found, all views.
    """

    pa_mpjpe_mm: Floats
    pa_mpjpe_raw_mm: Floats
    settled: NDArray[np.bool_]
    jdr_detector: Floats
    jdr_refined: Floats


def score_poses(path: Path, reference: Reference) -> PosesScore:
    """Returns the score of a poses file."""
    with np.load(path, allow_pickle=False) as poses:
        covered, truth, truth_px = reference.at(poses["t_ns"])
        order = [list(poses["joints"]).index(name) for name in JOINTS]
        xyz, raw = poses["xyz"][covered][:, order].astype(float), poses["xyz_raw"][covered][:, order].astype(float)
        xy, _ = landmarks(",".join(poses["landmarks"])).to_joints(poses["xy"][covered], poses["xy_score"][covered])
        refined, mode = poses["xy_refined"][covered].astype(float), poses["mode"][covered]
    known = np.isfinite(xyz).all((1, 2)) & np.isfinite(truth).all((1, 2))
    return PosesScore(
        pa_mpjpe_mm(xyz[known], truth[known]),
        pa_mpjpe_mm(raw[known], truth[known]),
        mode[known] != "cold",
        100 * detected(xy.swapaxes(0, 1)[:, known], truth_px[:, known]).mean((1, 2)),
        100 * detected(refined.swapaxes(0, 1)[:, known], truth_px[:, known]).mean((1, 2)),
    )
