"""Errors that a detector's depths have in common with lifts of the same 2D pose.

Both take a foreshortened limb for what such limbs usually are. Measured on real footage (*full*, four cameras,
limb joints): the errors correlate by 0.14 to 0.75, 0.55 in the mean. On another take, on which both are equally
accurate, the error of their plain mean was 0.94 of either, which means 0.75. A lifter that was trained with independent
errors trusts the depths too much: on that footage it got worse. So does one that was trained with depths as accurate as
the lift: the errors of those measured are 1.0 to 1.4 times as large. Both shares are drawn for each view.

Axes: N views, J joints.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Lifts = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]  # as `pose_rig.lifting.model.Lifter`


@torch.no_grad()
def with_common_errors(lifter: Lifts, views: dict[str, Tensor]) -> Tensor:
    """Returns (N,J,2) the depths of simulated views, with the common part of the errors.

    Args:
        lifter: Its lifts from 2D alone have the error in common.
        views: The fields of `pose_rig.training.footage.simulated_views.SimulatedViews`.
    """
    depth, known = views["depth"].unbind(-1)
    canonical, rotation, _ = lifter(views["pose_2d"], views["confidence"], torch.zeros_like(views["depth"]))
    lifted = (canonical.float() @ rotation.float().transpose(1, 2))[..., 2]
    true = views["pose_in_view"][..., 2]
    independent, common = (views[f"{part}_error"].unsqueeze(1) for part in ("independent", "common"))
    error = independent * (depth - true) + common * (lifted - true)
    return torch.stack([known * (true + error), known], -1)
