from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from pose_rig.errors import UsageError
from pose_rig.geometry import rectify
from pose_rig.skeleton import INDEX, MIRROR, J
from pose_rig.training import losses
from pose_rig.training.footage.dataset import NO_DEPTH_SHARE, TENSORS, Batch, PoseDataset, lifter_input, mirror
from pose_rig.training.footage.footage import Footage, InputFrame
from tests.fusion.fakes import ring
from tests.training.fakes.footage import takes, walking
from tests.training.fakes.lifters import true_lifts, true_rig

FRAMES: tuple[InputFrame, ...] = ("image", "ray")


def same(a: Batch, b: Batch) -> bool:
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in TENSORS)


def unseen(footage: Footage, where: tuple[object, ...]) -> Footage:
    score = footage.score.copy()
    score[where] = 0.0  # type: ignore[index]
    return replace(footage, score=score)


def numbered(footage: Footage, number: int) -> Footage:
    """Confidences that encode the take (tenths) and the frame (thousandths)."""
    number_in_take = np.arange(footage.frames, dtype=np.float32)[:, None, None]
    score = np.broadcast_to(0.1 * number + 0.001 * number_in_take, footage.score.shape)
    return replace(footage, score=score.astype(np.float32))


def test_the_ray_frame_is_that_of_the_rig() -> None:
    one = walking(noise=0.01)
    seen = lifter_input(one, "ray")
    xy, score, focal, size = (x.astype(float) for x in (one.xy_px, one.score, one.focal_px, one.size_px))
    flat, norm, turn = rectify(xy, score, np.tile(focal, (one.frames, 1)), np.tile(size, (one.frames, 1, 1)))
    assert np.allclose(seen.pose_2d, flat)
    assert np.allclose(seen.inverse_depth, norm)
    assert np.allclose(seen.view_from_camera, turn)


def test_the_image_frame_is_centred_and_of_norm_one() -> None:
    one = walking(noise=0.01)
    seen = lifter_input(one, "image")
    xy = one.xy_px.astype(float) - one.xy_px[:, :, :1]
    assert np.allclose(seen.pose_2d, xy / np.linalg.norm(xy, axis=(-2, -1), keepdims=True))
    assert (seen.inverse_depth == 0).all()
    assert (seen.view_from_camera == np.eye(3)).all()
    assert np.allclose(seen.confidence, one.score)


@pytest.mark.parametrize("frame", FRAMES)
def test_invisible_joints_are_zero_and_do_not_affect_the_norm(frame: InputFrame) -> None:
    one = walking()
    joint = INDEX["l_wrist"]
    hidden = unseen(one, (slice(None), 0, joint))
    hidden.xy_px[:, 0, joint] = 1e6
    seen, whole = lifter_input(hidden, frame), lifter_input(walking(), frame)
    assert (seen.pose_2d[:, 0, joint] == 0).all()
    assert (seen.confidence[:, 0, joint] == 0).all()
    kept = [i for i in range(1, J) if i != joint]
    others = seen.pose_2d[:, 0, kept] / whole.pose_2d[:, 0, kept]
    assert np.allclose(others, others[:, :1, :1], rtol=1e-4)
    assert np.allclose(np.sqrt((seen.pose_2d[:, 0] ** 2).sum((-1, -2)) * J / (J - 1)), 1)
    assert np.array_equal(seen.pose_2d[:, 1:], whole.pose_2d[:, 1:])


@pytest.mark.parametrize("frame", FRAMES)
def test_a_pose_without_a_root_is_invisible(frame: InputFrame) -> None:
    one = unseen(walking(), (3, 1, INDEX["thorax"]))
    seen = lifter_input(one, frame)
    assert (seen.confidence[3, 1] == 0).all()
    assert (seen.confidence[3, [0, 2, 3]] > 0).all()


def test_rigs_lie_side_by_side_in_a_batch() -> None:
    footage = [numbered(walking(1.0), 3), numbered(walking(2.0), 6)]
    batch = PoseDataset(footage, "image").sample(7, 5, np.random.default_rng(0))
    assert batch.per_rig == 5
    shapes = {name: tuple(getattr(batch, name).shape) for name in TENSORS}
    assert shapes == {
        "pose_2d": (35, 4, J, 2), "confidence": (35, 4, J), "inverse_depth": (35, 4), "view_from_camera": (35, 4, 3, 3),
        "moving": (35,), "camera_from_rig": (35, 4, 3, 3), "has_rotation": (35,), "true_pose": (35, 4, J, 3),
        "has_truth": (35, 4), "depth": (35, 4, J, 2),
    }  # fmt: skip
    assert all(getattr(batch, name).dtype == torch.float32 for name in TENSORS)
    take = (batch.confidence[:, 0, 0] * 10).long().reshape(7, 5)
    assert (take == take[:, :1]).all()
    assert set(take.flatten().tolist()) == {3, 6}
    rows = ((batch.confidence[:, 0, 0] * 10) % 1 * 100).round().reshape(7, 5)
    assert len(set(rows.flatten().tolist())) > 10


def test_long_takes_are_drawn_more_often() -> None:
    dataset = PoseDataset([numbered(walking(1.0), 3), numbered(walking(3.0), 6)], "image")
    assert (dataset.lengths, len(dataset)) == ([10, 30], 40)
    confidence = dataset.sample(2000, 1, np.random.default_rng(0)).confidence[:, 0, 0]
    assert float((confidence > 0.5).float().mean()) == pytest.approx(0.75, abs=0.04)


def test_batches_depend_on_the_generator_only() -> None:
    dataset = PoseDataset(takes(), "ray")
    one, again, other = (dataset.sample(4, 4, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert same(one, again)
    assert not same(one, other)


@pytest.mark.parametrize("frame", FRAMES)
def test_parts_are_everything_once_and_in_order(frame: InputFrame) -> None:
    dataset = PoseDataset(takes(), frame)
    parts = dataset.batches(7)
    assert [len(part.pose_2d) for part in parts[:-1]] == [7] * (len(parts) - 1)
    for name in TENSORS:
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(dataset.all, name))


def test_views_are_padded_by_views_without_detections() -> None:
    two, four = walking(views=2), replace(walking(), camera_from_rig=ring(4).rotation.astype(np.float32))
    dataset = PoseDataset([two, four], "ray")
    batch = dataset.all
    first = slice(0, two.frames)
    assert batch.pose_2d.shape[1] == 4
    assert (batch.confidence[first, 2:] == 0).all()
    assert (batch.has_truth[first] == torch.tensor([1.0, 1.0, 0.0, 0.0])).all()
    assert torch.equal(batch.view_from_camera[first, 2:], torch.eye(3).expand(two.frames, 2, 3, 3))
    assert torch.equal(batch.camera_from_rig[0, 2:], torch.eye(3).expand(2, 3, 3))
    assert batch.has_rotation.tolist() == [0.0] * two.frames + [1.0] * four.frames
    assert torch.allclose(batch.camera_from_rig[-1], torch.from_numpy(ring(4).rotation).float())


def test_padding_is_never_counted() -> None:
    two, four = walking(views=2, noise=0.01), walking(seed=1)
    alone, beside = PoseDataset([two], "ray").all, PoseDataset([two, four], "ray").batches(two.frames)[0]
    rng = torch.Generator().manual_seed(0)
    pose = torch.randn(two.frames, 4, J, 3, generator=rng)
    rotation = torch.linalg.qr(torch.randn(two.frames, 4, 3, 3, generator=rng))[0]

    def values(batch: Batch) -> list[Tensor]:
        views = batch.pose_2d.shape[1]
        x, r = pose[:, :views], rotation[:, :views]
        rep, view = losses.pairs(batch.pose_2d, batch.confidence, batch.inverse_depth, losses.in_all_views(r, x))
        shape = torch.einsum("bvij,bvkj->bvki", r, x)
        return [
            rep, view / views, losses.consistency_3d(x, batch.confidence),
            losses.lift_consistency(x, 0.5 * x + 1, batch.confidence),
            losses.bending(x, losses.visible_views(batch.confidence)),
            losses.supervised(shape, batch.true_pose, batch.has_truth),
        ]  # fmt: skip

    for one, other in zip(values(alone), values(beside), strict=True):
        assert float(one) > 0.001
        assert torch.allclose(one, other, rtol=1e-5)


def test_the_true_pose_is_in_the_frame_of_the_view() -> None:
    batch = PoseDataset([walking()], "ray").all
    projected = batch.true_pose[..., :2]
    assert torch.allclose(projected.square().sum((-1, -2)).sqrt(), torch.ones(projected.shape[:2]), atol=1e-5)
    assert (batch.true_pose[:, :, 0] == 0).all()
    assert float((projected - batch.pose_2d).square().sum(-1).sqrt().median()) < 0.02  # without perspective
    lifts = true_lifts(batch, true_rig(walking()))
    rep, view = losses.pairs(
        batch.pose_2d, batch.confidence, batch.inverse_depth, losses.in_all_views(lifts.view_from_canonical, lifts.pose)
    )
    assert float(rep) < 0.01
    assert float(view) / 4 < 0.01
    weak = losses.pairs(
        batch.pose_2d,
        batch.confidence,
        0 * batch.inverse_depth,
        losses.in_all_views(lifts.view_from_canonical, lifts.pose),
    )
    assert float(weak[0]) > 3 * float(rep)


@pytest.mark.parametrize("frame", FRAMES)
def test_a_mirror_twice_shows_what_was_there(frame: InputFrame) -> None:
    batch = PoseDataset(takes(), frame).sample(4, 3, np.random.default_rng(0), augment=False)
    some = torch.tensor([True, False, True, False])
    once = mirror(batch, some)
    assert same(mirror(once, some), batch)
    for rig in range(4):
        rows = slice(3 * rig, 3 * rig + 3)
        assert torch.equal(once.pose_2d[rows], batch.pose_2d[rows]) is not bool(some[rig])
    assert torch.equal(once.inverse_depth, batch.inverse_depth)


def test_mirrored_people_are_consistent_with_the_cameras() -> None:
    plain = PoseDataset([replace(walking(), camera_from_rig=ring(4).rotation.astype(np.float32))], "ray")
    batch = mirror(plain.sample(2, 6, np.random.default_rng(0), augment=False), torch.tensor([True, True]))
    assert float((batch.true_pose[..., :2] - batch.pose_2d).square().sum(-1).sqrt().median()) < 0.02
    assert torch.allclose(torch.linalg.det(batch.view_from_camera), torch.ones(12, 4), atol=1e-5)
    rotation = batch.view_from_camera @ batch.camera_from_rig  # the mirrored rig, one mirrored room for all views
    pose = torch.einsum("bvji,bvkj->bvki", rotation, batch.true_pose)
    assert float(losses.consistency_3d(pose, batch.confidence)) < 1e-3  # one person in all views
    rep, view = losses.pairs(batch.pose_2d, batch.confidence, batch.inverse_depth, losses.in_all_views(rotation, pose))
    assert max(float(rep), float(view) / 4) < 0.01
    assert (
        float(losses.bending(pose, losses.visible_views(batch.confidence))) < 0.002
    )  # and that is no depth mirror image
    assert float(losses.bending(pose * torch.tensor([1.0, 1.0, -1.0]), losses.visible_views(batch.confidence))) > 0.01


def test_a_mirror_exchanges_left_and_right() -> None:
    one = walking()
    one.score[..., INDEX["l_wrist"]] = 0.3
    batch = PoseDataset([one], "image").sample(1, 2, np.random.default_rng(0), augment=False)
    seen = mirror(batch, torch.tensor([True]))
    left, right = INDEX["l_wrist"], MIRROR[INDEX["l_wrist"]]
    assert torch.allclose(seen.confidence[..., right], torch.tensor(0.3))
    assert torch.equal(seen.confidence[..., left], batch.confidence[..., right])
    assert torch.equal(seen.pose_2d[..., left, :], batch.pose_2d[..., right, :] * torch.tensor([-1.0, 1.0]))


def test_half_of_the_rigs_are_mirrored_in_all_frames() -> None:
    dataset = PoseDataset([walking(noise=0.01)], "image")
    plain, flipped = (dataset.sample(200, 2, np.random.default_rng(5), augment=flips) for flips in (False, True))
    changed = (plain.pose_2d != flipped.pose_2d).any(-1).any(-1).any(-1).reshape(200, 2)
    assert (changed[:, 0] == changed[:, 1]).all()
    assert float(changed.float().mean()) == pytest.approx(0.5, abs=0.12)


def test_frames_with_fewer_than_two_visible_views_are_left_out() -> None:
    one = walking(1.0)
    one = unseen(one, ([2, 5], slice(1, None)))
    one = unseen(one, (5, 0))
    one = unseen(one, (7, slice(2, None)))
    dataset = PoseDataset([one], "ray")
    assert dataset.lengths == [one.frames - 2]
    alone = PoseDataset([unseen(walking(1.0, views=1), (4,))], "image")  # of one camera, its visible frames
    assert alone.lengths == [9]


@pytest.mark.parametrize("footage", [[], [unseen(walking(1.0), (slice(None),))]])
def test_an_empty_dataset_is_reported(footage: list[Footage]) -> None:
    text = r"In no frame is a person visible in two cameras\. Training needs a person in view of several"
    with pytest.raises(UsageError, match=text):
        PoseDataset(footage, "ray")


def test_moving_cameras_are_marked() -> None:
    dataset = PoseDataset([walking(1.0), replace(walking(1.0), moving=True)], "ray")
    assert dataset.all.moving.tolist() == [0.0] * 10 + [1.0] * 10


def test_depths_are_mirrored_and_left_out_at_random() -> None:
    depth = np.random.default_rng(0).normal(0, 30, walking().score.shape).astype(np.float32)
    dataset = PoseDataset([replace(walking(), depth_px=depth)], "ray")
    batch = dataset.sample(600, 1, np.random.default_rng(0))
    known = batch.depth[..., 1] > 0
    assert abs(float(known.any((1, 2)).float().mean()) - (1 - NO_DEPTH_SHARE)) < 0.06
    assert bool((known.all(2).all(1) == known.any(2).any(1)).all())
    plain = dataset.sample(600, 1, np.random.default_rng(0), augment=False)
    assert bool((plain.depth[..., 1] == 1).all())
    flipped = mirror(plain, torch.ones(600, dtype=torch.bool))
    assert torch.equal(flipped.depth, plain.depth[:, :, list(MIRROR)])


def test_footage_without_depths_has_unknown_ones() -> None:
    batch = PoseDataset([walking()], "ray").all
    assert not batch.depth.any()
    assert np.isnan(lifter_input(walking(), "ray").depth).all()
