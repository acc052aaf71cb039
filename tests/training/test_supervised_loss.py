import numpy as np
import pytest
import torch
from torch import Tensor

from pose_rig.geometry import nearest_rotation, rotation_from_vector
from pose_rig.lifting.model import MIN_SPREAD
from pose_rig.skeleton import J
from pose_rig.training.losses import distance, lifting_loss


def target(count: int = 5) -> dict[str, Tensor]:
    rng = np.random.default_rng(0)
    rotation = nearest_rotation(rng.normal(size=(count, 3, 3)))
    canonical = rng.normal(0, 0.3, (count, J, 3))
    arrays = {
        "pose_in_view": canonical @ rotation.swapaxes(1, 2),
        "canonical": canonical,
        "view_from_canonical": rotation,
    }
    return {name: torch.tensor(value, dtype=torch.float32) for name, value in arrays.items()}


def test_distance_is_the_mean_of_lengths() -> None:
    a = torch.zeros(2, 2, 3)
    b = torch.tensor([[[3.0, 4, 0], [0, 0, 0]], [[0, 0, 2], [0, 0, 1]]])
    assert float(distance(a, b).mean()) == pytest.approx(2.0, abs=1e-3)
    assert float(distance(a, a).mean()) == pytest.approx(0, abs=2e-4)


def test_at_the_truth_nothing_is_left_but_the_spread() -> None:
    truth = target()
    spread = torch.full((5, J), MIN_SPREAD)
    losses = lifting_loss((truth["canonical"], truth["view_from_canonical"], spread), truth)
    for part in (losses["pose"], losses["canonical"], losses["rotation"]):
        assert float(part) < 1e-3
    assert float(losses["spread"]) == pytest.approx(np.log(MIN_SPREAD), rel=1e-3)


@pytest.mark.parametrize("part", ["canonical", "rotation"])
def test_further_from_the_truth_costs_more(part: str) -> None:
    truth, spread = target(), torch.full((5, J), 0.1)
    costs = []
    for size in (0.0, 0.1, 0.2, 0.4):
        outputs = {name: value.clone() for name, value in truth.items()}
        if part == "canonical":
            outputs["canonical"] += size
        else:
            turn = torch.tensor(rotation_from_vector(np.array([size, 0, 0])), dtype=torch.float32)
            outputs["view_from_canonical"] = turn @ outputs["view_from_canonical"]
        losses = lifting_loss((outputs["canonical"], outputs["view_from_canonical"], spread), truth)
        costs.append(float(losses["total"]))
    assert costs == sorted(costs)
    assert costs[-1] > costs[0] + 0.05


def test_the_best_spread_is_how_far_the_depth_is_off() -> None:
    truth = target()
    canonical = (
        truth["canonical"] + 0.1 * truth["view_from_canonical"][:, 2][:, None]
    )  # 0.1 along the ray for every joint

    def cost(size: float) -> float:
        return float(lifting_loss((canonical, truth["view_from_canonical"], torch.full((5, J), size)), truth)["spread"])

    assert min((0.02, 0.05, 0.1, 0.2, 0.5), key=cost) == 0.1


def test_descent_reaches_the_truth() -> None:
    truth = target(3)
    canonical = torch.zeros(3, J, 3, requires_grad=True)
    log_spread = torch.zeros(3, J, requires_grad=True)
    optimiser = torch.optim.Adam([canonical, log_spread], 0.02)
    first = last = 0.0
    for step in range(150):
        losses = lifting_loss((canonical, truth["view_from_canonical"], log_spread.exp()), truth)
        optimiser.zero_grad()
        torch.autograd.backward(losses["total"])
        optimiser.step()
        first, last = (float(losses["pose"]), 0.0) if step == 0 else (first, float(losses["pose"]))
    assert last < 0.1 * first


def test_the_pose_is_not_moved_by_the_spread() -> None:
    truth = target()
    canonical = (truth["canonical"] + 0.05).requires_grad_()
    gradients = []
    for size in (0.01, 1.0):
        spread = torch.full((5, J), size)
        gradients.append(
            torch.autograd.grad(
                lifting_loss((canonical, truth["view_from_canonical"], spread), truth)["total"], canonical
            )[0]
        )
    assert torch.allclose(gradients[0], gradients[1])
