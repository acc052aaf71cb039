"""Footage on the device, and batches of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pose_rig.errors import UsageError
from pose_rig.skeleton import MIRROR
from pose_rig.training.bank import TENSORS, Bank, mirror, see
from pose_rig.training.footage import Footage
from tests.training.walk_footage import exact, simulated


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(UsageError, match=r"walk: score has the shape \(6, 3, 17\)\. \(6, 4, 17\) belongs to"):
        replace(exact(), score=exact(3).score)


@pytest.mark.parametrize("frame", ["ray", "image"])
def test_what_a_lifter_sees_is_centred_and_of_norm_one(frame: str) -> None:
    seen = see(exact(), frame)  # type: ignore[arg-type]
    assert np.allclose(np.linalg.norm(seen.flat, axis=(-1, -2)), 1, atol=1e-5)
    assert np.allclose(seen.flat[:, :, 0], 0, atol=1e-6)
    assert np.allclose(np.linalg.det(seen.view_from_camera), 1, atol=1e-6)
    assert (seen.norm > 0).all() == (frame == "ray")


@pytest.mark.parametrize("frame", ["ray", "image"])
def test_the_true_shape_lies_over_the_picture(frame: str) -> None:
    every = Bank([exact()], frame).all  # type: ignore[arg-type]
    assert float((every.shape[..., :2] - every.flat).norm(dim=-1).mean()) < 0.03
    assert torch.allclose(every.shape[..., :2].norm(dim=(-1, -2)), torch.ones(6, 4), atol=1e-5)


def test_instants_of_one_rig_lie_side_by_side() -> None:
    first, second = exact(), replace(exact(), focal_px=exact().focal_px * 0.8)
    bank = Bank([first, second], "ray")
    batch = bank.draw(5, 3, np.random.default_rng(0), flips=False)
    assert batch.flat.shape == (15, 4, 17, 2)
    assert batch.per_rig == 3
    longer = batch.norm.reshape(5, 3, 4).mean((1, 2)) > float(bank.all.norm.mean())
    each = batch.norm.reshape(5, 3, 4).mean(2) > float(bank.all.norm.mean())
    assert (each == longer[:, None]).all()
    assert longer.any()
    assert not longer.all()


def test_the_same_chance_draws_the_same_batch(tmp_path: Path) -> None:
    bank = Bank(simulated(tmp_path), "ray")
    one, two, other = (bank.draw(4, 4, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(getattr(one, name), getattr(two, name)) for name in TENSORS)
    assert not torch.equal(one.flat, other.flat)


def test_a_mirrored_batch_is_a_picture_of_the_mirrored_person() -> None:
    bank = Bank([exact()], "ray")
    batch = bank.draw(2, 3, np.random.default_rng(0), flips=False)
    flipped = mirror(batch, torch.tensor([True, False]))
    assert torch.equal(flipped.flat[3:], batch.flat[3:])
    assert torch.allclose(flipped.flat[:3, :, :, 0], -batch.flat[:3][:, :, list(MIRROR), 0])
    assert float((flipped.shape[..., :2] - flipped.flat).norm(dim=-1).mean()) < 0.03
    assert torch.allclose(torch.linalg.det(flipped.view_from_camera), torch.ones(6, 4), atol=1e-5)
    again = mirror(flipped, torch.tensor([True, False]))
    assert all(torch.allclose(getattr(again, name), getattr(batch, name)) for name in TENSORS)


def test_rigs_of_fewer_views_are_filled_up_with_views_that_see_nothing() -> None:
    bank = Bank([exact(4), exact(2)], "ray")
    assert bank.all.flat.shape == (12, 4, 17, 2)
    assert float(bank.all.confidence[6:, 2:].abs().max()) == 0
    assert float(bank.all.scored[6:, 2:].max()) == 0
    assert float(bank.all.scored[6:, :2].min()) == 1


def test_instants_that_one_view_alone_sees_teach_nothing() -> None:
    one = exact()
    score = one.score.copy()
    score[2:, 1:] = 0
    assert len(Bank([replace(one, score=score)], "ray")) == 2
    nobody = replace(one, score=np.zeros_like(score))
    with pytest.raises(UsageError, match=r"Nobody is seen by two cameras at once\."):
        Bank([nobody], "ray")


def test_parts_are_all_instants_in_order() -> None:
    bank = Bank([exact(), exact(2)], "image")
    parts = bank.parts(5)
    assert [len(part.flat) for part in parts] == [5, 5, 2]
    assert torch.equal(torch.cat([part.flat for part in parts]), bank.all.flat)


def test_some_instants_of_footage(tmp_path: Path) -> None:
    take: Footage = simulated(tmp_path, takes=1)[0]
    some = take.at(np.array([1, 3]))
    assert (some.instants, some.views) == (2, 4)
    assert some.truth is not None
    assert take.truth is not None
    assert np.array_equal(some.truth.joints[1], take.truth.joints[3])
