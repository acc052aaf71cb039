"""Interruption of a training between two validations."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pose_rig.lifting.checkpoint import load
from pose_rig.lifting.model import Lifter, LifterConfig
from pose_rig.training.job import TrainingJob
from pose_rig.training.run_folder import RunFolder
from pose_rig.training.train import Progress, TrainingResult, train
from pose_rig.training.validation import validate
from tests.training.fakes.footage import split_datasets, takes

JOB = TrainingJob(method="ours", width=32, steps=100, rigs=3, per_rig=4, rate=3e-3, warm_up=4, check=40)


def stopped(
    folder: Path, step: int, rate: float = JOB.rate, start: Lifter | None = None, steps: int = JOB.steps
) -> TrainingResult:
    """Runs until a step is done, then as after Ctrl-C."""

    def tell(now: Progress) -> None:
        if now.step == step:
            raise KeyboardInterrupt

    job = replace(JOB, rate=rate, steps=steps)
    with RunFolder(folder, job) as made:
        return train(job, *split_datasets(takes(), "ray"), made, start=start, on_step=tell)


@pytest.mark.parametrize("step", [30, 70])
def test_weights_since_the_last_validation_are_kept_if_they_are_better(tmp_path: Path, step: int) -> None:
    outcome = stopped(tmp_path, step)
    assert (outcome.stop_reason, outcome.step) == ("interrupted", step)
    assert outcome.best.score(supervised=False) < outcome.initial.score(supervised=False)
    assert validate(outcome.lifter, split_datasets(takes(), "ray")[1]) == outcome.best
    assert not outcome.lifter.training
    told = load(tmp_path / "lifter.pt")[0]  # of the last validation, from which a run is resumed
    assert not torch.equal(told.stem.weight, outcome.lifter.stem.weight)
    assert validate(told, split_datasets(takes(), "ray")[1]).score(supervised=False) > outcome.best.score(
        supervised=False
    )


def test_what_got_worse_is_not_kept(tmp_path: Path) -> None:
    good = stopped(tmp_path / "good", 70).lifter
    weights = good.stem.weight.detach().clone()
    outcome = stopped(tmp_path / "worse", 12, rate=0.9, start=good)
    assert (outcome.stop_reason, outcome.step, outcome.best) == ("interrupted", 12, outcome.initial)
    assert torch.equal(outcome.lifter.stem.weight, weights)


def test_a_resumed_run_keeps_its_input_frame(tmp_path: Path) -> None:
    config = LifterConfig(16, 1, 1, mirrored=True, body_from_canonical=(0.0, 0.0, 1.0, 0.0, 1.0, 0.0, -1.0, 0.0, 0.0))
    job = replace(JOB, steps=60)
    stopped(tmp_path, 50, start=Lifter(config), steps=60)
    with RunFolder(tmp_path, job, resume=True) as folder:
        outcome = train(job, *split_datasets(takes(), "ray"), folder, resume=True)
    assert (outcome.step, outcome.lifter.config) == (60, config)
