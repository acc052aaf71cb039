"""The loss terms of one training step, for all methods."""

from dataclasses import astuple, replace

import numpy as np
import pytest
import torch

from pose_rig.lifting.model import Lifter, LifterConfig
from pose_rig.training import losses
from pose_rig.training.distributed import ProcessGroup
from pose_rig.training.footage.dataset import Batch, PoseDataset
from pose_rig.training.methods import METHODS, TERMS, Weights, method
from pose_rig.training.training_step import lift, loss_terms, permutation_within_rigs, total_loss
from tests.training.fakes.footage import exact_walk, takes
from tests.training.fakes.lifters import knowing, rolled, true_lifts, true_rig

RIGS, PER_RIG = 2, 3


def small(name: str) -> Lifter:
    recipe = method(name)
    torch.manual_seed(0)
    return Lifter(LifterConfig(16, 1, 1, recipe.frame, recipe.rotation))


def batch_of(name: str) -> Batch:
    dataset = PoseDataset(takes(3, 3), method(name).frame)
    return dataset.sample(RIGS, PER_RIG, np.random.default_rng(0))


def order() -> torch.Tensor:
    return permutation_within_rigs(RIGS, PER_RIG, torch.Generator().manual_seed(0), torch.device("cpu"))


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("name", METHODS)
def test_terms_with_a_weight_are_finite_and_have_gradients(name: str, late: bool) -> None:
    recipe, lifter = method(name), small(name)
    weights = recipe.late if late else recipe.early
    values = loss_terms(lifter, batch_of(name), recipe, weights, order())
    assert {term for term, weight in zip(TERMS, astuple(weights), strict=True) if weight} <= set(values)
    assert set(values) <= set(TERMS)
    assert all(bool(torch.isfinite(value)) and value.dim() == 0 for value in values.values())
    torch.autograd.backward(total_loss(values, weights))
    gradients = [weight.grad for weight in lifter.parameters() if weight.grad is not None]
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)
    assert lifter.stem.weight.grad is not None
    assert float(lifter.stem.weight.grad.abs().sum()) > 0


def test_the_refinement_term_has_no_gradient() -> None:
    weights = method("csm-s1s2").early
    values = loss_terms(small("csm-s1s2"), batch_of("csm-s1s2"), method("csm-s1s2"), weights, order())
    assert float(values["ref"].detach()) > 0
    assert [name for name, value in values.items() if not value.requires_grad] == ["ref"]


@pytest.mark.parametrize("term", ["cam", "bend", "sp"])
def test_terms_that_are_switched_off_are_not_computed(term: str) -> None:
    recipe = method("ours-sp").without((term,))
    whole, some = (
        loss_terms(small("ours-sp"), batch_of("ours-sp"), each, each.late, order())
        for each in (method("ours-sp"), recipe)
    )
    if term != "sp":  # comes with the views' agreement, which the spread needs too
        assert set(whole) - set(some) == {term}
    for name in set(whole) & set(some):
        assert torch.equal(whole[name], some[name])
    assert not torch.equal(total_loss(whole, recipe.late), total_loss(whole, method("ours-sp").late))


@pytest.mark.parametrize(
    ("name", "off"),
    [("canonpose", ("rep", "view")), ("ours", ("rep", "view", "cam")), ("csm-s1s2", ("rep", "view", "frep", "fview"))],
)
def test_whatever_is_left_on_is_computed(name: str, off: tuple[str, ...]) -> None:
    recipe = method(name).without(off)
    values = loss_terms(small(name), batch_of(name), recipe, recipe.early, order())
    assert {term for term, weight in zip(TERMS, astuple(recipe.early), strict=True) if weight} <= set(values)
    assert total_loss(values, recipe.early).requires_grad


def test_supervised_training_uses_single_views_only() -> None:
    batch = batch_of("supervised")
    weights = method("supervised").early
    assert set(loss_terms(small("supervised"), batch, method("supervised"), weights, order())) == {"supervised"}


def test_the_truth_has_no_loss_and_a_moved_rig_has() -> None:
    footage, recipe = exact_walk(), method("ours")
    batch = replace(PoseDataset([footage], "ray").all, per_rig=6)
    rig = true_rig(footage)
    person = true_lifts(batch, rig)
    values = loss_terms(knowing(person), batch, recipe, recipe.early, torch.arange(6).roll(1))
    assert set(values) == {"rep", "view", "cam", "bend"}
    assert max(float(value) for value in values.values()) < 1e-3
    other = rolled(batch)[0]
    lying = loss_terms(knowing(true_lifts(other, rig)), other, recipe, recipe.early, torch.arange(6).roll(1))
    assert float(lying["cam"]) < 1e-3
    moved = rig.repeat(6, 1, 1, 1)
    moved[3] = rig[[1, 0, 2, 3]]
    off = loss_terms(knowing(true_lifts(batch, moved)), batch, recipe, recipe.early, torch.arange(6).roll(1))
    assert float(off["cam"]) > 0.05
    gone = replace(batch, moving=torch.ones(6))
    moving = loss_terms(knowing(true_lifts(batch, moved)), gone, recipe, recipe.early, torch.arange(6).roll(1))
    assert float(moving["cam"]) == 0


def test_processes_together_have_the_camera_consistency_of_all_rigs() -> None:
    recipe, lifter, batch, own = method("canonpose"), small("canonpose"), batch_of("canonpose"), order()
    whole = loss_terms(lifter, batch, recipe, recipe.early, own)["cam"]
    parts = []
    for rank in range(RIGS):
        group = ProcessGroup(rank, RIGS)
        shard, permutation = group.shard(batch), group.shard_permutation(own, PER_RIG)
        parts.append(loss_terms(lifter, shard, recipe, recipe.early, permutation)["cam"])
    assert float(whole.detach()) > 0
    torch.testing.assert_close(torch.stack(parts).mean(), whole)


def test_perspective_is_the_methods() -> None:
    batch = replace(PoseDataset([exact_walk()], "ray").all, per_rig=6)
    person = true_lifts(batch, true_rig(exact_walk()))
    recipe = method("ours")
    flat = replace(recipe, perspective=False)
    near, weak = (loss_terms(knowing(person), batch, each, each.early, torch.arange(6)) for each in (recipe, flat))
    assert float(weak["view"]) > 10 * float(near["view"])


def test_all_views_are_lifted_as_one_batch_in_their_order() -> None:
    lifter = small("ours").eval()
    batch = PoseDataset([exact_walk()], "ray").all
    with torch.no_grad():
        whole = lift(lifter, batch.pose_2d, batch.confidence, batch.depth)
        pose, rotation, spread = lifter(batch.pose_2d[:, 2], batch.confidence[:, 2])
    assert whole.pose.shape == (6, 4, 17, 3)
    for one, all_views in ((pose, whole.pose), (rotation, whole.view_from_canonical), (spread, whole.spread)):
        assert torch.allclose(all_views[:, 2], one, atol=1e-6)


def test_the_permutation_stays_within_rigs() -> None:
    generator = torch.Generator().manual_seed(0)
    found = permutation_within_rigs(5, 7, generator, torch.device("cpu"))
    assert torch.equal(found.reshape(5, 7).sort(1).values.flatten(), torch.arange(35))
    assert not torch.equal(found, torch.arange(35))
    assert len({tuple(row) for row in (found.reshape(5, 7) - 7 * torch.arange(5)[:, None]).tolist()}) > 1
    same = permutation_within_rigs(5, 7, torch.Generator().manual_seed(0), torch.device("cpu"))
    assert torch.equal(found, same)


def test_the_total_leaves_nothing_out() -> None:
    values = {name: torch.tensor(2.0**i) for i, name in enumerate(TERMS)}
    for i, name in enumerate(TERMS):
        assert float(total_loss(values, replace(Weights(), **{name: 0.5}))) == 2.0**i / 2
    assert float(total_loss(values, Weights(*[1.0] * len(TERMS)))) == 2.0 ** len(TERMS) - 1
    assert float(total_loss({**values, "rehearsal": torch.tensor(3.0)}, Weights())) == 3


def test_a_batch_without_detections_has_zero_gradients() -> None:
    batch = PoseDataset([exact_walk()], "image").all
    nobody = replace(batch, pose_2d=0 * batch.pose_2d, confidence=0 * batch.confidence)
    assert float(losses.visible_views(nobody.confidence).sum()) == 0
    lifter, recipe = small("csm-s1s2"), method("csm-s1s2")
    values = loss_terms(lifter, nobody, recipe, recipe.early, torch.arange(6))
    torch.autograd.backward(total_loss(values, recipe.early))
    gradients = [weight.grad for weight in lifter.parameters() if weight.grad is not None]
    assert all(float(gradient.abs().sum()) == 0 for gradient in gradients)
