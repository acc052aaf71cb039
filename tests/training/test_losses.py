"""The terms between views, compared with known answers."""

from dataclasses import astuple

import numpy as np
import pytest
import torch
from torch import Tensor

from pose_rig.geometry import rotation_from_vector
from pose_rig.skeleton import INDEX, J
from pose_rig.training import losses
from tests.training.fakes.footage import FLIP, Exact, blind, exact, wrong

TIGHT = 1e-6  # what the small number under every root leaves
UPRIGHT = 1  # a seed without people seen end-on, for whom the first-order perspective fails
EYE = torch.eye(3, dtype=torch.float64)


def own(scene: Exact) -> Tensor:
    """(B,V,J,3) poses in their views."""
    return torch.einsum("bvij,bvkj->bvki", scene.rotation, scene.pose)


def pairs(scene: Exact) -> tuple[Tensor, Tensor]:
    return losses.pairs(
        scene.pose_2d, scene.confidence, scene.inverse_depth, losses.in_all_views(scene.rotation, scene.pose)
    )


def cam(
    scene: Exact, camera_from_view: Tensor, order: Tensor, static: Tensor | None = None, per_rig: int | None = None
) -> Tensor:
    still = torch.ones(len(scene.pose_2d), dtype=torch.float64) if static is None else static
    return losses.camera_consistency(
        scene.pose_2d, scene.confidence, scene.inverse_depth, scene.rotation, scene.pose, camera_from_view, order,
        still, per_rig or len(order),
    )  # fmt: skip


def rolled(scene: Exact) -> Tensor:
    """(B,) π: the next frame."""
    return torch.arange(len(scene.pose_2d)).roll(-1)


def still_rig(seed: int = 0) -> tuple[Exact, Tensor]:
    """Rotating people in front of static cameras, and camera_from_view: views have rolled images."""
    scene = exact(seed)
    frames, views = scene.pose_2d.shape[:2]
    rng = np.random.default_rng(seed + 1)
    camera, view = (rotation_from_vector(rng.normal(0, 1, (n, views, 3))) for n in (1, frames))
    person = rotation_from_vector(rng.normal(0, 1, (frames, 1, 3)))
    rotation = torch.from_numpy(view.swapaxes(-1, -2) @ camera @ person)
    pose_2d = torch.einsum("bvij,bvkj->bvki", rotation, scene.pose)[..., :2]
    pose_2d = pose_2d / pose_2d.square().sum((-1, -2), keepdim=True).sqrt()
    return Exact(scene.pose, rotation, pose_2d, scene.confidence, scene.inverse_depth), torch.from_numpy(view)


def test_reprojection_of_exact_poses_is_zero() -> None:
    scene = exact()
    assert losses.reprojection(scene.pose_2d, scene.confidence, scene.inverse_depth, own(scene)).abs().max() < TIGHT


@pytest.mark.parametrize("inverse_depth", [0.1, 0.3])
def test_reprojection_is_perspective(inverse_depth: float) -> None:
    scene = exact(UPRIGHT, inverse_depth=inverse_depth)
    assert losses.reprojection(scene.pose_2d, scene.confidence, scene.inverse_depth, own(scene)).max() < TIGHT
    weak = losses.reprojection(scene.pose_2d, scene.confidence, 0 * scene.inverse_depth, own(scene))
    assert weak.min() > 10 * TIGHT


def test_reprojection_is_the_papers() -> None:
    scene = wrong(exact())
    w, c, y = (x[2, 1].numpy() for x in (scene.pose_2d, scene.confidence, own(scene)))
    off = w / np.sqrt((w**2).mean()) - y[:, :2] / np.sqrt((y[:, :2] ** 2).mean())
    expected = (c * np.abs(off).sum(1)).sum() / (2 * J)
    found = losses.reprojection(scene.pose_2d, scene.confidence, scene.inverse_depth, own(scene))
    assert found.shape == scene.pose_2d.shape[:2]
    assert float(found[2, 1]) == pytest.approx(expected, rel=1e-5)


def test_invisible_joints_do_not_affect_the_reprojection() -> None:
    scene, joint = wrong(exact()), INDEX["l_wrist"]
    hidden = blind(scene, 1, joint)
    there = own(hidden)
    elsewhere = there.clone()
    elsewhere[0, 1, joint] += 7.0
    first, second = (
        losses.reprojection(hidden.pose_2d, hidden.confidence, hidden.inverse_depth, y) for y in (there, elsewhere)
    )
    assert torch.equal(first, second)
    pose_2d = hidden.pose_2d.clone()
    assert not torch.allclose(first, losses.reprojection(pose_2d, scene.confidence, hidden.inverse_depth, there))


def test_pairs_are_what_a_loop_over_views_makes() -> None:
    scene = wrong(exact(inverse_depth=0.2))
    frames, views = scene.pose_2d.shape[:2]
    rep: list[float] = []
    view: list[float] = []
    for b in range(frames):
        for v in range(views):
            for u in range(views):
                pose = scene.rotation[b, v] @ scene.pose[b, u].T
                loss = losses.reprojection(
                    scene.pose_2d[b, v], scene.confidence[b, v], scene.inverse_depth[b, v], pose.T
                )
                (rep if u == v else view).append(float(loss))
    found = pairs(scene)
    assert float(found[0]) == pytest.approx(np.mean(rep))
    assert float(found[1]) == pytest.approx(views * np.mean(view))


def test_a_view_without_detections_is_in_no_pair() -> None:
    scene = wrong(exact(frames=1))
    absent = blind(scene, 3, slice(None))
    three = Exact(*(value[:, :3] for value in astuple(scene)))
    rep, view = pairs(absent)
    assert torch.allclose(rep, pairs(three)[0])
    assert torch.allclose(view / 4, pairs(three)[1] / 3)  # a sum over views, each with the mean of the visible ones
    nowhere = Exact(absent.pose.clone(), absent.rotation, absent.pose_2d, absent.confidence, absent.inverse_depth)
    nowhere.pose[0, 3] = 1e6
    assert [float(x) for x in pairs(nowhere)] == [float(rep), float(view)]


def test_without_detections_losses_are_zero_and_finite() -> None:
    scene = exact(frames=1, views=2)
    for view in range(2):
        scene = blind(scene, view, slice(None))
    pose = scene.pose.requires_grad_()
    rep, view_loss = losses.pairs(
        scene.pose_2d, scene.confidence, scene.inverse_depth, losses.in_all_views(scene.rotation, pose)
    )
    (rep + view_loss).backward()  # type: ignore[no-untyped-call]
    assert rep.item() == view_loss.item() == 0
    assert pose.grad is not None
    assert (pose.grad == 0).all()


def test_weak_perspective_cannot_distinguish_mirror_images() -> None:
    scene = wrong(exact())
    for found, mirrored in zip(pairs(scene), pairs(scene.mirrored), strict=True):
        assert torch.allclose(found, mirrored, rtol=1e-9)
    rig, camera_from_view = still_rig()
    order, flipped = rolled(rig), FLIP[:, None] * camera_from_view * FLIP
    lifted = wrong(rig)
    assert torch.allclose(cam(lifted, camera_from_view, order), cam(lifted.mirrored, flipped, order), rtol=1e-9)


def test_perspective_distinguishes_mirror_images() -> None:
    scene = exact(inverse_depth=0.2)
    assert max(float(x) for x in pairs(scene)) < 1e-5
    assert min(float(x) for x in pairs(scene.mirrored)) > 0.01


def test_static_cameras_are_consistent() -> None:
    rig, camera_from_view = still_rig()
    assert float(cam(rig, camera_from_view, rolled(rig))) < 1e-5
    assert float(cam(rig, EYE.expand_as(camera_from_view), rolled(rig))) > 0.1  # images turned: not the cameras


def test_a_camera_that_turned_is_not_unless_it_may() -> None:
    rig, camera_from_view = still_rig()
    turn = torch.from_numpy(rotation_from_vector(np.array([0.0, 0.5, 0.0])))
    rotation = rig.rotation.clone()
    rotation[2, 1] = turn @ rotation[2, 1]
    other = Exact(rig.pose, rotation, rig.pose_2d, rig.confidence, rig.inverse_depth)
    frames = torch.arange(len(rig.pose_2d))
    assert float(cam(other, camera_from_view, rolled(rig))) > 0.01
    near = (frames != 2) & (rolled(rig) != 2)
    assert float(cam(other, camera_from_view, rolled(rig), near.double())) < 1e-5
    assert float(cam(other, camera_from_view, rolled(rig), torch.zeros(len(frames), dtype=torch.float64))) == 0


def test_a_frame_compared_with_itself_gives_the_loss_across_views() -> None:
    scene = wrong(exact(inverse_depth=0.1))
    camera_from_view = still_rig()[1]
    found = cam(scene, camera_from_view, torch.arange(len(scene.pose_2d)))
    assert torch.allclose(found, pairs(scene)[1])


def test_the_camera_consistency_is_what_the_papers_loops_over_subjects_make() -> None:
    per_rig, scene = 3, wrong(exact())
    frames, views = scene.pose_2d.shape[:2]
    camera_from_view = still_rig()[1]
    order = torch.tensor([1, 2, 0, 5, 3, 4])
    assert frames == len(order)
    camera = camera_from_view @ scene.rotation
    expected = 0.0
    for first in range(0, frames, per_rig):
        for u in range(views):
            one = []
            for b in range(first, first + per_rig):
                for v in set(range(views)) - {u}:
                    relative = camera[order[b], v] @ camera[order[b], u].T
                    pose = camera_from_view[b, v].T @ relative @ camera[b, u] @ scene.pose[b, u].T
                    one.append(
                        losses.reprojection(
                            scene.pose_2d[b, v], scene.confidence[b, v], scene.inverse_depth[b, v], pose.T
                        )
                    )
            expected += float(torch.stack(one).mean())
    assert float(cam(scene, camera_from_view, order, per_rig=per_rig)) == pytest.approx(expected)


def test_rigs_without_pairs_or_with_moving_cameras_add_nothing_to_the_camera_consistency() -> None:
    rig, camera_from_view = still_rig()
    scene, order = wrong(rig), torch.tensor([1, 2, 0, 4, 5, 3])
    static = torch.tensor([1.0, 1, 1, 0, 0, 0], dtype=torch.float64)
    first = Exact(*(value[:3] for value in astuple(scene)))
    alone = cam(first, camera_from_view[:3], order[:3])
    assert float(alone) > 0.01
    assert torch.allclose(cam(scene, camera_from_view, order, static, per_rig=3), alone)
    hidden = scene
    for frame in range(3, 6):
        for view in range(scene.pose_2d.shape[1]):
            confidence = hidden.confidence.clone()
            confidence[frame, view] = 0
            hidden = Exact(hidden.pose, hidden.rotation, hidden.pose_2d, confidence, hidden.inverse_depth)
    assert torch.allclose(cam(hidden, camera_from_view, order, per_rig=3), alone)


def test_a_view_that_is_missing_in_either_frame_is_left_out() -> None:
    rig, camera_from_view = still_rig()
    gone = blind(rig, 1, slice(None))
    rotation = gone.rotation.clone()
    rotation[0, 1] = torch.from_numpy(rotation_from_vector(np.ones(3))) @ rotation[0, 1]
    lost = Exact(gone.pose, rotation, gone.pose_2d, gone.confidence, gone.inverse_depth)
    assert float(cam(lost, camera_from_view, rolled(rig))) < 1e-5


def test_refinement_is_what_was_moved() -> None:
    pose_2d = torch.zeros(1, 2, J, 2)
    pose_2d[:, :, 1], pose_2d[:, :, 2] = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    confidence, refined = torch.full((1, 2, J), 0.5), pose_2d.clone()
    assert losses.refinement(pose_2d, confidence, refined) == 0
    refined[0, 0, 1] = torch.tensor([-1.0, 0.0])  # two units of rms √(2/34), in one of two views
    expected = 0.5 * 2 / (2 / (2 * J)) ** 0.5 / (2 * J) / 2
    assert float(losses.refinement(pose_2d, confidence, refined)) == pytest.approx(expected, rel=1e-5)
    assert float(losses.refinement(pose_2d, torch.zeros_like(confidence), refined)) == 0
