"""Simulated single views, and the ones that are rehearsed."""

from pathlib import Path

import numpy as np
import torch

from pose_rig.simulation.motion import PosePool, shipped
from pose_rig.skeleton import J
from pose_rig.training.footage.simulated_views import (
    CHUNK_STEPS,
    NO_DEPTH_SHARE,
    REHEARSAL_EPOCHS,
    Rehearsal,
    SimulatedViewSampler,
)
from tests.training.fakes.motion_files import clips

SIZE = 6
ROUND = CHUNK_STEPS * REHEARSAL_EPOCHS  # steps that show the same views


def test_batches_are_consistent_and_repeatable(tmp_path: Path) -> None:
    pool = PosePool(clips(tmp_path))
    batch = SimulatedViewSampler(pool, seed=1).sample(300)
    shapes = {name: getattr(batch, name).shape for name in batch.__dataclass_fields__}
    assert shapes == {
        "pose_2d": (300, J, 2), "confidence": (300, J), "pose_in_view": (300, J, 3), "canonical": (300, J, 3),
        "view_from_canonical": (300, 3, 3), "depth": (300, J, 2), "common_error": (300,),
        "independent_error": (300,),
    }  # fmt: skip
    for name in shapes:
        value = getattr(batch, name)
        assert value.dtype == np.float32
        assert np.isfinite(value).all()
        assert np.array_equal(value, getattr(SimulatedViewSampler(pool, seed=1).sample(300), name))
    assert np.allclose(np.linalg.det(batch.view_from_canonical), 1, atol=1e-4)
    assert np.allclose(batch.canonical @ batch.view_from_canonical.swapaxes(1, 2), batch.pose_in_view, atol=1e-5)
    assert np.allclose(batch.pose_2d[batch.confidence == 0], 0)
    left = batch.canonical[:, 4] - batch.canonical[:, 1]
    assert (left[:, 0] > 0).mean() > 0.85  # they face +z
    assert np.median(np.linalg.norm(batch.pose_in_view[..., :2] - batch.pose_2d, axis=-1)) < 0.06
    assert not np.array_equal(batch.pose_2d, SimulatedViewSampler(pool, seed=2).sample(300).pose_2d)


def rehearsal(seed: int = 0) -> Rehearsal:
    return Rehearsal(shipped(), SIZE, seed, "cpu")


def shown(some: Rehearsal, steps: range) -> list[tuple[float, ...]]:
    """Every view by its rotation, which no two share."""
    return [tuple(view) for step in steps for view in some.at(step)["view_from_canonical"].flatten(1).tolist()]


def test_every_step_has_views_with_ground_truth() -> None:
    views = rehearsal().at(0)
    assert {name: tuple(value.shape) for name, value in views.items()} == {
        "pose_2d": (SIZE, J, 2), "confidence": (SIZE, J), "pose_in_view": (SIZE, J, 3), "canonical": (SIZE, J, 3),
        "view_from_canonical": (SIZE, 3, 3), "depth": (SIZE, J, 2), "common_error": (SIZE,),
        "independent_error": (SIZE,),
    }  # fmt: skip
    assert all(value.dtype == torch.float32 for value in views.values())
    assert torch.allclose(
        views["canonical"] @ views["view_from_canonical"].mT, views["pose_in_view"], atol=1e-5
    )  # rows stay together


def test_the_views_of_a_step_do_not_depend_on_earlier_steps() -> None:
    steps = [0, 1, CHUNK_STEPS, ROUND - 1, ROUND]
    one, other = rehearsal(), rehearsal()
    forward = {step: one.at(step) for step in steps}
    for step in reversed(steps):
        assert all(torch.equal(value, forward[step][name]) for name, value in other.at(step).items())
    assert not torch.equal(rehearsal(1).at(0)["pose_2d"], forward[0]["pose_2d"])


def test_views_are_reused_in_another_order_and_then_replaced() -> None:
    some = rehearsal()
    turns = [shown(some, range(turn * CHUNK_STEPS, (turn + 1) * CHUNK_STEPS)) for turn in range(REHEARSAL_EPOCHS)]
    assert len(set(turns[0])) == SIZE * CHUNK_STEPS
    for turn in turns[1:]:
        assert set(turn) == set(turns[0])
        assert turn != turns[0]
    assert not set(shown(some, range(ROUND, ROUND + CHUNK_STEPS))) & set(turns[0])


def test_depths_are_estimates_and_unknown_in_a_share_of_the_views() -> None:
    views = SimulatedViewSampler(shipped(), seed=1).sample(3000)
    known = views.depth[..., 1] > 0
    has_depth = np.asarray(known.any(1))
    assert abs(has_depth.mean() - (1 - NO_DEPTH_SHARE)) < 0.05
    assert np.array_equal(known, (views.confidence > 0) & has_depth[:, None])
    assert not views.depth[~known].any()
    off = (views.depth[..., 0] - views.pose_in_view[..., 2])[known]
    assert 0.04 < off.std() < 0.12
    assert np.corrcoef(views.depth[..., 0][known], views.pose_in_view[..., 2][known])[0, 1] > 0.7
