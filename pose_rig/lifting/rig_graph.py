"""Lifter and CSM as one torch module: what is exported, and what runs in torch on a GPU."""

import torch
from torch import Tensor, nn

from pose_rig.graph import LIFTER_ROTATION_SD
from pose_rig.lifting import csm, detected_depths
from pose_rig.lifting.model import Lifter


def single_views(
    lifter: Lifter, ray_xy: Tensor, confidence: Tensor, norm: Tensor, depth: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns (N,J,3) lifts in the ray frame, (N,3,3) ray_from_canonical and (N,J) the Laplace scales of the depths.

    The arguments are those of `Lifter.forward`, and (N,) the inverse root depth of each view, for the perspective term.
    Where the lifter does not use the depths of a detector itself, they correct its lifts.
    """
    canonical, ray_from_canonical, spread = lifter(ray_xy, confidence, depth)
    lifted = canonical @ ray_from_canonical.transpose(1, 2)
    if depth is not None and not lifter.config.depth:
        lifted = detected_depths.mixed(lifted, spread, ray_xy, norm, depth)
    return lifted, ray_from_canonical, spread


class RigGraph(nn.Module):
    """Lifter and CSM in one module; code for tracing is here, not in the models."""

    def __init__(self, lifter: Lifter) -> None:
        super().__init__()
        self.lifter = lifter

    def forward(
        self,
        flat: Tensor,
        confidence: Tensor,
        norm: Tensor,
        pick: Tensor,
        weight: Tensor,
        rotation: Tensor,
        freedom: Tensor,
        doubt: Tensor,
        depth: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Returns the fields of `GraphOutput` in order; arguments as in `ONNX_INPUTS`."""
        lifted, ray_from_canonical, spread = single_views(self.lifter, flat, confidence, norm, depth)
        guessed = freedom[..., None, None] > 0.5 * LIFTER_ROTATION_SD
        guess = lifted[..., :2] / (1 + norm[:, None, None] * lifted[..., 2:]).clamp_min(0.5)
        filled = torch.where(confidence.unsqueeze(-1) > 0, flat, guess)
        views = csm.Views(
            ray_xy=filled[pick],
            confidence=confidence[pick],
            weight=weight,
            norm=norm[pick],
            depth=lifted[..., 2][pick],
            depth_sd=csm.LAPLACE_SD * spread[pick] + doubt.unsqueeze(-1),
            ray_from_body=torch.where(guessed, ray_from_canonical[pick], rotation),
        )
        fused = csm.fuse(views, freedom)
        return (
            lifted, ray_from_canonical[:, :, 1], fused.refined, fused.body, fused.ray_from_body, fused.inlier,
            fused.model_sd, fused.scale, fused.offset, fused.rotation_gradient, fused.rotation_hessian,
        )  # fmt: skip
