"""Lifter and CSM as one torch module: what is exported, and what runs in torch on a GPU."""

import torch
from torch import Tensor, nn

from pose_rig.graph import DEPTH_INPUT, LIFTER_ROTATION_SD, ONNX_INPUTS
from pose_rig.lifting import csm
from pose_rig.lifting.model import Lifter


class RigGraph(nn.Module):
    """Lifter and CSM in one module; code for tracing is here, not in the models."""

    def __init__(self, lifter: Lifter) -> None:
        super().__init__()
        self.lifter = lifter

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the arguments that it uses."""
        return tuple(name for name in ONNX_INPUTS if self.lifter.config.depth or name != DEPTH_INPUT)

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
        canonical, ray_from_canonical, spread = self.lifter(flat, confidence, depth)
        lifted = canonical @ ray_from_canonical.transpose(1, 2)
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
