"""What is kept of a training that was stopped between two looks at held-back instants."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pose_rig.lifting.checkpoint import load
from pose_rig.lifting.model import Lifter
from pose_rig.training.job import Job
from pose_rig.training.run_folder import RunFolder
from pose_rig.training.train import Outcome, Progress, train
from pose_rig.training.watch import look
from tests.training.footage_fakes import banks, takes

JOB = Job(method="ours", width=32, steps=100, rigs=3, per_rig=4, rate=3e-3, warm_up=4, check=40)


def stopped(folder: Path, step: int, rate: float = JOB.rate, start: Lifter | None = None) -> Outcome:
    """Runs until a step is done, then as after Ctrl-C."""

    def tell(now: Progress) -> None:
        if now.step == step:
            raise KeyboardInterrupt

    job = replace(JOB, rate=rate)
    with RunFolder(folder, job) as made:
        return train(job, *banks(takes(), "ray"), made, start=start, tell=tell)


@pytest.mark.parametrize("step", [30, 70])
def test_what_was_learned_since_the_last_look_is_kept_if_it_is_better(tmp_path: Path, step: int) -> None:
    outcome = stopped(tmp_path, step)
    assert (outcome.stopped, outcome.step) == ("interrupted", step)
    assert outcome.best.score(truth=False) < outcome.first.score(truth=False)
    assert look(outcome.lifter, banks(takes(), "ray")[1]) == outcome.best
    assert not outcome.lifter.training
    told = load(tmp_path / "lifter.pt")[0]  # as of the last look, from which a run goes on
    assert not torch.equal(told.stem.weight, outcome.lifter.stem.weight)
    assert look(told, banks(takes(), "ray")[1]).score(truth=False) > outcome.best.score(truth=False)


def test_what_got_worse_is_not_kept(tmp_path: Path) -> None:
    good = stopped(tmp_path / "good", 70).lifter
    weights = good.stem.weight.detach().clone()
    outcome = stopped(tmp_path / "worse", 12, rate=0.9, start=good)
    assert (outcome.stopped, outcome.step, outcome.best) == ("interrupted", 12, outcome.first)
    assert torch.equal(outcome.lifter.stem.weight, weights)
