"""The lift of a view, corrected by the depths that its detector estimates and by the 2D pose that was lifted.

A lifter returns what people usually do who look like this in 2D. The detector saw the pixels: its 2D positions are as
accurate as the lifted ones, so the mean of both is better than either, and its depths help where the lifter itself is
uncertain, for example of arms that point at the camera. Elsewhere they are less accurate than the lift, and err
as it does. The constants were chosen on images of 3800 rendered people, on which MediaPipe's errors are known
(docs/training.md).

Axes: N samples, J joints. Lengths in units of the lifter's input ``ray_xy``.
"""

import torch
from torch import Tensor

from pose_rig.lifting.csm import MAX_PERSPECTIVE

POSITION_SHARE = 0.5  # of the detector, in 2D positions
OUTLIER_DISTANCE = 0.06  # between detected and lifted 2D, at which that share is halved
DEPTH_SHARE = 0.7  # of the detector, in depths of which the lifter knows nothing
DEPTH_SPREAD = 0.1  # the lifter's Laplace scale at which that share is halved


def mixed(lifted: Tensor, spread: Tensor, ray_xy: Tensor, norm: Tensor, depth: Tensor) -> Tensor:
    """Returns (N,J,3) the corrected lift; joints whose depth is unknown are unchanged.

    Args:
        lifted: (N,J,3) in the ray frame, relative to the root.
        spread: (N,J) Laplace scale of its depths.
        ray_xy: (N,J,2) as it was lifted.
        norm: (N,) inverse root depth, for the perspective term; 0 = weak perspective.
        depth: (N,J,2) as estimated by the detector, and 1 = known (`pose_rig.graph.depth_input`).
    """
    estimated, known = depth[..., :1], depth[..., 1:] > 0
    square = spread.square().unsqueeze(-1)
    share = DEPTH_SHARE * square / (square + DEPTH_SPREAD**2)
    z = lifted[..., 2:] + share * (estimated - lifted[..., 2:])
    perspective = 1 + (norm[:, None, None] * z).clamp(-MAX_PERSPECTIVE, MAX_PERSPECTIVE)
    aside = ray_xy * perspective - lifted[..., :2]
    trust = POSITION_SHARE / (1 + aside.square().sum(-1, keepdim=True) * (1 / OUTLIER_DISTANCE**2))
    return torch.where(known, torch.cat([lifted[..., :2] + trust * aside, z], -1), lifted)
