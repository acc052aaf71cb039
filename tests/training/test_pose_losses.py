"""The terms between poses, compared with known answers; and the gradients of all terms."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from pose_rig.chirality import chirality
from pose_rig.geometry import rotation_from_vector
from pose_rig.skeleton import INDEX, J
from pose_rig.training import losses
from tests.fusion.fakes import standing
from tests.training.fakes.footage import FLIP, blind, exact, wrong

TIGHT = 1e-6  # what the small number under every root leaves
EYE = torch.eye(3, dtype=torch.float64)
SCALED = 0.1


def test_the_same_pose_in_all_views_is_consistent() -> None:
    scene = exact()
    same = scene.pose[:, :1].expand_as(scene.pose)
    assert float(losses.consistency_3d(same, scene.confidence)) == 0
    assert float(losses.consistency_3d_released(same)) == 0
    assert float(losses.consistency_3d(scene.pose, scene.confidence)) < TIGHT  # of other sizes only
    assert float(losses.consistency_3d_released(scene.pose)) > 0.01


def test_consistency_is_no_reward_for_shrinking_as_the_released_one_is() -> None:
    pose, confidence = wrong(exact()).pose, exact().confidence
    full, small = (losses.consistency_3d(x, confidence) for x in (pose, SCALED * pose))
    assert float(full) > 0.001
    assert torch.allclose(small, full, rtol=1e-4)
    assert torch.allclose(losses.consistency_3d_released(SCALED * pose), SCALED * losses.consistency_3d_released(pose))


def test_consistency_leaves_out_views_without_detections() -> None:
    scene = blind(exact(frames=1), 2, slice(None))
    pose = scene.pose.clone()
    pose[0, 2] = torch.from_numpy(np.random.default_rng(0).normal(0, 1, (J, 3)))
    assert float(losses.consistency_3d(pose, scene.confidence)) < TIGHT
    assert float(losses.consistency_3d(pose, torch.ones_like(scene.confidence))) > 0.001


def test_consistency_as_released_weighs_views_as_the_loop_does() -> None:
    pose = exact().pose
    frames, views = pose.shape[:2]
    expected = 0.0
    for i in range(views - 1):
        for u in range(i + 1, views):
            expected += float((pose[:, i] - pose[:, u]).abs().sum()) / (3 * J * frames) / (views - 1 - i)
    assert float(losses.consistency_3d_released(pose)) == pytest.approx(expected, rel=1e-6)


def test_equal_lifts_have_no_loss_and_shrinking_does_not_reduce_it() -> None:
    scene, other = exact(), exact(5)
    root = losses.EPSILON**0.5
    assert float(losses.lift_consistency(scene.pose, scene.pose, scene.confidence)) <= root
    assert float(losses.lift_consistency(scene.pose, 3 * scene.pose, scene.confidence)) <= 2 * root
    full = losses.lift_consistency(scene.pose, other.pose, scene.confidence)
    small = losses.lift_consistency(SCALED * scene.pose, SCALED * other.pose, scene.confidence)
    assert float(full) > 0.01
    assert torch.allclose(small, full, rtol=1e-3)
    released = losses.lift_consistency_released(scene.pose, other.pose, scene.confidence)
    shrunk = losses.lift_consistency_released(SCALED * scene.pose, SCALED * other.pose, scene.confidence)
    assert torch.allclose(shrunk, SCALED * released, rtol=1e-3)


def test_lift_consistency_as_released_weights_whole_poses() -> None:
    first, second = exact(frames=2, views=2).pose, exact(5, 2, 2).pose
    confidence = torch.rand(2, 2, J, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    norms = (first - second).flatten(2).norm(dim=-1)
    expected = (confidence.sqrt().sum(-1) * norms).sum() / (3 * J * 2 * 2)
    assert torch.allclose(losses.lift_consistency_released(first, second, confidence), expected, rtol=1e-5)


def test_lift_consistency_is_weighted_by_the_root_of_confidence() -> None:
    first, second = exact(frames=1, views=1), exact(5, 1, 1)
    confidence = torch.linspace(0.1, 1.0, J, dtype=torch.float64)
    x, y = (scene.pose[0, 0] / scene.pose[0, 0].norm() for scene in (first, second))
    expected = (confidence.sqrt() * (x - y).norm(dim=-1)).mean()
    assert torch.allclose(
        losses.lift_consistency(first.pose, second.pose, confidence.expand(1, 1, J)), expected, rtol=1e-3
    )


def test_lift_consistency_counts_visible_views() -> None:
    scene = blind(exact(frames=1), 0, slice(None))
    again = scene.pose.clone()
    again[0, 0] += torch.from_numpy(np.random.default_rng(0).normal(0, 1, (J, 3)))
    assert float(losses.lift_consistency(scene.pose, again, scene.confidence)) <= losses.EPSILON**0.5


def person() -> Tensor:
    return torch.from_numpy(standing())


def test_people_have_no_bending_loss_and_their_mirror_images_have() -> None:
    weight = torch.ones(4, dtype=torch.float64)
    turns = torch.from_numpy(rotation_from_vector(np.random.default_rng(0).normal(0, 1, (4, 3))))
    people = person() @ turns.mT
    assert float(losses.bending(people, weight)) == 0
    assert float(losses.bending(2 * people, weight)) == 0
    mirrored = people * FLIP
    assert chirality(mirrored.numpy()) < 0 < chirality(people.numpy())
    size = float(person().square().sum().sqrt())
    nose, knee, elbow = 0.11, 0.03, 0.07  # m, from `STANDING`: how far each of them sticks out forward, or backward
    expected = (losses.MIN_NOSE_OFFSET + (nose + 2 * knee + 2 * elbow) / size) / 5
    assert float(losses.bending(mirrored, weight)) == pytest.approx(expected, rel=1e-4)


def test_noses_must_be_in_front_of_the_ears() -> None:
    pose = person()
    pose[INDEX["nose"], 2] = 0.0
    assert float(losses.bending(pose, torch.tensor(1.0))) == pytest.approx(losses.MIN_NOSE_OFFSET / 5, rel=1e-4)


def test_bending_is_weighted() -> None:
    both = torch.stack([person(), person() * FLIP])
    assert float(losses.bending(both, torch.tensor([1.0, 0.0], dtype=torch.float64))) == 0
    alone = losses.bending(both[1], torch.tensor(1.0))
    assert torch.allclose(losses.bending(both, torch.ones(2, dtype=torch.float64)), alone / 2)


def towards(off: Tensor, covariance: Tensor, weight: float = 1.0) -> float:
    """The precise term of one pair whose joints are all off by the same."""
    target = torch.zeros(1, 1, J, 3, dtype=torch.float64)
    poses = (target + off).unsqueeze(2)
    found = losses.fused_pose(poses, target, covariance.expand(1, 1, J, 3, 3), 0.02, torch.full((1, 1, 1), weight))
    return float(found)


def test_less_precise_directions_have_less_weight() -> None:
    off = torch.tensor([0.3, 0.0, 0.0], dtype=torch.float64)
    losses = [towards(off, sd**2 * EYE) for sd in (0.0, 0.02, 0.2, 2.0, 200.0)]
    assert losses[0] == pytest.approx(0.3, rel=1e-4)
    assert losses[1] == pytest.approx(0.3 / 2**0.5, rel=1e-4)
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.002
    assert towards(off, 0 * EYE, weight=0.0) == 0


def test_every_direction_is_weighted_by_its_precision() -> None:
    along = torch.diag(torch.tensor([4.0, 0.0, 0.0], dtype=torch.float64))
    assert towards(torch.tensor([0.0, 0.3, 0.0], dtype=torch.float64), along) == pytest.approx(0.3, rel=1e-4)
    assert towards(torch.tensor([0.3, 0.0, 0.0], dtype=torch.float64), along) < 0.005


def test_the_fused_pose_loss_is_weighted_by_pairs() -> None:
    scene = exact(frames=1, views=2)
    poses = losses.in_all_views(scene.rotation, scene.pose[:, :1].expand_as(scene.pose))
    target = poses[:, :, 0].clone()
    poses[0, 1, 0] += 0.5
    zero = torch.zeros(1, 2, J, 3, 3, dtype=torch.float64)
    weight = torch.ones(1, 2, 2, dtype=torch.float64)
    far = 0.5 * 3**0.5
    assert float(losses.fused_pose(poses, target, zero, 0.02, weight)) == pytest.approx(far / 4, rel=0.01)
    weight[0, 1, 0] = 0.0
    assert float(losses.fused_pose(poses, target, zero, 0.02, weight)) == pytest.approx(1e-3, rel=1e-3)


def test_supervised_is_the_mean_distance_where_labels_are_known() -> None:
    shape = torch.zeros(1, 2, J, 3)
    near = shape + torch.tensor([0.3, 0.0, 0.4])
    near[0, 1] += 100.0
    assert float(losses.supervised(near, shape, torch.tensor([[1.0, 0.0]]))) == pytest.approx(0.5, rel=1e-5)
    assert float(losses.supervised(near, shape, torch.zeros(1, 2))) == 0


def test_depth_nll_is_minimal_at_the_error_and_has_no_gradient_for_the_pose() -> None:
    target, weight = torch.zeros(1, 1, J, 3), torch.ones(1, 1)
    pose = torch.full((1, 1, J, 3), 0.2, requires_grad=True)
    values = {
        b: float(losses.depth_nll(pose, target, torch.full((1, 1, J), b), weight)) for b in (0.1, 0.15, 0.2, 0.3, 0.4)
    }
    assert min(values, key=values.__getitem__) == 0.2
    assert values[0.2] == pytest.approx(1 + np.log(0.2), rel=1e-5)
    spread = torch.full((1, 1, J), 0.1, requires_grad=True)
    losses.depth_nll(pose, target, spread, weight).backward()  # type: ignore[no-untyped-call]
    assert pose.grad is None
    assert spread.grad is not None
    assert (spread.grad < 0).all()


SMALL = exact(7, 2, 2, inverse_depth=0.2)
LIFTED = wrong(SMALL)
RANDOM = torch.from_numpy(np.random.default_rng(1).normal(0, 0.3, (2, 2, J, 3)))
COVARIANCE = 0.01 * torch.einsum("bvji,bvjk->bvjik", RANDOM, RANDOM) + 1e-4 * EYE
TERMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "pairs": lambda x, r: torch.stack(
        losses.pairs(SMALL.pose_2d, SMALL.confidence, SMALL.inverse_depth, losses.in_all_views(r, x))
    ).sum(),
    "camera_consistency": lambda x, r: losses.camera_consistency(
        SMALL.pose_2d,
        SMALL.confidence,
        SMALL.inverse_depth,
        r,
        x,
        SMALL.rotation,
        torch.tensor([1, 0]),
        torch.ones(2),
        2,
    ),
    "consistency_3d": lambda x, _: losses.consistency_3d(x + RANDOM, SMALL.confidence),
    "consistency_3d_released": lambda x, _: losses.consistency_3d_released(x),
    "lifts_agree": lambda x, _: losses.lift_consistency(x, RANDOM, SMALL.confidence),
    "lifts_agree_released": lambda x, _: losses.lift_consistency_released(x, RANDOM, SMALL.confidence),
    "precise": lambda x, r: losses.fused_pose(losses.in_all_views(r, x), RANDOM, COVARIANCE, 0.02, torch.ones(2, 2, 2)),
    "bends": lambda x, _: losses.bending(x * FLIP, torch.ones(2, 2)),
    "supervised": lambda x, _: losses.supervised(x, RANDOM, torch.ones(2, 2)),
}


@pytest.mark.parametrize("name", TERMS)
def test_gradients_are_right(name: str) -> None:
    pose, rotation = (x.clone().requires_grad_() for x in (LIFTED.pose, LIFTED.rotation))
    assert TERMS[name](pose, rotation).requires_grad
    assert torch.autograd.gradcheck(TERMS[name], (pose, rotation), eps=1e-7, atol=1e-4, rtol=1e-3, fast_mode=True)


def test_the_gradient_of_doubt_is_right() -> None:
    spread = torch.full((2, 2, J), 0.2, dtype=torch.float64, requires_grad=True)
    weight = torch.ones(2, 2)
    assert torch.autograd.gradcheck(
        lambda b: losses.depth_nll(RANDOM, LIFTED.pose, b, weight), (spread,), fast_mode=True
    )
