"""Conversion of benchmark files: joint orders, units and missing values.

Axes: N rows, K joints of the file, J = 17 joints, C coordinates.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pose_rig.capture.keypoints import in_pixels
from pose_rig.config import FOCAL_PER_LARGER_SIDE
from pose_rig.errors import UsageError
from pose_rig.skeleton import INDEX, JOINTS, J
from pose_rig.training.datasets.protocol import Protocol
from pose_rig.training.footage.footage import Footage, GroundTruth, Single

# Human3.6M: 17 of the 32 joints in its files.
HUMAN36M_32 = {
    "pelvis": 0, "r_hip": 1, "r_knee": 2, "r_ankle": 3, "l_hip": 6, "l_knee": 7, "l_ankle": 8, "spine": 12,
    "thorax": 13, "nose": 14, "head": 15, "l_shoulder": 17, "l_elbow": 18, "l_wrist": 19, "r_shoulder": 25,
    "r_elbow": 26, "r_wrist": 27,
}  # fmt: skip
# Training files of MPI-INF-3DHP, 28 joints: our thorax is its `neck`, our nose its `head`.
MPI_INF_3DHP_28 = {
    "spine": 3, "pelvis": 4, "thorax": 5, "nose": 6, "head": 7, "l_shoulder": 9, "l_elbow": 10, "l_wrist": 11,
    "r_shoulder": 14, "r_elbow": 15, "r_wrist": 16, "l_hip": 18, "l_knee": 19, "l_ankle": 20, "r_hip": 23,
    "r_knee": 24, "r_ankle": 25,
}  # fmt: skip
# Test files of MPI-INF-3DHP, 17 joints.
MPI_INF_3DHP_17 = {
    "head": 0, "thorax": 1, "r_shoulder": 2, "r_elbow": 3, "r_wrist": 4, "l_shoulder": 5, "l_elbow": 6, "l_wrist": 7,
    "r_hip": 8, "r_knee": 9, "r_ankle": 10, "l_hip": 11, "l_knee": 12, "l_ankle": 13, "pelvis": 14, "spine": 15,
    "nose": 16,
}  # fmt: skip
# 17 joints of Human3.6M and of SkiPose-PTZ: our order.
HUMAN36M_17 = INDEX
# 16 joints in the files of the paper's authors.
PAPER_16 = {name: i for i, name in enumerate(name for name in JOINTS if name != "spine")}
# 16 joints of CanonPose, and of MPI-INF-3DHP by the paper's first author: left arm first.
_LEGS_FIRST = ("r_hip", "r_knee", "r_ankle", "l_hip", "l_knee", "l_ankle", "pelvis", "thorax", "nose", "head")
_RIGHT_ARM, _LEFT_ARM = ("r_shoulder", "r_elbow", "r_wrist"), ("l_shoulder", "l_elbow", "l_wrist")
CANONPOSE_16 = {name: i for i, name in enumerate((*_LEGS_FIRST, *_RIGHT_ARM, *_LEFT_ARM))}
CANONPOSE_LEFT_16 = {name: i for i, name in enumerate((*_LEGS_FIRST, *_LEFT_ARM, *_RIGHT_ARM))}

_TRUNK = [INDEX[name] for name in ("l_hip", "r_hip", "l_shoulder", "r_shoulder")]
_REACH_M = (0.3, 3.0)  # range of the largest distance of a joint from the pelvis


def joints_of(values: ArrayLike, places: dict[str, int]) -> NDArray[np.float64]:
    """Returns (...,J,C) our joints of (...,K,C), by their index in the file; a missing spine is computed."""
    source = np.asarray(values, np.float64)
    out = np.zeros((*source.shape[:-2], J, source.shape[-1]))
    out[..., [INDEX[name] for name in places], :] = source[..., list(places.values()), :]
    if "spine" not in places:
        out[..., INDEX["spine"], :] = out[..., _TRUNK, :].mean(-2)
    return out


def scores_of(values: ArrayLike, places: dict[str, int]) -> NDArray[np.float64]:
    """Returns (...,J) 0–1 of (...,K); a missing spine has the lowest score of hips and shoulders."""
    source = np.clip(np.nan_to_num(np.asarray(values, np.float64)), 0, 1)
    out = joints_of(source[..., None], places)[..., 0]
    if "spine" not in places:
        out[..., INDEX["spine"]] = out[..., _TRUNK].min(-1)
    return out


def visible_keypoints(xy_px: NDArray[np.float64], score: NDArray[np.float64]) -> tuple[Single, Single]:
    """Returns (...,J,2) 2D poses and (...,J) scores, both 0 where either is missing or the point is (0, 0).

    Raises:
        UsageError: The 2D poses are not in pixels.
    """
    kept = np.isfinite(xy_px).all(-1) & (score > 0) & xy_px.any(-1)
    if not in_pixels(xy_px[kept]):
        raise UsageError("The 2D poses of the data set are not in pixels.", "Multiply them by the size of the images.")
    return np.where(kept[..., None], xy_px, 0).astype(np.float32), np.where(kept, score, 0).astype(np.float32)


def metres(poses: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Returns (N,J,3) poses in metres; the unit of the file (m, cm or mm) follows from the size of the poses.

    Raises:
        UsageError: The size fits none of these units.
    """
    reach = np.linalg.norm(poses - poses[..., :1, :], axis=-1).max(-1)
    known = reach[np.isfinite(reach) & (reach > 0)]
    size = float(np.median(known)) if known.size else 1.0
    for unit in (1.0, 0.01, 0.001):
        if _REACH_M[0] <= size * unit < _REACH_M[1]:
            return poses * unit
    raise UsageError(
        f"In {name} joints are up to {size:.3g} from the pelvis, which is not plausible in m, cm or mm.",
        "Use 3D poses in one of these units, in the axes of the camera.",
    )


def assumed_focal_px(size_px: Sequence[Sequence[int]]) -> Single:
    """Returns (V,) the focal lengths that an uncalibrated rig assumes: the methods must not need a calibration."""
    return np.array([FOCAL_PER_LARGER_SIDE * max(size) for size in size_px], np.float32)


def benchmark_footage(
    protocol: Protocol,
    name: str,
    subject: str,
    xy_px: NDArray[np.float64],
    score: NDArray[np.float64] | None = None,
    *,
    joints: NDArray[np.floating] | None = None,
    true_px: NDArray[np.floating] | None = None,
    size_px: Sequence[Sequence[int]] | None = None,
    focal_px: Sequence[float] | None = None,
) -> Footage:
    """Returns the footage of one take.

    Args:
        protocol: Protocol of the benchmark.
        name: Name of the take.
        subject: Name of the person.
        xy_px: (T,V,J,2) 2D poses; NaN = not visible.
        score: (T,V,J); None = 1.
        joints: (T,V,J,3) m, ground truth; None = unknown, NaN = missing.
        true_px: (T,V,J,2) 2D ground truth; None = ``xy_px``.
        size_px: (V,2); None = that of the protocol.
        focal_px: (V,); None = `assumed_focal_px`.
    """
    xy, visible_score = visible_keypoints(xy_px, np.ones(xy_px.shape[:-1]) if score is None else score)
    sizes = protocol.size_px if size_px is None else size_px
    truth = None
    if joints is not None:
        drawn = xy if true_px is None else np.nan_to_num(true_px.astype(np.float32))
        truth = GroundTruth(np.nan_to_num(joints.astype(np.float32)), drawn)
    return Footage(
        name=name,
        subject=subject,
        xy_px=xy,
        score=visible_score,
        size_px=np.array(sizes, np.float32),
        focal_px=assumed_focal_px(sizes) if focal_px is None else np.array(focal_px, np.float32),
        moving=protocol.moving,
        truth=truth,
    )
