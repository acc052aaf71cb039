"""The Cross-view Self-fusion Module, "SP" variant: every view's 2D corrected by the other views, and one fused 3D pose.

Leave-one-view-out Bayes under scaled orthography with the first-order perspective term (docs/fusion.md). A view
measures a joint twice: its 2D position, and, far less surely, its lifted depth. All measurements of all views meet in
one 3×3 system per joint; what the *other* views predict for a view is compared with what it saw, and the two are
blended by their precision, the detection being an inlier or not with a probability that falls out of the comparison.

Written once, in tensor operations every inference engine has: `pose_rig.training.export.trace` traces it behind the
lifter into one graph with the number of views free. Nothing in the running rig imports this module.

Axes: H instants (or hypotheses), V views, J joints. Lengths in units of the lifter's ray_xy input.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pose_rig.graph import GATE_MODEL_SD, LIFTER_ROTATION_SD
from pose_rig.skeleton import J

DETECTOR_SD = 0.012  # per axis: about 1.2 % of a standing person's height, as measured for MediaPipe
OUTLIER_SD = 0.12
SURE_SCORE = 0.8  # detectors' scores tell little above this
SURE_OUTLIER = 0.03  # prior outlier probability of a sure joint
UNSURE_OUTLIER = 0.6  # and of one with score 0
UNSURE_SD = 4.0  # how many times further off an inlier with score 0 is
MIN_MODEL_SD, MAX_MODEL_SD = 0.003, 0.5
PERSPECTIVE_LIMIT = 0.4
ROUNDS = 4
VAGUE = 1e-2  # information that stands for knowing nothing: a standard deviation of 10
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


def _shifted(row: int, column: int) -> list[int]:
    """Returns the ray_xy indices of a 3×3 matrix with rows and columns shifted cyclically."""
    return [(i + row) % 3 * 3 + (j + column) % 3 for i in range(3) for j in range(3)]


# 3×3 matrices travel ray_xy, row-major, as nine numbers; 2×2 ones as four.
EYE3 = torch.eye(3).flatten()
_MINOR_A, _MINOR_B = _shifted(1, 1) + _shifted(1, 2), _shifted(2, 2) + _shifted(2, 1)
MINORS = torch.cat([torch.eye(9), -torch.eye(9)])  # differences of products → cofactors
EXPANSION = torch.full((9, 1), 1 / 3)  # the determinant three times, expanded along each row
SPREAD3 = _linear(3, 9, {i * 3 + j: {j: 1} for i in range(3) for j in range(3)})  # v → v, v, v
SUM3 = _linear(9, 3, {i: {3 * i: 1, 3 * i + 1: 1, 3 * i + 2: 1} for i in range(3)})  # row sums
# Moments Σ p (f, a p, b p)ᵀ, three rows of nine: (f) → Σ p × f, (a p, b p) → Σ [p]ₓᵀ diag(a, a, b) [p]ₓ.
CROSS = _linear(27, 3, {0: {11: 1, 19: -1}, 1: {18: 1, 2: -1}, 2: {1: 1, 9: -1}})
TURN = _linear(
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
NO_TURN = torch.tensor([1.0, 0.0, 0.0, 0.0])
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
    """What the views bring.

    Attributes:
        ray_xy: (H,V,J,2) 2D in each view's ray frame.
        confidence: (H,V,J) 0–1, 0 = not seen: ``ray_xy`` is then the lifter's guess.
        weight: (H,V) trust in the whole view, 0 = absent.
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
    """What they agree on.

    Attributes:
        refined: (H,V,J,2) 2D in each view's ray frame.
        body: (H,J,3) fused pose, body frame, root-relative up to the views' 2D offsets.
        ray_from_body: (H,V,3,3), as used.
        inlier: (H,V,J) probability that the detection was right.
        model_sd: (H,V) how far off the other views' prediction is for this view beyond the known noise.
        scale: (H,V) ``ray_xy`` units of a view per unit of ``body``; mean 1.
        offset: (H,V,2) where the body's origin lies in a view.
        rotation_gradient: (H,V,3) and rotation_hessian: (H,V,9) Gauss–Newton normal equations of a small rotation of
            each view (rad, ray axes) towards the common pose, summed over keyframes by `rotation_averaging`.
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


def fuse(views: Views, rotation_prior_sd: Tensor, rounds: int = ROUNDS) -> Fused:
    """Returns what the views agree on.

    Args:
        views: What they bring.
        rotation_prior_sd: (H,V) prior standard deviation of the given rotations, rad.
        rounds: Iterations of the alternation over pose, scales, rotations and inliers.
    """
    # everything below has axes H, V, J, and one for components
    present = views.weight[..., None, None]
    here = (present > 0).to(views.ray_xy.dtype)
    count = here.sum(1, keepdim=True).clamp_min(1e-3)
    confidence = views.confidence.unsqueeze(-1)
    depth = views.depth.unsqueeze(-1)
    norm = views.norm[..., None, None]
    stiff = 1 / rotation_prior_sd[..., None, None].square()
    held = stiff * EYE3 + VAGUE * EYE3
    turned = torch.zeros_like(stiff)  # (H,V,1,3) so far
    seen = (confidence > 0).to(views.ray_xy.dtype)
    doubt = (1 - confidence * (1 / SURE_SCORE)).clamp_min(0)
    variance = (DETECTOR_SD + DETECTOR_SD * (UNSURE_SD - 1) * doubt).square()
    outlier = SURE_OUTLIER + (UNSURE_OUTLIER - SURE_OUTLIER) * doubt
    odds = torch.log((1 - outlier) / outlier)
    variances = torch.cat([variance, torch.full_like(variance, OUTLIER_SD**2)], -1)
    depth_weight = present / views.depth_sd.unsqueeze(-1).square()
    inlier = 1 - outlier
    ray_from_body = views.ray_from_body
    scale = torch.ones_like(present)
    offset = torch.zeros_like(views.ray_xy[:, :, :1])
    model = torch.full_like(present, 0.01**2)
    near = depth * norm
    for turn in range(rounds):
        stretch = 1 + near.clamp(-PERSPECTIVE_LIMIT, PERSPECTIVE_LIMIT)
        corrected = views.ray_xy * stretch
        a = present * inlier / (variance + model)
        b = depth_weight * inlier
        weights = torch.cat([a, a, b], -1)
        entries = _tail(ray_from_body, 1, 9)
        square = scale.square()
        ray = entries[..., _RAY_A] * entries[..., _RAY_B]
        information = (a * square) * EYE3 + ((b - a) * square) * ray
        measured = torch.cat([corrected - offset, depth], -1)
        vector = (weights * measured * scale) @ ray_from_body
        total, full = information.sum(1, keepdim=True) + VAGUE * EYE3, vector.sum(1, keepdim=True)
        body = _times(inverse3(total), full)  # (H,1,J,3)
        back = ray_from_body.transpose(-1, -2)
        local = body @ back
        scale, offset = _place(corrected, local[..., :2], a, here, count)
        local = local * scale
        near = local[..., 2:] * norm
        others = inverse3(total - information)
        predicted = _times(others, full - vector) @ back
        innovation = corrected - (predicted[..., :2] * scale + offset)
        plane = entries[..., _PLANE_A] * entries[..., _PLANE_B]
        spread = ((others @ FOUR_TIMES) * plane) @ SUM9 * scale.square()
        model = _model_variance(innovation, variance, spread, seen)
        evidence, pulls = _compare(innovation, spread, variances + model)
        inlier = torch.sigmoid(odds + evidence)
        measured = torch.cat([corrected - offset, depth], -1)
        gradient, hessian = _turn_equations(measured, local, a, b, weights)
        if turn < rounds - 1:
            step = _times(inverse3(hessian + held), gradient - stiff * turned)
            turned = turned + step
            ray_from_body = _small_rotation(step) @ ray_from_body
    mixture = (torch.cat([inlier, 1 - inlier], -1) * variances) @ EACH_TWICE
    refined = (corrected - (mixture * pulls) @ E_TWICE.T) / stretch
    # the gate: the lifter's rotations, where the views disagree under them, may not overrule the detections
    ungated = (model * here).amax(1, keepdim=True) > GATE_MODEL_SD**2
    ungated = ungated & (rotation_prior_sd[..., None, None] > 0.5 * LIFTER_ROTATION_SD)
    astray = ungated.to(seen.dtype) * seen
    refined = refined + astray * (views.ray_xy - refined)
    return Fused(
        refined, body[:, 0], ray_from_body, inlier[..., 0], model[..., 0, 0].sqrt(), scale[..., 0, 0], offset[:, :, 0],
        gradient[:, :, 0], hessian[:, :, 0], total[:, 0],
    )  # fmt: skip


def _tail(x: Tensor, *sides: int) -> Tensor:
    """Returns x with axes H and V kept and the rest in the given shape."""
    return x.reshape(x.shape[0], x.shape[1], *sides)


def inverse3(matrix: Tensor) -> Tensor:
    """Returns (...,9) the inverse of symmetric 3×3 matrices (...,9), row-major, by cofactors."""
    cofactors = (matrix[..., _MINOR_A] * matrix[..., _MINOR_B]) @ MINORS
    return cofactors / ((matrix * cofactors) @ EXPANSION)


def _times(matrix: Tensor, vector: Tensor) -> Tensor:
    """Returns (...,3) ray_xy 3×3 matrices (...,9) times vectors (...,3)."""
    return (matrix * (vector @ SPREAD3)) @ SUM3


def _place(corrected: Tensor, local: Tensor, weight: Tensor, here: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Returns scale (H,V,1,1), mean 1, and offset (H,V,1,2) of every view: weighted regression of 2D on the pose.

    Args:
        corrected: (H,V,J,2) 2D without perspective.
        local: (H,V,J,2) the pose in the ray frame.
        weight: (H,V,J,1).
        here: (H,V,1,1) 1 = the view is present.
        count: (H,1,1,1) how many are.
    """
    share = weight / (weight.sum(2, keepdim=True) + 1e-6)
    row = share.transpose(-1, -2)
    mean_seen, mean_body = row @ corrected, row @ local
    around = share * (local - mean_body)
    scale = (around * corrected).sum((2, 3), keepdim=True) / ((around * local).sum((2, 3), keepdim=True) + 1e-6)
    scale = scale.clamp(0.3, 3.0)
    scale = scale * (count / (scale * here).sum(1, keepdim=True).clamp_min(1e-3))
    return scale, mean_seen - scale * mean_body


def _turn_equations(measured: Tensor, local: Tensor, a: Tensor, b: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Returns gradient (H,V,1,3) and Gauss–Newton matrix (H,V,1,9) of a small turn of each view to the common pose.

    With p the pose in the ray frame, m what was measured of it and W the weights: Σ p×W(m − p) and Σ [p]ₓᵀW[p]ₓ.
    """
    columns = torch.cat([weights * (measured - local), a * local, b * local], -1)
    moments = _tail(local.transpose(-1, -2) @ columns, 1, 27)
    return moments @ CROSS, moments @ TURN


def _small_rotation(vector: Tensor) -> Tensor:
    """Returns (H,V,3,3) rotations of nearly ``vector`` (H,V,1,3) radians: the quaternion (1, v/2), normalised."""
    q = vector @ HALF_ANGLE + NO_TURN
    products = _tail(q.transpose(-1, -2) @ q, 1, 16)
    return _tail((products @ QUATERNION) / (products @ QUATERNION_NORM), 3, 3)


def _model_variance(innovation: Tensor, variance: Tensor, spread: Tensor, seen: Tensor) -> Tensor:
    """Returns (H,V,1,1) the median excess of the innovations over what is known to be uncertain.

    1.386 = median of χ² with two degrees of rotation_prior_sd. Joints not seen count as no excess.
    """
    square = innovation.square().sum(-1, keepdim=True) * (1 / 1.386)
    excess = (square - variance - spread @ TRACE) * seen
    middle = torch.topk(excess, J // 2 + 1, dim=2).values[:, :, -1:]
    return middle.clamp(MIN_MODEL_SD**2, MAX_MODEL_SD**2)


def _compare(e: Tensor, covariance: Tensor, variances: Tensor) -> tuple[Tensor, Tensor]:
    """Returns how much likelier ``e`` is under the first of two covariances, and both precisions times ``e``.

    Args:
        e: (...,2).
        covariance: (...,4) common to both.
        variances: (...,2) added to the diagonal, one for each.

    Returns:
        (...,1) log likelihood ratio; (...,4) precision₁·e, precision₂·e.
    """
    both = covariance @ TWICE4 + variances @ ON_DIAGONAL
    determinants = (both * both[..., REVERSED]) @ DETERMINANT
    pulls = ((both[..., ADJUGATE] * (e @ E_BY_COLUMN)) @ ADJUGATE_ROWS) / (determinants @ EACH_TWICE)
    surprise = (pulls * (e @ E_TWICE)) @ EACH_TWICE.T + torch.log(determinants)
    return surprise @ FIRST_OVER_SECOND, pulls
