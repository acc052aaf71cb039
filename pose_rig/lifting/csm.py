"""The Cross-view Self-fusion Module, variant "SP": 2D of every view corrected by the others, and a fused 3D pose.

Leave-one-view-out Bayes under scaled orthography with the first-order perspective term (docs/fusion.md). A view
measures a joint twice: its 2D position and, with a much larger standard deviation, its lifted depth. All measurements
of a joint form one 3×3 system; the prediction from the *other* views is compared with the detection of a view, and the
two are combined by their precision. The innovation determines the probability that the detection is an inlier.

Written in tensor operations that every inference engine has: `pose_rig.training.export.trace` traces it behind the
lifter into one graph with a free number of views. A live process imports this module only to run it in torch on a GPU.

Axes: H hypotheses (or keyframes), V views, J joints. Lengths in units of the lifter's input ``ray_xy``.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pose_rig.graph import GATE_MODEL_SD, LIFTER_ROTATION_SD
from pose_rig.lifting.csm_tables import tables
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
    use = tables(views.ray_xy)
    # everything below has axes H, V, J, and one for components
    present = views.weight[..., None, None]
    here = (present > 0).to(views.ray_xy.dtype)
    count = here.sum(1, keepdim=True).clamp_min(1e-3)
    confidence = views.confidence.unsqueeze(-1)
    depth = views.depth.unsqueeze(-1)
    norm = views.norm[..., None, None]
    prior_information = 1 / rotation_prior_sd[..., None, None].square()
    prior_hessian = prior_information * use.eye3 + VAGUE_INFORMATION * use.eye3
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
        ray_products = entries[..., use.ray_a] * entries[..., use.ray_b]
        information = (a * square) * use.eye3 + ((b - a) * square) * ray_products
        measured = torch.cat([corrected - offset, depth], -1)
        vector = (weights * measured * scale) @ ray_from_body
        total, total_vector = (
            information.sum(1, keepdim=True) + VAGUE_INFORMATION * use.eye3,
            vector.sum(1, keepdim=True),
        )
        body = _times(inverse3(total), total_vector)  # (H,1,J,3)
        transposed = ray_from_body.transpose(-1, -2)
        local = body @ transposed
        scale, offset = _fit_scale_and_offset(corrected, local[..., :2], a, here, count)
        local = local * scale
        relative_depth = local[..., 2:] * norm
        others_covariance = inverse3(total - information)
        predicted = _times(others_covariance, total_vector - vector) @ transposed
        innovation = corrected - (predicted[..., :2] * scale + offset)
        plane_products = entries[..., use.plane_a] * entries[..., use.plane_b]
        predicted_covariance = ((others_covariance @ use.four_times) * plane_products) @ use.sum9 * scale.square()
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
    mixture = (torch.cat([inlier, 1 - inlier], -1) * variances) @ use.each_twice
    refined = (corrected - (mixture * weighted_innovations) @ use.e_twice.T) / perspective
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
    use = tables(matrix)
    cofactors = (matrix[..., use.minor_a] * matrix[..., use.minor_b]) @ use.minors
    return cofactors / ((matrix * cofactors) @ use.expansion)


def _times(matrix: Tensor, vector: Tensor) -> Tensor:
    """Returns (...,3) 3×3 matrices (...,9) times vectors (...,3)."""
    use = tables(matrix)
    return (matrix * (vector @ use.spread3)) @ use.sum3


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
    use = tables(local)
    columns = torch.cat([weights * (measured - local), a * local, b * local], -1)
    moments = _tail(local.transpose(-1, -2) @ columns, 1, 27)
    return moments @ use.rotation_gradient, moments @ use.rotation_hessian


def _small_rotation(vector: Tensor) -> Tensor:
    """Returns (H,V,3,3) rotations by about ``vector`` (H,V,1,3) rad: the quaternion (1, v/2), normalised."""
    use = tables(vector)
    q = vector @ use.half_angle + use.identity_quaternion
    products = _tail(q.transpose(-1, -2) @ q, 1, 16)
    return _tail((products @ use.quaternion) / (products @ use.quaternion_norm), 3, 3)


def _model_variance(innovation: Tensor, variance: Tensor, predicted: Tensor, visible: Tensor) -> Tensor:
    """Returns (H,V,1,1) the median excess of the innovations over their known variance.

    1.386 = median of χ² with two degrees of freedom. Joints that are not visible have no excess.
    """
    use = tables(predicted)
    square = innovation.square().sum(-1, keepdim=True) * (1 / 1.386)
    excess = (square - variance - predicted @ use.trace) * visible
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
    use = tables(covariance)
    both = covariance @ use.twice4 + variances @ use.on_diagonal
    determinants = (both * both[..., use.reversed]) @ use.determinant
    pulls = ((both[..., use.adjugate] * (e @ use.e_by_column)) @ use.adjugate_rows) / (determinants @ use.each_twice)
    deviance = (pulls * (e @ use.e_twice)) @ use.each_twice.T + torch.log(determinants)
    return deviance @ use.first_over_second, pulls
