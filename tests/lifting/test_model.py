from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from pose_rig.geometry import rotation_from_vector
from pose_rig.lifting.model import (
    MIN_SPREAD,
    Lifter,
    LifterConfig,
    rotation_from_6d,
    rotation_from_axis_angle,
    with_depth,
)
from pose_rig.skeleton import J

SMALL = LifterConfig(width=32, pose_blocks=1, camera_blocks=2)
TURN = rotation_from_vector(np.array([0.4, -1.2, 0.3]))
FLIP = torch.tensor([1.0, 1.0, -1.0])


def small(seed: int = 0, config: LifterConfig = SMALL) -> Lifter:
    torch.manual_seed(seed)
    return Lifter(config).eval()


def both(config: LifterConfig) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
    """Outputs of the same weights without and with a configuration."""
    ray_xy, confidence = torch.randn(5, J, 2), torch.rand(5, J)
    with torch.no_grad():
        return small()(ray_xy, confidence), small(config=config)(ray_xy, confidence)


@pytest.mark.parametrize("count", [1, 7])
def test_shapes_and_invariants(count: int) -> None:
    canonical, rotation, spread = small()(torch.randn(count, J, 2), torch.rand(count, J))
    assert (canonical.shape, rotation.shape, spread.shape) == ((count, J, 3), (count, 3, 3), (count, J))
    assert (canonical[:, 0] == 0).all()
    assert torch.allclose(rotation @ rotation.mT, torch.eye(3).expand(count, 3, 3), atol=1e-5)
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(count), atol=1e-5)
    assert (spread >= MIN_SPREAD).all()


def test_depths_change_nothing_before_training_and_where_they_are_unknown() -> None:
    plain = small()
    model = with_depth(plain)
    assert model.config == replace(SMALL, depth=True)
    assert with_depth(model) is model
    ray_xy, confidence, depth = torch.randn(5, J, 2), torch.rand(5, J), torch.rand(5, J, 2)

    def apart(other: Tensor | None) -> list[float]:
        with torch.no_grad():
            pairs = zip(plain(ray_xy, confidence), model(ray_xy, confidence, other), strict=True)
            return [float((a - b).abs().max()) for a, b in pairs]

    assert apart(depth) == apart(None) == [0, 0, 0]
    torch.nn.init.normal_(model.depth_branch.last.weight)
    assert apart(torch.zeros_like(depth)) == apart(None) == [0, 0, 0]
    assert min(apart(depth)) > 1e-3
    with torch.no_grad():  # a network that does not use them ignores them
        assert torch.equal(plain(ray_xy, confidence, depth)[0], plain(ray_xy, confidence)[0])


def test_every_input_and_every_weight_matters() -> None:
    model = small()
    ray_xy, confidence = torch.randn(3, J, 2, requires_grad=True), torch.rand(3, J, requires_grad=True)
    canonical, rotation, spread = model(ray_xy, confidence)
    (canonical.square().sum() + rotation[:, 0, 1].sum() + spread.sum()).backward()
    for tensor in (ray_xy, confidence, *model.parameters()):
        assert tensor.grad is not None
        assert tensor.grad.abs().sum() > 0


def test_the_shipped_network_has_the_shape_of_the_papers() -> None:
    model = Lifter(LifterConfig(width=1024))
    papers = 10_598_451  # CanonPose: 16 joints and an axis-angle; ours: 17, two columns, and a spread for each joint
    assert sum(weight.numel() for weight in model.parameters()) == pytest.approx(papers, rel=0.005)


def test_6d_of_rotations_gives_them_back() -> None:
    columns = torch.randn(20, 6, dtype=torch.float64)
    rotation = rotation_from_6d(columns)
    assert torch.allclose(rotation @ rotation.mT, torch.eye(3, dtype=torch.float64).expand(20, 3, 3), atol=1e-9)
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(20, dtype=torch.float64))
    again = rotation_from_6d(3.0 * torch.cat([rotation[..., 0], rotation[..., 1]], -1))
    assert torch.allclose(again, rotation, atol=1e-9)


def test_6d_has_right_gradients() -> None:
    columns = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(rotation_from_6d, (columns,))


@pytest.mark.parametrize("columns", [[0.0] * 6, [1.0, 0, 0, 2, 0, 0], [1e8, 0, 0, 0, 1e-8, 0]])
def test_6d_of_degenerate_columns_is_finite(columns: list[float]) -> None:
    assert torch.isfinite(rotation_from_6d(torch.tensor([columns]))).all()


@pytest.mark.parametrize("turn", [(), tuple(TURN.ravel().tolist())])
def test_mirrored_people_have_the_same_projection_and_opposite_depth(turn: tuple[float, ...]) -> None:
    (canonical, rotation, spread), (other, back, same) = both(replace(SMALL, mirrored=True, body_from_canonical=turn))
    assert torch.allclose(other @ back.mT, canonical @ rotation.mT * FLIP, atol=1e-5)
    assert torch.allclose(torch.linalg.det(back), torch.ones(5), atol=1e-5)
    assert torch.equal(spread, same)


def test_rotated_people_have_the_same_projection() -> None:
    (canonical, rotation, _), (turned, back, _) = both(replace(SMALL, body_from_canonical=tuple(TURN.ravel().tolist())))
    assert torch.allclose(turned, canonical @ torch.from_numpy(TURN).float().T, atol=1e-5)
    assert torch.allclose(turned @ back.mT, canonical @ rotation.mT, atol=1e-5)
    assert torch.allclose(torch.linalg.det(back), torch.ones(5), atol=1e-5)


def test_mirroring_precedes_rotation() -> None:
    turn = tuple(TURN.ravel().tolist())
    (canonical, _, _), (other, _, _) = both(replace(SMALL, mirrored=True, body_from_canonical=turn))
    assert torch.allclose(other, canonical * FLIP @ torch.from_numpy(TURN).float().T, atol=1e-5)


def test_the_input_frame_is_configuration() -> None:
    seen, other = both(replace(SMALL, frame="image"))
    assert all(torch.equal(x, y) for x, y in zip(seen, other, strict=True))


def test_rotations_by_axis_and_angle_leave_a_lifter_proper() -> None:
    model = small(config=replace(SMALL, rotation="axis_angle"))
    assert model.camera_head.out_features == 3
    with torch.no_grad():
        model.camera_head.weight.mul_(20.0)
        _, rotation, _ = model(torch.randn(50, J, 2), torch.rand(50, J))
    assert torch.allclose(rotation @ rotation.mT, torch.eye(3).expand(50, 3, 3), atol=1e-5)
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(50), atol=1e-5)
    assert float((rotation.diagonal(dim1=1, dim2=2).sum(-1) - 1).min()) < 0  # some by more than 90°


def test_axis_and_angle_are_those_of_rodrigues() -> None:
    vector = torch.randn(20, 3, dtype=torch.float64) * 2
    expected = torch.from_numpy(rotation_from_vector(vector.numpy()))
    assert torch.allclose(rotation_from_axis_angle(vector), expected, atol=1e-6)
    assert torch.allclose(rotation_from_axis_angle(torch.zeros(1, 3)), torch.eye(3).expand(1, 3, 3))


@pytest.mark.parametrize("size", [0.0, 1e-3, 3.0])
def test_axis_and_angle_have_right_gradients(size: float) -> None:
    vector = (size * torch.randn(4, 3, dtype=torch.float64)).requires_grad_()
    torch.autograd.backward(rotation_from_axis_angle(vector).square().sum())
    assert vector.grad is not None
    assert torch.isfinite(vector.grad).all()
    if size >= 1:
        assert torch.autograd.gradcheck(rotation_from_axis_angle, (vector,))
