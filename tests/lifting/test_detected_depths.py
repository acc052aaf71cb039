"""Depths of a detector, mixed into lifts."""

import numpy as np
import torch
from torch import Tensor

from pose_rig.lifting.detected_depths import DEPTH_SHARE, DEPTH_SPREAD, OUTLIER_DISTANCE, POSITION_SHARE, mixed
from pose_rig.skeleton import J

COUNT = 4


def lifts() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns lifts, their 2D poses, norms, and depths that a detector estimates, all known."""
    rng = np.random.default_rng(0)
    lifted = torch.from_numpy(rng.normal(0, 0.2, (COUNT, J, 3)).astype(np.float32))
    lifted[:, 0] = 0
    norm = torch.full((COUNT,), 0.4)
    ray_xy = lifted[..., :2] / (1 + norm[:, None, None] * lifted[..., 2:])
    depth = torch.stack([lifted[..., 2] + 0.1, torch.ones(COUNT, J)], -1)
    depth[:, 0, 0] = 0
    return lifted, ray_xy, norm, depth


def test_lifts_without_depths_stay_as_they_are_to_the_bit() -> None:
    lifted, ray_xy, norm, depth = lifts()
    depth[1] = 0
    depth[2, 5] = 0
    out = mixed(lifted, torch.full((COUNT, J), 0.1), ray_xy + 0.1, norm, depth)
    assert torch.equal(out[1], lifted[1])
    assert torch.equal(out[2, 5], lifted[2, 5])
    assert bool((out[0, 1:] != lifted[0, 1:]).all())


def test_depths_count_where_the_lifter_is_uncertain() -> None:
    lifted, ray_xy, norm, depth = lifts()
    for spread, share in ((1e-4, 0.0), (DEPTH_SPREAD, 0.5 * DEPTH_SHARE), (100.0, DEPTH_SHARE)):
        out = mixed(lifted, torch.full((COUNT, J), spread), ray_xy, norm, depth)
        assert torch.allclose(out[:, 1:, 2] - lifted[:, 1:, 2], torch.tensor(0.1 * share), atol=1e-5)
        assert torch.equal(out[:, 0], torch.zeros(COUNT, 3))


def test_positions_are_the_mean_of_both_unless_they_are_far_apart() -> None:
    lifted, ray_xy, norm, depth = lifts()
    depth[..., 0] = lifted[..., 2]
    exact = mixed(lifted, torch.full((COUNT, J), 0.1), ray_xy, norm, depth)
    assert torch.allclose(exact, lifted, atol=1e-6)  # perspective is undone
    for shift, share in ((1e-3, POSITION_SHARE), (OUTLIER_DISTANCE, 0.5 * POSITION_SHARE), (3.0, 0.0)):
        out = mixed(lifted, torch.full((COUNT, J), 0.1), lifted[..., :2] + torch.tensor([shift, 0.0]), 0 * norm, depth)
        moved = out[..., 0] - lifted[..., 0]
        assert torch.allclose(moved, torch.tensor(share * shift), rtol=0.02, atol=2e-3)
