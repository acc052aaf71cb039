"""Simulated views beside the footage."""

import torch

from pose_rig.simulation.motion import shipped
from pose_rig.skeleton import J
from pose_rig.training.footage.rehearsal import CHUNK, REUSE, Rehearsal

SIZE = 6
ROUND = CHUNK * REUSE  # steps that show the same views


def rehearsal(seed: int = 0) -> Rehearsal:
    return Rehearsal(shipped(), SIZE, seed, "cpu")


def shown(some: Rehearsal, steps: range) -> list[tuple[float, ...]]:
    """Every view by its rotation, which no two share."""
    return [tuple(view) for step in steps for view in some.at(step)["rotation"].flatten(1).tolist()]


def test_every_step_has_views_of_which_everything_is_known() -> None:
    views = rehearsal().at(0)
    assert {name: tuple(value.shape) for name, value in views.items()} == {
        "flat": (SIZE, J, 2), "confidence": (SIZE, J), "shape": (SIZE, J, 3), "canonical": (SIZE, J, 3),
        "rotation": (SIZE, 3, 3),
    }  # fmt: skip
    assert all(value.dtype == torch.float32 for value in views.values())
    assert torch.allclose(views["canonical"] @ views["rotation"].mT, views["shape"], atol=1e-5)  # rows stay together


def test_a_step_shows_the_same_whatever_was_asked_before() -> None:
    steps = [0, 1, CHUNK, ROUND - 1, ROUND]
    one, other = rehearsal(), rehearsal()
    forward = {step: one.at(step) for step in steps}
    for step in reversed(steps):
        assert all(torch.equal(value, forward[step][name]) for name, value in other.at(step).items())
    assert not torch.equal(rehearsal(1).at(0)["flat"], forward[0]["flat"])


def test_views_are_shown_so_often_in_other_company_and_then_others() -> None:
    some = rehearsal()
    turns = [shown(some, range(turn * CHUNK, (turn + 1) * CHUNK)) for turn in range(REUSE)]
    assert len(set(turns[0])) == SIZE * CHUNK
    for turn in turns[1:]:
        assert set(turn) == set(turns[0])
        assert turn != turns[0]
    assert not set(shown(some, range(ROUND, ROUND + CHUNK))) & set(turns[0])
