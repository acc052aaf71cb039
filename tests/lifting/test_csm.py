"""The fusion module on scenes with ground truth, most in double precision."""

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pose_rig.arrays import Floats
from pose_rig.geometry import angle_deg, rotation_from_vector
from pose_rig.graph import LIFTER_ROTATION_SD
from pose_rig.lifting import csm
from pose_rig.skeleton import INDEX, J
from tests.fusion.fakes import walk

WRIST = INDEX["l_wrist"]
HELD = 1e-4  # rad: rotations as good as known
FREE = LIFTER_ROTATION_SD


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """The tensors are tiny: threads slow them down."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def double() -> Iterator[ModuleType]:
    """The module loaded again, its constants in double precision."""
    spec = importlib.util.spec_from_file_location("csm_in_double_precision", csm.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    torch.set_default_dtype(torch.float64)
    spec.loader.exec_module(module)
    torch.set_default_dtype(torch.float32)
    yield module
    del sys.modules[module.__name__]


@dataclass
class Truth:
    """H scenes of V views: shape (H,J,3) with 2D norm about 1, ray_from_body (H,V,3,3), scale (H,V), offset (H,V,2)."""

    shape: Floats
    ray_from_body: Floats
    scale: Floats
    offset: Floats
    norm: float

    @property
    def local(self) -> Floats:
        """(H,V,J,3) the shape in each view's ray frame, scaled."""
        return np.asarray(np.einsum("hv,hvij,hkj->hvki", self.scale, self.ray_from_body, self.shape))

    @property
    def ray_xy(self) -> Floats:
        """(H,V,J,2)."""
        near = self.norm * (self.local[..., 2:] - self.local[:, :, :1, 2:])
        return np.asarray((self.local[..., :2] + self.offset[:, :, None]) / (1 + near))

    @property
    def depth(self) -> Floats:
        """(H,V,J) relative to the root."""
        return np.asarray(self.local[..., 2] - self.local[:, :, :1, 2])


def truth(views: int, *, scenes: int = 12, norm: float = 0.0, spread: float = 0.1, seed: int = 0) -> Truth:
    rng = np.random.default_rng(seed)
    joints = walk(5.0)[:: 150 // scenes][:scenes]
    shape = (joints - joints[:, :1]) @ rotation_from_vector(np.array([0.0, rng.uniform(0, 6), 0.0])).T
    shape /= np.linalg.norm(shape, axis=(1, 2), keepdims=True)
    azimuth = np.zeros((scenes, views, 3))
    azimuth[..., 1] = rng.uniform(0, 6.3, (scenes, 1)) + np.radians(75) * np.arange(views)
    upside_down = np.diag([1.0, -1.0, -1.0])  # the room's y is up, the image's is down
    ray_from_body = (
        rotation_from_vector(rng.normal(0, 0.15, (scenes, views, 3))) @ upside_down @ rotation_from_vector(azimuth)
    )
    scale = np.exp(rng.normal(0, spread, (scenes, views)))
    scale /= scale.mean(1, keepdims=True)
    return Truth(shape, ray_from_body, scale, rng.normal(0, 0.02, (scenes, views, 2)), norm)


def views_of(scene: Truth, module: ModuleType, **changes: Any) -> Any:
    """Exact measurements, except for ``changes``."""
    lead = scene.scale.shape
    content = {
        "ray_xy": scene.ray_xy,
        "confidence": np.ones((*lead, J)),
        "weight": np.ones(lead),
        "norm": np.full(lead, scene.norm),
        "depth": scene.depth,
        "depth_sd": np.full((*lead, J), 0.06),
        "ray_from_body": scene.ray_from_body,
        **changes,
    }
    kind = torch.float32 if module is csm else torch.float64
    return module.Views(**{name: torch.tensor(value, dtype=kind) for name, value in content.items()})


def known(scene: Truth, module: ModuleType, prior_sd: float = HELD) -> Tensor:
    """(H,V) prior standard deviations of the rotations, rad."""
    return torch.full(scene.scale.shape, prior_sd, dtype=torch.float32 if module is csm else torch.float64)


def noisy(scene: Truth, sd: float, seed: int = 0) -> Floats:
    return scene.ray_xy + np.random.default_rng(seed).normal(0, sd, scene.ray_xy.shape)


def error(ray_xy: Any, scene: Truth) -> Floats:
    """(H,V,J) distance from the true 2D."""
    return np.asarray(np.linalg.norm(np.asarray(ray_xy) - scene.ray_xy, axis=-1))


def hessian_of(out: Any) -> Floats:
    """(H,V,3,3)."""
    return np.asarray(out.rotation_hessian).reshape(*out.scale.shape, 3, 3)


def centred(body: Any) -> Floats:
    body = np.asarray(body)
    return np.asarray(body - body.mean(1, keepdims=True))


@pytest.mark.parametrize("views", [1, 2, 3, 4, 8])
def test_shapes_for_any_number_of_views(views: int) -> None:
    scene = truth(views)
    out = csm.fuse(views_of(scene, csm), known(scene, csm, FREE))
    h = len(scene.shape)
    shapes = {name: tuple(getattr(out, name).shape) for name in csm.Fused.__dataclass_fields__}
    assert shapes == {
        "refined": (h, views, J, 2), "body": (h, J, 3), "ray_from_body": (h, views, 3, 3), "inlier": (h, views, J),
        "model_sd": (h, views), "scale": (h, views), "offset": (h, views, 2), "rotation_gradient": (h, views, 3),
        "rotation_hessian": (h, views, 9), "information": (h, J, 9),
    }  # fmt: skip
    assert all(torch.isfinite(getattr(out, name)).all() for name in shapes)


@pytest.mark.parametrize("views", [2, 3, 4])
def test_weak_perspective_without_noise_is_recovered_exactly(views: int, double: ModuleType) -> None:
    scene = truth(views)
    out = double.fuse(views_of(scene, double), known(scene, double), iterations=20)
    assert np.abs(centred(out.body) - centred(scene.shape)).max() < 2e-6
    assert np.abs(out.scale.numpy() - scene.scale).max() < 1e-5
    assert np.allclose(out.scale.mean(1), 1, atol=1e-12)
    assert error(out.refined, scene).max() < 1e-3  # where the origin lies in each view converges last
    local = np.einsum("hv,hvij,hkj->hvki", out.scale, out.ray_from_body, out.body)
    assert error(local[..., :2] + out.offset.numpy()[:, :, None], scene).max() < 2e-3
    assert out.inlier.min() > 0.9
    assert np.allclose(out.model_sd, double.MIN_MODEL_SD)


def test_in_single_precision_it_is_exact_to_a_tenth_of_a_pixel(double: ModuleType) -> None:
    scene = truth(4)
    scene.offset[:] = 0
    out = double.fuse(views_of(scene, double), known(scene, double))
    assert error(out.refined, scene).max() < 2e-4
    assert np.abs(centred(out.body) - centred(scene.shape)).max() < 1e-4
    assert (
        np.abs(np.linalg.solve(hessian_of(out), out.rotation_gradient.numpy()[..., None])).max() < 1e-3
    )  # nothing wants to turn


@pytest.mark.parametrize("views", [3, 4])
def test_from_three_views_on_the_lifted_depth_is_not_needed(views: int, double: ModuleType) -> None:
    scene = truth(views)
    nonsense = np.random.default_rng(5).normal(0, 0.2, scene.depth.shape)
    given = views_of(scene, double, depth=nonsense, depth_sd=np.full(nonsense.shape, 10.0))
    out = double.fuse(given, known(scene, double), iterations=20)
    assert np.abs(centred(out.body) - centred(scene.shape)).max() < 2e-3


def test_views_of_the_fused_pose_obey_the_geometry_of_scaled_orthography(double: ModuleType) -> None:
    """x_i = rho (A x_j + b z), n·x_i = rho m·x_j, and x_iᵀ F x_j = 0, with the rotations and scales as fused."""
    scene = truth(3)
    initial = (
        rotation_from_vector(np.random.default_rng(1).normal(0, 0.1, (*scene.scale.shape, 3))) @ scene.ray_from_body
    )
    out = double.fuse(
        views_of(scene, double, ray_xy=noisy(scene, 0.01), ray_from_body=initial), known(scene, double, FREE)
    )
    R, scale = out.ray_from_body.numpy(), out.scale.numpy()
    assert np.abs(R @ R.swapaxes(-1, -2) - np.eye(3)).max() < 1e-12
    local = np.einsum("hv,hvij,hkj->hvki", scale, R, out.body)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        x_i, x_j, z = local[:, i, :, :2], local[:, j, :, :2], local[:, j, :, 2:]
        relative = R[:, i] @ R[:, j].swapaxes(-1, -2)
        A, b, c = relative[:, :2, :2], relative[:, :2, 2], relative[:, 2, :2]
        rho = (scale[:, i] / scale[:, j])[:, None]
        assert np.abs(x_i - rho[..., None] * (x_j @ A.swapaxes(1, 2) + b[:, None] * z)).max() < 1e-12
        n = np.stack([-b[:, 1], b[:, 0]], -1) / np.linalg.norm(b, axis=-1, keepdims=True)
        m = np.einsum("hji,hj->hi", A, n)
        assert np.allclose(np.linalg.norm(m, axis=-1), 1, atol=1e-12)
        assert np.abs((m * c).sum(-1)).max() < 1e-12
        along = np.einsum("hi,hki->hk", n, x_i) - rho * np.einsum("hi,hki->hk", m, x_j)
        assert np.abs(along).max() < 1e-12


def test_the_perspective_term_helps_on_perspective_views(double: ModuleType) -> None:
    scene = truth(4, norm=0.35)  # a person 2 m tall, 3 m away
    with_term = double.fuse(views_of(scene, double), known(scene, double))
    without = double.fuse(views_of(scene, double, norm=np.zeros_like(scene.scale)), known(scene, double))
    assert error(with_term.refined, scene).mean() < 0.25 * error(without.refined, scene).mean()
    off = [np.abs(centred(out.body) - centred(scene.shape)).mean() for out in (with_term, without)]
    assert off[0] < 0.25 * off[1]


@pytest.mark.parametrize("prior_sd", [HELD, FREE])
def test_the_mirrored_scene_gives_the_mirrored_result(prior_sd: float, double: ModuleType) -> None:
    scene = truth(3)
    flip = np.diag([1.0, 1.0, -1.0])
    initial = (
        rotation_from_vector(np.random.default_rng(2).normal(0, 0.1, (*scene.scale.shape, 3))) @ scene.ray_from_body
    )
    ray_xy = noisy(scene, 0.01)
    out = double.fuse(views_of(scene, double, ray_xy=ray_xy, ray_from_body=initial), known(scene, double, prior_sd))
    mirrored = double.fuse(
        views_of(scene, double, ray_xy=ray_xy, ray_from_body=flip @ initial @ flip, depth=-scene.depth),
        known(scene, double, prior_sd),
    )
    for name in ("refined", "inlier", "model_sd", "scale", "offset"):
        assert np.allclose(getattr(mirrored, name), getattr(out, name), atol=1e-10), name
    assert np.allclose(mirrored.body, out.body.numpy() @ flip, atol=1e-10)
    assert np.allclose(mirrored.ray_from_body, flip @ out.ray_from_body.numpy() @ flip, atol=1e-10)
    assert np.allclose(mirrored.rotation_gradient, out.rotation_gradient.numpy() * [-1, -1, 1], atol=1e-6)


@pytest.mark.parametrize("apart_deg", [0.0, 180.0])
@pytest.mark.parametrize("prior_sd", [HELD, FREE])
def test_two_views_along_one_axis_do_no_harm(apart_deg: float, prior_sd: float) -> None:
    scene = truth(2, scenes=50)
    about_y = rotation_from_vector(np.array([0.0, np.radians(apart_deg), 0.0]))
    scene.ray_from_body[:, 1] = about_y @ scene.ray_from_body[:, 0]
    ray_xy = noisy(scene, 0.012)
    out = csm.fuse(views_of(scene, csm, ray_xy=ray_xy), known(scene, csm, prior_sd))
    assert torch.isfinite(out.refined).all()
    assert torch.isfinite(out.body).all()
    assert error(out.refined, scene).mean() < error(ray_xy, scene).mean()


@pytest.mark.parametrize("views", [2, 3, 4])
def test_random_lifter_rotations_do_no_harm(views: int) -> None:
    scene = truth(views, scenes=75)
    ray_xy = noisy(scene, 0.012)
    nonsense = rotation_from_vector(np.random.default_rng(3).uniform(-3, 3, (*scene.scale.shape, 3)))
    out = csm.fuse(views_of(scene, csm, ray_xy=ray_xy, ray_from_body=nonsense), known(scene, csm, FREE))
    threshold = 0.03  # about 13 px on a person of 425 px
    lost = (error(ray_xy, scene) < threshold).mean() - (error(out.refined, scene) < threshold).mean()
    assert lost < (0.01 if views == 2 else 0.005)
    assert error(out.refined, scene).mean() < 1.05 * error(ray_xy, scene).mean()


@pytest.mark.parametrize("views", [3, 4])
def test_one_outlier_is_corrected_by_the_other_views(views: int) -> None:
    scene = truth(views)
    ray_xy = noisy(scene, 0.006)
    ray_xy[:, 1, WRIST] += np.array([0.15, -0.1])
    out = csm.fuse(views_of(scene, csm, ray_xy=ray_xy), known(scene, csm))
    before, after = error(ray_xy, scene), error(out.refined, scene)
    assert np.median(after[:, 1, WRIST]) < 0.25 * before[:, 1, WRIST].min()
    assert np.median(out.inlier[:, 1, WRIST]) < 0.1
    others = np.ones((views, J), bool)
    others[1, WRIST] = False
    assert after[:, others].mean() < before[:, others].mean()


def test_a_low_score_reduces_the_inlier_probability() -> None:
    scene = truth(3)
    ray_xy, confidence = noisy(scene, 0.006), np.ones((*scene.scale.shape, J))
    ray_xy[:, 1, WRIST] += 0.05
    high = csm.fuse(views_of(scene, csm, ray_xy=ray_xy), known(scene, csm))
    confidence[:, 1, WRIST] = 0.1
    low = csm.fuse(views_of(scene, csm, ray_xy=ray_xy, confidence=confidence), known(scene, csm))
    assert error(low.refined, scene)[:, 1, WRIST].mean() < error(high.refined, scene)[:, 1, WRIST].mean()


def test_one_view_keeps_its_own_2d_and_takes_its_own_depth() -> None:
    scene = truth(1)
    scene.offset[:] = 0  # a single view's root is the origin
    out = csm.fuse(views_of(scene, csm), known(scene, csm, FREE))
    assert error(out.refined, scene).max() < 1e-3
    local = np.einsum("hvij,hkj->hvki", out.ray_from_body, out.body)
    assert np.abs(centred(local[:, 0]) - centred(scene.local[:, 0])).max() < 0.01
    assert np.allclose(out.scale, 1)


@pytest.mark.parametrize("prior_sd", [HELD, FREE])
@pytest.mark.parametrize("place", [0, 2])
def test_an_absent_view_has_no_effect(place: int, prior_sd: float) -> None:
    scene = truth(3)
    given = views_of(scene, csm, ray_xy=noisy(scene, 0.012))
    alone = csm.fuse(given, known(scene, csm, prior_sd))
    rng = np.random.default_rng(4)
    h = len(scene.shape)
    garbage = {
        "ray_xy": rng.normal(0, 3, (h, 1, J, 2)), "confidence": rng.uniform(0, 1, (h, 1, J)),
        "weight": np.zeros((h, 1)), "norm": np.full((h, 1), 5.0),
        "depth": rng.normal(0, 5, (h, 1, J)), "depth_sd": np.full((h, 1, J), 1e-3),
        "ray_from_body": np.tile(np.eye(3), (h, 1, 1, 1)),
    }  # fmt: skip
    widened = {
        name: torch.tensor(np.concatenate([before[:, :place], value, before[:, place:]], axis=1), dtype=torch.float32)
        for name, value in garbage.items()
        for before in [getattr(given, name).numpy()]
    }
    out = csm.fuse(csm.Views(**widened), torch.full((h, 4), prior_sd))
    assert torch.allclose(out.body, alone.body, atol=1e-5)
    for name in ("refined", "inlier", "model_sd", "scale", "offset", "ray_from_body"):
        value = np.delete(getattr(out, name).numpy(), place, axis=1)
        assert np.allclose(value, getattr(alone, name), atol=2e-4), name
        assert torch.isfinite(getattr(out, name)).all()


def test_all_views_absent_is_finite() -> None:
    scene = truth(3)
    out = csm.fuse(views_of(scene, csm, weight=np.zeros_like(scene.scale)), known(scene, csm, FREE))
    assert all(torch.isfinite(getattr(out, name)).all() for name in csm.Fused.__dataclass_fields__)


def test_a_view_of_no_joints_is_filled_by_the_others() -> None:
    scene = truth(4)
    ray_xy, confidence = scene.ray_xy, np.ones((*scene.scale.shape, J))
    confidence[:, 0, WRIST] = 0
    ray_xy[:, 0, WRIST] += 0.3  # the lifter's initial, far off
    out = csm.fuse(views_of(scene, csm, ray_xy=ray_xy, confidence=confidence), known(scene, csm))
    assert np.median(error(out.refined, scene)[:, 0, WRIST]) < 0.05


def test_a_wrong_lifter_rotation_is_corrected() -> None:
    scene = truth(4)
    axis = np.random.default_rng(6).normal(size=(len(scene.shape), 3))
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    initial = scene.ray_from_body.copy()
    initial[:, 2] = rotation_from_vector(axis * np.radians(10.0)) @ initial[:, 2]
    out = csm.fuse(views_of(scene, csm, ray_from_body=initial), known(scene, csm, FREE))

    def off(rotation: Floats) -> Floats:
        others = [rotation[:, 2] @ rotation[:, v].swapaxes(1, 2) for v in (0, 1, 3)]
        right = [scene.ray_from_body[:, 2] @ scene.ray_from_body[:, v].swapaxes(1, 2) for v in (0, 1, 3)]
        return np.asarray(np.mean([angle_deg(a, b) for a, b in zip(others, right, strict=True)], axis=0))

    assert np.allclose(off(initial), 10)
    assert np.median(off(out.ray_from_body.numpy().astype(float))) < 4
    held = csm.fuse(views_of(scene, csm, ray_from_body=initial), known(scene, csm))
    assert np.allclose(held.ray_from_body, initial, atol=2e-3)
    assert held.model_sd[:, 2].mean() > 2 * out.model_sd[:, 2].mean()


def test_gradient_and_hessian_give_the_gauss_newton_step_to_the_truth(double: ModuleType) -> None:
    scene = truth(4)
    turn = np.radians(2.0) * np.array([0.36, -0.48, 0.8])
    initial = scene.ray_from_body.copy()
    initial[:, 1] = rotation_from_vector(turn) @ initial[:, 1]
    out = double.fuse(views_of(scene, double, ray_from_body=initial), known(scene, double))
    rotation_hessian = hessian_of(out)
    assert np.allclose(rotation_hessian, rotation_hessian.swapaxes(-1, -2))
    assert (np.linalg.eigvalsh(rotation_hessian) > 0).all()
    step = np.linalg.solve(rotation_hessian, out.rotation_gradient.numpy()[..., None])[..., 0]
    # the other three views hold the pose, not quite: the step undoes most of the turn
    assert np.abs(step[:, 1] + turn).max() < 0.6 * np.linalg.norm(turn)
    assert ((step[:, 1] * -turn).sum(-1) > 0.3 * (turn @ turn)).all()


@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e3])
def test_inverse3_agrees_with_numpy(spread: float, double: ModuleType) -> None:
    root = np.random.default_rng(7).normal(size=(5, 4, 3, 3)) * spread
    matrix = root @ root.swapaxes(-1, -2) + 0.1 * spread**2 * np.eye(3)
    found = double.inverse3(torch.tensor(matrix.reshape(5, 4, 9))).numpy().reshape(matrix.shape)
    assert np.allclose(found @ matrix, np.eye(3), atol=1e-9)
    assert np.allclose(found, np.linalg.inv(matrix), rtol=1e-8)


@pytest.mark.parametrize("degrees", [0.0, 0.5, 5.0])
def test_small_rotations_are_rotations_of_nearly_that_angle(degrees: float, double: ModuleType) -> None:
    vector = np.random.default_rng(8).normal(size=(6, 2, 1, 3))
    vector *= np.radians(degrees) / np.linalg.norm(vector, axis=-1, keepdims=True)
    found = double._small_rotation(torch.tensor(vector)).numpy()
    assert found.shape == (6, 2, 3, 3)
    assert np.allclose(found @ found.swapaxes(-1, -2), np.eye(3), atol=1e-12)
    assert angle_deg(found, rotation_from_vector(vector[:, :, 0])).max() < 0.01
