"""Metrics of single poses; papers print their means.

Poses are in metres, both of a pair in the same axes and relative to the same root (`pmpjpe` and `cps` need neither).
Lengths are in metres, shares in percent, `cps` in millimetres. All joints have the same weight. A predicted pose of
norm 0 has an error, not NaN.

Axes: N poses, T frames, V views, J joints.
"""

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.geometry import nearest_rotation
from pose_rig.skeleton import INDEX

PCK_THRESHOLD_M = 0.15
AUC_THRESHOLDS_M = np.arange(0, 155, 5) * 1e-3  # 31 thresholds from 0, so the maximum is 96.8 %
MAX_CPS_MM = 300.0
LIMB_TYPES = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
_SIDES = [[INDEX[f"{side}_{kind}"] for side in "rl"] for kind in LIMB_TYPES]
_EPSILON = 1e-12


def mpjpe(predicted: Floats, target: Floats) -> Floats:
    """Returns (N,) m the mean distance of the joints of poses (N,J,3)."""
    return np.asarray(_distances(predicted, target).mean(-1))


def scaled(predicted: Floats, target: Floats) -> Floats:
    """Returns the poses (N,J,3) times the least-squares scale ⟨target, pose⟩ / ⟨pose, pose⟩, or 0 if it is negative."""
    scale = (predicted * target).sum((1, 2)) / np.maximum((predicted**2).sum((1, 2)), _EPSILON)
    return np.asarray(np.maximum(scale, 0.0)[:, None, None] * predicted)


def n_mpjpe(predicted: Floats, target: Floats) -> Floats:
    """Returns (N,) m the mean joint distance of poses (N,J,3) after the least-squares scale (Rhodin et al. 2018)."""
    return mpjpe(scaled(predicted, target), target)


def n_mpjpe_frobenius(predicted: Floats, target: Floats) -> Floats:
    """Returns (N,) m as `n_mpjpe`, with equal Frobenius norms, as in the code of Wandt et al."""
    size, wanted = (np.sqrt((poses**2).sum((1, 2))) for poses in (predicted, target))
    return mpjpe((wanted / np.maximum(size, _EPSILON))[:, None, None] * predicted, target)


def aligned(predicted: Floats, target: Floats) -> Floats:
    """Returns the poses (N,J,3) after the best similarity to the target: translation, scale, proper rotation.

    A mirror image remains one (Umeyama 1991).
    """
    middle = target.mean(1, keepdims=True)
    a, b = predicted - predicted.mean(1, keepdims=True), target - middle
    rotation = nearest_rotation(np.einsum("nji,njk->nik", b, a))
    turned = a @ rotation.swapaxes(1, 2)
    scale = (turned * b).sum((1, 2)) / np.maximum((a**2).sum((1, 2)), _EPSILON)
    return np.asarray(scale[:, None, None] * turned + middle)


def pmpjpe(predicted: Floats, target: Floats) -> Floats:
    """Returns (N,) m the mean joint distance of poses (N,J,3) after the best similarity (Procrustes, `aligned`)."""
    return mpjpe(aligned(predicted, target), target)


def n_pck(predicted: Floats, target: Floats) -> Floats:
    """Returns (N,) percent of the joints of poses (N,J,3) within 150 mm after the least-squares scale."""
    return np.asarray(100.0 * (_distances(scaled(predicted, target), target) < PCK_THRESHOLD_M).mean(-1))


def auc(predicted: Floats, target: Floats) -> Floats:
    """Returns (N,) percent of the joints of poses (N,J,3) as in `n_pck`, mean over the thresholds 0, 5, … 150 mm.

    Thresholds and strict inequality are those of MPI-INF-3DHP (Mehta et al. 2017).
    """
    distance = _distances(scaled(predicted, target), target)
    return np.asarray(100.0 * (distance[..., None] < AUC_THRESHOLDS_M).mean((-2, -1)))


def cps(predicted: Floats, target: Floats) -> Floats:
    """Returns (N,) mm, 0–300: the Correct Poses Score of poses (N,J,3) (Wandt et al. 2021), whose mean is the score.

    A pose is correct at θ if all its joints are within θ after the best similarity (`aligned`); the score is the area
    under the share of correct poses over θ from 0 to 300 mm. The area is exact: 300 mm minus the error of the worst
    joint.
    """
    worst_mm = 1e3 * _distances(aligned(predicted, target), target).max(-1)
    return np.asarray(np.maximum(MAX_CPS_MM - worst_mm, 0.0))


def min_over_views(predicted: Floats, target: Floats) -> Floats:
    """Returns (T,) m the minimum of `n_mpjpe_frobenius` over the views of a frame, poses (T,V,J,3); NaN = no pose.

    The released code of Kim et al. (2022) prints it as "PMPJPE". It has no Procrustes alignment and selects the best
    view by the ground truth, so it is comparable with that code only.
    """
    poses = (-1, *predicted.shape[2:])
    error = n_mpjpe_frobenius(predicted.reshape(poses), target.reshape(poses)).reshape(predicted.shape[:2])
    least = np.where(np.isfinite(error), error, np.inf).min(-1)
    return np.where(np.isfinite(least), least, np.nan)


def jdr(xy_px: Floats, truth_px: Floats, half_head_px: Floats | float) -> Floats:
    """Returns (N,6) percent of detected joints by `LIMB_TYPES`, left and right together: 0, 50 or 100 in each pose.

    The Joint Detection Rate (Qiu et al. 2019): a joint is detected within half a head size of the ground truth.

    Args:
        xy_px: (N,17,2) our joints; NaN = not detected.
        truth_px: (N,17,2).
        half_head_px: (N,) or one for all: half the size of the head in the image.
    """
    near = _distances(xy_px, truth_px) <= np.asarray(half_head_px, np.float64)[..., None]
    return np.asarray(100.0 * near[:, _SIDES].mean(-1))


def _distances(a: Floats, b: Floats) -> Floats:
    """Returns (...,J)."""
    return np.asarray(np.linalg.norm(a - b, axis=-1))
