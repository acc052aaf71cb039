"""The published training in loops computes what ours does at once."""

import torch
from torch import Tensor

from benchmarks.training.published_loops import Batch, canonpose_loss, refine, step2_loss
from pose_rig.lifting.model import Lifter, LifterConfig
from pose_rig.skeleton import J
from pose_rig.training import heatmap_voting, losses

FRAMES, VIEWS = 6, 3


def batch(confidence: Tensor) -> Batch:
    pose_2d = torch.randn(FRAMES * VIEWS, J, 2, generator=torch.Generator().manual_seed(1))
    pose_2d = pose_2d - pose_2d[:, :1]
    pose_2d = pose_2d / pose_2d.square().sum((1, 2), keepdim=True).sqrt()
    return Batch(pose_2d, confidence.expand(FRAMES * VIEWS, J), torch.tensor([0, 0, 0, 1, 1, 1]), VIEWS)


def lifter() -> Lifter:
    torch.manual_seed(0)
    return Lifter(LifterConfig(width=16, frame="image", rotation="axis_angle"))


def stacked(value: Tensor) -> Tensor:
    return value.reshape(FRAMES, VIEWS, *value.shape[1:])


def test_loops_of_reprojections_are_the_sum_over_all_pairs() -> None:
    """Every subject has one frame, so that camera consistency is the other views' reprojection once more."""
    seen, network = batch(torch.linspace(0.1, 1.0, J)), lifter()
    alone = Batch(seen.pose_2d[:VIEWS], seen.confidence[:VIEWS], seen.subject[:1], VIEWS)
    pose, rotation, _ = network(alone.pose_2d, alone.confidence)
    own, others = losses.pairs(
        alone.pose_2d[None],
        alone.confidence[None],
        torch.zeros(1, VIEWS),
        losses.in_all_views(rotation[None], pose[None]),
    )
    torch.testing.assert_close(canonpose_loss(network, alone), own + 1.1 * others, atol=1e-5, rtol=1e-4)


def test_with_confident_detections_step_two_is_step_one_with_more_weight() -> None:
    seen, network = batch(torch.ones(())), lifter()
    seen = Batch(seen.pose_2d[:VIEWS], seen.confidence[:VIEWS], seen.subject[:1], VIEWS)
    pose, rotation, _ = network(seen.pose_2d, seen.confidence)
    own, others = losses.pairs(
        seen.pose_2d[None],
        seen.confidence[None],
        torch.zeros(1, VIEWS),
        losses.in_all_views(rotation[None], pose[None]),
    )
    consistent = 0.001 * losses.consistency_3d_released(pose[None])
    torch.testing.assert_close(
        step2_loss(network, seen), 1.01 * own + 1.11 * others + consistent, atol=1e-4, rtol=1e-4
    )  # fmt: skip


def test_loops_refine_as_released() -> None:
    seen, network = batch(torch.linspace(0.1, 1.0, J)), lifter()
    pose, rotation, _ = network(seen.pose_2d, seen.confidence)
    views = [stacked(value).detach().double() for value in (seen.pose_2d, seen.confidence, rotation, pose)]
    refined = refine(*views)
    assert (refined != views[0]).any()
    torch.testing.assert_close(refined, heatmap_voting.released(*views), atol=1e-6, rtol=0)


def test_a_step_changes_every_weight_with_a_gradient() -> None:
    network = lifter()
    step2_loss(network, batch(torch.linspace(0.1, 1.0, J))).backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    assert network.stem.weight.grad is not None
    assert network.stem.weight.grad.abs().sum() > 0
