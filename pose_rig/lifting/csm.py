"""The Cross-view Self-fusion Module, variant "SP": 2D of every view corrected by the others, and a fused 3D pose.

Leave-one-view-out Bayes under scaled orthography with the first-order perspective term (docs/fusion.md). A view
measures a joint twice: its 2D position and, with a much larger standard deviation, its lifted depth. All measurements
of a joint form one 3×3 system; the prediction from the *other* views is compared with the detection of a view, and the
two are combined by their precision. The innovation determines the probability that the detection is an inlier.

Written in tensor operations that every inference engine has: `pose_rig.training.export.trace` traces it behind the
lifter into one graph with a free number of views. No live process imports this module.

Axes: H hypotheses (or keyframes), V views, J joints. Lengths in units of the lifter's input ``ray_xy``.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pose_rig.graph import GATE_MODEL_SD, LIFTER_ROTATION_SD
from pose_rig.skeleton import J

DETECTOR_SD = 0.012  # per axis: about 1.2 % of a standing person's height, as measured for MediaPipe
OUTLIER_SD = 0.12
FULL_SCORE = 0.8  # scores above carry no information
MIN_OUTLIER_PRIOR = 0.03  # prior outlier probability at FULL_SCORE
MAX_OUTLIER_PRIOR = 0.6  # and at score 0
MAX_SD_FACTOR = 4.0  # of the standard deviation of an inlier with score 0
MIN_MODEL_SD, MAX_MODEL_SD = 0.003, 0.5
MAX_PERSPECTIVE = 0.4
ITERATIONS = 4
VAGUE_INFORMATION = 1e-2  # regularisation: a standard deviation of 10
LAPLACE_SD = 1.414


def _linear(rows: int, columns: int, table: dict[int, dict[int, float]]) -> Tensor:
    """Returns the (rows,columns) matrix with the entries ``table[column][row]``: bilinear forms as one product each."""
    out = torch.zeros(rows, columns)
    for column, entries in table.items():
        for row, value in entries.items():
            out[row, column] = value
    return out


def _quaternion_products() -> Tensor:
    """Returns (16,9): products of quaternion entries → entries of |q|² times the rotation matrix."""
    w, x, y, z = range(4)

    def at(a: int, b: int) -> int:
        return 4 * a + b

    def diagonal(axis: int) -> dict[int, float]:
        return {at(i, i): 1.0 if i in (w, axis) else -1.0 for i in range(4)}

    return _linear(
        16,
        9,
        {
            0: diagonal(x), 4: diagonal(y), 8: diagonal(z),
            1: {at(x, y): 2, at(w, z): -2}, 2: {at(x, z): 2, at(w, y): 2},
            3: {at(x, y): 2, at(w, z): 2}, 5: {at(y, z): 2, at(w, x): -2},
            6: {at(x, z): 2, at(w, y): -2}, 7: {at(y, z): 2, at(w, x): 2},
        },
    )  # fmt: skip


def _cyclic(row: int, column: int) -> list[int]:
    """Returns the row-major indices of a 3×3 matrix with rows and columns shifted cyclically."""
    return [(i + row) % 3 * 3 + (j + column) % 3 for i in range(3) for j in range(3)]


# 3×3 matrices are stored row-major as nine numbers, 2×2 ones as four.
EYE3 = torch.eye(3).flatten()
_MINOR_A, _MINOR_B = _cyclic(1, 1) + _cyclic(1, 2), _cyclic(2, 2) + _cyclic(2, 1)
MINORS = torch.cat([torch.eye(9), -torch.eye(9)])  # differences of products → cofactors
EXPANSION = torch.full((9, 1), 1 / 3)  # the determinant three times, expanded along each row
SPREAD3 = _linear(3, 9, {i * 3 + j: {j: 1} for i in range(3) for j in range(3)})  # v → v, v, v
SUM3 = _linear(9, 3, {i: {3 * i: 1, 3 * i + 1: 1, 3 * i + 2: 1} for i in range(3)})  # row sums
# Moments Σ p (f, a p, b p)ᵀ, three rows of nine: (f) → Σ p × f, (a p, b p) → Σ [p]ₓᵀ diag(a, a, b) [p]ₓ.
ROTATION_GRADIENT = _linear(27, 3, {0: {11: 1, 19: -1}, 1: {18: 1, 2: -1}, 2: {1: 1, 9: -1}})
ROTATION_HESSIAN = _linear(
    27,
    9,
    {
        0: {23: 1, 16: 1}, 4: {23: 1, 6: 1}, 8: {3: 1, 13: 1},
        1: {7: -1}, 3: {7: -1}, 2: {5: -1}, 6: {5: -1}, 5: {14: -1}, 7: {14: -1},
    },
)  # fmt: skip
QUATERNION = _quaternion_products()
QUATERNION_NORM = _linear(16, 1, {0: {0: 1, 5: 1, 10: 1, 15: 1}})
HALF_ANGLE = _linear(3, 4, {1: {0: 0.5}, 2: {1: 0.5}, 3: {2: 0.5}})
IDENTITY_QUATERNION = torch.tensor([1.0, 0.0, 0.0, 0.0])
# rows a, b of a rotation: the nine products a_i b_j; (a, b) = 00, 01, 10, 11 in the image plane, 22 along the ray
_PLANE_A = [3 * a + i for a in (0, 0, 1, 1) for i in range(3) for _ in range(3)]
_PLANE_B = [3 * b + j for b in (0, 1, 0, 1) for _ in range(3) for j in range(3)]
_RAY_A, _RAY_B = [6, 6, 6, 7, 7, 7, 8, 8, 8], [6, 7, 8, 6, 7, 8, 6, 7, 8]
FOUR_TIMES = torch.eye(9).repeat(1, 4)
SUM9 = _linear(36, 4, {k: {9 * k + i: 1 for i in range(9)} for k in range(4)})
# two 2×2 covariances at once: the common one plus two variances (inlier, outlier)
TWICE4 = torch.eye(4).repeat(1, 2)
ON_DIAGONAL = _linear(2, 8, {0: {0: 1}, 3: {0: 1}, 4: {1: 1}, 7: {1: 1}})
ADJUGATE = [3, 1, 2, 0, 7, 5, 6, 4]
REVERSED = [3, 2, 1, 0, 7, 6, 5, 4]
E_BY_COLUMN = torch.eye(2).repeat(1, 4)
ADJUGATE_ROWS = _linear(8, 4, {0: {0: 1, 1: -1}, 1: {2: -1, 3: 1}, 2: {4: 1, 5: -1}, 3: {6: -1, 7: 1}})
DETERMINANT = _linear(8, 2, {0: {0: 0.5, 1: -0.5, 2: -0.5, 3: 0.5}, 1: {4: 0.5, 5: -0.5, 6: -0.5, 7: 0.5}})
E_TWICE = torch.eye(2).repeat(1, 2)
EACH_TWICE = _linear(2, 4, {0: {0: 1}, 1: {0: 1}, 2: {1: 1}, 3: {1: 1}})
FIRST_OVER_SECOND = torch.tensor([[-0.5], [0.5]])
TRACE = torch.tensor([0.5, 0.0, 0.0, 0.5])[:, None]


@dataclass(frozen=True, slots=True)
class Views:
    """Measurements.

    Attributes:
        ray_xy: (H,V,J,2) 2D in each view's ray frame.
        confidence: (H,V,J) 0–1, 0 = not visible: ``ray_xy`` is then the lifter's prediction.
        weight: (H,V) of the whole view, 0 = absent.
        norm: (H,V) inverse root depth, for the perspective term; 0 = weak perspective.
        depth: (H,V,J) lifted depth, root-relative, ray frame.
        depth_sd: (H,V,J).
        ray_from_body: (H,V,3,3), one body frame for all views.
    """

    ray_xy: Tensor
    confidence: Tensor
    weight: Tensor
    norm: Tensor
    depth: Tensor
    depth_sd: Tensor
    ray_from_body: Tensor


@dataclass(frozen=True, slots=True)
class Fused:
    """Result of the fusion; attributes as in `pose_rig.graph.GraphOutput`, matrices as nine numbers.

    Attributes:
        information: (H,J,9) inverse covariance of ``body``, 3×3 by rows.
    """

    refined: Tensor
    body: Tensor
    ray_from_body: Tensor
    inlier: Tensor
    model_sd: Tensor
    scale: Tensor
    offset: Tensor
    rotation_gradient: Tensor
    rotation_hessian: Tensor
    information: Tensor


def fuse(views: Views, rotation_prior_sd: Tensor, iterations: int = ITERATIONS) -> Fused:
    """Returns the fused pose and the corrected 2D of every view.

    Args:
        views: Measurements.
        rotation_prior_sd: (H,V) prior standard deviation of the given rotations, rad.
        iterations: Iterations of the alternation over pose, scales, rotations and inliers.
    """
    # everything below has axes H, V, J, and one for components
    present = views.weight[..., None, None]
    here = (present > 0).to(views.ray_xy.dtype)
    count = here.sum(1, keepdim=True).clamp_min(1e-3)
    confidence = views.confidence.unsqueeze(-1)
    depth = views.depth.unsqueeze(-1)
    norm = views.norm[..., None, None]
    prior_information = 1 / rotation_prior_sd[..., None, None].square()
    prior_hessian = prior_information * EYE3 + VAGUE_INFORMATION * EYE3
    total_step = torch.zeros_like(prior_information)  # (H,V,1,3) so far
    visible = (confidence > 0).to(views.ray_xy.dtype)
    uncertainty = (1 - confidence * (1 / FULL_SCORE)).clamp_min(0)
    variance = (DETECTOR_SD + DETECTOR_SD * (MAX_SD_FACTOR - 1) * uncertainty).square()
    outlier = MIN_OUTLIER_PRIOR + (MAX_OUTLIER_PRIOR - MIN_OUTLIER_PRIOR) * uncertainty
    odds = torch.log((1 - outlier) / outlier)
    variances = torch.cat([variance, torch.full_like(variance, OUTLIER_SD**2)], -1)
    depth_weight = present / views.depth_sd.unsqueeze(-1).square()
    inlier = 1 - outlier
    ray_from_body = views.ray_from_body
    scale = torch.ones_like(present)
    offset = torch.zeros_like(views.ray_xy[:, :, :1])
    model_variance = torch.full_like(present, 0.01**2)
    relative_depth = depth * norm
    for iteration in range(iterations):
        perspective = 1 + relative_depth.clamp(-MAX_PERSPECTIVE, MAX_PERSPECTIVE)
        corrected = views.ray_xy * perspective
        a = present * inlier / (variance + model_variance)
        b = depth_weight * inlier
        weights = torch.cat([a, a, b], -1)
        entries = _tail(ray_from_body, 1, 9)
        square = scale.square()
        ray_products = entries[..., _RAY_A] * entries[..., _RAY_B]
        information = (a * square) * EYE3 + ((b - a) * square) * ray_products
        measured = torch.cat([corrected - offset, depth], -1)
        vector = (weights * measured * scale) @ ray_from_body
        total, total_vector = information.sum(1, keepdim=True) + VAGUE_INFORMATION * EYE3, vector.sum(1, keepdim=True)
        body = _times(inverse3(total), total_vector)  # (H,1,J,3)
        transposed = ray_from_body.transpose(-1, -2)
        local = body @ transposed
        scale, offset = _fit_scale_and_offset(corrected, local[..., :2], a, here, count)
        local = local * scale
        relative_depth = local[..., 2:] * norm
        others_covariance = inverse3(total - information)
        predicted = _times(others_covariance, total_vector - vector) @ transposed
        innovation = corrected - (predicted[..., :2] * scale + offset)
        plane_products = entries[..., _PLANE_A] * entries[..., _PLANE_B]
        predicted_covariance = ((others_covariance @ FOUR_TIMES) * plane_products) @ SUM9 * scale.square()
        model_variance = _model_variance(innovation, variance, predicted_covariance, visible)
        log_likelihood_ratio, weighted_innovations = _likelihood_ratio(
            innovation, predicted_covariance, variances + model_variance
        )
        inlier = torch.sigmoid(odds + log_likelihood_ratio)
        measured = torch.cat([corrected - offset, depth], -1)
        gradient, hessian = _rotation_equations(measured, local, a, b, weights)
        if iteration < iterations - 1:
            step = _times(inverse3(hessian + prior_hessian), gradient - prior_information * total_step)
            total_step = total_step + step
            ray_from_body = _small_rotation(step) @ ray_from_body
    mixture = (torch.cat([inlier, 1 - inlier], -1) * variances) @ EACH_TWICE
    refined = (corrected - (mixture * weighted_innovations) @ E_TWICE.T) / perspective
    # the gate: the lifter's rotations, where the views disagree under them, may not overrule the detections
    gated = (model_variance * here).amax(1, keepdim=True) > GATE_MODEL_SD**2
    gated = gated & (rotation_prior_sd[..., None, None] > 0.5 * LIFTER_ROTATION_SD)
    kept = gated.to(visible.dtype) * visible
    refined = refined + kept * (views.ray_xy - refined)
    return Fused(
        refined, body[:, 0], ray_from_body, inlier[..., 0], model_variance[..., 0, 0].sqrt(), scale[..., 0, 0],
        offset[:, :, 0], gradient[:, :, 0], hessian[:, :, 0], total[:, 0],
    )  # fmt: skip


def _tail(x: Tensor, *sides: int) -> Tensor:
    """Returns x with axes H and V kept and the rest in the given shape."""
    return x.reshape(x.shape[0], x.shape[1], *sides)


def inverse3(matrix: Tensor) -> Tensor:
    """Returns (...,9) the inverse of symmetric 3×3 matrices (...,9), row-major, by cofactors."""
    cofactors = (matrix[..., _MINOR_A] * matrix[..., _MINOR_B]) @ MINORS
    return cofactors / ((matrix * cofactors) @ EXPANSION)


def _times(matrix: Tensor, vector: Tensor) -> Tensor:
    """Returns (...,3) 3×3 matrices (...,9) times vectors (...,3)."""
    return (matrix * (vector @ SPREAD3)) @ SUM3


def _fit_scale_and_offset(
    corrected: Tensor, local: Tensor, weight: Tensor, here: Tensor, count: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns scale (H,V,1,1), mean 1, and offset (H,V,1,2) of every view.

    Weighted regression of the 2D without perspective (H,V,J,2) on the pose in the ray frame; ``here`` (H,V,1,1) is 1
    for the ``count`` (H,1,1,1) views present.
    """
    share = weight / (weight.sum(2, keepdim=True) + 1e-6)
    row = share.transpose(-1, -2)
    mean_xy, mean_body = row @ corrected, row @ local
    around = share * (local - mean_body)
    scale = (around * corrected).sum((2, 3), keepdim=True) / ((around * local).sum((2, 3), keepdim=True) + 1e-6)
    scale = scale.clamp(0.3, 3.0)
    scale = scale * (count / (scale * here).sum(1, keepdim=True).clamp_min(1e-3))
    return scale, mean_xy - scale * mean_body


def _rotation_equations(
    measured: Tensor, local: Tensor, a: Tensor, b: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns gradient (H,V,1,3) and Gauss–Newton Hessian (H,V,1,9) of a small rotation of each view.

    With p the pose in the ray frame, m its measurement and W the weights: Σ p×W(m − p) and Σ [p]ₓᵀW[p]ₓ.
    """
    columns = torch.cat([weights * (measured - local), a * local, b * local], -1)
    moments = _tail(local.transpose(-1, -2) @ columns, 1, 27)
    return moments @ ROTATION_GRADIENT, moments @ ROTATION_HESSIAN


def _small_rotation(vector: Tensor) -> Tensor:
    """Returns (H,V,3,3) rotations by about ``vector`` (H,V,1,3) rad: the quaternion (1, v/2), normalised."""
    q = vector @ HALF_ANGLE + IDENTITY_QUATERNION
    products = _tail(q.transpose(-1, -2) @ q, 1, 16)
    return _tail((products @ QUATERNION) / (products @ QUATERNION_NORM), 3, 3)


def _model_variance(innovation: Tensor, variance: Tensor, predicted: Tensor, visible: Tensor) -> Tensor:
    """Returns (H,V,1,1) the median excess of the innovations over their known variance.

    1.386 = median of χ² with two degrees of freedom. Joints that are not visible have no excess.
    """
    square = innovation.square().sum(-1, keepdim=True) * (1 / 1.386)
    excess = (square - variance - predicted @ TRACE) * visible
    middle = torch.topk(excess, J // 2 + 1, dim=2).values[:, :, -1:]
    return middle.clamp(MIN_MODEL_SD**2, MAX_MODEL_SD**2)


def _likelihood_ratio(e: Tensor, covariance: Tensor, variances: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the log likelihood ratio of ``e`` under two covariances, and both precisions times ``e``.

    Args:
        e: (...,2).
        covariance: (...,4) common to both.
        variances: (...,2) added to the diagonal, one for each.

    Returns:
        (...,1) ratio of the first to the second; (...,4) precision₁·e, precision₂·e.
    """
    both = covariance @ TWICE4 + variances @ ON_DIAGONAL
    determinants = (both * both[..., REVERSED]) @ DETERMINANT
    pulls = ((both[..., ADJUGATE] * (e @ E_BY_COLUMN)) @ ADJUGATE_ROWS) / (determinants @ EACH_TWICE)
    deviance = (pulls * (e @ E_TWICE)) @ EACH_TWICE.T + torch.log(determinants)
    return deviance @ FIRST_OVER_SECOND, pulls
