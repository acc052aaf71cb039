"""Errors of poses, on numpy arrays, per pose; the mean over poses is what papers print.

Poses are in metres, both of a pair in the same axes and about the same root (`pmpjpe` and `cps` need neither). Lengths
come out in metres, shares in percent, `cps` in millimetres. All joints given count alike; which are given is the
caller's choice (`pose_rig.training.evaluation.scores`). A predicted pose that has collapsed to a point is an error,
never a NaN.

Axes: N poses, T instants, V views, J joints.
"""

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.geometry import nearest_rotation
from pose_rig.skeleton import INDEX

PCK_M = 0.15
AUC_M = np.arange(0, 155, 5) * 1e-3  # 31 thresholds, the first of which no joint passes: at best 96.8 %
CPS_MM = 300.0
LIMB_TYPES = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
_SIDES = [[INDEX[f"{side}_{kind}"] for side in "rl"] for kind in LIMB_TYPES]
_TINY = 1e-12


def mpjpe(predicted: Floats, target: Floats) -> Floats:
    """Returns (N,) m the mean distance of the joints of poses (N,J,3), as they are."""
    return np.asarray(_distances(predicted, target).mean(-1))


def scaled(predicted: Floats, target: Floats) -> Floats:
    """Returns the poses (N,J,3) times their best scale in the sense of least squares, ⟨target, pose⟩ / ⟨pose, pose⟩.

    A scale below 0 would turn a pose inside out; it is taken as 0.
    """
    scale = (predicted * target).sum((1, 2)) / np.maximum((predicted**2).sum((1, 2)), _TINY)
    return np.asarray(np.maximum(scale, 0.0)[:, None, None] * predicted)


def n_mpjpe(predicted: Floats, target: Floats) -> Floats:
    """Returns (N,) m the mean joint distance of poses (N,J,3) after the least-squares scale (Rhodin et al. 2018)."""
    return mpjpe(scaled(predicted, target), target)


def n_mpjpe_frobenius(predicted: Floats, target: Floats) -> Floats:
    """Returns (N,) m likewise, the scale making the Frobenius norms equal, as the code of Wandt et al. has it."""
    size, wanted = (np.sqrt((poses**2).sum((1, 2))) for poses in (predicted, target))
    return mpjpe((wanted / np.maximum(size, _TINY))[:, None, None] * predicted, target)


def aligned(predicted: Floats, target: Floats) -> Floats:
    """Returns the poses (N,J,3) after the similarity that brings them nearest to the target: shift, scale, rotation.

    The rotation is a proper one, so that a mirror image stays one (Umeyama 1991).
    """
    middle = target.mean(1, keepdims=True)
    a, b = predicted - predicted.mean(1, keepdims=True), target - middle
    rotation = nearest_rotation(np.einsum("nji,njk->nik", b, a))
    turned = a @ rotation.swapaxes(1, 2)
    scale = (turned * b).sum((1, 2)) / np.maximum((a**2).sum((1, 2)), _TINY)
    return np.asarray(scale[:, None, None] * turned + middle)


def pmpjpe(predicted: Floats, target: Floats) -> Floats:
    """Returns (N,) m the mean joint distance of poses (N,J,3) after the best similarity (Procrustes, `aligned`)."""
    return mpjpe(aligned(predicted, target), target)


def n_pck(predicted: Floats, target: Floats) -> Floats:
    """Returns (N,) percent of the joints of poses (N,J,3) nearer than 150 mm after the least-squares scale alone."""
    return np.asarray(100.0 * (_distances(scaled(predicted, target), target) < PCK_M).mean(-1))


def auc(predicted: Floats, target: Floats) -> Floats:
    """Returns (N,) percent of the joints of poses (N,J,3) as in `n_pck`, mean over the thresholds 0, 5, … 150 mm.

    The thresholds and the "nearer than" of MPI-INF-3DHP's own evaluation (Mehta et al. 2017).
    """
    distance = _distances(scaled(predicted, target), target)
    return np.asarray(100.0 * (distance[..., None] < AUC_M).mean((-2, -1)))


def cps(predicted: Floats, target: Floats) -> Floats:
    """Returns (N,) mm, 0–300: the Correct Poses Score of poses (N,J,3) (Wandt et al. 2021), whose mean is the score.

    A pose is correct at θ if all its joints lie within θ after the best similarity (`aligned`); the score is the area
    under the share of correct poses over θ from 0 to 300 mm. The area is exact, not a sum over steps of θ: one pose
    gives what is left of 300 mm above its worst joint.
    """
    worst_mm = 1e3 * _distances(aligned(predicted, target), target).max(-1)
    return np.asarray(np.maximum(CPS_MM - worst_mm, 0.0))


def min_over_views(predicted: Floats, target: Floats) -> Floats:
    """Returns (T,) m the least `n_mpjpe_frobenius` of an instant's views, poses (T,V,J,3); NaN = this view has none.

    What the code that Kim et al. (2022) released prints as "PMPJPE". No Procrustes, and it chooses the best view by
    the truth: it is comparable with nothing but that code. NaN where no view has a pose.
    """
    flat = (-1, *predicted.shape[2:])
    error = n_mpjpe_frobenius(predicted.reshape(flat), target.reshape(flat)).reshape(predicted.shape[:2])
    least = np.where(np.isfinite(error), error, np.inf).min(-1)
    return np.where(np.isfinite(least), least, np.nan)


def jdr(xy_px: Floats, truth_px: Floats, half_head_px: Floats | float) -> Floats:
    """Returns (N,6) percent of the joints found, by `LIMB_TYPES`, left and right together: 0, 50 or 100 in each pose.

    The Joint Detection Rate (Qiu et al. 2019): found = at most half a head away from the truth.

    Args:
        xy_px: (N,17,2) our joints; NaN is not found.
        truth_px: (N,17,2).
        half_head_px: (N,) or one for all: half the size of the head in that picture.
    """
    near = _distances(xy_px, truth_px) <= np.asarray(half_head_px, np.float64)[..., None]
    return np.asarray(100.0 * near[:, _SIDES].mean(-1))


def _distances(a: Floats, b: Floats) -> Floats:
    """Returns (...,J)."""
    return np.asarray(np.linalg.norm(a - b, axis=-1))
