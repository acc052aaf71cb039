"""All tensors of a training step are on one device: steps on `meta`, where a tensor left on the CPU is an error."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pose_rig.graph import LIFTER_ROTATION_SD
from pose_rig.lifting import csm
from pose_rig.lifting.csm_tables import tables
from pose_rig.lifting.model import Lifter, LifterConfig
from pose_rig.simulation.motion import shipped
from pose_rig.training.footage.dataset import PoseDataset
from pose_rig.training.footage.simulated_views import Rehearsal
from pose_rig.training.losses import lifting_loss
from pose_rig.training.methods import METHODS, method
from pose_rig.training.training_step import loss_terms, permutation_within_rigs, total_loss
from tests.training.fakes.footage import takes

RIGS, PER_RIG = 2, 3
FOUND = 5  # elements that `nonzero` finds: their number depends on data, which tensors on `meta` do not have
COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)  # from one device to another


class OneDevice(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Fails where an operation has tensors of two devices; on `meta` torch itself does not check most of them."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None) -> Any:
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor) and leaf.dim()]
        if func not in COPIES:
            assert len({tensor.device for tensor in tensors}) <= 1, func
        if func is torch.ops.aten.nonzero.default and tensors[0].device.type == "meta":
            return torch.zeros(FOUND, tensors[0].dim(), dtype=torch.int64, device="meta")
        return func(*args, **(kwargs or {}))


def one_device() -> AbstractContextManager[object]:
    """Returns an `OneDevice`."""
    mode: AbstractContextManager[object] = OneDevice()  # type: ignore[no-untyped-call]
    return mode


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("name", METHODS)
def test_every_method_and_stage_computes_on_one_device(name: str, late: bool) -> None:
    recipe = method(name)
    lifter = Lifter(LifterConfig(16, 1, 1, recipe.frame, recipe.rotation, mirrored=True)).to("meta")
    dataset = PoseDataset(takes(3, 3), recipe.frame, "meta")
    batch = dataset.sample(RIGS, PER_RIG, np.random.default_rng(0))
    order = permutation_within_rigs(RIGS, PER_RIG, torch.Generator(), batch.pose_2d.device)
    weights = recipe.late if late else recipe.early
    with one_device():
        terms = loss_terms(lifter, batch, recipe, weights, order)
        assert {term.device.type for term in terms.values()} == {"meta"}
        torch.autograd.backward(total_loss(terms, weights))
    assert lifter.stem.weight.grad is not None
    assert lifter.stem.weight.grad.device.type == "meta"


def test_rehearsal_computes_on_one_device() -> None:
    views = Rehearsal(shipped(), 8, 0, "meta").at(0)
    lifter = Lifter(LifterConfig(16, 1, 1)).to("meta")
    with one_device():
        loss = lifting_loss(lifter(views["pose_2d"], views["confidence"]), views)
    assert {value.device.type for value in loss.values()} == {"meta"}


def test_the_fusion_module_computes_on_one_device() -> None:
    frames, count, joints = 2, 3, 17
    shape = (frames, count, joints)
    views = csm.Views(
        torch.zeros(*shape, 2), torch.zeros(shape), torch.ones(frames, count), torch.zeros(frames, count),
        torch.zeros(shape), torch.ones(shape), torch.eye(3).expand(frames, count, 3, 3),
    )  # fmt: skip
    moved = csm.Views(*(getattr(views, name).to("meta") for name in csm.Views.__dataclass_fields__))
    with one_device():
        fused = csm.fuse(moved, torch.full((frames, count), LIFTER_ROTATION_SD, device="meta"))
    assert {getattr(fused, name).device.type for name in csm.Fused.__dataclass_fields__} == {"meta"}


def test_a_tensor_on_another_device_is_found() -> None:
    """Without it the tests above could not fail."""
    constants, matrix = tables(torch.zeros(1)), torch.zeros(2, 9, device="meta")
    cases: tuple[Callable[[], Tensor], ...] = (
        lambda: matrix @ constants.sum3,
        lambda: matrix * constants.eye3,
        lambda: matrix[:, constants.ray_a],
    )
    for left in cases:
        with one_device(), pytest.raises(AssertionError, match="aten"):
            left()
