"""Training until convergence; nothing here measures time."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from benchmarks.training.convergence import Convergence, Schedule, chosen, converge, mirrored
from pose_rig.lifting.model import Lifter
from pose_rig.training.footage.dataset import PoseDataset
from pose_rig.training.job import TrainingJob
from pose_rig.training.methods import Weights
from tests.training.fakes.footage import takes

JOB = TrainingJob(method="canonpose", width=8, rigs=2, per_rig=2, warm_up=3, rate=1e-2)
SCHEDULE = Schedule(check=2, max_constant=6, min_decay=3)


@cache
def dataset() -> PoseDataset:
    return PoseDataset(takes(2, 2), "image")


def run(shares: list[float], schedule: Schedule = SCHEDULE, job: TrainingJob = JOB) -> Convergence:
    answers = iter(shares)
    return converge(job, dataset(), lambda _: next(answers), schedule)


@pytest.mark.parametrize(
    ("shares", "choice", "steps"), [([3.0], 2, 10), ([50.0, 97.0], 4, 20), ([50.0, 5.0, 60.0], None, 6)]
)
def test_the_rate_decays_after_the_choice(shares: list[float], choice: int | None, steps: int) -> None:
    done = run(shares)
    assert (done.choice, done.steps) == (choice, steps)
    assert done.seconds >= 0
    assert done.processor_s >= 0


def test_the_decay_has_a_minimum() -> None:
    assert [Schedule(1, 100, 100).decay(choice) for choice in (10, 25, 30)] == [100, 100, 120]


def test_rates_are_constant_and_then_a_cosine(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    whole = torch.optim.AdamW.step

    def step(self: torch.optim.AdamW) -> None:
        rates.append(self.param_groups[0]["lr"])
        whole(self)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    run([50.0, 1.0])
    assert rates[:4] == pytest.approx([JOB.rate / 3, JOB.rate * 2 / 3, JOB.rate, JOB.rate])
    assert rates[4:] == pytest.approx([JOB.rate * (1 + np.cos(np.pi * i / 16)) / 2 for i in range(16)])


def test_the_second_stage_begins_after_its_share_of_all_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    weights: list[Weights] = []

    def total(terms: dict[str, torch.Tensor], own: Weights) -> torch.Tensor:
        weights.append(own)
        return terms["rep"]

    monkeypatch.setattr("benchmarks.training.convergence.total_loss", total)
    job = replace(JOB, method="csm-s1")
    run([0.0], job=job)
    method = job.recipe()
    assert weights == [method.early] * 7 + [method.late] * 3


def test_equal_seeds_give_equal_weights() -> None:
    first, same, other = (run([0.0], job=replace(JOB, seed=seed)).lifter.state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["stem.weight"], other["stem.weight"])


def test_the_lifter_that_is_checked_is_the_trained_one() -> None:
    seen: list[Lifter] = []

    def check(lifter: Lifter) -> float:
        seen.append(lifter)
        return 1.0

    done = converge(JOB, dataset(), check, SCHEDULE)
    assert seen == [done.lifter]


def test_all_mirrored_is_a_choice_too() -> None:
    assert [chosen(share) for share in (0.0, 4.9, 5.0, 50.0, 95.0, 95.1, 100.0)] == [
        True, True, False, False, False, True, True,
    ]  # fmt: skip


def test_mirrored_lifts_are_counted_among_those_that_are_known() -> None:
    truth = np.random.default_rng(0).normal(0, 1, (5, 2, 17, 3))
    predicted = 3 * truth + 1
    predicted[:2] *= np.array([1, 1, -1])
    predicted[4, 1] = np.nan
    assert mirrored(predicted, truth) == pytest.approx(100 * 4 / 9)
