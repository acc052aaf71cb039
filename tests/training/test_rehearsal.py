"""Which simulated views come when."""

import numpy as np
import torch

from pose_rig.training.motion import shipped
from pose_rig.training.rehearsal import CHUNK, REUSE, Rehearsal

SIZE = 8
POOL = shipped()


def rehearsal(seed: int = 0) -> Rehearsal:
    return Rehearsal(POOL, SIZE, seed, "cpu")


def test_views_of_a_step_come_from_the_seed_and_the_step_alone() -> None:
    steps = (0, 1, CHUNK, CHUNK * REUSE - 1, CHUNK * REUSE, 3 * CHUNK * REUSE + 5)
    through = rehearsal()
    forward = {step: through.at(step) for step in steps}
    for step in reversed(steps):  # another order, and each as the first thing that is asked
        for again in (through.at(step), rehearsal().at(step)):
            assert all(torch.equal(again[name], value) for name, value in forward[step].items())
    assert len({forward[step]["flat"].numpy().tobytes() for step in steps}) == len(steps)
    assert not torch.equal(rehearsal(seed=1).at(0)["flat"], forward[0]["flat"])


def test_a_step_has_whole_views() -> None:
    views = rehearsal().at(3)
    assert {name: tuple(value.shape) for name, value in views.items()} == {
        "flat": (SIZE, 17, 2), "confidence": (SIZE, 17), "shape": (SIZE, 17, 3), "canonical": (SIZE, 17, 3),
        "rotation": (SIZE, 3, 3),
    }  # fmt: skip
    turned = torch.einsum("nij,nkj->nki", views["rotation"], views["canonical"])
    assert torch.allclose(turned, views["shape"], atol=1e-5)  # rows of all parts stay together


def test_each_view_is_shown_as_often_as_intended_in_other_company() -> None:
    shown = rehearsal()
    steps = [shown.at(step)["flat"].numpy() for step in range(CHUNK * REUSE)]
    views, times = np.unique([view.tobytes() for step in steps for view in step], return_counts=True)
    assert len(views) == SIZE * CHUNK
    assert set(times) == {REUSE}
    for turn in range(REUSE):  # nobody twice before everybody once
        part = steps[turn * CHUNK : (turn + 1) * CHUNK]
        assert len({view.tobytes() for step in part for view in step}) == SIZE * CHUNK
    company = [frozenset(view.tobytes() for view in step) for step in steps]
    assert len(set(company)) == CHUNK * REUSE
    following = {view.tobytes() for view in shown.at(CHUNK * REUSE)["flat"].numpy()}
    assert following.isdisjoint({view.tobytes() for step in steps for view in step})
