"""Heatmap voting: as released, compared with loops, and without its defects."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.training import published_loops
from pose_rig.arrays import Floats
from pose_rig.geometry import rotation_from_vector
from pose_rig.skeleton import INDEX, LIMBS, J
from pose_rig.training.heatmap_voting import MIN_CONFIDENCE, corrected, released

Refine = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]

WRIST = INDEX["l_wrist"]
CELL = 1 / 64


@dataclass(frozen=True)
class Scene:
    """What both functions take, in float64."""

    pose_2d: Tensor
    confidence: Tensor
    rotation: Tensor
    canonical: Tensor

    def arguments(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.pose_2d, self.confidence, self.rotation, self.canonical

    def only(self, index: slice) -> "Scene":
        return Scene(*(value[index] for value in self.arguments()))


def rotations(rng: np.random.Generator, frames: int, views: int) -> Floats:
    return rotation_from_vector(rng.normal(0, 1.0, (frames, views, 3)))


def exact(rng: np.random.Generator, frames: int = 6, views: int = 4) -> Scene:
    """People without noise or perspective, every view scaled to norm 1; lifts exact, of any size."""
    body = rng.uniform(-0.35, 0.35, (frames, 1, J, 3))
    body -= body[:, :, :1]
    rotation = rotations(rng, frames, views)
    pose_2d = np.einsum("bvci,bvji->bvjc", rotation[:, :, :2], np.broadcast_to(body, (frames, views, J, 3)))
    pose_2d /= np.linalg.norm(pose_2d, axis=(2, 3), keepdims=True)
    lifted = body * rng.uniform(0.5, 2.0, (frames, views, 1, 1))
    confidence = np.full((frames, views, J), 0.95)
    return Scene(*(torch.from_numpy(value) for value in (pose_2d, confidence, rotation, lifted)))


def noisy(seed: int, frames: int = 4, views: int = 4) -> Scene:
    """Random lifts of random detections."""
    rng = np.random.default_rng(seed)
    scene = exact(rng, frames, views)
    pose_2d = scene.pose_2d + torch.from_numpy(rng.normal(0, 0.03, scene.pose_2d.shape))
    pose_2d = pose_2d / pose_2d.square().sum((-1, -2), keepdim=True).sqrt()
    confidence = torch.from_numpy(rng.uniform(0.2, 1.0, scene.confidence.shape))
    canonical = scene.canonical + torch.from_numpy(rng.normal(0, 0.05, scene.canonical.shape))
    return Scene(pose_2d, confidence, scene.rotation, canonical)


def misplaced(scene: Scene, view: int, by: tuple[float, float] = (0.2, -0.15)) -> Scene:
    """One wrist detected elsewhere in one view, not surely; its lift follows it."""
    pose_2d, confidence, canonical = (value.clone() for value in (scene.pose_2d, scene.confidence, scene.canonical))
    moved = torch.tensor([*by, 0.0], dtype=torch.float64)
    pose_2d[:, view, WRIST] += moved[:2]
    pose_2d /= pose_2d.square().sum((-1, -2), keepdim=True).sqrt()
    confidence[:, view, WRIST] = 0.4
    size = canonical[:, view].square().sum((-1, -2), keepdim=True).sqrt()[..., 0]
    canonical[:, view, WRIST] += size * (scene.rotation[:, view].transpose(-1, -2) @ moved)
    return Scene(pose_2d, confidence, scene.rotation, canonical)


@pytest.mark.parametrize("views", [2, 3, 4])
def test_released_equals_the_loops_of_its_description(views: int) -> None:
    scene = noisy(views, frames=3, views=views)
    refined = released(*scene.arguments())
    assert (refined != scene.pose_2d).any(-1).float().mean() > 0.3
    torch.testing.assert_close(refined, published_loops.refine(*scene.arguments()), atol=1e-6, rtol=0)


def test_released_uses_the_confidences_of_the_first_frame() -> None:
    scene = noisy(7)
    alone = released(*scene.only(slice(2, 3)).arguments())
    assert (alone != released(*scene.arguments())[2:3]).any()


@pytest.mark.parametrize("refine", [released, corrected])
def test_confident_joints_and_trunk_and_head_are_unchanged(refine: Refine) -> None:
    scene = noisy(1)
    moved = (refine(*scene.arguments()) != scene.pose_2d).any(-1)
    assert not moved[scene.confidence >= MIN_CONFIDENCE].any()
    others = [j for j in range(J) if j not in LIMBS]
    assert not moved[..., others].any()
    assert moved[..., list(LIMBS)].any()


@pytest.mark.parametrize("views", [2, 3, 4, 8])
def test_a_misplaced_wrist_is_put_back(views: int) -> None:
    scene = exact(np.random.default_rng(views), 60, views)
    seen = misplaced(scene, 1)
    refined = corrected(*seen.arguments())
    # in the scale of the detections, which the outlier has changed
    still = [j for j in range(J) if j != WRIST]
    was = scene.pose_2d[:, 1, still]
    size = (seen.pose_2d[:, 1, still] * was).sum((-1, -2)) / was.square().sum((-1, -2))
    off = (refined[:, 1, WRIST] - size[:, None] * scene.pose_2d[:, 1, WRIST]).norm(dim=-1)
    assert (seen.pose_2d[:, 1, WRIST] - scene.pose_2d[:, 1, WRIST]).norm(dim=-1).min() > 10 * CELL
    assert off.median() < 0.15 * CELL
    assert off.max() < CELL


def test_it_is_put_back_without_bias_and_released_half_a_cell_off() -> None:
    scene = exact(np.random.default_rng(3), 200, 4)
    unsure = Scene(scene.pose_2d, torch.full_like(scene.confidence, 0.6), scene.rotation, scene.canonical)
    limbs = list(LIMBS)
    near = scene.pose_2d[:, :, limbs].abs().amax(-1) < 0.4
    off = (corrected(*unsure.arguments()) - scene.pose_2d)[:, :, limbs][near] / CELL
    assert off.abs().max() < 0.05
    released_off = (released(*unsure.arguments()) - scene.pose_2d)[:, :, limbs][near] / CELL
    assert -0.7 < released_off.median() < -0.3


def test_near_vertical_lines_and_those_of_two_views_count() -> None:
    """Two cameras above each other: the line through the other's detection runs from top to bottom."""
    rng = np.random.default_rng(5)
    scene = exact(rng, 8, 2)
    turn = torch.from_numpy(rotation_from_vector(np.array([1.2, 0.0, 0.0])))
    rotation = torch.stack([scene.rotation[:, 0], turn @ scene.rotation[:, 0]], 1)
    image = torch.einsum("bvci,bvji->bvjc", rotation[:, :, :2], scene.canonical)
    pose_2d = image / image.square().sum((-1, -2), keepdim=True).sqrt()
    canonical = scene.canonical.clone()
    size = canonical.square().sum((-1, -2), keepdim=True).sqrt()[:, 1, :, 0]
    # the other view's lift has the wrong depth, so that its reprojection is wrong along the line and a little off it
    shift = torch.tensor([0.03, 0.0, 0.05], dtype=torch.float64)
    canonical[:, 1, WRIST] += size * (rotation[:, 1].transpose(-1, -2) @ shift)
    confidence = scene.confidence.clone()
    confidence[:, 0, WRIST] = 0.1
    canonical[:, 0, WRIST] += 0.5 * canonical[:, 0].norm(dim=(-1, -2))[:, None]  # its own vote is far away
    refined = corrected(pose_2d, confidence, rotation, canonical)
    beside = (refined - pose_2d)[:, 0, WRIST, 0].abs()
    assert beside.max() < 0.03 * 0.6  # blob alone: 0.03 and more


def test_a_missing_view_neither_votes_nor_is_refined() -> None:
    scene = misplaced(exact(np.random.default_rng(8), 6, 4), 1)
    three = scene.only(slice(None))
    gone = Scene(*(value.clone() for value in three.arguments()))
    gone.pose_2d[:, 3] = 0.0
    gone.confidence[:, 3] = 0.0
    gone.canonical[:, 3] = torch.randn(
        gone.canonical[:, 3].shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    refined = corrected(*gone.arguments())
    assert (refined[:, 3] == 0).all()
    without = corrected(*(value[:, :3] for value in scene.arguments()))
    torch.testing.assert_close(refined[:, :3], without, atol=1e-6, rtol=0)


def test_without_detections_nothing_is_refined() -> None:
    scene = noisy(2)
    refined = corrected(scene.pose_2d, torch.zeros_like(scene.confidence), scene.rotation, scene.canonical)
    torch.testing.assert_close(refined, scene.pose_2d, atol=0, rtol=0)


@pytest.mark.parametrize("refine", [released, corrected])
@pytest.mark.parametrize("degrees", [0.0, 180.0])
def test_views_along_one_axis_give_finite_places(refine: Refine, degrees: float) -> None:
    scene = noisy(4, views=3)
    turn = torch.from_numpy(rotation_from_vector(np.array([0.0, np.radians(degrees), 0.0])))
    rotation = torch.stack([scene.rotation[:, 0], turn @ scene.rotation[:, 0], scene.rotation[:, 2]], 1)
    refined = refine(scene.pose_2d, scene.confidence, rotation, scene.canonical)
    assert refined.isfinite().all()
    assert (refined - scene.pose_2d).abs().max() < 1.5


def test_two_equal_views_give_the_point_of_the_other() -> None:
    scene = exact(np.random.default_rng(6), 5, 2)
    pairs = Scene(*(value[:, :1].repeat_interleave(2, 1) for value in scene.arguments()))
    refined = corrected(*misplaced(pairs, 0, (0.1, 0.1)).arguments())
    off = (refined[:, 0, WRIST] - refined[:, 1, WRIST]).norm(dim=-1)
    assert off.max() < CELL


def test_corrected_frames_are_independent() -> None:
    scene = noisy(9, frames=5)
    together = corrected(*scene.arguments())
    apart = torch.cat([corrected(*scene.only(slice(b, b + 1)).arguments()) for b in range(5)])
    torch.testing.assert_close(together, apart, atol=1e-9, rtol=0)


@pytest.mark.parametrize("refine", [released, corrected])
def test_refined_2d_is_a_constant(refine: Refine) -> None:
    scene = noisy(10)
    canonical = scene.canonical.clone().requires_grad_()
    assert not refine(scene.pose_2d, scene.confidence, scene.rotation, canonical).requires_grad


@pytest.mark.parametrize("refine", [released, corrected])
def test_nothing_to_refine_is_no_trouble(refine: Refine) -> None:
    scene = exact(np.random.default_rng(11))
    torch.testing.assert_close(refine(*scene.arguments()), scene.pose_2d, atol=0, rtol=0)


@pytest.mark.parametrize("refine", [released, corrected])
def test_a_single_view_votes_with_its_own_lift(refine: Refine) -> None:
    scene = exact(np.random.default_rng(12), views=1)
    unsure = Scene(scene.pose_2d, torch.full_like(scene.confidence, 0.5), scene.rotation, scene.canonical)
    off = (refine(*unsure.arguments()) - scene.pose_2d).abs().amax(-1)
    assert off[scene.pose_2d.abs().amax(-1) < 0.45].max() < 1.01 * CELL
