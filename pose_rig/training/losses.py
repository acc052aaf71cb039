"""The loss terms, one small pure function each; `pose_rig.training.methods` has their weights.

After CanonPose (Wandt et al., CVPR 2021) and Cross-View Self-Fusion (Kim et al., ACCV 2022). Every function takes all
views and all pairs of views at once; a view without detections (all confidences 0) takes part in none.

Notation: w_v the 2D pose of view v, c_v its confidences, X_v the canonical pose lifted from it, R_v its
view_from_canonical, P the first two rows of the identity, ~ what Step 2 computes from the refined 2D.

Axes: B frames, V views (second V: the view whose pose or rotation is used), J joints. Lengths in units of the 2D norm.
"""

import torch
from torch import Tensor

from pose_rig.skeleton import INDEX

EPSILON = 1e-8
MIN_NOSE_OFFSET = 0.03  # of the norm of the pose, about 5 cm: the nose is in front of the ears even of a turned head
CANONICAL_WEIGHT, ROTATION_WEIGHT, SPREAD_WEIGHT = 0.5, 0.15, 0.01  # of `lifting_loss`; that of the pose is 1


def weighted_rms(points: Tensor, weight: Tensor) -> Tensor:
    """Returns (...,1,1) √(Σ weight·|p|² / Σ weight·C) of points (...,J,C), weight (...,J)."""
    total = (weight.sum(-1) * points.shape[-1]).clamp_min(1e-3)
    return ((points.square().sum(-1) * weight).sum(-1) / total + EPSILON).sqrt()[..., None, None]


def weighted_mean(values: Tensor, weight: Tensor, dim: int | None = None) -> Tensor:
    """Returns the mean of values under weights of the same shape, over an axis or all; 0 where all weights are 0."""
    return (values * weight).sum(dim) / weight.sum(dim).clamp_min(1e-6)


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Returns (...) the distances of points (...,3); not squared, so that outliers do not dominate the mean."""
    return ((a - b).square().sum(-1) + EPSILON).sqrt()


def unit(pose: Tensor) -> Tensor:
    """Returns poses (...,J,3) of norm 1: a loss on them cannot be reduced by shrinking all poses."""
    return pose / (pose.square().sum((-1, -2), keepdim=True) + EPSILON).sqrt()


def visible_views(confidence: Tensor) -> Tensor:
    """Returns (B,V) 1 where a view has a detection, from confidences (B,V,J)."""
    return (confidence > 0).any(-1).to(confidence.dtype)


def in_all_views(view_from_canonical: Tensor, pose: Tensor) -> Tensor:
    """Returns (B,V,V,J,3) R_v X_u: the pose lifted from view u in the frame of view v."""
    return torch.einsum("bvij,bukj->bvuki", view_from_canonical, pose)


def project(pose: Tensor, pose_2d: Tensor, inverse_depth: Tensor, weight: Tensor) -> Tensor:
    """Returns (...,J,2) the projection of a pose (...,J,3) of any size: P Y / (1 + k z).

    First-order perspective: z is the depth after scaling Y to the size of ``pose_2d`` (...,J,2), k the inverse depth of
    the root (...); k = 0 is the weak perspective of the paper.
    """
    ratio = weighted_rms(pose_2d, weight) / weighted_rms(pose[..., :2], weight)
    away = 1 + inverse_depth[..., None] * (ratio[..., 0] * pose[..., 2]).clamp(-1, 1)
    return pose[..., :2] / away.clamp_min(0.4).unsqueeze(-1)


def scaled_l1(first: Tensor, second: Tensor, confidence: Tensor) -> Tensor:
    """Returns (...) 1/(2J) Σ_j c_j |w_j/rms(w) − y_j/rms(y)|₁ of 2D poses (...,J,2) and confidences (...,J)."""
    visible = (confidence > 0).to(first.dtype)
    error = first / weighted_rms(first, visible) - second / weighted_rms(second, visible)
    return (error.abs().sum(-1) * confidence).mean(-1) / 2


def reprojection(pose_2d: Tensor, confidence: Tensor, inverse_depth: Tensor, pose: Tensor) -> Tensor:
    """Returns (...) L_rep of each sample: `scaled_l1` of w (...,J,2) and the projection of Y (...,J,3), in its view."""
    visible = (confidence > 0).to(pose_2d.dtype)
    return scaled_l1(pose_2d, project(pose, pose_2d, inverse_depth, visible), confidence)


def cross_reprojection(pose_2d: Tensor, confidence: Tensor, inverse_depth: Tensor, poses: Tensor) -> Tensor:
    """Returns (B,V,V) `reprojection` of every pose (B,V,V,J,3) to the 2D pose of the view in whose frame it is."""
    return reprojection(
        pose_2d.unsqueeze(2).expand(poses[..., :2].shape),
        confidence.unsqueeze(2).expand(poses.shape[:-1]),
        inverse_depth.unsqueeze(2).expand(poses.shape[:3]),
        poses,
    )


def pair_weights(visible: Tensor) -> Tensor:
    """Returns (B,V,V) 1 for pairs of views that both have a detection, from (B,V)."""
    return visible[:, :, None] * visible[:, None, :]


def pairs(pose_2d: Tensor, confidence: Tensor, inverse_depth: Tensor, poses: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the reprojection losses of all combinations of views: of the own pose, and of the other views' poses.

    L_rep = mean over (b,v) of Lrep(w_v, R_v X_v); L_view = Σ_u mean over (b, v≠u) of Lrep(w_v, R_v X_u); ``poses``
    (B,V,V,J,3) are those of `in_all_views`.
    """
    views = pose_2d.shape[1]
    losses = cross_reprojection(pose_2d, confidence, inverse_depth, poses)
    weight = pair_weights(visible_views(confidence))
    own = torch.eye(views, device=pose_2d.device)
    return weighted_mean(losses, weight * own), views * weighted_mean(losses, weight * (1 - own))


def camera_consistency(
    pose_2d: Tensor, confidence: Tensor, inverse_depth: Tensor, view_from_canonical: Tensor, pose: Tensor,
    camera_from_view: Tensor, permutation: Tensor, static: Tensor, per_rig: int,
) -> Tensor:  # fmt: skip
    """Returns L_cam: the relative rotations of static cameras are the same in every frame.

    L_cam = Σ_r Σ_u mean over (b of rig r, v≠u) of Lrep(w_v, [Rc_v Rc_uᵀ in frame π(b)] Rc_u X_u), Rc = camera_from_view
    R; π is ``permutation`` (B,), another frame of the same rig. A sum over rigs, as published (the subjects of
    CanonPose), so it grows with their number. Frames with ``static`` (B,) = 0 do not count; rig r has the frames
    r·``per_rig`` to (r+1)·``per_rig``.
    """
    views = pose_2d.shape[1]
    camera = camera_from_view @ view_from_canonical
    relative = torch.einsum("bvij,bukj->bvuik", camera[permutation], camera[permutation])
    in_cameras = torch.einsum("buij,bukj->buki", camera, pose)
    poses = torch.einsum("bvji,bvujk,bulk->bvuli", camera_from_view, relative, in_cameras)
    losses = cross_reprojection(pose_2d, confidence, inverse_depth, poses)
    visible = visible_views(confidence)
    weight = pair_weights(visible * static[:, None]) * pair_weights(visible[permutation])
    weight = weight * (1 - torch.eye(views, device=pose_2d.device))
    by_rig = (-1, per_rig * views * views)
    return views * weighted_mean(losses.reshape(by_rig), weight.reshape(by_rig), dim=-1).sum()


def refinement(pose_2d: Tensor, confidence: Tensor, refined: Tensor) -> Tensor:
    """Returns L_ref = Lrep(w, w~): how far refinement moved the 2D; for the log only, it has no gradient."""
    return weighted_mean(scaled_l1(pose_2d, refined, confidence), visible_views(confidence))


def consistency_3d(pose: Tensor, confidence: Tensor) -> Tensor:
    """Returns L_3D = mean over pairs of views of |X~_i − X~_j|₁, canonical poses of norm 1 each."""
    whole = unit(pose)
    apart = (whole[:, :, None] - whole[:, None]).abs().mean((-1, -2))
    weight = pair_weights(visible_views(confidence))
    return weighted_mean(apart, weight * (1 - torch.eye(pose.shape[1], device=pose.device)))


def consistency_3d_released(pose: Tensor) -> Tensor:
    """Returns L_3D as released: 1/(3J·B) Σ_{i<V} 1/(V−i) Σ_{u>i} Σ_b |X~_i − X~_u|₁, views counted from 1."""
    views = pose.shape[1]
    apart = (pose[:, :, None] - pose[:, None]).abs().sum((-1, -2)).mean(0) / pose[0, 0].numel()
    share = 1 / torch.arange(views, 0, -1, device=pose.device).sub(1).clamp_min(1)
    return (torch.triu(apart, diagonal=1) * share[:, None]).sum()


def lift_consistency(pose: Tensor, pose_of_refined: Tensor, confidence: Tensor) -> Tensor:
    """Returns L_12 = mean of √c_j |X − X~|, between the lifts of detected and refined 2D, poses of norm 1 each."""
    apart = distance(unit(pose), unit(pose_of_refined)) * confidence.sqrt()
    return weighted_mean(apart.mean(-1), visible_views(confidence))


def lift_consistency_released(pose: Tensor, pose_of_refined: Tensor, confidence: Tensor) -> Tensor:
    """Returns L_12 as released: 1/(3J·B·V) Σ_{b,v} Σ_j √c_j ‖X_v − X~_v‖_F, the norm of the whole pose."""
    apart = ((pose - pose_of_refined).square().sum((-1, -2)) + EPSILON).sqrt()
    return (confidence.sqrt().sum(-1) * apart).mean() / pose[0, 0].numel()


def fused_pose(poses: Tensor, target: Tensor, covariance: Tensor, scale: float, weight: Tensor) -> Tensor:
    """Returns the distance of all pairs R_v X_u to the fused pose in view v, every direction weighted by its precision.

    L_sp = mean over (b,v,u,j) of √(eᵀ (I + Σ/s²)⁻¹ e), e = (R_v X_u − T_v)_j: directions in which the other views know
    a joint better than s count in full, unknown ones not at all. Not squared, so that outliers do not dominate.

    Args:
        poses: (B,V,V,J,3) from `in_all_views`, in units of the view's 2D norm.
        target: (B,V,J,3) T, the fused pose in each view.
        covariance: (B,V,J,3,3) Σ of it.
        scale: s.
        weight: (B,V,V) of the pairs.
    """
    precision = torch.linalg.inv(torch.eye(3, device=poses.device) + covariance / scale**2)
    error = poses - target.unsqueeze(2)
    square = torch.einsum("bvukc,bvkcd,bvukd->bvuk", error, precision, error)
    return weighted_mean((square.clamp_min(0) + 1e-6).sqrt().mean(-1), weight)


def bending(pose: Tensor, weight: Tensor) -> Tensor:
    """Returns how far joints bend the wrong way, which separates people from their depth mirror image without labels.

    L_bend = mean of max(0, m − a·f) over nose, knees and elbows; a the offset of the joint, f = (right → left) ×
    (pelvis → thorax) of length 1, the pose of norm 1: the nose is in front of the ears, knees bend forward, elbows
    backward. No projection can decide this (P R X = P (F R F)(F X) with F = diag(1,1,−1)).

    Args:
        pose: (...,J,3) in any right-handed frame.
        weight: (...).
    """

    def at(name: str) -> Tensor:
        return pose[..., INDEX[name], :]

    left = at("l_hip") - at("r_hip") + at("l_shoulder") - at("r_shoulder")
    forward = torch.linalg.cross(left, at("thorax") - at("pelvis"))
    forward = forward / (forward.square().sum(-1, keepdim=True) + 1e-6).sqrt()
    size = (pose.square().sum((-1, -2)) + EPSILON).sqrt()
    out = (MIN_NOSE_OFFSET - ((at("nose") - at("head")) * forward).sum(-1) / size).clamp_min(0)
    for side in "lr":
        knee = at(f"{side}_knee") - 0.5 * (at(f"{side}_hip") + at(f"{side}_ankle"))
        elbow = 0.5 * (at(f"{side}_shoulder") + at(f"{side}_wrist")) - at(f"{side}_elbow")
        out = out + (-(knee * forward).sum(-1) / size).clamp_min(0) + (-(elbow * forward).sum(-1) / size).clamp_min(0)
    return weighted_mean(out / 5, weight)


def supervised(pose_in_view: Tensor, true_pose: Tensor, has_truth: Tensor) -> Tensor:
    """Returns the mean distance of lifted poses (B,V,J,3) to the true ones in their views, where known (B,V)."""
    return weighted_mean(distance(pose_in_view, true_pose).mean(-1), has_truth)


def depth_nll(pose_in_view: Tensor, target: Tensor, spread: Tensor, weight: Tensor) -> Tensor:
    """Returns L_spread = mean of |z − z*|/b + log b, the Laplace negative log-likelihood of the lifted depths z.

    Poses and targets are (B,V,J,3) in their views. The gradient reaches the spread b (B,V,J) only, not the pose.
    """
    error = (pose_in_view[..., 2] - target[..., 2]).abs().detach()
    return weighted_mean((error / spread + spread.log()).mean(-1), weight)


def lifting_loss(outputs: tuple[Tensor, Tensor, Tensor], target: dict[str, Tensor]) -> dict[str, Tensor]:
    """Returns the supervised loss of simulated single views: ``total``, and its parts without gradient.

    ``outputs`` are those of `Lifter.forward`, ``target`` the fields of `SimulatedViews` as tensors.
    """
    canonical, rotation, spread = (value.float() for value in outputs)
    pose_in_view = canonical @ rotation.transpose(1, 2)
    pose = distance(pose_in_view, target["pose_in_view"]).mean()
    body = distance(canonical, target["canonical"]).mean()
    turn = ((rotation - target["view_from_canonical"]).square().sum((1, 2)) + EPSILON).sqrt().mean()
    error = (pose_in_view[..., 2] - target["pose_in_view"][..., 2]).abs().detach()
    nll = (error / spread + torch.log(spread)).mean()
    total = pose + CANONICAL_WEIGHT * body + ROTATION_WEIGHT * turn + SPREAD_WEIGHT * nll
    parts = {"pose": pose, "canonical": body, "rotation": turn, "spread": nll}
    return {"total": total, **{name: part.detach() for name, part in parts.items()}}
