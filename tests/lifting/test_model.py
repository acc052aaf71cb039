import pytest
import torch

from pose_rig.lifting.model import MIN_SPREAD, Lifter, LifterConfig, rotation_from_6d
from pose_rig.skeleton import J


def small(seed: int = 0) -> Lifter:
    torch.manual_seed(seed)
    return Lifter(LifterConfig(width=32, pose_blocks=1, camera_blocks=2)).eval()


@pytest.mark.parametrize("count", [1, 7])
def test_shapes_and_what_always_holds(count: int) -> None:
    canonical, rotation, spread = small()(torch.randn(count, J, 2), torch.rand(count, J))
    assert (canonical.shape, rotation.shape, spread.shape) == ((count, J, 3), (count, 3, 3), (count, J))
    assert (canonical[:, 0] == 0).all()
    assert torch.allclose(rotation @ rotation.mT, torch.eye(3).expand(count, 3, 3), atol=1e-5)
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(count), atol=1e-5)
    assert (spread >= MIN_SPREAD).all()


def test_every_input_and_every_weight_matters() -> None:
    model = small()
    flat, confidence = torch.randn(3, J, 2, requires_grad=True), torch.rand(3, J, requires_grad=True)
    canonical, rotation, spread = model(flat, confidence)
    (canonical.square().sum() + rotation[:, 0, 1].sum() + spread.sum()).backward()
    for tensor in (flat, confidence, *model.parameters()):
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
