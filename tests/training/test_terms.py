"""Each term of the losses, on poses of which the answer is known."""

import numpy as np
import pytest
import torch
from torch import Tensor

from pose_rig.training import terms
from pose_rig.training.bank import Bank
from tests.training.walk_footage import body, exact, random_rotations

FLIP = torch.tensor([1.0, 1.0, -1.0])


def scene(views: int = 3, instants: int = 4) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Exact weak-perspective 2D of norm 1, all seen: flat, confidence, rotation, pose."""
    pose = body(count=instants)[:, None].expand(-1, views, -1, -1).contiguous()
    rotation = random_rotations(instants, views)
    flat = torch.einsum("bvij,bvkj->bvki", rotation, pose)[..., :2]
    return flat / flat.norm(dim=(-1, -2), keepdim=True), torch.ones(instants, views, 17), rotation, pose


def losses(flat: Tensor, confidence: Tensor, rotation: Tensor, pose: Tensor) -> tuple[float, float]:
    norm = torch.zeros(flat.shape[:2])
    own, others = terms.pairs(flat, confidence, norm, terms.turned(rotation, pose))
    return float(own), float(others)


def test_true_poses_reproject_without_loss_in_all_views() -> None:
    assert losses(*scene()) == pytest.approx((0, 0), abs=1e-5)


def test_a_pose_and_its_depth_mirror_image_reproject_alike() -> None:
    flat, confidence, rotation, pose = scene()
    wrong = pose + 0.1 * torch.randn(pose.shape, generator=torch.Generator().manual_seed(0))
    mirrored = FLIP[:, None] * rotation * FLIP
    assert losses(flat, confidence, mirrored, wrong * FLIP) == pytest.approx(losses(flat, confidence, rotation, wrong))


def test_pairs_are_what_a_loop_over_views_gives() -> None:
    flat, confidence, rotation, pose = scene()
    pose = pose + 0.1 * torch.randn(pose.shape, generator=torch.Generator().manual_seed(0))
    confidence = 0.5 + 0.5 * torch.rand(confidence.shape, generator=torch.Generator().manual_seed(1))
    own, others = 0.0, 0.0
    for v in range(3):
        for u in range(3):
            seen = pose[:, u] @ rotation[:, v].transpose(1, 2)
            scaled = [x / x.square().mean((1, 2), keepdim=True).sqrt() for x in (flat[:, v], seen[..., :2])]
            loss = float(((scaled[0] - scaled[1]).abs().sum(-1) * confidence[:, v]).sum() / (2 * 17 * 4))
            own, others = (own + loss / 3, others) if u == v else (own, others + loss / 2)
    assert losses(flat, confidence, rotation, pose) == pytest.approx((own, others), rel=1e-3)


def test_a_missing_view_and_a_missing_joint_change_nothing() -> None:
    flat, confidence, rotation, pose = scene(4)
    before = losses(flat[:, :3], confidence[:, :3], rotation[:, :3], pose[:, :3])
    gone = confidence.clone()
    gone[:, 3] = 0
    pose[:, 3] += 5.0
    own, others = losses(flat * gone[..., None], gone, rotation, pose)
    assert (own, others) == pytest.approx((before[0], 4 / 3 * before[1]), abs=1e-5)
    flat[:, 0, 5], confidence[:, 0, 5] = 0.0, 0.0
    assert losses(flat[:, :3], confidence[:, :3], rotation[:, :3], pose[:, :3]) == pytest.approx((0, 0), abs=1e-5)


def test_near_limbs_look_larger_with_perspective() -> None:
    every = Bank([exact()], "ray").all
    poses = every.shape[:, :, None]  # every view's own
    flat = every.shape[..., :2] / (1 + every.norm[..., None, None] * every.shape[..., 2:])
    with_it = terms.reprojection(flat, every.confidence, every.norm, poses[:, :, 0])
    without = terms.reprojection(flat, every.confidence, 0 * every.norm, poses[:, :, 0])
    assert float(with_it.mean()) < 0.2 * float(without.mean())


def test_perspective_tells_a_pose_from_its_depth_mirror_image() -> None:
    every = Bank([exact(distance_m=2.5)], "ray").all
    right, wrong = (
        terms.reprojection(every.flat, every.confidence, every.norm, every.shape * sign) for sign in (1.0, FLIP)
    )
    assert float(right.mean()) < 0.6 * float(wrong.mean())


def test_cameras_that_stand_still_are_consistent() -> None:
    flat, confidence, _, pose = scene()
    camera = random_rotations(1, 3, seed=5).expand(4, -1, -1, -1)
    orientation = random_rotations(4, 1, seed=6)
    rotation = camera @ orientation
    flat = torch.einsum("bvij,bvkj->bvki", rotation, pose)[..., :2]
    eye, norm = torch.eye(3).expand(4, 3, 3, 3), torch.zeros(4, 3)

    def loss(rotation: Tensor, static: float) -> float:
        order, still = torch.tensor([1, 2, 3, 0]), torch.full((4,), static)
        return float(terms.camera_consistency(flat, confidence, norm, rotation, pose, eye, order, still))

    assert loss(rotation, 1.0) == pytest.approx(0, abs=1e-5)
    bumped = rotation.clone()
    bumped[2, 1] = random_rotations(1, seed=9)[0]
    assert loss(bumped, 1.0) > 0.05
    assert loss(bumped, 0.0) == 0


def test_lifts_that_agree_cost_nothing_whatever_their_size() -> None:
    pose = body(count=3)[:, None].expand(-1, 2, -1, -1)
    other = pose + 0.1 * torch.randn(pose.shape, generator=torch.Generator().manual_seed(0))
    sure = torch.ones(3, 2, 17)
    assert float(terms.consistency_3d(pose, sure)) == pytest.approx(0, abs=1e-6)
    assert float(terms.lifts_agree(pose, pose, sure)) == pytest.approx(0, abs=2e-4)
    small = terms.lifts_agree(0.1 * pose, 0.1 * other, sure), terms.consistency_3d(0.1 * other, sure)
    large = terms.lifts_agree(pose, other, sure), terms.consistency_3d(other, sure)
    for a, b in zip(small, large, strict=True):
        assert float(a) == pytest.approx(float(b), rel=0.01)
    released = terms.lifts_agree_released(pose, other, sure), terms.consistency_3d_released(other)
    smaller = terms.lifts_agree_released(0.1 * pose, 0.1 * other, sure), terms.consistency_3d_released(0.1 * other)
    for a, b in zip(released, smaller, strict=True):
        assert float(b) == pytest.approx(0.1 * float(a), rel=0.02)


def test_people_bend_one_way_and_their_mirror_images_the_other() -> None:
    pose = body(count=6)
    weight = torch.ones(6)
    right, wrong = float(terms.bends(pose, weight)), float(terms.bends(pose * FLIP, weight))
    assert wrong > 5 * right + 0.005
    turned = pose @ random_rotations(1)[0].T
    assert float(terms.bends(turned, weight)) == pytest.approx(right, abs=1e-6)


def test_an_error_where_nothing_is_known_counts_little() -> None:
    target = body()[:, None]
    covariance = torch.diag(torch.tensor([1e-6, 1e-6, 1.0])).expand(1, 1, 17, 3, 3)
    weight = torch.ones(1, 1, 1)

    def loss(off: list[float]) -> float:
        moved = (target + torch.tensor(off))[:, :, None]
        return float(terms.precise(moved, target, covariance, 0.02, weight))

    assert loss([0.1, 0, 0]) == pytest.approx(0.1, rel=0.02)
    assert loss([0, 0, 0.1]) < 0.05 * loss([0.1, 0, 0])


def test_doubt_is_best_when_it_is_as_large_as_the_error() -> None:
    target = body()[:, None]
    own = target + torch.tensor([0.0, 0.0, 0.05])
    weight = torch.ones(1, 1)
    values = [
        float(terms.doubt(own, target, torch.full((1, 1, 17), spread), weight)) for spread in (0.02, 0.05, 0.12)
    ]
    assert np.argmin(values) == 1


def test_refinement_is_a_distance_of_pictures() -> None:
    flat, confidence, _, _ = scene()
    assert float(terms.refinement(flat, confidence, flat)) == 0
    assert float(terms.refinement(flat, confidence, flat.roll(1, 2))) > 0.1


def test_gradients_are_right() -> None:
    generator = torch.Generator().manual_seed(0)
    pose = torch.randn(2, 2, 17, 3, generator=generator, dtype=torch.double, requires_grad=True)
    flat = torch.randn(2, 2, 17, 2, generator=generator, dtype=torch.double)
    sure = torch.ones(2, 2, 17, dtype=torch.double)
    assert torch.autograd.gradcheck(lambda x: terms.reprojection(flat, sure, 0.2 * sure[..., 0], x), (pose,))
    assert torch.autograd.gradcheck(lambda x: terms.bends(x, sure[..., 0]), (pose,))
    assert torch.autograd.gradcheck(lambda x: terms.consistency_3d(x, sure), (pose,))
