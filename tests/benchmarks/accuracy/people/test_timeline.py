"""A run with several people, second by second."""

import numpy as np

from benchmarks.accuracy.people.run import PeopleRun
from benchmarks.accuracy.people.timeline import timeline
from tests.fusion.people.scenes import crossing

FPS, STEPS = 10.0, 25


def test_a_timeline_shows_identities_and_who_is_missing() -> None:
    joints = crossing(2, STEPS / FPS, FPS)
    step = np.arange(STEPS)
    run = PeopleRun(
        step=step,
        identity=np.full(STEPS, 3),
        tracking=step < 20,
        found=np.where(step < 10, 0, 1)[:, None].repeat(2, 1),
        used=np.ones((STEPS, 2), bool),
        poses=np.zeros((STEPS, 17, 3)) + np.random.default_rng(0).normal(0, 0.3, (STEPS, 17, 3)),
        solved=step >= 10,
        step_ms=np.full(STEPS, 2.0),
    )
    table = timeline(run, joints, FPS)
    cells = [list(column.cells) for column in table.columns]
    assert cells[0] == ["0", "1", "2"]
    assert cells[1] == ["0 %", "100 %", "100 %"]
    assert str(cells[4][0]).startswith("3 → 0 (2.0, ")
    assert str(cells[4][1]).startswith("3 → 1 (2.0, ")
    assert cells[4][2] == ""
    assert cells[5] == ["1", "0", "0 1"]
