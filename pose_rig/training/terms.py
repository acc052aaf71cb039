"""The terms of the losses, one small pure function each.

After CanonPose (Wandt et al., CVPR 2021) and Cross-View Self-Fusion (Kim et al., ACCV 2022); the names are those of the
weights in `pose_rig.training.methods`. Every function takes all views and all pairs of views at once; a view that saw
nothing (all confidences 0) takes part in none.

Notation: w_v the 2D pose of view v, c_v its confidences, X_v the canonical pose lifted from it, R_v the rotation that
takes canonical poses into view v, P the first two rows of the identity, ~ what Step 2 made of the refined 2D.

Axes: B instants, V views (second V: the view whose pose or rotation is used), J joints.
"""

import torch
from torch import Tensor

from pose_rig.skeleton import INDEX

TINY = 1e-8
NOSE_AHEAD = 0.03  # of the pose's norm, about 5 cm: noses stick out further than heads turn


def rms(points: Tensor, weight: Tensor) -> Tensor:
    """Returns (...,1,1) √(Σ weight·|p|² / Σ weight·C) of points (...,J,C), weight (...,J)."""
    total = (weight.sum(-1) * points.shape[-1]).clamp_min(1e-3)
    return ((points.square().sum(-1) * weight).sum(-1) / total + TINY).sqrt()[..., None, None]


def mean(values: Tensor, weight: Tensor) -> Tensor:
    """Returns the mean of values under weights of the same shape, 0 where nothing weighs."""
    return (values * weight).sum() / weight.sum().clamp_min(1e-6)


def present(confidence: Tensor) -> Tensor:
    """Returns (B,V) 1 = the view saw somebody."""
    return (confidence > 0).any(-1).to(confidence.dtype)


def turned(rotation: Tensor, pose: Tensor) -> Tensor:
    """Returns (B,V,V,J,3) every view's pose in every view: R_v X_u, the first V the view looked from."""
    return torch.einsum("bvij,bukj->bvuki", rotation, pose)


def seen_through(pose: Tensor, flat: Tensor, norm: Tensor, weight: Tensor) -> Tensor:
    """Returns (...,J,2) the picture of a pose (...,J,3) of any size: P Y / (1 + k z), scaled to the 2D it belongs to.

    First-order perspective: z is the depth after Y has been given the size of ``flat`` (...,J,2) in the picture, k the
    inverse root depth ``norm`` (...); k = 0 is the weak perspective of the paper.
    """
    ratio = rms(flat, weight) / rms(pose[..., :2], weight)
    away = 1 + norm[..., None] * (ratio[..., 0] * pose[..., 2]).clamp(-1, 1)
    return pose[..., :2] / away.clamp_min(0.4).unsqueeze(-1)


def reprojection(flat: Tensor, confidence: Tensor, norm: Tensor, pose: Tensor) -> Tensor:
    """Returns (...) L_rep per sample: 1/(2J) Σ_j c_j |w_j/rms(w) − (PY)_j/rms(PY)|₁.

    Args:
        flat: (...,J,2) w.
        confidence: (...,J) c.
        norm: (...) for the perspective; 0 = none.
        pose: (...,J,3) Y, a pose in the frame of that view.
    """
    seen = (confidence > 0).to(flat.dtype)
    picture = seen_through(pose, flat, norm, seen)
    off = flat / rms(flat, seen) - picture / rms(picture, seen)
    return (off.abs().sum(-1) * confidence).mean(-1) / 2


def pairs(flat: Tensor, confidence: Tensor, norm: Tensor, poses: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the reprojection losses of all combinations: own pose, and the other views' poses.

    L_rep = mean over (b,v) of Lrep(w_v, R_v X_v); L_view = Σ_u mean over (b, v≠u) of Lrep(w_v, R_v X_u).

    Args:
        flat: (B,V,J,2) of the views looked from, and
        confidence: (B,V,J) and
        norm: (B,V) of these.
        poses: (B,V,V,J,3) from `turned`.
    """
    views = flat.shape[1]
    losses = reprojection(
        flat.unsqueeze(2).expand(poses[..., :2].shape), confidence.unsqueeze(2).expand(poses.shape[:-1]),
        norm.unsqueeze(2).expand(poses.shape[:3]), poses,
    )  # fmt: skip
    there = present(confidence)
    both = there[:, :, None] * there[:, None, :]
    own = torch.eye(views, device=flat.device)
    return mean(losses, both * own), views * mean(losses, both * (1 - own))


def camera_consistency(
    flat: Tensor, confidence: Tensor, norm: Tensor, rotation: Tensor, pose: Tensor, camera_from_view: Tensor,
    order: Tensor, static: Tensor,
) -> Tensor:  # fmt: skip
    """Returns L_cam: the cameras of a static rig stand to each other at one instant as they do at any other.

    L_cam = Σ_u mean over (b, v≠u) of Lrep(w_v, [Rc_v Rc_uᵀ at instant π(b)] Rc_u X_u), Rc = camera_from_view R.

    Args:
        flat: (B,V,J,2).
        confidence: (B,V,J).
        norm: (B,V).
        rotation: (B,V,3,3) R.
        pose: (B,V,J,3) X.
        camera_from_view: (B,V,3,3).
        order: (B,) π, another instant of the same rig.
        static: (B,) 1 = the cameras do not move.
    """
    views = flat.shape[1]
    camera = camera_from_view @ rotation
    relative = torch.einsum("bvij,bukj->bvuik", camera[order], camera[order])
    there = torch.einsum("buij,bukj->buki", camera, pose)
    across = torch.einsum("bvji,bvujk,bulk->bvuli", camera_from_view, relative, there)
    losses = reprojection(
        flat.unsqueeze(2).expand(across[..., :2].shape), confidence.unsqueeze(2).expand(across.shape[:-1]),
        norm.unsqueeze(2).expand(across.shape[:3]), across,
    )  # fmt: skip
    seen = present(confidence) * static[:, None]
    other = present(confidence)[order]
    both = seen[:, :, None] * seen[:, None, :] * other[:, :, None] * other[:, None, :]
    return views * mean(losses, both * (1 - torch.eye(views, device=flat.device)))


def refinement(flat: Tensor, confidence: Tensor, refined: Tensor) -> Tensor:
    """Returns L_ref = Lrep(w, w~): how far refinement moved the 2D; constant for the lifter, a figure to watch."""
    seen = (confidence > 0).to(flat.dtype)
    off = flat / rms(flat, seen) - refined / rms(refined, seen)
    return mean((off.abs().sum(-1) * confidence).mean(-1) / 2, present(confidence))


def consistency_3d(pose: Tensor, confidence: Tensor) -> Tensor:
    """Returns L_3D = mean over pairs of views of |X~_i − X~_j|₁, canonical poses of norm 1 each.

    The norm is taken out because the term alone would otherwise shrink all poses to nothing.
    """
    whole = pose / (pose.square().sum((-1, -2), keepdim=True) + TINY).sqrt()
    apart = (whole[:, :, None] - whole[:, None]).abs().mean((-1, -2))
    there = present(confidence)
    both = there[:, :, None] * there[:, None, :] * (1 - torch.eye(pose.shape[1], device=pose.device))
    return mean(apart, both)


def consistency_3d_released(pose: Tensor) -> Tensor:
    """Returns L_3D as released: 1/(3J·B) Σ_{i<V} 1/(V−i) Σ_{u>i} Σ_b |X~_i − X~_u|₁, views counted from 1."""
    views = pose.shape[1]
    apart = (pose[:, :, None] - pose[:, None]).abs().sum((-1, -2)).mean(0) / pose[0, 0].numel()
    share = 1 / torch.arange(views, 0, -1, device=pose.device).sub(1).clamp_min(1)
    return (torch.triu(apart, diagonal=1) * share[:, None]).sum()


def lifts_agree(pose: Tensor, again: Tensor, confidence: Tensor) -> Tensor:
    """Returns L_12 = mean of √c_j |X − X~|, between the lifts of detected and refined 2D, poses of norm 1 each."""
    first, second = (x / (x.square().sum((-1, -2), keepdim=True) + TINY).sqrt() for x in (pose, again))
    apart = ((first - second).square().sum(-1) + TINY).sqrt() * confidence.sqrt()
    return mean(apart.mean(-1), present(confidence))


def lifts_agree_released(pose: Tensor, again: Tensor, confidence: Tensor) -> Tensor:
    """Returns L_12 as released: 1/(3J·B·V) Σ_{b,v} Σ_j √c_j ‖X_v − X~_v‖_F, the norm of the whole pose."""
    apart = ((pose - again).square().sum((-1, -2)) + TINY).sqrt()
    return (confidence.sqrt().sum(-1) * apart).mean() / pose[0, 0].numel()


def precise(poses: Tensor, target: Tensor, covariance: Tensor, scale: float, weight: Tensor) -> Tensor:
    """Returns the distance of all pairs R_v X_u to the fused pose in view v, every direction weighed by its precision.

    L_sp = mean over (b,v,u,j) of √(eᵀ (I + Σ/s²)⁻¹ e), e = (R_v X_u − T_v)_j: as far as the other views know a joint
    better than s it counts in full, where they know nothing it counts for nothing. Not squared, so that what is wrong
    altogether does not rule.

    Args:
        poses: (B,V,V,J,3) from `turned`, in units of the view's 2D norm.
        target: (B,V,J,3) T, the fused pose in each view.
        covariance: (B,V,J,3,3) Σ of it.
        scale: s.
        weight: (B,V,V) of the pairs.
    """
    eye = torch.eye(3, device=poses.device)
    trust = torch.linalg.inv(eye + covariance / scale**2)
    off = poses - target.unsqueeze(2)
    square = torch.einsum("bvukc,bvkcd,bvukd->bvuk", off, trust, off)
    return mean((square.clamp_min(0) + 1e-6).sqrt().mean(-1), weight)


def bends(pose: Tensor, weight: Tensor) -> Tensor:
    """Returns how far poses bend the wrong way: what tells people from their depth mirror image without any label.

    L_bend = mean over witnesses of max(0, m − a·f), a the witness, f = (right → left) × (pelvis → thorax) of length 1,
    the pose of norm 1: the nose lies before the ears, knees bend forward, elbows backward. No projection can tell
    (P R X = P (F R F)(F X) with F = diag(1,1,−1)).

    Args:
        pose: (...,J,3) in any right-handed frame.
        weight: (...).
    """

    def at(name: str) -> Tensor:
        return pose[..., INDEX[name], :]

    left = at("l_hip") - at("r_hip") + at("l_shoulder") - at("r_shoulder")
    forward = torch.linalg.cross(left, at("thorax") - at("pelvis"))
    forward = forward / (forward.square().sum(-1, keepdim=True) + 1e-6).sqrt()
    size = (pose.square().sum((-1, -2)) + TINY).sqrt()
    out = (NOSE_AHEAD - ((at("nose") - at("head")) * forward).sum(-1) / size).clamp_min(0)
    for side in "lr":
        knee = at(f"{side}_knee") - 0.5 * (at(f"{side}_hip") + at(f"{side}_ankle"))
        elbow = 0.5 * (at(f"{side}_shoulder") + at(f"{side}_wrist")) - at(f"{side}_elbow")
        out = out + (-(knee * forward).sum(-1) / size).clamp_min(0) + (-(elbow * forward).sum(-1) / size).clamp_min(0)
    return mean(out / 5, weight)


def supervised(own: Tensor, shape: Tensor, scored: Tensor) -> Tensor:
    """Returns the mean distance of lifted poses (B,V,J,3) to true ones in their views, where known (B,V)."""
    return mean(((own - shape).square().sum(-1) + TINY).sqrt().mean(-1), scored)


def doubt(own: Tensor, target: Tensor, spread: Tensor, weight: Tensor) -> Tensor:
    """Returns L_spread = mean of |z − z*|/b + log b: the likelihood of the lifter's own doubt b about its depths z.

    The pose does not learn from it, only the doubt.

    Args:
        own: (B,V,J,3) lifted poses in their views.
        target: (B,V,J,3) where the joints are.
        spread: (B,V,J) b, Laplace scale.
        weight: (B,V).
    """
    miss = (own[..., 2] - target[..., 2]).abs().detach()
    return mean((miss / spread + spread.log()).mean(-1), weight)
